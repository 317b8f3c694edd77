#include "ngx_dfp_api.h"


#define NGX_DFP_RETRY_LATER  "10"    /* s */


typedef struct {
    ngx_str_t       path;
    ngx_uint_t      id;          /* "/" and one part more follow */
    ngx_uint_t      methods;
    const char     *allow;
    ngx_dfp_api_pt  handler;
    ngx_uint_t      scope;       /* 0: no token is asked for */
} ngx_dfp_route_t;


static ngx_dfp_api_t *ngx_dfp_api_create(ngx_http_request_t *r);
static void ngx_dfp_api_cleanup(void *data);
static ngx_dfp_route_t *ngx_dfp_api_route(ngx_dfp_api_t *api);
static ngx_int_t ngx_dfp_api_id(ngx_dfp_api_t *api, u_char *p, size_t len);
static void ngx_dfp_api_allow(ngx_dfp_api_t *api, ngx_dfp_route_t *route);
static void ngx_dfp_api_authenticated(void *data, ngx_uint_t status,
    const char *text);
static void ngx_dfp_api_healthy(ngx_dfp_api_t *api);
static ngx_int_t ngx_dfp_reply_header(ngx_http_request_t *r, const char *name,
    const char *value);


static ngx_dfp_route_t  ngx_dfp_routes[] = {

    { ngx_string("/oapi/v1/jobs"), 0,
      NGX_HTTP_POST, "POST, OPTIONS",
      ngx_dfp_jobs_create, DFP_TOKEN_JOB },

    { ngx_string("/oapi/v1/jobs"), 1,
      NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD, OPTIONS",
      ngx_dfp_jobs_get, DFP_TOKEN_JOB },

    { ngx_string("/api/v1/personal-access-tokens"), 0,
      NGX_HTTP_POST, "POST, OPTIONS",
      ngx_dfp_tokens_create, 0 },

    { ngx_string("/healthy"), 0,
      NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD, OPTIONS",
      ngx_dfp_api_healthy, 0 },

    { ngx_null_string, 0, 0, NULL, NULL, 0 }
};


ngx_int_t
ngx_dfp_api_handler(ngx_http_request_t *r)
{
    ngx_dfp_api_t    *api;
    ngx_dfp_route_t  *route;

    api = ngx_dfp_api_create(r);
    if (api == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* from here on the answer finalizes the request */

    r->main->count++;

    route = ngx_dfp_api_route(api);

    if (route == NULL) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_FOUND, "Not Found");
        return NGX_DONE;
    }

    if (!(r->method & route->methods)) {
        ngx_dfp_api_allow(api, route);
        return NGX_DONE;
    }

    if (route->scope == 0) {
        route->handler(api);
        return NGX_DONE;
    }

    api->next = route->handler;
    api->auth.handler = ngx_dfp_api_authenticated;
    api->auth.data = api;

    ngx_dfp_auth_token(r, api->store, &api->auth, route->scope);

    return NGX_DONE;
}


/* OPTIONS asks for the methods of a path (RFC 9110, 9.3.7); others are told. */

static void
ngx_dfp_api_allow(ngx_dfp_api_t *api, ngx_dfp_route_t *route)
{
    dfp_buf_t  none;

    if (ngx_dfp_reply_header(api->r, "Allow", route->allow) != NGX_OK) {
        ngx_http_finalize_request(api->r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    if (api->r->method != NGX_HTTP_OPTIONS) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_ALLOWED, "Method Not Allowed");
        return;
    }

    dfp_buf_init(&none, &api->mem, 0, 0);
    ngx_dfp_api_send(api, NGX_HTTP_NO_CONTENT, &none);
}


static ngx_dfp_api_t *
ngx_dfp_api_create(ngx_http_request_t *r)
{
    ngx_str_t            token;
    ngx_pool_cleanup_t  *cln;
    ngx_dfp_api_t       *api;
    ngx_dfp_loc_conf_t  *dlcf;

    /* before anything is logged, also where it is not made use of */

    if (ngx_dfp_auth_query(r, &token) != NGX_OK) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_dfp_api_t));
    if (cln == NULL) {
        return NULL;
    }

    api = cln->data;
    ngx_memzero(api, sizeof(ngx_dfp_api_t));

    cln->handler = ngx_dfp_api_cleanup;

    api->r = r;
    api->conf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);
    api->store = ngx_dfp_runner_store();
    api->mem = ngx_dfp_mem(r->pool);

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (dlcf->query_token) {
        api->auth.query = token;
    }

    /* all that one request waits for, together */

    api->op.deadline = ngx_current_msec + NGX_DFP_REDIS_WAIT;
    api->auth.op.deadline = api->op.deadline;

    api->op.handler = ngx_dfp_api_replied;
    api->op.data = api;
    api->op.log = r->connection->log;
    api->op.pool = r->pool;

    ngx_http_set_ctx(r, api, ngx_http_dfpreheat_module);

    return api->store ? api : NULL;
}


static void
ngx_dfp_api_cleanup(void *data)
{
    ngx_dfp_api_t *api = data;

    ngx_dfp_store_cancel(&api->op);
    ngx_dfp_store_cancel(&api->auth.op);
}


static ngx_dfp_route_t *
ngx_dfp_api_route(ngx_dfp_api_t *api)
{
    ngx_str_t        *uri;
    ngx_dfp_route_t  *route;

    uri = &api->r->uri;

    for (route = ngx_dfp_routes; route->path.len; route++) {

        if (uri->len < route->path.len
            || ngx_memcmp(uri->data, route->path.data, route->path.len) != 0)
        {
            continue;
        }

        if (!route->id) {
            if (uri->len == route->path.len) {
                return route;
            }

            continue;
        }

        if (uri->len > route->path.len + 1
            && uri->data[route->path.len] == '/'
            && ngx_dfp_api_id(api, uri->data + route->path.len + 1,
                              uri->len - route->path.len - 1)
               == NGX_OK)
        {
            return route;
        }
    }

    return NULL;
}


/* What is no number of a job is 0. */

static ngx_int_t
ngx_dfp_api_id(ngx_dfp_api_t *api, u_char *p, size_t len)
{
    off_t  id;

    if (ngx_strlchr(p, p + len, '/')) {
        return NGX_DECLINED;
    }

    id = ngx_atoof(p, len);

    api->stored.id = (id == NGX_ERROR) ? 0 : id;

    return NGX_OK;
}


static void
ngx_dfp_api_authenticated(void *data, ngx_uint_t status, const char *text)
{
    ngx_dfp_api_t *api = data;

    if (status == NGX_HTTP_OK) {
        api->next(api);

    } else {
        ngx_dfp_api_error(api, status, text);
    }
}


void
ngx_dfp_api_replied(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    ngx_connection_t  *c;

    c = api->r->connection;

    api->replied(api, rc);

    ngx_http_run_posted_requests(c);
}


static void
ngx_dfp_api_healthy(ngx_dfp_api_t *api)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, &api->mem, 16, 0);
    dfp_buf_json(&b, DFP_STR("OK"));

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}


void
ngx_dfp_api_send(ngx_dfp_api_t *api, ngx_uint_t status, dfp_buf_t *b)
{
    ngx_int_t            rc;
    ngx_buf_t           *buf;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = api->r;

    /* nginx decides on this before the wait, when it may not have known */

    if (ngx_exiting || ngx_terminate) {
        r->keepalive = 0;
    }

    /* a body that nobody read would be taken for the next request */

    rc = r->request_body ? NGX_OK : ngx_http_discard_request_body(r);

    buf = ngx_calloc_buf(r->pool);

    if (buf == NULL || b->failed || rc != NGX_OK) {
        ngx_http_finalize_request(r, rc == NGX_OK
                                     ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc);
        return;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = b->len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    ngx_str_set(&r->headers_out.charset, "utf-8");

    buf->pos = (u_char *) b->data;
    buf->last = buf->pos + b->len;
    buf->memory = 1;
    buf->last_buf = (r == r->main);
    buf->last_in_chain = 1;

    out.buf = buf;
    out.next = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_OK && !r->header_only) {
        rc = ngx_http_output_filter(r, &out);
    }

    ngx_http_finalize_request(r, rc);
}


void
ngx_dfp_api_error(ngx_dfp_api_t *api, ngx_uint_t status, const char *text)
{
    ngx_int_t   rc;
    dfp_buf_t   b;
    dfp_str_t   message;

    message.data = text;
    message.len = ngx_strlen(text);

    dfp_buf_init(&b, &api->mem, 64 + message.len, 0);
    dfp_buf_cstr(&b, status == NGX_HTTP_UNPROCESSABLE ? "{\"errors\":"
                                                      : "{\"message\":");
    dfp_buf_json(&b, message);
    dfp_buf_cstr(&b, "}");

    rc = NGX_OK;

    if (status == NGX_HTTP_TOO_MANY_REQUESTS
        || status == NGX_HTTP_SERVICE_UNAVAILABLE)
    {
        rc = ngx_dfp_reply_header(api->r, "Retry-After", NGX_DFP_RETRY_LATER);

    } else if (status == NGX_HTTP_UNAUTHORIZED) {
        rc = ngx_dfp_reply_header(api->r, "WWW-Authenticate", "Bearer");
    }

    if (rc != NGX_OK) {
        ngx_http_finalize_request(api->r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_dfp_api_send(api, status, &b);
}


void
ngx_dfp_api_trouble(ngx_dfp_api_t *api, ngx_int_t rc)
{
    if (rc == NGX_ABORT) {
        ngx_dfp_api_error(api, NGX_HTTP_SERVICE_UNAVAILABLE,
                          ngx_dfp_store_trouble( api->store));
        return;
    }

    ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR,
                      "the store failed, see the error log");
}


static ngx_int_t
ngx_dfp_reply_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);

    return NGX_OK;
}
