/*
 * The body of a request, in memory.
 */

#ifndef NGX_DFP_BODY_H
#define NGX_DFP_BODY_H


#include "ngx_dfp_api.h"


#define NGX_DFP_BODY_TOO_LARGE                                                \
    "the request body is larger than dfpreheat_max_body_size"


/* Reads the body into api->body and calls NEXT, which may happen at once. For a
 * body larger than dfpreheat_max_body_size api->too_large is called instead, if it
 * is set, and else the answer is 413. If the body does not come at once, the token
 * that was checked before is checked again. */
void ngx_dfp_body_read(ngx_dfp_api_t *api, ngx_dfp_api_pt next);


#endif /* NGX_DFP_BODY_H */
