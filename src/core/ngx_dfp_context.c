#include "ngx_dfp_context.h"


void *
ngx_dfp_context_get(ngx_http_request_t *r, ngx_pool_cleanup_pt cleanup)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_request_t  **context;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        context = cln->data;

        if (cln->handler == cleanup && *context == r) {
            return context;
        }
    }

    return NULL;
}


void *
ngx_dfp_context_create(ngx_http_request_t *r, ngx_pool_cleanup_pt cleanup,
    size_t size)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_request_t  **context;

    cln = ngx_pool_cleanup_add(r->pool, size);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = cleanup;

    context = cln->data;
    ngx_memzero(context, size);
    *context = r;

    return context;
}
