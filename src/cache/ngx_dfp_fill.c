#include "ngx_dfp_fill.h"


#define NGX_DFP_FILL_FAILED  1    /* s, and the rest of the current one: those
                                     who wait look twice a second */


typedef ngx_int_t (*ngx_dfp_fill_create_pt)(ngx_http_request_t *r);
typedef void (*ngx_dfp_fill_finalize_pt)(ngx_http_request_t *r, ngx_int_t rc);


/* Lives in the pool of its request. */
typedef struct {
    ngx_http_request_t        *r;
    ngx_http_upstream_t       *upstream;
    ngx_dfp_fill_create_pt     create;      /* the upstream's */
    ngx_dfp_fill_finalize_pt   finalize;    /* likewise */
    ngx_http_cache_t          *owner;       /* of the lock */
    ngx_event_t                tick;
} ngx_dfp_fill_t;


static ngx_int_t ngx_dfp_fill_create(ngx_http_request_t *r);
static ngx_http_cache_t *ngx_dfp_fill_owner(ngx_http_request_t *r);
static void ngx_dfp_fill_tick(ngx_event_t *ev);
static void ngx_dfp_fill_renew(ngx_http_request_t *r, ngx_http_cache_t *c);
static void ngx_dfp_fill_finalize(ngx_http_request_t *r, ngx_int_t rc);
static ngx_uint_t ngx_dfp_fill_exists(ngx_http_cache_t *c);
static ngx_int_t ngx_dfp_fill_header_filter(ngx_http_request_t *r);
static void ngx_dfp_fill_cleanup(void *data);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


/* Without memory the lock expires as in nginx. */

void
ngx_dfp_fill_begin(ngx_http_request_t *r)
{
    ngx_dfp_fill_t       *fill;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (!u->conf->cache_lock || u->create_request == ngx_dfp_fill_create) {
        return;
    }

    fill = ngx_dfp_context_get(r, ngx_dfp_fill_cleanup);

    if (fill == NULL) {
        fill = ngx_dfp_context_create(r, ngx_dfp_fill_cleanup,
                                      sizeof(ngx_dfp_fill_t));
        if (fill == NULL) {
            return;
        }

        fill->tick.handler = ngx_dfp_fill_tick;
        fill->tick.data = fill;
        fill->tick.log = r->connection->log;
        fill->tick.cancelable = 1;
    }

    fill->upstream = u;
    fill->create = u->create_request;
    fill->finalize = u->finalize_request;

    u->create_request = ngx_dfp_fill_create;
    u->finalize_request = ngx_dfp_fill_finalize;
}


/* The lock has been taken, by this request or another one. */

static ngx_int_t
ngx_dfp_fill_create(ngx_http_request_t *r)
{
    ngx_dfp_fill_t  *fill;

    fill = ngx_dfp_context_get(r, ngx_dfp_fill_cleanup);

    r->upstream->create_request = fill->create;
    fill->owner = ngx_dfp_fill_owner(r);

    if (fill->owner) {
        ngx_dfp_fill_renew(r, fill->owner);
        ngx_add_timer(&fill->tick, ngx_max(r->cache->lock_age / 3, 1));
    }

    return fill->create(r);
}


/* The parent of a background update is the request that has found the expired
 * entry, and owns the lock. */

static ngx_http_cache_t *
ngx_dfp_fill_owner(ngx_http_request_t *r)
{
    ngx_http_cache_t  *c;

    c = r->cache;

    if (c && r->background && !c->updating && r->parent) {
        c = r->parent->cache;
    }

    return (c && c->updating) ? c : NULL;
}


static void
ngx_dfp_fill_tick(ngx_event_t *ev)
{
    ngx_dfp_fill_t *fill = ev->data;

    ngx_http_cache_t  *c;

    c = fill->r->cache;

    /* the answer has been stored, or will not be */

    if (c == NULL || c->updated || !fill->owner->updating
        || fill->r->upstream != fill->upstream)
    {
        return;
    }

    ngx_dfp_fill_renew(fill->r, fill->owner);
    ngx_add_timer(ev, ngx_max(c->lock_age / 3, 1));
}


/* Both times are equal as long as this request owns the lock: see
 * ngx_http_file_cache_lock() and ngx_http_file_cache_update(). */

static void
ngx_dfp_fill_renew(ngx_http_request_t *r, ngx_http_cache_t *c)
{
    ngx_http_file_cache_t  *cache;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat cache lock is renewed for %M ms", c->lock_age);

    cache = c->file_cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    if (c->node && c->node->updating && c->node->lock_time == c->lock_time) {
        c->lock_time = ngx_current_msec + c->lock_age;
        c->node->lock_time = c->lock_time;
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);
}


/* nginx frees the entry next, and keeps an error with it for that long. */

static void
ngx_dfp_fill_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_dfp_fill_t    *fill;
    ngx_http_cache_t  *c;

    c = r->cache;

    if (rc == NGX_HTTP_GATEWAY_TIME_OUT && c && c->updating && !c->updated
        && !ngx_dfp_fill_exists(c))
    {
        c->error = rc;
        c->valid_sec = ngx_time() + NGX_DFP_FILL_FAILED;
    }

    fill = ngx_dfp_context_get(r, ngx_dfp_fill_cleanup);
    fill->finalize(r, rc);
}


/* What has expired is left to proxy_cache_use_stale; and another request may
 * have stored it meanwhile (proxy_cache_bypass). */

static ngx_uint_t
ngx_dfp_fill_exists(ngx_http_cache_t *c)
{
    ngx_uint_t              exists;
    ngx_http_file_cache_t  *cache;

    cache = c->file_cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    exists = c->node && c->node->exists;

    ngx_shmtx_unlock(&cache->shpool->mutex);

    return exists;
}


/* nginx goes on with an answer that is to be stored when its client has left, but
 * for one case: it ends the request if the header cannot be sent. As for a HEAD,
 * nothing of the body is sent either. */

static ngx_int_t
ngx_dfp_fill_header_filter(ngx_http_request_t *r)
{
    ngx_dfp_fill_t  *fill;

    if (r->connection->error && r == r->main && r->cache && !r->cached
        && !r->cache->updated && r->upstream && r->upstream->cacheable)
    {
        fill = ngx_dfp_context_get(r, ngx_dfp_fill_cleanup);

        if (fill && fill->owner) {
            r->header_sent = 1;
            r->header_only = 1;

            return NGX_OK;
        }
    }

    return ngx_http_next_header_filter(r);
}


void
ngx_dfp_fill_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_fill_header_filter;
}


static void
ngx_dfp_fill_cleanup(void *data)
{
    ngx_dfp_fill_t *fill = data;

    if (fill->tick.timer_set) {
        ngx_del_timer(&fill->tick);
    }
}
