#include "ngx_dfp_access_key.h"


#define NGX_DFP_ACCESS_KEY_SIZE  2048    /* bytes; it may grow */


static void ngx_dfp_access_key_scope(dfp_buf_t *b, ngx_http_request_t *r,
    dfp_path_t *path, ngx_uint_t one);
static void ngx_dfp_access_key_variables(dfp_buf_t *b, ngx_http_request_t *r);
static void ngx_dfp_access_key_headers(dfp_buf_t *b, ngx_http_request_t *r);
static ngx_uint_t ngx_dfp_access_key_ignored(ngx_str_t *name);
static void ngx_dfp_access_key_part(dfp_buf_t *b, ngx_str_t *part);


/* Besides headers: what a location may use to choose the upstream, or pass to
 * it. */
static ngx_str_t  ngx_dfp_access_key_variable_names[] = {
    ngx_string("host"),
    ngx_string("scheme"),
    ngx_string("server_addr"),
    ngx_string("server_port"),
#if (NGX_HTTP_SSL)
    ngx_string("ssl_server_name"),
    ngx_string("ssl_client_fingerprint"),
#endif
    ngx_null_string
};


/* Registries do not base permissions on these, and many of them change from
 * one request of a client to the next. */
static ngx_str_t  ngx_dfp_access_key_names[] = {
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
    ngx_string("x-amzn-trace-id"),
    ngx_null_string
};


ngx_int_t
ngx_dfp_access_key(ngx_http_request_t *r, dfp_path_t *path,
    dfp_path_kind_t kind, u_char *key)
{
    dfp_buf_t            b;
    dfp_mem_t            mem;
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    mem = ngx_dfp_mem(r->pool);

    dfp_buf_init(&b, &mem, NGX_DFP_ACCESS_KEY_SIZE, 0);

    ngx_dfp_access_key_part(&b, ngx_dfp_binding_first(dlcf->origins));
    dfp_buf_int(&b, kind);

    ngx_dfp_access_key_scope(&b, r, path,
                             kind == DFP_PATH_BLOB
                             && dlcf->share_blobs);

    ngx_dfp_access_key_part(&b, &r->args);
    ngx_dfp_access_key_part(&b, &r->connection->addr_text);

    ngx_dfp_access_key_variables(&b, r);
    ngx_dfp_access_key_headers(&b, r);

    if (b.failed || dfp_sha256_hex(dfp_buf_value(&b), (char *) key) != DFP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The repository, or with ONE the path: for files, and where repositories
 * share blobs. Paths of several files may be equal when they are decoded.
 */

static void
ngx_dfp_access_key_scope(dfp_buf_t *b, ngx_http_request_t *r, dfp_path_t *path,
    ngx_uint_t one)
{
    ngx_str_t  repository;

    if (path->repository.len && !one) {
        repository = ngx_dfp_str(path->repository);
        ngx_dfp_access_key_part(b, &repository);
        return;
    }

    ngx_dfp_access_key_part(b, &r->uri);
    ngx_dfp_access_key_part(b, &r->unparsed_uri);
}


static void
ngx_dfp_access_key_variables(dfp_buf_t *b, ngx_http_request_t *r)
{
    ngx_int_t                  *index;
    ngx_str_t                   text;
    ngx_uint_t                  i;
    ngx_http_variable_value_t  *value;
    ngx_dfp_main_conf_t        *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);
    index = dmcf->access_variables.elts;

    for (i = 0; i < dmcf->access_variables.nelts; i++) {

        value = ngx_http_get_flushed_variable(r, index[i]);
        ngx_str_null(&text);

        if (value && !value->not_found) {
            text.data = value->data;
            text.len = value->len;
        }

        ngx_dfp_access_key_part(b, &text);
    }
}


static void
ngx_dfp_access_key_headers(dfp_buf_t *b, ngx_http_request_t *r)
{
    ngx_str_t         name;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_dfp_access_key_ignored(&h[i].key)) {
                continue;
            }

            name.data = h[i].lowcase_key;
            name.len = h[i].key.len;

            ngx_dfp_access_key_part(b, &name);
            ngx_dfp_access_key_part(b, &h[i].value);
        }
    }
}


static ngx_uint_t
ngx_dfp_access_key_ignored(ngx_str_t *name)
{
    ngx_str_t  *known;

    for (known = ngx_dfp_access_key_names; known->len; known++) {
        if (name->len == known->len
            && ngx_strncasecmp(name->data, known->data, known->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* With its length: a decoded path may contain any byte. */

static void
ngx_dfp_access_key_part(dfp_buf_t *b, ngx_str_t *part)
{
    dfp_buf_cstr(b, " ");
    dfp_buf_int(b, part->len);
    dfp_buf_cstr(b, ":");
    dfp_buf_str(b, ngx_dfp_dfp_str(*part));
}


ngx_int_t
ngx_dfp_access_key_init(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    ngx_int_t  *index;
    ngx_str_t  *name;

    if (ngx_array_init(&mcf->access_variables, cf->pool, 8, sizeof(ngx_int_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (name = ngx_dfp_access_key_variable_names; name->len;
         name++)
    {
        index = ngx_array_push(&mcf->access_variables);
        if (index == NULL) {
            return NGX_ERROR;
        }

        *index = ngx_http_get_variable_index(cf, name);
        if (*index == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
