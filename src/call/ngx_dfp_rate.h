/*
 * dfpreheat_rate: how fast the calls of a worker that fill the cache may read,
 * all together. Each of them that has read its share pauses; what comes
 * meanwhile is shared evenly by those that pause, so that a slow origin leaves
 * the rest to others.
 *
 * Whatever the rate is, such calls take turns of 64 KB, between which nginx
 * processes other events, so that clients need not wait for a layer from an
 * origin that is fast.
 */

#ifndef NGX_DFP_RATE_H
#define NGX_DFP_RATE_H


#include "ngx_dfp_types.h"


/* When the worker starts. */
void ngx_dfp_rate_init(ngx_dfp_main_conf_t *conf, ngx_cycle_t *cycle);

/* Limits the body of R's answer, in a header filter. NGX_OK: it is limited;
 * NGX_DECLINED: there is no limit of the rate, or no upstream to read from;
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_rate_limit(ngx_http_request_t *r);

/* How long a call that was limited has to last after its answer is there, since
 * it has read more than its share: ms. So bodies that come at once, in one
 * piece, count, too. */
ngx_msec_t ngx_dfp_rate_wait(void);


#endif /* NGX_DFP_RATE_H */
