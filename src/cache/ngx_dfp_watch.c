#include "ngx_dfp_watch.h"


#define NGX_DFP_WATCHERS  3     /* manifest, overtaken, rate */


/* In the pool of its request. */
typedef struct {
    ngx_http_request_t             *r;
    ngx_int_t                     (*init)(void *data);  /* the upstream's */
    ngx_event_pipe_input_filter_pt  filter;             /* likewise */
    const ngx_dfp_watcher_t        *watcher[NGX_DFP_WATCHERS];
    ngx_uint_t                      n;
    unsigned                        ended:1;
} ngx_dfp_watch_t;


static ngx_dfp_watch_t *ngx_dfp_watch_get(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_watch_begin(void *data);
static ngx_int_t ngx_dfp_watch_input(ngx_event_pipe_t *p, ngx_buf_t *buf);
static void ngx_dfp_watch_bytes(ngx_dfp_watch_t *watch, ngx_chain_t *cl);
static void ngx_dfp_watch_end(ngx_dfp_watch_t *watch);
static void ngx_dfp_watch_cleanup(void *data);


ngx_uint_t
ngx_dfp_watch_possible(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    return u->pipe && u->pipe->input_ctx == r && u->input_filter_init;
}


ngx_int_t
ngx_dfp_watch(ngx_http_request_t *r, const ngx_dfp_watcher_t *watcher)
{
    ngx_uint_t            i;
    ngx_dfp_watch_t      *watch;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    watch = ngx_dfp_watch_get(r);

    if (watch == NULL) {
        watch = ngx_dfp_context_create(r, ngx_dfp_watch_cleanup,
                                       sizeof(ngx_dfp_watch_t));
        if (watch == NULL) {
            return NGX_ERROR;
        }
    }

    /* after a redirect there is another upstream */

    if (u->input_filter_init != ngx_dfp_watch_begin) {
        watch->init = u->input_filter_init;
        watch->n = 0;
        watch->ended = 0;
        u->input_filter_init = ngx_dfp_watch_begin;
    }

    /* the list holds each once, even if one header passes the filters twice */

    for (i = 0; i < watch->n; i++) {
        if (watch->watcher[i] == watcher) {
            return NGX_OK;
        }
    }

    watch->watcher[watch->n++] = watcher;

    return NGX_OK;
}


static ngx_dfp_watch_t *
ngx_dfp_watch_get(ngx_http_request_t *r)
{
    return ngx_dfp_context_get(r, ngx_dfp_watch_cleanup);
}


/* The upstream chooses its own filter here, for chunks or for plain bytes. */

static ngx_int_t
ngx_dfp_watch_begin(void *data)
{
    ngx_http_request_t *r = data;

    ngx_dfp_watch_t   *watch;
    ngx_event_pipe_t  *p;

    watch = ngx_dfp_watch_get(r);
    p = r->upstream->pipe;

    if (watch->init(data) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the filter is not called for an empty body */

    if (p->length == 0) {
        ngx_dfp_watch_end(watch);
        return NGX_OK;
    }

    watch->filter = p->input_filter;
    p->input_filter = ngx_dfp_watch_input;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_watch_input(ngx_event_pipe_t *p, ngx_buf_t *buf)
{
    ngx_int_t         rc;
    ngx_chain_t     **last;
    ngx_dfp_watch_t  *watch;

    watch = ngx_dfp_watch_get(p->input_ctx);

    last = p->in ? p->last_in : &p->in;

    rc = watch->filter(p, buf);
    if (rc != NGX_OK) {
        return rc;
    }

    /* what follows the end is no part of the body */

    if (watch->ended) {
        return NGX_OK;
    }

    ngx_dfp_watch_bytes(watch, *last);

    if (p->length == 0 || p->upstream_done
        || (p->upstream_eof && p->length == -1))
    {
        ngx_dfp_watch_end(watch);
    }

    return NGX_OK;
}


static void
ngx_dfp_watch_bytes(ngx_dfp_watch_t *watch, ngx_chain_t *cl)
{
    size_t       len;
    ngx_uint_t   i;

    for ( /* void */ ; cl; cl = cl->next) {
        len = cl->buf->last - cl->buf->pos;

        for (i = 0; len && i < watch->n; i++) {
            if (watch->watcher[i]->bytes) {
                watch->watcher[i]->bytes(watch->r, cl->buf->pos, len);
            }
        }
    }
}


static void
ngx_dfp_watch_end(ngx_dfp_watch_t *watch)
{
    ngx_uint_t  i;

    watch->ended = 1;

    for (i = 0; i < watch->n; i++) {
        watch->watcher[i]->end(watch->r);
    }
}


/* It identifies the context. */

static void
ngx_dfp_watch_cleanup(void *data)
{
}
