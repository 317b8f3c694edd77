#include "ngx_dfp_status.h"
#include "ngx_dfp_status_print.h"


typedef struct {
    ngx_http_request_t       *r;
    ngx_dfp_op_t              op;
    ngx_dfp_stored_status_t   stored;
} ngx_dfp_status_t;


static ngx_dfp_status_t *ngx_dfp_status_create(ngx_http_request_t *r);
static void ngx_dfp_status_cleanup(void *data);
static void ngx_dfp_status_replied(void *data, ngx_int_t rc);
static ngx_int_t ngx_dfp_status_send(ngx_dfp_status_t *status,
    ngx_uint_t known);


ngx_int_t
ngx_dfp_status_handler(ngx_http_request_t *r)
{
    ngx_int_t          rc;
    ngx_dfp_store_t   *store;
    ngx_dfp_status_t  *status;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    store = ngx_dfp_store_worker();
    status = ngx_dfp_status_create(r);

    if (store == NULL || status == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_dfp_store_status(store, &status->op, &status->stored) != NGX_OK) {
        return ngx_dfp_status_send(status, 0);
    }

    /* held until the reply, or the time-out, finalizes the request */

    r->main->count++;

    return NGX_DONE;
}


static ngx_dfp_status_t *
ngx_dfp_status_create(ngx_http_request_t *r)
{
    ngx_dfp_status_t    *status;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_dfp_status_t));
    if (cln == NULL) {
        return NULL;
    }

    status = cln->data;
    ngx_memzero(status, sizeof(ngx_dfp_status_t));

    cln->handler = ngx_dfp_status_cleanup;

    status->r = r;

    status->op.handler = ngx_dfp_status_replied;
    status->op.data = status;
    status->op.log = r->connection->log;
    status->op.pool = r->pool;

    return status;
}


static void
ngx_dfp_status_cleanup(void *data)
{
    ngx_dfp_status_t *status = data;

    ngx_dfp_store_cancel(&status->op);
}


static void
ngx_dfp_status_replied(void *data, ngx_int_t rc)
{
    ngx_dfp_status_t *status = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = status->r;
    c = r->connection;

    ngx_http_finalize_request(r, ngx_dfp_status_send(status, rc == NGX_OK));

    ngx_http_run_posted_requests(c);
}


/* KNOWN: Redis has replied. */

static ngx_int_t
ngx_dfp_status_send(ngx_dfp_status_t *status, ngx_uint_t known)
{
    ngx_int_t            rc;
    ngx_buf_t           *buf;
    dfp_buf_t            b;
    dfp_mem_t            mem;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = status->r;
    mem = ngx_dfp_mem(r->pool);

    dfp_buf_init(&b, &mem, NGX_DFP_STATUS_SIZE, 0);
    ngx_dfp_status_print(&b, known ? &status->stored : NULL);

    buf = ngx_calloc_buf(r->pool);

    if (buf == NULL || b.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat status: %uz bytes%s", b.len,
                   known ? "" : ", without Redis");

    /* the worker may have been told to quit since the request began */

    if (ngx_exiting || ngx_terminate) {
        r->keepalive = 0;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b.len;
    ngx_str_set(&r->headers_out.content_type, "text/plain; version=0.0.4");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    buf->pos = (u_char *) b.data;
    buf->last = buf->pos + b.len;
    buf->memory = 1;
    buf->last_buf = (r == r->main);
    buf->last_in_chain = 1;

    out.buf = buf;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
