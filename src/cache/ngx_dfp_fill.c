#include "ngx_dfp_fill.h"
#include "ngx_dfp_storable.h"


#define NGX_DFP_FILL_FAILED  1    /* s, and the rest of the current one: those
                                     who wait look twice a second */
#define NGX_DFP_FILL_LISTS   64   /* of requests, by their keys */


typedef ngx_int_t (*ngx_dfp_fill_create_pt)(ngx_http_request_t *r);
typedef void (*ngx_dfp_fill_finalize_pt)(ngx_http_request_t *r, ngx_int_t rc);


/* Lives in the pool of its request. */
typedef struct {
    ngx_http_request_t        *r;
    ngx_http_upstream_t       *upstream;
    ngx_dfp_fill_create_pt     create;      /* the upstream's */
    ngx_dfp_fill_finalize_pt   finalize;    /* likewise */
    ngx_http_cache_t          *cache;       /* of the request */
    ngx_http_cache_t          *owner;       /* of the lock */
    ngx_queue_t                queue;       /* of those that may wait */
    ngx_event_t                tick;
} ngx_dfp_fill_t;


static ngx_dfp_fill_t *ngx_dfp_fill_new(ngx_http_request_t *r);
static ngx_queue_t *ngx_dfp_fill_list(ngx_http_cache_t *c);
static ngx_int_t ngx_dfp_fill_create(ngx_http_request_t *r);
static ngx_http_cache_t *ngx_dfp_fill_owner(ngx_http_request_t *r);
static void ngx_dfp_fill_tick(ngx_event_t *ev);
static void ngx_dfp_fill_renew(ngx_http_request_t *r, ngx_http_cache_t *c);
static void ngx_dfp_fill_finalize(ngx_http_request_t *r, ngx_int_t rc);
static ngx_uint_t ngx_dfp_fill_missing(ngx_http_cache_t *c);
static void ngx_dfp_fill_wake(ngx_http_request_t *r, ngx_http_cache_t *c);
static ngx_uint_t ngx_dfp_fill_waits(ngx_dfp_fill_t *fill,
    ngx_http_cache_t *c);
static ngx_int_t ngx_dfp_fill_header_filter(ngx_http_request_t *r);
static void ngx_dfp_fill_done(void *data);
static void ngx_dfp_fill_forget(ngx_http_cache_t *c);
static void ngx_dfp_fill_cleanup(void *data);


static ngx_queue_t  ngx_dfp_fill_lists[NGX_DFP_FILL_LISTS];

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
        fill = ngx_dfp_fill_new(r);
        if (fill == NULL) {
            return;
        }

    } else {
        ngx_queue_remove(&fill->queue);
        ngx_dfp_fill_forget(fill->cache);
    }

    fill->cache = r->cache;
    ngx_queue_insert_tail(ngx_dfp_fill_list(fill->cache), &fill->queue);

    fill->upstream = u;
    fill->create = u->create_request;
    fill->finalize = u->finalize_request;

    u->create_request = ngx_dfp_fill_create;
    u->finalize_request = ngx_dfp_fill_finalize;
}


static ngx_dfp_fill_t *
ngx_dfp_fill_new(ngx_http_request_t *r)
{
    ngx_dfp_fill_t      *fill;
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    fill = ngx_dfp_context_create(r, ngx_dfp_fill_cleanup,
                                  sizeof(ngx_dfp_fill_t));
    if (fill == NULL) {
        return NULL;
    }

    cln->handler = ngx_dfp_fill_done;
    cln->data = fill;

    fill->tick.handler = ngx_dfp_fill_tick;
    fill->tick.data = fill;
    fill->tick.log = r->connection->log;
    fill->tick.cancelable = 1;

    return fill;
}


static ngx_queue_t *
ngx_dfp_fill_list(ngx_http_cache_t *c)
{
    return &ngx_dfp_fill_lists[c->key[0] % NGX_DFP_FILL_LISTS];
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
        && ngx_dfp_fill_missing(c))
    {
        c->error = rc;
        c->valid_sec = ngx_time() + NGX_DFP_FILL_FAILED;
    }

    fill = ngx_dfp_context_get(r, ngx_dfp_fill_cleanup);

    /* a redirect is followed, by the same request */

    if (fill->owner && fill->owner == c
        && (rc < NGX_HTTP_SPECIAL_RESPONSE || rc >= NGX_HTTP_BAD_REQUEST))
    {
        ngx_dfp_fill_wake(r, c);
    }

    fill->finalize(r, rc);
}


/* What has expired is left to proxy_cache_use_stale. Meanwhile another request may
 * have stored the entry (proxy_cache_bypass), or have taken the lock. */

static ngx_uint_t
ngx_dfp_fill_missing(ngx_http_cache_t *c)
{
    ngx_uint_t              missing;
    ngx_http_file_cache_t  *cache;

    cache = c->file_cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    missing = c->node && !c->node->exists
              && c->node->lock_time == c->lock_time;

    ngx_shmtx_unlock(&cache->shpool->mutex);

    return missing;
}


/*
 * nginx lets those who wait look twice a second, and then one of them takes the
 * lock: if many are refused, the last of them would wait for minutes. Those of
 * this worker look when nginx has freed the entry, as soon as events are processed.
 *
 * Where there is nothing, the next one fetches it. Manifests are small: all
 * fetch them at the same time, as clients do that have no token yet.
 */

static void
ngx_dfp_fill_wake(ngx_http_request_t *r, ngx_http_cache_t *c)
{
    ngx_uint_t        stored;
    dfp_path_t        path;
    ngx_queue_t      *q, *list;
    ngx_dfp_fill_t   *fill;
    ngx_dfp_entry_t   entry;

    ngx_memzero(&entry, sizeof(ngx_dfp_entry_t));

    entry.cache = c->file_cache;
    ngx_memcpy(entry.key, c->key, NGX_HTTP_CACHE_KEY_LEN);

    stored = ngx_dfp_cache_exists(&entry);
    ngx_dfp_storable_path(r, &path);

    list = ngx_dfp_fill_list(c);

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        fill = ngx_queue_data(q, ngx_dfp_fill_t, queue);

        if (!ngx_dfp_fill_waits(fill, c)) {
            continue;
        }

        ngx_del_timer(&fill->cache->wait_event);
        ngx_add_timer(&fill->cache->wait_event, 0);

        if (stored || c->error) {
            continue;
        }

        if (path.kind != DFP_PATH_MANIFEST) {
            break;
        }

        fill->cache->lock = 0;
    }
}


static ngx_uint_t
ngx_dfp_fill_waits(ngx_dfp_fill_t *fill, ngx_http_cache_t *c)
{
    ngx_http_cache_t  *waits;

    waits = fill->cache;

    return waits->waiting && waits->wait_event.timer_set
           && waits->file_cache == c->file_cache
           && ngx_memcmp(waits->key, c->key, NGX_HTTP_CACHE_KEY_LEN) == 0;
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
    ngx_uint_t  i;

    /* without a master process, requests may be there */

    for (i = 0; i < NGX_DFP_FILL_LISTS; i++) {
        if (ngx_dfp_fill_lists[i].next == NULL) {
            ngx_queue_init(&ngx_dfp_fill_lists[i]);
        }
    }

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_fill_header_filter;
}


/* Called before nginx frees the entry. */

static void
ngx_dfp_fill_done(void *data)
{
    ngx_dfp_fill_t *fill = data;

    ngx_dfp_fill_forget(fill->cache);
}


/* A request that was told the error of another one keeps it, and nginx would
 * write it into the entry when the request ends: the entry may be there by then,
 * and would be lost. */

static void
ngx_dfp_fill_forget(ngx_http_cache_t *c)
{
    ngx_http_file_cache_t  *cache;

    if (c->error == 0 || c->updated || c->node == NULL) {
        return;
    }

    cache = c->file_cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    if (c->node->error == 0) {
        c->error = 0;
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);
}


static void
ngx_dfp_fill_cleanup(void *data)
{
    ngx_dfp_fill_t *fill = data;

    ngx_queue_remove(&fill->queue);

    if (fill->tick.timer_set) {
        ngx_del_timer(&fill->tick);
    }
}
