#include "ngx_dfp_sent.h"
#include "ngx_dfp_binding.h"


/*
 * The context of the proxy module is private. These are its first fields in
 * nginx 1.22 and all later versions (ngx_http_proxy_module.c). The variables
 * $proxy_host and $proxy_port point into two of them, which is checked each
 * time, so that another layout is noticed.
 */

typedef struct {
    ngx_str_t  key_start;
    ngx_str_t  schema;
    ngx_str_t  host_header;
    ngx_str_t  port;
    ngx_str_t  uri;
} ngx_dfp_proxy_vars_t;


typedef struct {
    ngx_http_status_t     status;
    ngx_http_chunked_t    chunked;
    ngx_dfp_proxy_vars_t  vars;
} ngx_dfp_proxy_ctx_t;


static ngx_dfp_proxy_vars_t *ngx_dfp_sent_vars(ngx_http_request_t *r);
static ngx_uint_t ngx_dfp_sent_same(ngx_http_request_t *r, ngx_int_t index,
    ngx_str_t *field);
static ngx_int_t ngx_dfp_sent_compose(ngx_http_request_t *r,
    ngx_str_t *replaced, ngx_str_t *uri);


ngx_int_t
ngx_dfp_sent_init(ngx_conf_t *cf)
{
    ngx_uint_t            i;
    ngx_module_t        **modules;
    ngx_dfp_main_conf_t  *mcf;

    static ngx_str_t  host = ngx_string("proxy_host");
    static ngx_str_t  port = ngx_string("proxy_port");

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);
    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {
        if (ngx_strcmp(modules[i]->name, NGX_DFP_PROXY_MODULE) == 0)
        {
            mcf->proxy = modules[i];
        }
    }

    if (mcf->proxy == NULL) {
        return NGX_OK;
    }

    mcf->proxy_host = ngx_http_get_variable_index(cf, &host);
    mcf->proxy_port = ngx_http_get_variable_index(cf, &port);

    return mcf->proxy_host == NGX_ERROR || mcf->proxy_port == NGX_ERROR
           ? NGX_ERROR : NGX_OK;
}


/* As ngx_http_proxy_create_request() does. */

ngx_int_t
ngx_dfp_sent(ngx_http_request_t *r, ngx_str_t *upstream, ngx_str_t *uri)
{
    ngx_dfp_proxy_vars_t  *vars;

    vars = ngx_dfp_sent_vars(r);
    if (vars == NULL) {
        return NGX_DECLINED;
    }

    *upstream = vars->key_start;

    /* proxy_pass with variables and a URI: that URI replaces the client's */

    if (vars->uri.len && r->upstream->conf->upstream == NULL) {
        *uri = vars->uri;
        return NGX_OK;
    }

    if (vars->uri.len == 0 && r->valid_unparsed_uri) {
        *uri = r->unparsed_uri;
        return NGX_OK;
    }

    return ngx_dfp_sent_compose(r, &vars->uri, uri);
}


static ngx_dfp_proxy_vars_t *
ngx_dfp_sent_vars(ngx_http_request_t *r)
{
    ngx_dfp_proxy_ctx_t   *ctx;
    ngx_dfp_proxy_vars_t  *vars;
    ngx_dfp_main_conf_t   *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);

    if (dmcf->proxy == NULL || r->upstream == NULL || r->upstream->conf == NULL)
    {
        return NULL;
    }

    ctx = ngx_http_get_module_ctx(r, (*dmcf->proxy));
    if (ctx == NULL) {
        return NULL;
    }

    vars = &ctx->vars;

    return ngx_dfp_sent_same(r, dmcf->proxy_host, &vars->host_header)
           && ngx_dfp_sent_same(r, dmcf->proxy_port, &vars->port)
           ? vars : NULL;
}


static ngx_uint_t
ngx_dfp_sent_same(ngx_http_request_t *r, ngx_int_t index, ngx_str_t *field)
{
    ngx_http_variable_value_t  *v;

    v = ngx_http_get_flushed_variable(r, index);

    return v && !v->not_found && v->len == field->len && v->data == field->data;
}


/* The location's prefix is replaced by REPLACED, the rest of the decoded URI
 * follows. */

static ngx_int_t
ngx_dfp_sent_compose(ngx_http_request_t *r, ngx_str_t *replaced,
    ngx_str_t *uri)
{
    size_t                     prefix;
    u_char                    *p;
    uintptr_t                  escape;
    ngx_str_t                  rest;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    prefix = (r->valid_location && replaced->len)
             ? ngx_min(clcf->name.len, r->uri.len) : 0;

    rest.data = r->uri.data + prefix;
    rest.len = r->uri.len - prefix;

    escape = 0;

    if (r->quoted_uri || r->internal) {
        escape = 2 * ngx_escape_uri(NULL, rest.data, rest.len, NGX_ESCAPE_URI);
    }

    p = ngx_pnalloc(r->pool, replaced->len + rest.len + escape + 1
                             + r->args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    uri->data = p;

    if (r->valid_location && replaced->len) {
        p = ngx_cpymem(p, replaced->data, replaced->len);
    }

    if (escape) {
        p = (u_char *) ngx_escape_uri(p, rest.data, rest.len, NGX_ESCAPE_URI);

    } else {
        p = ngx_cpymem(p, rest.data, rest.len);
    }

    if (r->args.len) {
        *p++ = '?';
        p = ngx_cpymem(p, r->args.data, r->args.len);
    }

    uri->len = p - uri->data;

    return NGX_OK;
}
