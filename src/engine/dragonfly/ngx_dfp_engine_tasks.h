/*
 * Jobs about tasks of Dragonfly's peers, for both of its engines: which peers hold a
 * task (get_task), deleting it from each (delete_task), and which hold the layers of
 * an image (get_image_distribution). Each peer that the scheduler lists is asked
 * itself: one question at a time, many peers at once.
 *
 * engine_tasks.c lists the peers and asks them; engine_tasks_ask.c has the questions;
 * engine_tasks_results.c tells what they have answered.
 */

#ifndef NGX_DFP_ENGINE_TASKS_H
#define NGX_DFP_ENGINE_TASKS_H


#include "ngx_dfp_dragonfly.h"


#define NGX_DFP_TASKS_QUESTIONS  1000000   /* of a run: peers times layers */


typedef struct ngx_dfp_questions_s  ngx_dfp_questions_t;

/* What a peer is asked next. */
typedef enum {
    NGX_DFP_ASK_STAT = 0,
    NGX_DFP_ASK_DELETE,
    NGX_DFP_ASK_AGAIN          /* whether it is deleted */
} ngx_dfp_ask_step_e;

typedef struct {
    ngx_queue_t           queue;     /* in ready */
    ngx_dfp_questions_t  *questions;
    ngx_dfp_server_t      server;
    ngx_dfp_holder_t      holder;
    ngx_dfp_grpc_t       *grpc;      /* NULL: nothing is asked */
    ngx_uint_t            task;      /* index of the one that is asked about */
    ngx_dfp_ask_step_e    step;
    u_char               *held;      /* of each layer, whether it is held */
    ngx_str_t             reason;    /* "": it has answered */
    ngx_str_t             deletion;  /* error of DeleteTask */
    unsigned              unreachable:1;
    unsigned              holds:1;   /* the task, or a layer */
    unsigned              deleted:1;
} ngx_dfp_asked_t;


/* The DATA of a run. */
struct ngx_dfp_questions_s {
    ngx_dfp_run_t    *run;
    ngx_dfp_hosts_t   hosts;
    dfp_str_t        *tasks;         /* ids */
    ngx_dfp_task_t  **layers;        /* of an image, in the same order */
    ngx_uint_t        ntasks;
    ngx_dfp_asked_t  *peers;
    ngx_uint_t        n;
    ngx_uint_t        left;          /* peers that have something to be asked; 1
                                        before they are listed */
    ngx_uint_t        active;
    ngx_queue_t       ready;
};


extern ngx_dfp_engine_t  ngx_dfp_engine_tasks;


/* Asks PEER what its step says. NGX_AGAIN: no connection is free, or no memory. */
ngx_int_t ngx_dfp_asked_ask(ngx_dfp_asked_t *peer);

/* Ends a question without its answer; safe if there is none. */
void ngx_dfp_asked_cancel(ngx_dfp_asked_t *peer);


/* The engine's check and results. */
ngx_int_t ngx_dfp_asked_check(ngx_dfp_run_t *run);
void ngx_dfp_asked_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results);


#endif /* NGX_DFP_ENGINE_TASKS_H */
