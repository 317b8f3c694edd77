/*
 * Data that is kept with a request through all internal redirects. nginx
 * clears a module's own context at each of them.
 */

#ifndef NGX_DFP_CONTEXT_H
#define NGX_DFP_CONTEXT_H


#include "ngx_dfp_types.h"


/* The context of R that was created with CLEANUP, which identifies its kind. A
 * subrequest shares the pool of its parent, but has contexts of its own. NULL:
 * there is none. */
void *ngx_dfp_context_get(ngx_http_request_t *r, ngx_pool_cleanup_pt cleanup);

/* A new context of SIZE bytes in the pool of R: a structure whose first field
 * is R, zeroed but for that. CLEANUP is called with it when the pool is
 * destroyed. NULL: no memory. */
void *ngx_dfp_context_create(ngx_http_request_t *r,
    ngx_pool_cleanup_pt cleanup, size_t size);


#endif /* NGX_DFP_CONTEXT_H */
