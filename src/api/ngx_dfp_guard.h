/*
 * Tokens of requests that are held: those that wait for the end of a job, and
 * streams of events. When a token is changed, deleted or has expired, these
 * requests are refused, as new ones would be. All requests of a worker with one
 * token share one look-up.
 */

#ifndef NGX_DFP_GUARD_H
#define NGX_DFP_GUARD_H


#include "ngx_dfp_auth.h"


#define NGX_DFP_GUARD_POLL   5000   /* ms between two look-ups: messages may be
                                       lost, or not be permitted */
#define NGX_DFP_GUARD_RETRY 1000    /* ms, while Redis is unavailable */
#define NGX_DFP_GUARD_TURN   100    /* requests that are refused in one turn of
                                       the event loop */


typedef struct ngx_dfp_guard_token_s  ngx_dfp_guard_token_t;

/* It lives in the memory of its owner. */
typedef struct {

    /* set by the owner, the rest zeroed */

    ngx_dfp_auth_pt         handler;
    void                   *data;

    /* private */

    ngx_queue_t             queue;
    ngx_dfp_guard_token_t  *token;     /* NULL: it is not guarded */
} ngx_dfp_guard_t;


/* The token of AUTH has been accepted. The handler is called once, in an event of
 * its own, if it is not any more, and the guard has ended then. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_guard_start(ngx_dfp_store_t *store, ngx_dfp_auth_t *auth,
    ngx_dfp_guard_t *guard);

/* The handler is not called any more. Safe when it was not started, and when it
 * has ended. Must be called before GUARD is freed. */
void ngx_dfp_guard_end(ngx_dfp_guard_t *guard);


#endif /* NGX_DFP_GUARD_H */
