/*
 * Listening to all listed jobs, for one user in this worker. Redis knows until
 * when somebody listens (lua/listen.lua), and only then messages of the
 * subscription tell of each job that is new, has progress, ends or is deleted.
 * The jobs are collected, and what has become of them is read for all at once.
 * Whenever messages may have been missed, the user is told so.
 */

#ifndef NGX_DFP_LISTEN_H
#define NGX_DFP_LISTEN_H


#include "ngx_dfp_store.h"

#include "dfp_changes.h"


#define NGX_DFP_LISTEN_TIME      60000   /* ms for which Redis is told; ... */
#define NGX_DFP_LISTEN_RENEW     5000    /* ... ms until it is told again */
#define NGX_DFP_LISTEN_RETRY     1000    /* ms until that, or a read, which has
                                            failed is tried again */
#define NGX_DFP_LISTEN_LOST      25000   /* ms without messages, then it ends */
#define NGX_DFP_LISTEN_SOON      100     /* ms between two reads; ... */
#define NGX_DFP_LISTEN_PROGRESS  1000    /* ... of jobs with progress only */
#define NGX_DFP_LISTEN_JOBS      1000    /* that may change between two reads */
#define NGX_DFP_LISTEN_READ      100     /* jobs that are read by one script; ... */
#define NGX_DFP_LISTEN_PARTS     1000    /* ... their parts; ... */
#define NGX_DFP_LISTEN_ARGS      1048576 /* ... bytes of args of new ones; the
                                            others are shown without */


/* Handlers must not call ngx_dfp_listen_close(). */
typedef struct {

    /* from now on all is heard */
    void  (*on_ready)(void);

    /* N jobs have changed. LIST has those that are listed and exist, in the same
       order; it is valid until the handler returns. */
    void  (*on_changed)(dfp_change_t *changes, ngx_uint_t n,
                        ngx_dfp_job_list_t *list);

    /* changes have been missed */
    void  (*on_reset)(void);

    /* nothing has been heard for NGX_DFP_LISTEN_LOST ms */
    void  (*on_lost)(void);

    /* the worker is told to quit */
    void  (*on_quit)(void);
} ngx_dfp_listen_handlers_t;


/* Starts to listen; HANDLERS must live until it is closed. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_listen_open(ngx_dfp_store_t *store,
    ngx_dfp_listen_handlers_t *handlers);

/* No handler is called any more. Safe when it is not open. */
void ngx_dfp_listen_close(void);

/* Whether all is heard. */
ngx_uint_t ngx_dfp_listen_ready(void);

/* A message: what has happened to a job (DFP_CHANGE_). */
void ngx_dfp_listen_changed(int64_t id, ngx_uint_t what);

/* Whether messages can come. */
void ngx_dfp_listen_channel(ngx_uint_t up);

/* The worker is told to quit. */
void ngx_dfp_listen_quit(void);


#endif /* NGX_DFP_LISTEN_H */
