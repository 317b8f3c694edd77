/*
 * Idempotency-Key: a POST that is repeated with the same key creates no other
 * job (draft-ietf-httpapi-idempotency-key-header).
 */

#ifndef NGX_DFP_ONCE_H
#define NGX_DFP_ONCE_H


#include "ngx_dfp_api.h"


#define NGX_DFP_ONCE_MAX    255     /* bytes of a key */
#define NGX_DFP_ONCE_OTHER                                                    \
    "Idempotency-Key: another body was posted with this key"


/* Sets what the stored job needs to be found again, if the request has a key;
 * the body has been read. A key is that of a token. DFP_INVALID: the key is
 * wrong. DFP_ERROR: no memory. */
dfp_rc_t ngx_dfp_once(ngx_dfp_api_t *api, dfp_err_t *err);

/* The same for a job that the request does not name: KEY is that of all tokens, and
 * BODY is what counts as the same job. One that has failed does not count, and one of
 * another body is superseded. DFP_ERROR: no memory. */
dfp_rc_t ngx_dfp_once_push(ngx_dfp_api_t *api, ngx_str_t key, ngx_str_t body);


#endif /* NGX_DFP_ONCE_H */
