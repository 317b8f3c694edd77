#include "ngx_http_dfpreheat_call.h"


static void ngx_http_dfpreheat_answer_collect(ngx_http_dfpreheat_call_t *call,
    ngx_http_request_t *sr, ngx_int_t rc);
static void ngx_http_dfpreheat_answer_complete(ngx_http_dfpreheat_call_t *call,
    ngx_http_request_t *sr, ngx_int_t rc);
static ngx_int_t ngx_http_dfpreheat_answer_copy(
    ngx_http_dfpreheat_call_t *call, ngx_table_elt_t *h, ngx_str_t *value);
static void ngx_http_dfpreheat_answer_retry_after(
    ngx_http_dfpreheat_call_t *call, ngx_http_upstream_t *u);
static ngx_int_t ngx_http_dfpreheat_answer_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_dfpreheat_answer_keep(
    ngx_http_dfpreheat_call_t *call, u_char *data, size_t len);


static ngx_http_output_body_filter_pt  ngx_http_next_body_filter;


/* The subrequest has ended; nginx may say so twice. */

ngx_int_t
ngx_http_dfpreheat_call_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_http_dfpreheat_request_t *request = data;

    ngx_http_dfpreheat_call_t  *call;

    call = request->data;

    if (call && !call->collected) {
        call->collected = 1;
        ngx_http_dfpreheat_answer_collect(call, sr, rc);
    }

    return NGX_OK;
}


static void
ngx_http_dfpreheat_answer_collect(ngx_http_dfpreheat_call_t *call,
    ngx_http_request_t *sr, ngx_int_t rc)
{
    ngx_http_upstream_t  *u;

    u = sr->upstream;

    if (call->strayed || !call->entered) {
        ngx_http_dfpreheat_call_fail(call, NGX_HTTP_DFPREHEAT_CALL_FAILED,
            "its path leads to a location that is not bound to its origin "
            "(dfpreheat_origin)");
        return;
    }

    if (u == NULL) {
        ngx_http_dfpreheat_call_fail(call, NGX_HTTP_DFPREHEAT_CALL_FAILED,
                                     "its location passes to no upstream");
        return;
    }

    if (call->too_big) {
        ngx_http_dfpreheat_call_fail(call, NGX_HTTP_DFPREHEAT_CALL_FAILED,
                                     "the answer is too big");
        return;
    }

    if (u->headers_in.status_n == 0) {
        ngx_http_dfpreheat_call_fail(call, NGX_HTTP_DFPREHEAT_CALL_AGAIN,
            rc == NGX_HTTP_GATEWAY_TIME_OUT
            ? "the origin did not answer in time (proxy_connect_timeout, "
              "proxy_read_timeout)"
            : "the origin could not be reached, or its answer made no sense: "
              "see the error log");
        return;
    }

    ngx_http_dfpreheat_answer_complete(call, sr, rc);
}


static void
ngx_http_dfpreheat_answer_complete(ngx_http_dfpreheat_call_t *call,
    ngx_http_request_t *sr, ngx_int_t rc)
{
    const char           *reason;
    ngx_int_t             stored;
    ngx_http_upstream_t  *u;

    u = sr->upstream;

    call->status = sr->headers_out.status ? sr->headers_out.status
                                          : u->headers_in.status_n;

    ngx_http_dfpreheat_answer_retry_after(call, u);

    if (ngx_http_dfpreheat_answer_copy(call, u->headers_in.content_type,
                                     &call->content_type)
        != NGX_OK)
    {
        ngx_http_dfpreheat_call_fail(call, NGX_HTTP_DFPREHEAT_CALL_AGAIN,
                                     "no memory for the answer");
        return;
    }

    if (call->status != NGX_HTTP_OK) {
        return;
    }

    if (call->limit && !call->complete) {
        ngx_http_dfpreheat_call_fail(call, NGX_HTTP_DFPREHEAT_CALL_AGAIN,
                                     "the answer was not complete");
        return;
    }

    if (!call->store) {
        return;
    }

    stored = ngx_http_dfpreheat_cache_stored(sr, rc, &call->entry, &reason);

    if (stored == NGX_OK) {
        return;
    }

    ngx_http_dfpreheat_call_fail(call,
                                 stored == NGX_AGAIN
                                 ? NGX_HTTP_DFPREHEAT_CALL_AGAIN
                                 : NGX_HTTP_DFPREHEAT_CALL_FAILED, reason);
}


static ngx_int_t
ngx_http_dfpreheat_answer_copy(ngx_http_dfpreheat_call_t *call,
    ngx_table_elt_t *h, ngx_str_t *value)
{
    if (h == NULL) {
        return NGX_OK;
    }

    value->data = ngx_pstrdup(call->pool, &h->value);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = h->value.len;

    return NGX_OK;
}


off_t
ngx_http_dfpreheat_call_bytes(ngx_http_dfpreheat_call_t *call)
{
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = call->request ? call->request->r : NULL;

    if (r == NULL || r->postponed == NULL) {
        return 0;
    }

    u = r->postponed->request->upstream;

    if (u == NULL || u->pipe == NULL || u->pipe->temp_file == NULL) {
        return 0;
    }

    return u->pipe->temp_file->offset;
}


/* RFC 9110, 10.2.3: seconds, or a date. */

static void
ngx_http_dfpreheat_answer_retry_after(ngx_http_dfpreheat_call_t *call,
    ngx_http_upstream_t *u)
{
    time_t            when;
    ngx_int_t         seconds;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &u->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len != sizeof("Retry-After") - 1
            || ngx_strcasecmp(h[i].key.data, (u_char *) "Retry-After") != 0)
        {
            continue;
        }

        seconds = ngx_atoi(h[i].value.data, h[i].value.len);

        if (seconds == NGX_ERROR) {
            when = ngx_parse_http_time(h[i].value.data, h[i].value.len);
            seconds = (when == NGX_ERROR) ? 0 : when - ngx_time();
        }

        if (seconds > 0) {
            call->retry_after = ngx_min(seconds,
                                        NGX_HTTP_DFPREHEAT_RETRY_AFTER_MAX)
                                * 1000;
        }

        return;
    }
}


/* The answer ends here: nobody is at the other end of the connection. */

static ngx_int_t
ngx_http_dfpreheat_answer_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t                     *b;
    ngx_chain_t                   *cl;
    ngx_http_dfpreheat_call_t     *call;
    ngx_http_dfpreheat_request_t  *request;

    request = ngx_http_dfpreheat_call_request(r);

    if (request == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    call = request->data;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (call && ngx_buf_in_memory(b)
            && ngx_http_dfpreheat_answer_keep(call, b->pos,
                                            b->last - b->pos)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (call && (b->last_buf || b->last_in_chain)) {
            call->complete = 1;
        }

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_dfpreheat_answer_keep(ngx_http_dfpreheat_call_t *call, u_char *data,
    size_t len)
{
    u_char  *p;
    size_t   size;

    if (call->limit == 0 || len == 0 || call->too_big) {
        return NGX_OK;
    }

    if (len > call->limit - call->body.len) {
        call->too_big = 1;
        return NGX_ERROR;
    }

    if (len > call->size - call->body.len) {
        size = ngx_max(call->body.len + len, 2 * call->size);

        p = ngx_pnalloc(call->pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (call->body.len) {
            ngx_memcpy(p, call->body.data, call->body.len);
        }

        call->body.data = p;
        call->size = size;
    }

    ngx_memcpy(call->body.data + call->body.len, data, len);
    call->body.len += len;

    return NGX_OK;
}


void
ngx_http_dfpreheat_answer_init(void)
{
    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_dfpreheat_answer_body_filter;
}
