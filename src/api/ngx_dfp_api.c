#include "ngx_dfp_api.h"
#include "ngx_dfp_context.h"
#include "ngx_dfp_query.h"


static ngx_int_t ngx_dfp_api_url(ngx_dfp_api_t *api);
static void ngx_dfp_api_cleanup(void *data);
static void ngx_dfp_api_replied(void *data, ngx_int_t rc);


ngx_dfp_api_t *
ngx_dfp_api_create(ngx_http_request_t *r)
{
    ngx_str_t            token;
    ngx_dfp_api_t       *api;
    ngx_dfp_loc_conf_t  *dlcf;

    /* hides the token before anything is logged, also where it is ignored */

    if (ngx_dfp_auth_query(r, &token) != NGX_OK) {
        return NULL;
    }

    api = ngx_dfp_context_create(r, ngx_dfp_api_cleanup,
                                 sizeof(ngx_dfp_api_t));
    if (api == NULL) {
        return NULL;
    }

    api->conf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);
    api->store = ngx_dfp_store_worker();
    api->mem = ngx_dfp_mem(r->pool);

    if (ngx_dfp_api_url(api) != NGX_OK) {
        return NULL;
    }

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (dlcf->query_token) {
        api->auth.query = token;
    }

    /* what is answered has neither a date nor a tag, and when nginx compares them,
       the request has been carried out */

    r->disable_not_modified = 1;

    /* one deadline for all that the request waits for */

    api->op.deadline = ngx_current_msec + NGX_DFP_REDIS_WAIT;
    api->auth.op.deadline = api->op.deadline;

    api->op.handler = ngx_dfp_api_replied;
    api->op.data = api;
    api->op.log = r->connection->log;
    api->op.pool = r->pool;

    ngx_http_set_ctx(r, api, ngx_http_dfpreheat_module);

    return api->store ? api : NULL;
}


/* nginx must not log a URL that has a signature. */

static ngx_int_t
ngx_dfp_api_url(ngx_dfp_api_t *api)
{
    int        secret;
    dfp_str_t  shown;

    if (ngx_dfp_query_get(api->r, "url=", &api->url) != NGX_OK
        || dfp_url_redact(&api->mem, ngx_dfp_dfp_str(api->url), &shown,
                          &secret)
           != DFP_OK)
    {
        return NGX_ERROR;
    }

    if (secret) {
        ngx_dfp_query_hide(api->r, "url=");
    }

    return ngx_dfp_query_hide_secrets(api->r);
}


static void
ngx_dfp_api_cleanup(void *data)
{
    ngx_dfp_api_t *api = data;

    ngx_dfp_store_cancel(&api->op);
    ngx_dfp_store_cancel(&api->auth.op);
    ngx_dfp_follow_end(&api->follower);
    ngx_dfp_guard_end(&api->guard);
}


static void
ngx_dfp_api_replied(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    ngx_connection_t  *c;

    c = api->r->connection;

    api->replied(api, rc);

    ngx_http_run_posted_requests(c);
}


ngx_int_t
ngx_dfp_api_listen(ngx_dfp_api_t *api)
{
    ngx_event_t         *rev;
    ngx_http_request_t  *r;

    r = api->r;
    rev = r->connection->read;

    /* whoever discards the body listens, too */

    if (r->discard_body) {
        return NGX_OK;
    }

    r->read_event_handler = ngx_http_test_reading;

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);
        return NGX_OK;
    }

    return ngx_handle_read_event(rev, 0);
}


void
ngx_dfp_api_send(ngx_dfp_api_t *api, ngx_uint_t status, dfp_buf_t *b)
{
    ngx_int_t            rc;
    ngx_buf_t           *buf;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = api->r;

    /* the worker may have been told to quit since the request began */

    if (ngx_exiting || ngx_terminate) {
        r->keepalive = 0;
    }

    /* an unread body would be parsed as the next request */

    rc = r->request_body ? NGX_OK : ngx_http_discard_request_body(r);

    buf = ngx_calloc_buf(r->pool);

    if (buf == NULL || b->failed || rc != NGX_OK) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "dfpreheat api: status %ui could not be sent", status);
        ngx_http_finalize_request(r, rc == NGX_OK
                                     ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc);
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat api: status %ui, %uz bytes", status, b->len);

    r->headers_out.status = status;
    r->headers_out.content_length_n = b->len;

    if (b->len == 0) {
        r->header_only = 1;

    } else if (r->headers_out.content_type.len == 0) {
        ngx_str_set(&r->headers_out.content_type, "application/json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
        ngx_str_set(&r->headers_out.charset, "utf-8");
    }

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
        rc = ngx_dfp_api_header(api, "Retry-After", NGX_DFP_RETRY_LATER);

    } else if (status == NGX_HTTP_UNAUTHORIZED) {
        rc = ngx_dfp_api_header(api, "WWW-Authenticate", "Bearer");
    }

    if (rc != NGX_OK) {
        ngx_http_finalize_request(api->r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_dfp_api_send(api, status, &b);
}


void
ngx_dfp_api_store_error(ngx_dfp_api_t *api, ngx_int_t rc)
{
    if (rc == NGX_ABORT) {
        ngx_dfp_api_error(api, NGX_HTTP_SERVICE_UNAVAILABLE,
                          ngx_dfp_store_unavailable(api->store));
        return;
    }

    ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR,
                      "the job store failed: see the error log");
}


ngx_int_t
ngx_dfp_api_header(ngx_dfp_api_t *api, const char *name, const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&api->r->headers_out.headers);
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


ngx_int_t
ngx_dfp_api_uuid(ngx_dfp_api_t *api, ngx_str_t *uuid)
{
    uuid->len = DFP_UUID_LEN;
    uuid->data = ngx_pnalloc(api->r->pool, uuid->len + 1);

    if (uuid->data == NULL || dfp_uuid((char *) uuid->data) != DFP_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_api_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t       value;
    ngx_dfp_api_t  *api;

    /* nginx clears the module's own context where error_page redirects */

    api = ngx_dfp_context_get(r, ngx_dfp_api_cleanup);

    ngx_str_null(&value);

    if (api && data == 0) {
        value = api->auth.token.name;

    } else if (api && api->stored.id > 0) {
        value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
        if (value.data == NULL) {
            return NGX_ERROR;
        }

        value.len = ngx_sprintf(value.data, "%L", api->stored.id) - value.data;
    }

    if (value.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_dfp_variable(v, value);

    return NGX_OK;
}
