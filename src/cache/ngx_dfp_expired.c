#include "ngx_dfp_expired.h"
#include "ngx_dfp_fill.h"
#include "ngx_dfp_state.h"
#include "ngx_dfp_unresolved.h"


#define NGX_DFP_EXPIRED_PAUSE      10    /* ms, doubled up to */
#define NGX_DFP_EXPIRED_PAUSE_MAX  500


/* A waiting request, in its own pool. */
typedef struct {
    ngx_http_request_t  *r;
    ngx_dfp_entry_t      entry;
    ngx_uint_t           opened;
    ngx_msec_t           deadline;
    ngx_msec_t           pause;
} ngx_dfp_expired_t;


static void ngx_dfp_expired_look(ngx_http_request_t *r);
static void ngx_dfp_expired_job(ngx_http_request_t *r);
static void ngx_dfp_expired_wait(ngx_http_request_t *r, ngx_dfp_entry_t *entry,
    ngx_uint_t opened);
static ngx_uint_t ngx_dfp_expired_waits(ngx_dfp_expired_t *expired);
static void ngx_dfp_expired_tick(ngx_event_t *ev);


ngx_int_t
ngx_dfp_expired_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_http_cache_t     *c;
    ngx_http_upstream_t  *u;

    c = r->cache;
    u = r->upstream;

    /* the variable may be evaluated at other times, too */

    if (c && c->file_cache && c->node == NULL && !c->waiting
        && u && u->cache_status == 0)
    {
        ngx_dfp_expired_look(r);
        ngx_dfp_unresolved_begin(r);
        ngx_dfp_fill_begin(r);
    }

    v->not_found = 1;

    return NGX_OK;
}


static void
ngx_dfp_expired_look(ngx_http_request_t *r)
{
    ngx_uint_t             updated, opened;
    ngx_http_cache_t      *c;
    ngx_http_upstream_t   *u;
    ngx_dfp_entry_t        entry;

    c = r->cache;
    u = r->upstream;

    ngx_memzero(&entry, sizeof(ngx_dfp_entry_t));

    entry.cache = c->file_cache;
    ngx_memcpy(entry.key, c->key, NGX_HTTP_CACHE_KEY_LEN);

    updated = ngx_dfp_cache_updated(&entry, u->conf->cache_lock_age, &opened);

    if (ngx_dfp_state_call(r)) {
        ngx_dfp_expired_job(r);
        return;
    }

    /* a background request is the update itself; and with
     * proxy_cache_use_stale updating nobody has to wait */

    if (updated && !r->background && u->conf->cache_lock
        && !(u->conf->cache_use_stale & NGX_HTTP_UPSTREAM_FT_UPDATING)
        && !ngx_dfp_cache_fresh(&entry, r->connection->log))
    {
        ngx_dfp_expired_wait(r, &entry, opened);
    }
}


/* A job needs the origin's answer, whatever clients are given. Without memory
 * a stale copy is answered, which the job does not accept. */

static void
ngx_dfp_expired_job(ngx_http_request_t *r)
{
    ngx_http_upstream_conf_t  *conf;

    conf = ngx_palloc(r->pool, sizeof(ngx_http_upstream_conf_t));
    if (conf == NULL) {
        return;
    }

    *conf = *r->upstream->conf;

    conf->cache_use_stale = NGX_CONF_BITMASK_SET|NGX_HTTP_UPSTREAM_FT_OFF;
    conf->cache_background_update = 0;

    r->upstream->conf = conf;
}


/* As ngx_http_file_cache_lock() does for entries that do not exist: a waiting
 * request keeps ngx_http_file_cache_open() from opening the file. Without
 * memory the request goes to the origin, too. */

static void
ngx_dfp_expired_wait(ngx_http_request_t *r, ngx_dfp_entry_t *entry,
    ngx_uint_t opened)
{
    ngx_http_cache_t   *c;
    ngx_dfp_expired_t  *expired;

    expired = ngx_palloc(r->pool, sizeof(ngx_dfp_expired_t));
    if (expired == NULL) {
        return;
    }

    c = r->cache;

    expired->r = r;
    expired->entry = *entry;
    expired->opened = opened;
    expired->deadline = ngx_current_msec
                        + r->upstream->conf->cache_lock_timeout;
    expired->pause = NGX_DFP_EXPIRED_PAUSE;

    c->wait_event.handler = ngx_dfp_expired_tick;
    c->wait_event.data = expired;
    c->wait_event.log = r->connection->log;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat expired entry is being updated, waiting for at "
                   "most %M ms", r->upstream->conf->cache_lock_timeout);

    ngx_add_timer(&c->wait_event, expired->pause);

    c->waiting = 1;
    r->main->blocked++;
}


/* A request waits for one update only: if that fails, it could else wait for
 * each of the requests before it. */

static ngx_uint_t
ngx_dfp_expired_waits(ngx_dfp_expired_t *expired)
{
    ngx_uint_t                 updated, opened;
    ngx_http_upstream_conf_t  *conf;

    if ((ngx_msec_int_t) (expired->deadline - ngx_current_msec) <= 0) {
        return 0;
    }

    conf = expired->r->upstream->conf;

    updated = ngx_dfp_cache_updated(&expired->entry,
                                    conf->cache_lock_age, &opened);

    return updated && opened == expired->opened;
}


static void
ngx_dfp_expired_tick(ngx_event_t *ev)
{
    ngx_dfp_expired_t *expired = ev->data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = expired->r;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (ngx_dfp_expired_waits(expired)) {
        expired->pause = ngx_min(2 * expired->pause,
                                 NGX_DFP_EXPIRED_PAUSE_MAX);
        ngx_add_timer(ev, expired->pause);
        return;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "dfpreheat expired entry: the wait is over");

    r->cache->waiting = 0;
    r->main->blocked--;

#if (nginx_version >= 1025004)

    if (r->main->terminated) {
        c->write->handler(c->write);
        return;
    }

#endif

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}
