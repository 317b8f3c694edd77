#include "ngx_dfp_fill.h"


/* Lives in the pool of its request. */
typedef struct {
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *upstream;
    ngx_http_cache_t     *owner;        /* of the lock */
    off_t                 bytes;        /* received at the last tick */
    ngx_event_t           tick;
} ngx_dfp_fill_t;


static ngx_int_t ngx_dfp_fill_header_filter(ngx_http_request_t *r);
static ngx_http_cache_t *ngx_dfp_fill_owner(ngx_http_request_t *r);
static void ngx_dfp_fill_watch(ngx_http_request_t *r, ngx_http_cache_t *owner);
static void ngx_dfp_fill_tick(ngx_event_t *ev);
static void ngx_dfp_fill_renew(ngx_http_request_t *r, ngx_http_cache_t *c);
static void ngx_dfp_fill_cleanup(void *data);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


void
ngx_dfp_fill_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_fill_header_filter;
}


static ngx_int_t
ngx_dfp_fill_header_filter(ngx_http_request_t *r)
{
    ngx_http_cache_t    *owner;
    ngx_dfp_loc_conf_t  *dlcf;

    if (r->cache && r->cache->lock && r->upstream && r->upstream->cacheable) {

        dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
        owner = ngx_dfp_fill_owner(r);

        if (owner && (dlcf->origins || dlcf->redirects)) {
            ngx_dfp_fill_watch(r, owner);
        }
    }

    return ngx_http_next_header_filter(r);
}


/* The parent of a background update is the request that has found the expired
 * entry, and owns the lock. */

static ngx_http_cache_t *
ngx_dfp_fill_owner(ngx_http_request_t *r)
{
    ngx_http_cache_t  *c;

    c = r->cache;

    if (r->background && !c->updating && r->parent) {
        c = r->parent->cache;
    }

    return (c && c->updating) ? c : NULL;
}


/* Without memory the lock expires as in nginx. */

static void
ngx_dfp_fill_watch(ngx_http_request_t *r, ngx_http_cache_t *owner)
{
    ngx_pool_cleanup_t  *cln;
    ngx_dfp_fill_t      *fill;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_dfp_fill_t));
    if (cln == NULL) {
        return;
    }

    fill = cln->data;
    ngx_memzero(fill, sizeof(ngx_dfp_fill_t));

    cln->handler = ngx_dfp_fill_cleanup;

    fill->r = r;
    fill->upstream = r->upstream;
    fill->owner = owner;

    fill->tick.handler = ngx_dfp_fill_tick;
    fill->tick.data = fill;
    fill->tick.log = r->connection->log;
    fill->tick.cancelable = 1;

    ngx_dfp_fill_renew(r, owner);
    ngx_add_timer(&fill->tick, ngx_max(r->cache->lock_age / 3, 1));
}


static void
ngx_dfp_fill_tick(ngx_event_t *ev)
{
    ngx_dfp_fill_t *fill = ev->data;

    off_t              bytes;
    ngx_uint_t         paused;
    ngx_connection_t  *upstream;
    ngx_http_cache_t  *c;

    c = fill->r->cache;

    /* the answer has been stored, or will not be */

    if (c == NULL || c->updated || !fill->owner->updating
        || fill->r->upstream != fill->upstream || fill->upstream->pipe == NULL)
    {
        return;
    }

    bytes = fill->upstream->pipe->read_length;

    /* nginx may pause, because of a limit of the rate */

    upstream = fill->upstream->peer.connection;
    paused = upstream && upstream->read->delayed;

    if (bytes != fill->bytes || paused) {
        fill->bytes = bytes;
        ngx_dfp_fill_renew(fill->r, fill->owner);
    }

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


static void
ngx_dfp_fill_cleanup(void *data)
{
    ngx_dfp_fill_t *fill = data;

    if (fill->tick.timer_set) {
        ngx_del_timer(&fill->tick);
    }
}
