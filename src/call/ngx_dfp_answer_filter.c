#include "ngx_dfp_call.h"
#include "ngx_dfp_rate.h"


#define NGX_DFP_PROBE_BODY_MAX  1    /* bytes */


static ngx_int_t ngx_dfp_answer_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_answer_limit(ngx_dfp_call_t *call,
    ngx_http_request_t *r);
static size_t ngx_dfp_answer_max(ngx_dfp_call_t *call);
static ngx_uint_t ngx_dfp_answer_packed(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_answer_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_dfp_answer_bytes(ngx_dfp_call_t *call, u_char *data,
    size_t len);
static ngx_int_t ngx_dfp_answer_keep(ngx_dfp_call_t *call, u_char *data,
    size_t len);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/* The beginning of an error is read, whatever the mode. */

static ngx_int_t
ngx_dfp_answer_header_filter(ngx_http_request_t *r)
{
    ngx_dfp_call_t  *call;

    call = ngx_dfp_request_data(r);

    if (call) {
        call->answer.body.len = 0;
        call->kept.complete = 0;
        call->kept.max = ngx_dfp_answer_max(call);
        call->answer.packed = ngx_dfp_answer_packed(r);
        call->kept.cut = (r->headers_out.status != NGX_HTTP_OK);

        if (call->kept.cut) {
            call->kept.max = NGX_DFP_ERROR_BODY_MAX;
            r->header_only = 0;
            r->filter_need_in_memory = 1;
        }

        if (ngx_dfp_answer_limit(call, r) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_next_header_filter(r);
}


/* Only what fills the cache is limited: manifests are small, and jobs wait for
 * them. */

static ngx_int_t
ngx_dfp_answer_limit(ngx_dfp_call_t *call, ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (call->mode != NGX_DFP_CALL_WARM || !call->store
        || r->headers_out.status != NGX_HTTP_OK)
    {
        return NGX_OK;
    }

    rc = ngx_dfp_rate_limit(r);

    call->limited = (rc == NGX_OK);

    return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static size_t
ngx_dfp_answer_max(ngx_dfp_call_t *call)
{
    switch (call->mode) {

    case NGX_DFP_CALL_READ:
        return call->size;

    case NGX_DFP_CALL_PROBE:
        return NGX_DFP_PROBE_BODY_MAX;

    default: /* NGX_DFP_CALL_WARM, NGX_DFP_CALL_GRPC */
        return 0;
    }
}


/* If nginx has decompressed the answer (gunzip), the header is no longer
 * there. */

static ngx_uint_t
ngx_dfp_answer_packed(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = r->headers_out.content_encoding;

    return h && h->value.len
           && !(h->value.len == 8
                && ngx_strncasecmp(h->value.data, (u_char *) "identity", 8)
                   == 0);
}


/* The body is consumed here: the connection has no client. */

static ngx_int_t
ngx_dfp_answer_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t          *b;
    ngx_chain_t        *cl;
    ngx_dfp_call_t     *call;
    ngx_dfp_request_t  *request;

    request = ngx_dfp_request_get(r);

    if (request == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    call = request->data;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (call && ngx_buf_in_memory(b)
            && ngx_dfp_answer_bytes(call, b->pos, b->last - b->pos)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (call && (b->last_buf || b->last_in_chain)) {
            call->kept.complete = 1;
        }

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_answer_bytes(ngx_dfp_call_t *call, u_char *data, size_t len)
{
    if (call->take && !call->kept.cut) {
        call->kept.taken += len;

        return len ? call->take(call, data, len) : NGX_OK;
    }

    return ngx_dfp_answer_keep(call, data, len);
}


static ngx_int_t
ngx_dfp_answer_keep(ngx_dfp_call_t *call, u_char *data, size_t len)
{
    u_char  *p;
    size_t   size;

    if (call->kept.max == 0 || len == 0 || call->answer.too_big) {
        return NGX_OK;
    }

    if (len > call->kept.max - call->answer.body.len) {

        if (!call->kept.cut) {
            call->answer.too_big = 1;
            return NGX_ERROR;
        }

        len = call->kept.max - call->answer.body.len;
    }

    if (len > call->kept.allocated - call->answer.body.len) {
        size = ngx_max(call->answer.body.len + len, 2 * call->kept.allocated);

        p = ngx_pnalloc(call->pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (call->answer.body.len) {
            ngx_memcpy(p, call->answer.body.data, call->answer.body.len);
        }

        call->answer.body.data = p;
        call->kept.allocated = size;
    }

    ngx_memcpy(call->answer.body.data + call->answer.body.len, data, len);
    call->answer.body.len += len;

    return NGX_OK;
}


void
ngx_dfp_answer_filter_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_answer_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_dfp_answer_body_filter;
}
