/*
 * What is kept with a request through all internal redirects, which a context of the
 * module would not outlive.
 */

#ifndef NGX_DFP_CONTEXT_H
#define NGX_DFP_CONTEXT_H


#include "ngx_dfp_types.h"


/* The context of R, a structure whose first field is R: CLEANUP tells which one, and
 * is called when the pool of R goes. (A subrequest has the pool of its parent.) NULL:
 * there is none. */
void *ngx_dfp_context_get(ngx_http_request_t *r, ngx_pool_cleanup_pt cleanup);

/* A new one of SIZE bytes, zeroed but for R. NULL: no memory. */
void *ngx_dfp_context_create(ngx_http_request_t *r,
    ngx_pool_cleanup_pt cleanup, size_t size);


#endif /* NGX_DFP_CONTEXT_H */
