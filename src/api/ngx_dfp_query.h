/*
 * Parameters of the query string.
 */

#ifndef NGX_DFP_QUERY_H
#define NGX_DFP_QUERY_H


#include "ngx_dfp_types.h"


/* The first parameter NAME ("url=") of R, unescaped and in the pool of R; "":
 * there is none. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_query_get(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/* Overwrites all parameters NAME of R with "*", wherever nginx may log them. */
void ngx_dfp_query_hide(ngx_http_request_t *r, const char *name);

/* Likewise all parameters whose names tell that they are secret: a client may
 * have sent a signed URL without escaping it. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_query_hide_secrets(ngx_http_request_t *r);


#endif /* NGX_DFP_QUERY_H */
