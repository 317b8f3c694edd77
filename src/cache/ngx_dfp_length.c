/*
 * The length of an answer that came in chunks: the cache knows it, and without it
 * nobody gets a part (Range).
 *
 * A module of its own, since its place is the first of all filters: those that change
 * a body, of nginx or of others, take the length away again. The other filters of
 * dfpreheat need a later place.
 */

#include "ngx_dfp_types.h"


static ngx_int_t ngx_dfp_length_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_length_init(ngx_conf_t *cf);


static ngx_http_module_t  ngx_dfp_length_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_dfp_length_init,        /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_dfpreheat_length_module = {
    NGX_MODULE_V1,
    &ngx_dfp_length_module_ctx, /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_int_t
ngx_dfp_length_header_filter(ngx_http_request_t *r)
{
    ngx_http_cache_t    *c;
    ngx_dfp_loc_conf_t  *dlcf;

    c = r->cache;
    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (dlcf->bound && r->cached && c && r->upstream
        && r->headers_out.status == NGX_HTTP_OK
        && r->headers_out.content_length_n == -1
        && c->length >= (off_t) c->body_start)
    {
        r->headers_out.content_length_n = c->length - (off_t) c->body_start;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_dfp_length_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_length_header_filter;

    return NGX_OK;
}
