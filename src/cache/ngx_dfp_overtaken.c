#include "ngx_dfp_overtaken.h"
#include "ngx_dfp_watch.h"


static ngx_int_t ngx_dfp_overtaken_header_filter(ngx_http_request_t *r);
static void ngx_dfp_overtaken_check(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static const ngx_dfp_watcher_t  ngx_dfp_overtaken_watcher = {
    NULL,
    ngx_dfp_overtaken_check
};


static ngx_int_t
ngx_dfp_overtaken_header_filter(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;
    ngx_dfp_loc_conf_t   *dlcf;

    u = r->upstream;
    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (u && u->cacheable && r->cache && !r->cached
        && (dlcf->origins || dlcf->redirects)
        && ngx_dfp_watch_possible(r)
        && ngx_dfp_watch(r, &ngx_dfp_overtaken_watcher) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * nginx keeps the number of the file that the entry had when the request
 * looked it up. An entry that was found on disk when nginx started has no
 * number.
 */

static void
ngx_dfp_overtaken_check(ngx_http_request_t *r)
{
    ngx_uint_t              changed;
    ngx_http_cache_t       *c;
    ngx_http_file_cache_t  *cache;

    c = r->cache;

    if (!r->upstream->cacheable || c->node == NULL || c->updated) {
        return;
    }

    cache = c->file_cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    changed = c->node->exists && c->node->uniq && c->node->uniq != c->uniq;

    ngx_shmtx_unlock(&cache->shpool->mutex);

    if (changed) {
        r->upstream->cacheable = 0;

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "dfpreheat: the answer is not cached: another one was "
                      "cached while it was received");
    }
}


void
ngx_dfp_overtaken_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_overtaken_header_filter;
}
