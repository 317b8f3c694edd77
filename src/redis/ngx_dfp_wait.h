/*
 * Waiting for the end of a job, in a request of this worker. Whoever ends the
 * job tells the channel of the subscription, if Redis knows that somebody waits
 * (ngx_dfp_store_wait()). A message may be lost, so the owner also looks from
 * time to time.
 */

#ifndef NGX_DFP_WAIT_H
#define NGX_DFP_WAIT_H


#include "ngx_dfp_types.h"


#define NGX_DFP_WAIT_POLL       5000    /* ms between two looks; ... */
#define NGX_DFP_WAIT_POLL_AWAY  1000    /* ... if no message can come */


/* It lives in the memory of its owner. */
typedef struct {

    /* set by the owner, the rest zeroed */

    void       (*handler)(void *data);
    void        *data;
    int64_t      job;
    ngx_msec_t   deadline;   /* in ngx_current_msec */
    ngx_log_t   *log;

    /* private */

    ngx_queue_t  queue;
    ngx_event_t  event;
    unsigned     started:1;
} ngx_dfp_wait_t;


/*
 * Starts to wait: from now on the handler is called when the job may have
 * ended, from time to time, when the deadline has passed, and when the worker
 * is told to quit; each time in an event of its own, until the wait is ended.
 */
void ngx_dfp_wait_start(ngx_dfp_wait_t *wait);

/* The handler is not called any more. Safe when it was not started, and when it
 * was ended. Must be called before WAIT is freed. */
void ngx_dfp_wait_end(ngx_dfp_wait_t *wait);

/* The job has ended, or may have; 0: any job. */
void ngx_dfp_wait_wake(int64_t job);

/* Whether messages can come. */
void ngx_dfp_wait_channel(ngx_uint_t up);


#endif /* NGX_DFP_WAIT_H */
