/*
 * What an engine tells about a run: how far it is, and what has become of each
 * task.
 */

#ifndef NGX_DFP_RESULTS_H
#define NGX_DFP_RESULTS_H


#include "ngx_dfp_task.h"


#define NGX_DFP_RESULTS_MAX  1000    /* elements of a list */
#define NGX_DFP_RESULTS_JOB  10000   /* and of the same lists of all parts */


/* How far a run is; zeroed before the engine sets it. */
typedef struct {
    off_t       bytes_done;
    off_t       bytes_total;
    unsigned    downloads:1;   /* these are given, too */
    ngx_uint_t  downloads_done;
    ngx_uint_t  downloads_failed;
    ngx_uint_t  downloads_total;
    ngx_uint_t  pieces;
} ngx_dfp_progress_t;


/* One list of results: a JSON array without its brackets. */
typedef struct {
    dfp_buf_t   json;
    ngx_uint_t  n;
    ngx_uint_t  max;
    ngx_uint_t  omitted;       /* beyond MAX */
} ngx_dfp_list_t;


typedef struct {
    ngx_dfp_list_t  success;
    ngx_dfp_list_t  failure;
    ngx_dfp_list_t  unreachable;

    /* of dry runs; no targets: they are not known */
    ngx_dfp_list_t  tasks;
    ngx_dfp_list_t  targets;

    /* of a look at a kept job: tasks that it has warmed */
    ngx_uint_t      warmed;
} ngx_dfp_results_t;


/* A peer, or an nginx, in the results of jobs about a task. */
typedef struct {
    ngx_str_t   id;
    ngx_str_t   hostname;
    ngx_str_t   ip;
    int64_t     created;       /* ms since 1970, of a task that it holds; so below */
    int64_t     updated;
    unsigned    seed:1;
    unsigned    finished:1;    /* it holds all of the task */
} ngx_dfp_holder_t;


/* How many elements a list of RUN has at most. */
ngx_uint_t ngx_dfp_results_max(ngx_dfp_run_t *run);

/* Adds an entry to a list, or counts it as omitted. URL and DESCRIPTION may be
 * NULL. Without memory the list's buffer has failed. */
void ngx_dfp_results_add(ngx_dfp_list_t *list, ngx_str_t *hostname,
    ngx_str_t *ip, ngx_str_t *url, ngx_str_t *description);

/* Adds what has become of TASK in this nginx: to success if it is done, to
 * failure if it is not, with its reason. */
void ngx_dfp_results_task(ngx_dfp_results_t *results, ngx_dfp_task_t *task);

/* Adds TASK to what a dry run tells: what it is, and whether it is held, as far
 * as the task tells. */
void ngx_dfp_results_planned(ngx_dfp_results_t *results, ngx_dfp_task_t *task);

/* Adds an nginx or a peer that was chosen, and has HELD tasks already;
 * NGX_ERROR: that is not known. */
void ngx_dfp_results_target(ngx_dfp_results_t *results, ngx_str_t *hostname,
    ngx_str_t *ip, ngx_int_t held);

/* Adds a peer that holds a task, as the manager shows it. */
void ngx_dfp_results_holder(ngx_dfp_list_t *list, ngx_dfp_holder_t *holder);

/* Adds a peer with what has become of a task: DESCRIPTION is NULL, or why that is
 * not known, or has failed. Only its names and whether it is a seed are used. */
void ngx_dfp_results_told(ngx_dfp_list_t *list, ngx_dfp_holder_t *holder,
    ngx_str_t *description);

/* Adds a layer of an image. */
void ngx_dfp_results_url(ngx_dfp_list_t *list, ngx_str_t *url);

/* Adds a peer that holds LAYERS. */
void ngx_dfp_results_layers(ngx_dfp_list_t *list, ngx_str_t *hostname,
    ngx_str_t *ip, ngx_dfp_list_t *layers);

/* Sets HOLDER to this nginx, which holds nothing. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_results_instance(ngx_dfp_run_t *run,
    ngx_dfp_holder_t *holder);


#endif /* NGX_DFP_RESULTS_H */
