#include "ngx_dfp_overtaken.h"


/* An answer that is to be stored; in the pool of its request. */
typedef struct {
    ngx_http_request_t             *r;
    ngx_int_t                     (*init)(void *data);  /* the upstream's */
    ngx_event_pipe_input_filter_pt  filter;             /* likewise */
} ngx_dfp_overtaken_t;


static ngx_int_t ngx_dfp_overtaken_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_overtaken_watch(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_overtaken_begin(void *data);
static ngx_int_t ngx_dfp_overtaken_input(ngx_event_pipe_t *p, ngx_buf_t *buf);
static void ngx_dfp_overtaken_check(ngx_http_request_t *r);
static ngx_dfp_overtaken_t *ngx_dfp_overtaken_get(ngx_http_request_t *r);
static void ngx_dfp_overtaken_cleanup(void *data);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_int_t
ngx_dfp_overtaken_header_filter(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;
    ngx_dfp_loc_conf_t   *dlcf;

    u = r->upstream;
    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (u && u->cacheable && r->cache && !r->cached
        && (dlcf->origins || dlcf->redirects)
        && u->pipe && u->pipe->input_ctx == r && u->input_filter_init
        && ngx_dfp_overtaken_watch(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_dfp_overtaken_watch(ngx_http_request_t *r)
{
    ngx_dfp_overtaken_t  *overtaken;

    /* there is one where a redirect has been followed */

    overtaken = ngx_dfp_overtaken_get(r);

    if (overtaken == NULL) {
        overtaken = ngx_dfp_context_create(r, ngx_dfp_overtaken_cleanup,
                                           sizeof(ngx_dfp_overtaken_t));
        if (overtaken == NULL) {
            return NGX_ERROR;
        }
    }

    overtaken->init = r->upstream->input_filter_init;
    r->upstream->input_filter_init = ngx_dfp_overtaken_begin;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_overtaken_begin(void *data)
{
    ngx_http_request_t *r = data;

    ngx_event_pipe_t     *p;
    ngx_dfp_overtaken_t  *overtaken;

    overtaken = ngx_dfp_overtaken_get(r);
    p = r->upstream->pipe;

    if (overtaken->init(data) != NGX_OK) {
        return NGX_ERROR;
    }

    overtaken->filter = p->input_filter;
    p->input_filter = ngx_dfp_overtaken_input;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_overtaken_input(ngx_event_pipe_t *p, ngx_buf_t *buf)
{
    ngx_int_t             rc;
    ngx_dfp_overtaken_t  *overtaken;

    overtaken = ngx_dfp_overtaken_get(p->input_ctx);

    rc = overtaken->filter(p, buf);

    if (rc == NGX_OK && (p->length == 0 || p->upstream_done || p->upstream_eof))
    {
        ngx_dfp_overtaken_check(p->input_ctx);
    }

    return rc;
}


/*
 * nginx keeps the number of the file that the entry had when the request looked it
 * up.  The entry has none where it was found on disk when nginx started.
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
                      "dfpreheat: an answer is not stored: another one has been "
                      "stored while it came");
    }
}


static ngx_dfp_overtaken_t *
ngx_dfp_overtaken_get(ngx_http_request_t *r)
{
    return ngx_dfp_context_get(r, ngx_dfp_overtaken_cleanup);
}


/* It marks the context. */

static void
ngx_dfp_overtaken_cleanup(void *data)
{
}


void
ngx_dfp_overtaken_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_overtaken_header_filter;
}
