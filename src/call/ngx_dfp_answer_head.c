#include "ngx_dfp_call.h"
#include "ngx_dfp_header.h"


static ngx_int_t ngx_dfp_answer_copy(ngx_dfp_call_t *call, ngx_table_elt_t *h,
    ngx_str_t *value);
static void ngx_dfp_answer_retry_after(ngx_dfp_call_t *call,
    ngx_http_upstream_t *u);
static void ngx_dfp_answer_leads_to(ngx_dfp_call_t *call,
    ngx_http_upstream_t *u);
static ngx_int_t ngx_dfp_answer_links(ngx_dfp_call_t *call,
    ngx_http_upstream_t *u);
static ngx_int_t ngx_dfp_answer_challenges(ngx_dfp_call_t *call,
    ngx_http_upstream_t *u);
static ngx_table_elt_t *ngx_dfp_answer_trailer(ngx_dfp_call_t *call,
    ngx_http_upstream_t *u, ngx_str_t *name);


ngx_int_t
ngx_dfp_answer_head(ngx_dfp_call_t *call, ngx_http_request_t *sr)
{
    ngx_http_upstream_t  *u;

    u = sr->upstream;

    call->answer.status = sr->headers_out.status ? sr->headers_out.status
                                                 : u->headers_in.status_n;

    if (call->rehearsal) {
        ngx_dfp_rehearsal_answer(call->rehearsal, &u->headers_in.headers);
    }

    ngx_dfp_answer_retry_after(call, u);
    ngx_dfp_answer_leads_to(call, u);

    if (ngx_dfp_answer_copy(call, u->headers_in.content_type,
                            &call->answer.content_type)
        != NGX_OK
        || ngx_dfp_answer_links(call, u) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_answer_challenges(call, u);
}


/* The status is in the trailers; in an answer without messages it is in the
 * headers. */

ngx_int_t
ngx_dfp_answer_grpc(ngx_dfp_call_t *call, ngx_http_request_t *sr)
{
    ngx_http_upstream_t  *u;

    static ngx_str_t  status = ngx_string("grpc-status");
    static ngx_str_t  message = ngx_string("grpc-message");

    u = sr->upstream;
    call->answer.status = u->headers_in.status_n;

    if (ngx_dfp_answer_copy(call, ngx_dfp_answer_trailer(call, u, &status),
                            &call->answer.grpc_status)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_answer_copy(call, ngx_dfp_answer_trailer(call, u, &message),
                               &call->answer.grpc_message);
}


static ngx_table_elt_t *
ngx_dfp_answer_trailer(ngx_dfp_call_t *call, ngx_http_upstream_t *u,
    ngx_str_t *name)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    n = 0;
    h = NULL;

    /* the list is made for the first trailer */

    if (u->headers_in.trailers.part.elts) {
        h = ngx_dfp_header_find(&u->headers_in.trailers, name, &n);
    }

    if (h || call->kept.taken) {
        return h;
    }

    return ngx_dfp_header_find(&u->headers_in.headers, name, &n);
}


static ngx_int_t
ngx_dfp_answer_copy(ngx_dfp_call_t *call, ngx_table_elt_t *h, ngx_str_t *value)
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


/* RFC 9110, 10.2.3: seconds, or a date. */

static void
ngx_dfp_answer_retry_after(ngx_dfp_call_t *call, ngx_http_upstream_t *u)
{
    time_t            when;
    ngx_int_t         seconds;
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("Retry-After");

    n = 0;
    h = ngx_dfp_header_find(&u->headers_in.headers, &name, &n);

    if (h == NULL) {
        return;
    }

    seconds = ngx_atoi(h->value.data, h->value.len);

    if (seconds == NGX_ERROR) {
        when = ngx_parse_http_time(h->value.data, h->value.len);
        seconds = (when == NGX_ERROR) ? 0 : when - ngx_time();
    }

    if (seconds > 0) {
        call->answer.retry_after = ngx_min(seconds, NGX_DFP_RETRY_AFTER_MAX)
                            * 1000;
    }
}


/* The target of a redirect, without path and query, which may have a
 * signature. */

static void
ngx_dfp_answer_leads_to(ngx_dfp_call_t *call, ngx_http_upstream_t *u)
{
    dfp_err_t         err;
    dfp_mem_t         mem;
    dfp_url_t         to;
    ngx_table_elt_t  *h;

    h = u->headers_in.location;

    if (h == NULL || call->answer.status < NGX_HTTP_SPECIAL_RESPONSE
        || call->answer.status >= NGX_HTTP_BAD_REQUEST)
    {
        return;
    }

    mem = ngx_dfp_mem(call->pool);

    if (dfp_url_join(&mem, &call->url, ngx_dfp_dfp_str(h->value),
                     "a redirect", &to, &err)
        == DFP_OK)
    {
        call->answer.leads_to = ngx_dfp_str(to.origin);
    }
}


/* Lists have them, and these are read. */

static ngx_int_t
ngx_dfp_answer_links(ngx_dfp_call_t *call, ngx_http_upstream_t *u)
{
    dfp_buf_t         b;
    dfp_mem_t         mem;
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("Link");

    if (call->mode != NGX_DFP_CALL_READ || call->answer.status != NGX_HTTP_OK) {
        return NGX_OK;
    }

    mem = ngx_dfp_mem(call->pool);
    dfp_buf_init(&b, &mem, 256, 0);

    for (n = 0; /* void */ ; /* void */ ) {

        h = ngx_dfp_header_find(&u->headers_in.headers, &name, &n);

        if (h == NULL) {
            break;
        }

        dfp_buf_cstr(&b, ",");
        dfp_buf_str(&b, ngx_dfp_dfp_str(h->value));
    }

    call->answer.links = ngx_dfp_str(dfp_buf_value(&b));

    return b.failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_dfp_answer_challenges(ngx_dfp_call_t *call, ngx_http_upstream_t *u)
{
    ngx_str_t         value;
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("WWW-Authenticate");

    call->answer.nchallenges = 0;

    if (call->answer.status != NGX_HTTP_UNAUTHORIZED) {
        return NGX_OK;
    }

    n = 0;

    while (call->answer.nchallenges < DFP_CHALLENGE_MAX_HEADERS) {

        h = ngx_dfp_header_find(&u->headers_in.headers, &name, &n);
        if (h == NULL) {
            break;
        }

        if (ngx_dfp_answer_copy(call, h, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        call->answer.challenges[call->answer.nchallenges++] =
            ngx_dfp_dfp_str(value);
    }

    return NGX_OK;
}
