#include "ngx_dfp_call.h"


static ngx_table_elt_t *ngx_dfp_call_header(ngx_http_request_t *sr,
    ngx_str_t name, ngx_str_t value);


ngx_int_t
ngx_dfp_call_uri(ngx_dfp_call_t *call, ngx_http_request_t *r)
{
    size_t                     len;
    ngx_buf_t                 *b;
    ngx_str_t                  uri;
    ngx_http_core_srv_conf_t  *cscf;

    uri.data = (u_char *) call->url.path.data;
    uri.len = call->url.href.len - call->url.origin.len;

    len = sizeof("GET  HTTP/1.1" CRLF) - 1 + uri.len;

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_sprintf(b->last, "GET %V HTTP/1.1" CRLF, &uri);

    if (ngx_http_parse_request_line(r, b) != NGX_OK || r->uri_start == NULL) {
        return NGX_ERROR;
    }

    r->unparsed_uri.data = r->uri_start;
    r->unparsed_uri.len = r->uri_end - r->uri_start;

    r->uri.data = r->uri_start;
    r->uri.len = r->unparsed_uri.len;

    if (r->args_start) {
        r->uri.len = r->args_start - 1 - r->uri_start;
    }

    if (r->complex_uri || r->quoted_uri) {
        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

        r->uri.data = ngx_pnalloc(r->pool, r->uri.len + 1);

        if (r->uri.data == NULL
            || ngx_http_parse_complex_uri(r, cscf->merge_slashes) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* the second parser finds the end of a path with escapes */

    if (r->args_start) {
        r->args.data = r->args_start;
        r->args.len = r->uri_end - r->args_start;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_call_headers(ngx_dfp_call_t *call, ngx_http_request_t *sr)
{
    ngx_str_t   name, value;
    ngx_uint_t  i;

    ngx_memzero(&sr->headers_in, sizeof(ngx_http_headers_in_t));

    sr->headers_in.content_length_n = -1;
    sr->headers_in.keep_alive_n = -1;
    sr->headers_in.server = sr->main->headers_in.server;

    if (ngx_list_init(&sr->headers_in.headers, sr->pool, 8,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&name, "Host");

    sr->headers_in.host = ngx_dfp_call_header(sr, name,
                              ngx_dfp_str(call->url.authority));
    if (sr->headers_in.host == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < call->nheaders; i++) {
        if (dfp_job_header_authorization(call->headers[i].name)) {
            continue;
        }

        name = ngx_dfp_str(call->headers[i].name);

        if (ngx_dfp_call_header(sr, name,
                ngx_dfp_str(call->headers[i].value))
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    if (call->accept) {
        ngx_str_set(&name, "Accept");
        value.data = (u_char *) call->accept;
        value.len = ngx_strlen(call->accept);

        if (ngx_dfp_call_header(sr, name, value) == NULL) {
            return NGX_ERROR;
        }
    }

    if (call->authorization.len == 0) {
        return NGX_OK;
    }

    ngx_str_set(&name, "Authorization");

    sr->headers_in.authorization = ngx_dfp_call_header(sr, name,
                                                        call->authorization);

    return sr->headers_in.authorization ? NGX_OK : NGX_ERROR;
}


/* The body of a gRPC request, one message, or a form, or what the caller says. */

ngx_int_t
ngx_dfp_call_post(ngx_dfp_call_t *call, ngx_http_request_t *sr)
{
    size_t                    len;
    ngx_buf_t                *b;
    ngx_str_t                 name, value;
    ngx_http_request_body_t  *body;

    len = call->post.len;
    body = ngx_pcalloc(sr->pool, sizeof(ngx_http_request_body_t));
    b = ngx_create_temp_buf(sr->pool, len);

    if (body == NULL || b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, call->post.data, len);
    b->last_buf = 1;

    body->bufs = ngx_alloc_chain_link(sr->pool);
    if (body->bufs == NULL) {
        return NGX_ERROR;
    }

    body->bufs->buf = b;
    body->bufs->next = NULL;

    sr->request_body = body;
    sr->headers_in.content_length_n = len;
    sr->method = NGX_HTTP_POST;
    ngx_str_set(&sr->method_name, "POST");

    ngx_str_set(&name, "Content-Type");
    ngx_str_set(&value, "application/x-www-form-urlencoded");

    if (call->take) {
        ngx_str_set(&value, "application/grpc");
    }

    if (call->content_type) {
        value.data = (u_char *) call->content_type;
        value.len = ngx_strlen(call->content_type);
    }

    /* client_max_body_size of the location is for clients: nginx does not check
     * what is discarded. It is not, see ngx_dfp_call_preaccess(). */

    sr->discard_body = 1;

    if (ngx_dfp_call_header(sr, name, value) == NULL) {
        return NGX_ERROR;
    }

    if (call->take == NULL) {
        return NGX_OK;
    }

    ngx_str_set(&name, "TE");
    ngx_str_set(&value, "trailers");

    sr->headers_in.te = ngx_dfp_call_header(sr, name, value);

    return sr->headers_in.te ? NGX_OK : NGX_ERROR;
}


static ngx_table_elt_t *
ngx_dfp_call_header(ngx_http_request_t *sr, ngx_str_t name, ngx_str_t value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&sr->headers_in.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    /* the call may be freed while the request waits for a lock or a thread */

    h->key.len = name.len;
    h->key.data = ngx_pstrdup(sr->pool, &name);
    h->value.len = value.len;
    h->value.data = ngx_pstrdup(sr->pool, &value);
    h->lowcase_key = ngx_pnalloc(sr->pool, name.len + 1);

    if (h->key.data == NULL || h->value.data == NULL
        || h->lowcase_key == NULL)
    {
        return NULL;
    }

    h->hash = ngx_hash_strlow(h->lowcase_key, name.data, name.len);
    h->lowcase_key[name.len] = '\0';

    return h;
}
