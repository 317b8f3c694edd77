#include "ngx_dfp_valid.h"


static ngx_int_t ngx_dfp_valid_header_filter(ngx_http_request_t *r);
static void ngx_dfp_valid_set(ngx_http_request_t *r, time_t tag_valid);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


/*
 * nginx reads the time of an entry after the header has been sent, both when
 * it stores an answer and when a 304 has renewed an entry.
 */

static ngx_int_t
ngx_dfp_valid_header_filter(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;
    ngx_dfp_loc_conf_t   *dlcf;

    u = r->upstream;
    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (dlcf->bound && r->cache && u && u->cacheable
        && u->headers_in.status_n == NGX_HTTP_OK
        && (!r->cached || u->cache_status == NGX_HTTP_CACHE_REVALIDATED))
    {
        ngx_dfp_valid_set(r, dlcf->tag_valid);
    }

    return ngx_http_next_header_filter(r);
}


static void
ngx_dfp_valid_set(ngx_http_request_t *r, time_t tag_valid)
{
    time_t             now, valid;
    dfp_path_t         path;
    ngx_http_cache_t  *c;

    ngx_dfp_storable_path(r, &path);

    if (path.kind != DFP_PATH_MANIFEST && path.kind != DFP_PATH_BLOB) {
        return;
    }

    c = r->cache;
    now = ngx_time();

    /* the location decides whether an answer is stored at all; a header of the
     * answer may have decided already */

    valid = c->valid_sec
            ? c->valid_sec - now
            : ngx_http_file_cache_valid(r->upstream->conf->cache_valid,
                                        NGX_HTTP_OK);
    if (valid == 0) {
        return;
    }

    if (path.digest) {
        valid = ngx_max(valid, NGX_DFP_DIGEST_VALID);

    } else {
        valid = ngx_min(valid, tag_valid);
    }

    /* an entry is still valid in the second of its time */

    c->valid_sec = valid ? now + valid : now - 1;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat cache entry is valid for %T s", valid);
}


void
ngx_dfp_valid_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_valid_header_filter;
}
