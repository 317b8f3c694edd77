/*
 * Between the files of following (ngx_dfp_follow.h): one job, how it is read, and
 * who is told.
 */

#ifndef NGX_DFP_FOLLOWED_H
#define NGX_DFP_FOLLOWED_H


#include "ngx_dfp_follow.h"


/* A job that is followed, and the requests that follow it. */
struct ngx_dfp_follow_s {
    ngx_queue_t            queue;      /* of its list */
    ngx_queue_t            followers;
    ngx_queue_t            told;       /* those that have to be told */
    ngx_dfp_store_t       *store;
    ngx_dfp_op_t           op;
    ngx_event_t            timer;
    ngx_event_t            tell;
    ngx_dfp_stored_job_t   job;        /* as it was read into op.pool */
    int64_t                deadline;   /* of the job; 0: unknown */
    ngx_uint_t             watching;   /* followers that watch the progress */
    ngx_msec_t             told_redis; /* when it was registered */
    ngx_msec_t             read;       /* when it was read */
    ngx_msec_t             failing;    /* since when it cannot be read */
    ngx_int_t              rc;         /* of the read */
    unsigned               registered:1;  /* Redis knows that somebody waits */
    unsigned               told_watch:1;  /* ... watches its progress */
    unsigned               settled:1;     /* before this read */
    unsigned               failed:1;
    unsigned               soon:1;     /* its progress has to be read */
    unsigned               again:1;    /* it may have changed since the read */
};


/* A job without followers, in LIST. NULL: no memory. */
ngx_dfp_follow_t *ngx_dfp_followed_create(ngx_dfp_store_t *store,
    ngx_queue_t *list, int64_t job);

/* Adds a follower; the last one that ends frees the job. */
void ngx_dfp_followed_join(ngx_dfp_follow_t *follow,
    ngx_dfp_follower_t *follower);

/* Reads the job as soon as possible. No handler is called from here, and the
 * job is not freed. */
void ngx_dfp_followed_look(ngx_dfp_follow_t *follow);

/* The same, but not more often than progress is read. */
void ngx_dfp_followed_soon(ngx_dfp_follow_t *follow);

/* Whether messages can come. */
void ngx_dfp_followed_channel(ngx_uint_t up);


#endif /* NGX_DFP_FOLLOWED_H */
