#include "ngx_dfp_stream.h"


#define NGX_DFP_STREAM_POOL  1024
#define NGX_DFP_STREAM_FULL                                                   \
    "this worker has dfpreheat_streams streams of events already"


static ngx_dfp_stream_t *ngx_dfp_stream_create(ngx_dfp_api_t *api,
    ngx_dfp_api_pt ready);
static void ngx_dfp_stream_cleanup(void *data);
static void ngx_dfp_stream_refused(void *data, ngx_uint_t status,
    const char *text);
static ngx_int_t ngx_dfp_stream_pool(ngx_dfp_stream_t *stream);
static ngx_int_t ngx_dfp_stream_sent(ngx_dfp_stream_t *stream);
static void ngx_dfp_stream_taken(ngx_dfp_stream_t *stream);
static void ngx_dfp_stream_writable(ngx_http_request_t *r);
static void ngx_dfp_stream_comment(ngx_event_t *ev);
static void ngx_dfp_stream_stalled(ngx_event_t *ev);


/* Of this worker. */
static ngx_uint_t  ngx_dfp_streams;


ngx_int_t
ngx_dfp_stream_start(ngx_dfp_api_t *api, ngx_dfp_api_pt ready)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = api->r;

    if (ngx_dfp_streams >= api->conf->streams) {
        ngx_dfp_api_error(api, NGX_HTTP_SERVICE_UNAVAILABLE,
                          NGX_DFP_STREAM_FULL);
        return NGX_DONE;
    }

    if (ngx_dfp_api_header(api, "Cache-Control", "no-store") != NGX_OK
        || ngx_dfp_api_header(api, "X-Accel-Buffering", "no") != NGX_OK
        || ngx_http_discard_request_body(r) != NGX_OK
        || ngx_dfp_api_listen(api) != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_DONE;
    }

    r->headers_out.status = NGX_HTTP_OK;
    ngx_str_set(&r->headers_out.content_type, "text/event-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    ngx_str_set(&r->headers_out.charset, "utf-8");

    api->stream = ngx_dfp_stream_create(api, ready);
    if (api->stream == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_DONE;
    }

    api->guard.handler = ngx_dfp_stream_refused;
    api->guard.data = api;

    if (ngx_dfp_guard_start(api->store, &api->auth, &api->guard) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_DONE;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat api: stream of events, %ui in this worker",
                   ngx_dfp_streams);

    r->write_event_handler = ngx_dfp_stream_writable;

    return NGX_OK;
}


static ngx_dfp_stream_t *
ngx_dfp_stream_create(ngx_dfp_api_t *api, ngx_dfp_api_pt ready)
{
    ngx_pool_cleanup_t  *cln;
    ngx_dfp_stream_t    *stream;

    cln = ngx_pool_cleanup_add(api->r->pool, sizeof(ngx_dfp_stream_t));
    if (cln == NULL) {
        return NULL;
    }

    stream = cln->data;
    ngx_memzero(stream, sizeof(ngx_dfp_stream_t));

    cln->handler = ngx_dfp_stream_cleanup;

    stream->r = api->r;
    stream->api = api;
    stream->ready = ready;
    stream->until = ngx_current_msec + NGX_DFP_STREAM_TIME;

    stream->comment.handler = ngx_dfp_stream_comment;
    stream->comment.data = stream;
    stream->comment.log = api->r->connection->log;

    stream->stalled.handler = ngx_dfp_stream_stalled;
    stream->stalled.data = stream;
    stream->stalled.log = api->r->connection->log;

    ngx_add_timer(&stream->comment, NGX_DFP_STREAM_COMMENT);
    ngx_dfp_streams++;

    return stream;
}


static void
ngx_dfp_stream_cleanup(void *data)
{
    ngx_dfp_stream_t *stream = data;

    ngx_dfp_streams--;

    if (stream->comment.timer_set) {
        ngx_del_timer(&stream->comment);
    }

    ngx_dfp_stream_taken(stream);
}


ngx_int_t
ngx_dfp_stream_event(ngx_dfp_stream_t *stream, dfp_buf_t *b, const char *name,
    int64_t id)
{
    if (stream->sending) {
        return NGX_AGAIN;
    }

    if (ngx_dfp_stream_pool(stream) != NGX_OK) {
        return NGX_ERROR;
    }

    stream->mem = ngx_dfp_mem(stream->pool);

    dfp_buf_init(b, &stream->mem, 512, 0);

    if (!stream->begun) {
        stream->begun = 1;
        dfp_buf_cstr(b, "retry: " NGX_DFP_STREAM_RETRY "\n");
    }

    dfp_buf_cstr(b, "event: ");
    dfp_buf_cstr(b, name);
    dfp_buf_cstr(b, "\nid: ");
    dfp_buf_int(b, id);
    dfp_buf_cstr(b, "\ndata: ");

    return NGX_OK;
}


char *
ngx_dfp_stream_room(ngx_dfp_stream_t *stream, size_t len)
{
    if (ngx_dfp_stream_pool(stream) != NGX_OK) {
        return NULL;
    }

    return ngx_pnalloc(stream->pool, len);
}


/* Of what is sent next; it is freed when the client has taken that. */

static ngx_int_t
ngx_dfp_stream_pool(ngx_dfp_stream_t *stream)
{
    stream->pool = ngx_create_pool(NGX_DFP_STREAM_POOL,
                                   stream->r->connection->log);

    return stream->pool ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_dfp_stream_send(ngx_dfp_stream_t *stream, dfp_buf_t *b)
{
    dfp_buf_cstr(b, "\n\n");

    if (b->failed) {
        ngx_http_finalize_request(stream->r, NGX_ERROR);
        return NGX_DONE;
    }

    return ngx_dfp_stream_put(stream, b->data, b->len);
}


void
ngx_dfp_stream_end(ngx_dfp_stream_t *stream, ngx_uint_t all)
{
    ngx_http_request_t  *r;

    r = stream->r;
    stream->ended = 1;

    if (ngx_exiting || ngx_terminate) {
        r->keepalive = 0;
    }

    if (stream->sending && !all) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_dfp_store_cancel(&stream->api->op);
    ngx_dfp_follow_end(&stream->api->follower);
    ngx_dfp_guard_end(&stream->api->guard);
    ngx_del_timer(&stream->comment);
    r->read_event_handler = ngx_http_block_reading;

    /* what is left is sent by nginx, which has a time-out for it */

    if (stream->stalled.timer_set) {
        ngx_del_timer(&stream->stalled);
    }

    ngx_http_finalize_request(r, ngx_http_send_special(r, NGX_HTTP_LAST));
}


ngx_int_t
ngx_dfp_stream_put(ngx_dfp_stream_t *stream, const char *data, size_t len)
{
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = stream->r;

    if (stream->buf == NULL) {
        stream->buf = ngx_palloc(r->pool, sizeof(ngx_buf_t));
        if (stream->buf == NULL) {
            ngx_http_finalize_request(r, NGX_ERROR);
            return NGX_DONE;
        }
    }

    ngx_memzero(stream->buf, sizeof(ngx_buf_t));

    stream->buf->pos = (u_char *) data;
    stream->buf->last = stream->buf->pos + len;
    stream->buf->memory = 1;
    stream->buf->flush = 1;

    out.buf = stream->buf;
    out.next = NULL;

    stream->sending = 1;

    if (ngx_http_output_filter(r, &out) == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return NGX_DONE;
    }

    return ngx_dfp_stream_sent(stream);
}


/* Waits for the rest to be sent, if there is one. */

static ngx_int_t
ngx_dfp_stream_sent(ngx_dfp_stream_t *stream)
{
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = stream->r;
    c = r->connection;

    if (!r->buffered && !c->buffered && r->postponed == NULL) {
        ngx_dfp_stream_taken(stream);
        return NGX_OK;
    }

    /* a list of a filter may have it until the next event has been sent */

    stream->buf = NULL;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_add_timer(&stream->stalled, clcf->send_timeout);

    if (ngx_handle_write_event(c->write, clcf->send_lowat) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return NGX_DONE;
    }

    return NGX_OK;
}


static void
ngx_dfp_stream_taken(ngx_dfp_stream_t *stream)
{
    stream->sending = 0;

    if (stream->stalled.timer_set) {
        ngx_del_timer(&stream->stalled);
    }

    if (stream->pool) {
        ngx_destroy_pool(stream->pool);
        stream->pool = NULL;
    }
}


static void
ngx_dfp_stream_writable(ngx_http_request_t *r)
{
    ngx_dfp_api_t     *api;
    ngx_dfp_stream_t  *stream;

    api = ngx_http_get_module_ctx(r, ngx_http_dfpreheat_module);
    stream = api->stream;

    if (!stream->sending) {
        return;
    }

    if (ngx_http_output_filter(r, NULL) == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (ngx_dfp_stream_sent(stream) == NGX_OK && !stream->sending) {
        stream->ready(api);
    }
}


/* A comment, so that the connection is not idle, and one that has died unnoticed
 * is found. */

static void
ngx_dfp_stream_comment(ngx_event_t *ev)
{
    ngx_dfp_stream_t *stream = ev->data;

    ngx_connection_t  *c;

    static const char  comment[] = ":\n\n";

    ngx_add_timer(ev, NGX_DFP_STREAM_COMMENT);

    c = stream->r->connection;

    if ((ngx_msec_int_t) (ngx_current_msec - stream->until) >= 0) {
        ngx_dfp_stream_end(stream, 0);

    } else if (stream->sending || stream->partial) {
        return;

    } else {
        (void) ngx_dfp_stream_put(stream, comment, sizeof(comment) - 1);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_dfp_stream_stalled(ngx_event_t *ev)
{
    ngx_dfp_stream_t *stream = ev->data;

    ngx_connection_t  *c;

    c = stream->r->connection;

    ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                  "dfpreheat: client does not read its events");

    c->timedout = 1;
    ngx_http_finalize_request(stream->r, NGX_ERROR);

    ngx_http_run_posted_requests(c);
}


/* Whoever comes back is told why. */

static void
ngx_dfp_stream_refused(void *data, ngx_uint_t status, const char *text)
{
    ngx_dfp_api_t *api = data;

    ngx_connection_t  *c;

    c = api->r->connection;

    ngx_dfp_stream_end(api->stream, 0);

    ngx_http_run_posted_requests(c);
}
