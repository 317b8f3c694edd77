#include "ngx_dfp_login.h"


static ngx_int_t ngx_dfp_login_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_login_head(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_login_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_dfp_login_body(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static u_char  ngx_dfp_login_text[] = "{}";


ngx_int_t
ngx_dfp_login_handler(ngx_http_request_t *r)
{
    dfp_path_t           path;
    ngx_dfp_state_t     *state;
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (dlcf->origins == NULL || dlcf->access || r != r->main
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)))
    {
        return NGX_DECLINED;
    }

    ngx_dfp_storable_path(r, &path);

    /* below a prefix it may be a directory of files, which no client requests
     * first */

    if (path.kind == DFP_PATH_LOGIN
        && ngx_strncmp(r->uri.data, "/v2/", ngx_min(r->uri.len, 4)) == 0)
    {

        state = ngx_dfp_state_create(r);
        if (state == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        state->login = 1;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_dfp_login_header_filter(ngx_http_request_t *r)
{
    ngx_uint_t        status;
    ngx_dfp_state_t  *state;

    status = r->headers_out.status;

    if (r == r->main && r->upstream
        && (status == NGX_HTTP_BAD_GATEWAY
            || status == NGX_HTTP_SERVICE_UNAVAILABLE
            || status == NGX_HTTP_GATEWAY_TIME_OUT))
    {
        state = ngx_dfp_state_get(r);

        if (state && state->login) {
            state->answered = 1;

            if (ngx_dfp_login_head(r) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_dfp_login_head(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    /* no header of the replaced answer */

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            h[i].hash = 0;
        }
    }

    r->headers_out.server = NULL;
    r->headers_out.date = NULL;

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    r->headers_out.content_encoding = NULL;

    r->headers_out.status = NGX_HTTP_OK;
    ngx_str_null(&r->headers_out.status_line);

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);

    r->headers_out.content_length_n = sizeof(ngx_dfp_login_text) - 1;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "Docker-Distribution-Api-Version");
    ngx_str_set(&h->value, "registry/2.0");

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "dfpreheat: the registry is unavailable, the cache answers "
                  "\"%V\"", &r->uri);

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_login_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t        *b;
    ngx_chain_t      *cl;
    ngx_dfp_state_t  *state;

    state = NULL;

    if (r == r->main && r->upstream && r->headers_out.status == NGX_HTTP_OK) {
        state = ngx_dfp_state_get(r);
    }

    if (state == NULL || !state->answered) {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;
        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    if (state->sent) {
        return ngx_http_next_body_filter(r, NULL);
    }

    state->sent = 1;

    return ngx_dfp_login_body(r);
}


static ngx_int_t
ngx_dfp_login_body(ngx_http_request_t *r)
{
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = ngx_dfp_login_text;
    b->last = b->pos + sizeof(ngx_dfp_login_text) - 1;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}


void
ngx_dfp_login_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_login_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_dfp_login_body_filter;
}
