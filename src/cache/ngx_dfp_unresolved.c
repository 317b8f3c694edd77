#include "ngx_dfp_context.h"
#include "ngx_dfp_unresolved.h"

#include "dfp_texts.h"


typedef ngx_int_t (*ngx_dfp_unresolved_create_pt)(ngx_http_request_t *r);


/* Lives in the pool of its request. */
typedef struct {
    ngx_http_request_t            *r;
    ngx_http_upstream_t           *upstream;
    ngx_dfp_unresolved_create_pt   create;     /* the upstream's */
    ngx_resolver_handler_pt        resolved;   /* nginx's */
    ngx_event_t                    started;
} ngx_dfp_unresolved_t;


static ngx_int_t ngx_dfp_unresolved_create(ngx_http_request_t *r);
static void ngx_dfp_unresolved_started(ngx_event_t *ev);
static void ngx_dfp_unresolved_resolved(ngx_resolver_ctx_t *lookup);
static void ngx_dfp_unresolved_cleanup(void *data);


void
ngx_dfp_unresolved_begin(ngx_http_request_t *r)
{
    ngx_http_upstream_t   *u;
    ngx_dfp_unresolved_t  *unresolved;

    u = r->upstream;

    if (u->resolved == NULL || u->resolved->sockaddr
        || !(u->conf->cache_use_stale & NGX_HTTP_UPSTREAM_FT_ERROR))
    {
        return;
    }

    unresolved = ngx_dfp_context_get(r, ngx_dfp_unresolved_cleanup);

    if (unresolved == NULL) {
        unresolved = ngx_dfp_context_create(r, ngx_dfp_unresolved_cleanup,
                                            sizeof(ngx_dfp_unresolved_t));
        if (unresolved == NULL) {
            return;
        }

        unresolved->started.handler = ngx_dfp_unresolved_started;
        unresolved->started.data = unresolved;
        unresolved->started.log = r->connection->log;
    }

    if (unresolved->upstream == u) {
        return;
    }

    unresolved->upstream = u;
    unresolved->create = u->create_request;

    u->create_request = ngx_dfp_unresolved_create;
}


/* nginx has looked into the cache. It starts the lookup of the name next, and has
 * done so when a posted event is handled. */

static ngx_int_t
ngx_dfp_unresolved_create(ngx_http_request_t *r)
{
    ngx_dfp_unresolved_t  *unresolved;

    unresolved = ngx_dfp_context_get(r, ngx_dfp_unresolved_cleanup);

    r->upstream->create_request = unresolved->create;

    if (r->upstream->cache_status == NGX_HTTP_CACHE_EXPIRED) {
        ngx_post_event(&unresolved->started, &ngx_posted_events);
    }

    return unresolved->create(r);
}


/* An address that was known by then is in use already. */

static void
ngx_dfp_unresolved_started(ngx_event_t *ev)
{
    ngx_dfp_unresolved_t *unresolved = ev->data;

    ngx_resolver_ctx_t   *lookup;
    ngx_http_upstream_t  *u;

    u = unresolved->r->upstream;

    if (u != unresolved->upstream || u->resolved->ctx == NULL) {
        return;
    }

    lookup = u->resolved->ctx;

    unresolved->resolved = lookup->handler;
    lookup->handler = ngx_dfp_unresolved_resolved;
}


/* A quick lookup is what nginx has for addresses that need none. This one has
 * found no address. */

static void
ngx_dfp_unresolved_resolved(ngx_resolver_ctx_t *lookup)
{
    ngx_http_request_t *r = lookup->data;

    ngx_resolver_ctx_t       quick;
    ngx_dfp_unresolved_t    *unresolved;
    ngx_resolver_handler_pt  resolved;

    unresolved = ngx_dfp_context_get(r, ngx_dfp_unresolved_cleanup);
    resolved = unresolved->resolved;

    if (lookup->state == NGX_OK) {
        resolved(lookup);
        return;
    }

    ngx_http_set_log_request(r->connection->log, r);

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "%V" DFP_NGINX_UNRESOLVED "%i: %s)", &lookup->name,
                  lookup->state, ngx_resolver_strerror(lookup->state));

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat expired entry: its upstream has no address");

    ngx_memzero(&quick, sizeof(ngx_resolver_ctx_t));

    quick.resolver = lookup->resolver;
    quick.data = r;
    quick.async = lookup->async;
    quick.quick = 1;

    ngx_resolve_name_done(lookup);
    r->upstream->resolved->ctx = NULL;

    resolved(&quick);
}


static void
ngx_dfp_unresolved_cleanup(void *data)
{
    ngx_dfp_unresolved_t *unresolved = data;

    if (unresolved->started.posted) {
        ngx_delete_posted_event(&unresolved->started);
    }
}
