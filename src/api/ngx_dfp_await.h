/*
 * A request that waits for the end of a job: parameters "wait" and "fail" of
 * the query.
 */

#ifndef NGX_DFP_AWAIT_H
#define NGX_DFP_AWAIT_H


#include "ngx_dfp_api.h"


#define NGX_DFP_AWAIT_MAX  3600000    /* ms; one hour, also in the text below */


/* Sets api->wait, api->gate and api->waits. DFP_INVALID: a value is wrong. */
dfp_rc_t ngx_dfp_await_parse(ngx_dfp_api_t *api, dfp_err_t *err);

/*
 * Waits until the job api->stored, whose uuid is known and which had not ended,
 * has ended, for at most TIME ms. Then NEXT is called with a result of
 * ngx_dfp_follow_pt; api->stored is the job as it is then, and its strings are
 * valid until NEXT returns. A client that closes its connection does not wait
 * any more; one whose token is not good any more is answered as if it had just
 * come.
 */
void ngx_dfp_await(ngx_dfp_api_t *api, ngx_msec_t time, ngx_dfp_op_pt next);


#endif /* NGX_DFP_AWAIT_H */
