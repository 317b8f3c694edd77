/*
 * Following a job until it ends, in requests of this worker. All followers of a
 * job share one entry, and what is read for them. Whoever ends or deletes the
 * job tells the channel of the subscription, if Redis knows that somebody waits
 * (ngx_dfp_store_wait()). Messages may be lost, so the job is also read from
 * time to time.
 */

#ifndef NGX_DFP_FOLLOW_H
#define NGX_DFP_FOLLOW_H


#include "ngx_dfp_store.h"


#define NGX_DFP_FOLLOW_POLL       5000    /* ms between two reads; ... */
#define NGX_DFP_FOLLOW_POLL_AWAY  1000    /* ... if no message can come */
#define NGX_DFP_FOLLOW_PROGRESS   1000    /* ms between two reads of progress */
#define NGX_DFP_FOLLOW_WATCH      60000   /* ms for which Redis is told that it
                                             is watched; ... */
#define NGX_DFP_FOLLOW_RENEW      20000   /* ... ms until it is told again */
#define NGX_DFP_FOLLOW_TURN       100     /* followers that are told in one turn
                                            of the event loop */


typedef struct ngx_dfp_follow_s  ngx_dfp_follow_t;

/* RC: NGX_OK, the job has ended; NGX_BUSY, it has not; NGX_AGAIN, it has not, but
 * the deadline has passed or the worker quits; NGX_DECLINED, the job does not exist any more;
 * NGX_ABORT or NGX_ERROR, as of the store. JOB, and its strings, are valid
 * until the handler returns; NULL if there is none. */
typedef void (*ngx_dfp_follow_pt)(void *data, ngx_int_t rc,
    ngx_dfp_stored_job_t *job);

/* It lives in the memory of its owner. */
typedef struct {

    /* set by the owner, the rest zeroed */

    ngx_dfp_follow_pt  handler;
    void              *data;
    int64_t            job;
    ngx_msec_t         deadline;              /* in ngx_current_msec */
    u_char             uuid[DFP_UUID_LEN];    /* of the job */
    unsigned           stays:1;    /* also while the worker quits */
    unsigned           watches:1;  /* the progress of the job */

    /* private */

    ngx_queue_t        queue;
    ngx_event_t        timer;
    ngx_dfp_follow_t  *follow;     /* NULL: it does not follow */
    unsigned           over:1;     /* the deadline has passed */
} ngx_dfp_follower_t;


/*
 * Starts to follow a job that had not ended. The handler is called once, in an
 * event of its own, and the follower does not follow any more then. Before, if
 * it watches the progress, the handler is called with NGX_BUSY whenever the job
 * has been read. NGX_ERROR: no memory.
 */
ngx_int_t ngx_dfp_follow_start(ngx_dfp_store_t *store,
    ngx_dfp_follower_t *follower);

/* The handler is not called any more. Safe when the follower was not started,
 * and when it has been told. Must be called before it is freed. */
void ngx_dfp_follow_end(ngx_dfp_follower_t *follower);

/* The follower is told of the job once more, as soon as it may be read. */
void ngx_dfp_follow_again(ngx_dfp_follower_t *follower);

/* The job has ended, or may have. */
void ngx_dfp_follow_wake(int64_t job);

/* The job has progress. */
void ngx_dfp_follow_progress(int64_t job);

/* The worker is told to quit. */
void ngx_dfp_follow_quit(void);

/* Whether messages can come. */
void ngx_dfp_follow_channel(ngx_uint_t up);


#endif /* NGX_DFP_FOLLOW_H */
