/*
 * One try to deliver the webhook of a job: it is claimed, the job is read and
 * printed, signed and posted, and the outcome is stored. A try that nobody ends
 * is made again by any nginx, when its lease has expired.
 */

#ifndef NGX_DFP_HOOK_H
#define NGX_DFP_HOOK_H


#include "ngx_dfp_call.h"
#include "ngx_dfp_store_hooks.h"


#define NGX_DFP_HOOK_POOL         4096
#define NGX_DFP_HOOK_TIMEOUT      10000    /* ms, for the receiver's answer */
#define NGX_DFP_HOOK_CLAIM_WAIT   5000     /* ms, for each reply before that */
#define NGX_DFP_HOOK_LEASE        30000    /* ms, longer than all of these */
#define NGX_DFP_HOOK_PAUSE        2000     /* ms before the second try, ... */
#define NGX_DFP_HOOK_PAUSE_MAX    200000   /* ... before later ones; with jitter
                                              five minutes */
#define NGX_DFP_HOOK_EXCERPT      200      /* bytes of an answer, in the error */
#define NGX_DFP_HOOK_HEADERS      4


typedef struct ngx_dfp_hook_s  ngx_dfp_hook_t;

struct ngx_dfp_hook_s {

    /* set by ngx_dfp_hook_start() */

    ngx_pool_t             *pool;     /* of all that belongs to the try */
    ngx_log_t              *log;
    ngx_dfp_main_conf_t    *conf;
    ngx_dfp_store_t        *store;
    ngx_dfp_due_t           due;

    /* the owner's: OVER is called once, at the end; then the try is freed */

    ngx_queue_t             queue;
    void                   *data;
    void                  (*over)(ngx_dfp_hook_t *hook);

    /* private */

    ngx_dfp_op_t            op;
    ngx_event_t             deadline; /* keeps a worker that quits */
    ngx_str_t               sealed;
    dfp_webhook_t           webhook;
    ngx_dfp_binding_t      *binding;
    ngx_array_t             secrets;
    ngx_dfp_stored_job_t    job;
    dfp_str_t               body;
    dfp_job_header_t        headers[NGX_DFP_HOOK_HEADERS];
    char                    time[NGX_INT64_LEN];
    char                    signature[DFP_WEBHOOK_SIGNATURE_LEN + 1];
    ngx_dfp_call_t         *call;     /* NULL: none is active */
    char                    error[NGX_DFP_REASON_MAX];
    ngx_uint_t              given_up;
    ngx_dfp_hook_outcome_e  outcome;
    unsigned                claimed:1;
    unsigned                ending:1;
};


/* Whether this nginx can deliver DUE: it has a location that is bound to the
 * origin of its URL, and the key. Sets ORIGIN, in POOL. */
ngx_uint_t ngx_dfp_hook_possible(ngx_dfp_main_conf_t *conf, ngx_dfp_due_t *due,
    ngx_pool_t *pool, ngx_str_t *origin);

/* Starts a try; DUE is copied. NULL: no memory. OVER is never called before this
 * has returned. */
ngx_dfp_hook_t *ngx_dfp_hook_start(ngx_dfp_main_conf_t *conf, ngx_log_t *log,
    ngx_dfp_due_t *due);

/* Logs that a webhook, of which the job tells no more than this, is given up. */
void ngx_dfp_hook_log_given_up(ngx_log_t *log, ngx_dfp_given_up_t *given_up);

/* The worker ends at once: ends the try, which is returned without waiting for
 * the reply, and frees it. OVER is not called. */
void ngx_dfp_hook_leave(ngx_dfp_hook_t *hook);


#endif /* NGX_DFP_HOOK_H */
