#include "ngx_http_dfpreheat_access_key.h"


#define NGX_HTTP_DFPREHEAT_ACCESS_KEY_SIZE  2048    /* bytes, and it grows */


static void ngx_http_dfpreheat_access_key_certificate(dfp_buf_t *b,
    ngx_http_request_t *r);
static void ngx_http_dfpreheat_access_key_headers(dfp_buf_t *b,
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_dfpreheat_access_key_ignored(ngx_str_t *name);


/* No registry decides by these who may have what. Many of them differ from one
 * request of a client to the next. */
static ngx_str_t  ngx_http_dfpreheat_access_key_names[] = {
    ngx_string("user-agent"),
    ngx_string("accept"),
    ngx_string("accept-encoding"),
    ngx_string("accept-language"),
    ngx_string("connection"),
    ngx_string("keep-alive"),
    ngx_string("content-length"),
    ngx_string("cache-control"),
    ngx_string("pragma"),
    ngx_string("te"),
    ngx_string("range"),
    ngx_string("if-match"),
    ngx_string("if-none-match"),
    ngx_string("if-modified-since"),
    ngx_string("if-unmodified-since"),
    ngx_string("if-range"),
    ngx_string("traceparent"),
    ngx_string("tracestate"),
    ngx_string("x-request-id"),
    ngx_string("x-correlation-id"),
    ngx_null_string
};


/* Lines: no part of a request has a line break in it. */

ngx_int_t
ngx_http_dfpreheat_access_key(ngx_http_request_t *r, dfp_path_t *path,
    dfp_path_kind_t kind, u_char *key)
{
    dfp_buf_t                       b;
    dfp_mem_t                       mem;
    dfp_str_t                       scope;
    ngx_http_dfpreheat_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    mem = ngx_http_dfpreheat_mem(r->pool);

    dfp_buf_init(&b, &mem, NGX_HTTP_DFPREHEAT_ACCESS_KEY_SIZE, 0);

    dfp_buf_str(&b, ngx_http_dfpreheat_dfp(
                        *ngx_http_dfpreheat_origin_first(dlcf->origins)));
    dfp_buf_cstr(&b, "\n");
    dfp_buf_int(&b, kind);
    dfp_buf_cstr(&b, "\n");

    scope = path->repository;

    /* where repositories share blobs, each blob is a question of its own */

    if (scope.len == 0 || (kind == DFP_PATH_BLOB && dlcf->share_blobs)) {
        scope = ngx_http_dfpreheat_dfp(r->uri);
    }

    dfp_buf_str(&b, scope);
    dfp_buf_cstr(&b, "\n");

    dfp_buf_str(&b, ngx_http_dfpreheat_dfp(r->args));
    dfp_buf_cstr(&b, "\n");
    dfp_buf_str(&b, ngx_http_dfpreheat_dfp(r->connection->addr_text));
    dfp_buf_cstr(&b, "\n");

    ngx_http_dfpreheat_access_key_certificate(&b, r);
    ngx_http_dfpreheat_access_key_headers(&b, r);

    if (b.failed || dfp_token_hash(dfp_buf_value(&b), (char *) key) != DFP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* A location may pass on who the certificate was issued to. */

static void
ngx_http_dfpreheat_access_key_certificate(dfp_buf_t *b, ngx_http_request_t *r)
{
    ngx_http_variable_value_t       *value;
    ngx_http_dfpreheat_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);

    if (dmcf->certificate == NGX_ERROR) {
        return;
    }

    value = ngx_http_get_indexed_variable(r, dmcf->certificate);

    if (value && !value->not_found) {
        dfp_buf_append(b, (char *) value->data, value->len);
    }

    dfp_buf_cstr(b, "\n");
}


static void
ngx_http_dfpreheat_access_key_headers(dfp_buf_t *b, ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_dfpreheat_access_key_ignored(&h[i].key)) {
                continue;
            }

            dfp_buf_append(b, (char *) h[i].lowcase_key, h[i].key.len);
            dfp_buf_cstr(b, ":");
            dfp_buf_str(b, ngx_http_dfpreheat_dfp(h[i].value));
            dfp_buf_cstr(b, "\n");
        }
    }
}


static ngx_uint_t
ngx_http_dfpreheat_access_key_ignored(ngx_str_t *name)
{
    ngx_str_t  *known;

    for (known = ngx_http_dfpreheat_access_key_names; known->len; known++) {
        if (name->len == known->len
            && ngx_strncasecmp(name->data, known->data, known->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_dfpreheat_access_key_init(ngx_conf_t *cf,
    ngx_http_dfpreheat_main_conf_t *mcf)
{
#if (NGX_HTTP_SSL)

    ngx_str_t  name = ngx_string("ssl_client_fingerprint");

    mcf->certificate = ngx_http_get_variable_index(cf, &name);

    return mcf->certificate == NGX_ERROR ? NGX_ERROR : NGX_OK;

#else

    mcf->certificate = NGX_ERROR;

    return NGX_OK;

#endif
}
