#include "ngx_dfp_request.h"
#include "ngx_dfp_call_log.h"


#define NGX_DFP_REQUEST_POOL 1024
#define NGX_DFP_CALL_BUFFER  128     /* stands for header_in */
#define NGX_DFP_BLOCKED_WAIT 50      /* ms */


static ngx_dfp_request_t *ngx_dfp_request_init(ngx_connection_t *c,
    ngx_http_conf_ctx_t *ctx);
static ngx_http_request_t *ngx_dfp_request_main(ngx_connection_t *c,
    ngx_http_conf_ctx_t *ctx);
static ngx_connection_t *ngx_dfp_request_connect(ngx_log_t *log, int64_t job,
    ngx_str_t *shown, ngx_array_t *secrets, ngx_socket_t *peer);
static void ngx_dfp_request_connection(ngx_connection_t *c);
static ngx_int_t ngx_dfp_request_done(ngx_http_request_t *sr, void *data,
    ngx_int_t rc);
static void ngx_dfp_request_unlock(ngx_http_request_t *r);
static void ngx_dfp_request_blocked(ngx_event_t *ev);
static void ngx_dfp_request_terminate(ngx_http_request_t *r);
static void ngx_dfp_request_hang_up(ngx_dfp_request_t *request);
static void ngx_dfp_request_closed(void *data);
static void ngx_dfp_request_handler(ngx_event_t *ev);


/* the address of the missing client */
static struct sockaddr_in  ngx_dfp_nobody = {
    .sin_family = AF_INET
};


ngx_dfp_request_t *
ngx_dfp_request_create(ngx_http_conf_ctx_t *ctx, ngx_log_t *log, int64_t job,
    ngx_str_t *shown, ngx_array_t *secrets)
{
    ngx_socket_t        peer;
    ngx_connection_t   *c;
    ngx_dfp_request_t  *request;

    c = ngx_dfp_request_connect(log, job, shown, secrets, &peer);
    if (c == NULL) {
        return NULL;
    }

    request = ngx_dfp_request_init(c, ctx);

    if (request == NULL) {
        (void) ngx_close_socket(peer);
        ngx_http_close_connection(c);
        return NULL;
    }

    request->peer = peer;

    return request;
}


static ngx_dfp_request_t *
ngx_dfp_request_init(ngx_connection_t *c, ngx_http_conf_ctx_t *ctx)
{
    ngx_http_request_t  *r;
    ngx_pool_cleanup_t  *cln;
    ngx_dfp_request_t   *request;

    r = ngx_dfp_request_main(c, ctx);
    if (r == NULL) {
        return NULL;
    }

    /* added first, so it runs last: the request is no longer used then */

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_dfp_request_t));

    if (cln == NULL
        || ngx_list_init(&r->headers_in.headers, r->pool, 1,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        ngx_http_free_request(r, 0);
        return NULL;
    }

    request = cln->data;
    ngx_memzero(request, sizeof(ngx_dfp_request_t));

    cln->handler = ngx_dfp_request_closed;

    request->r = r;

    request->ps.handler = ngx_dfp_request_done;
    request->ps.data = request;

    request->begin.data = request;
    request->begin.log = c->log;

    request->blocked.handler = ngx_dfp_request_blocked;
    request->blocked.data = request;
    request->blocked.log = c->log;

    ngx_http_set_ctx(r, request, ngx_http_dfpreheat_module);

    return request;
}


static ngx_http_request_t *
ngx_dfp_request_main(ngx_connection_t *c, ngx_http_conf_ctx_t *ctx)
{
    ngx_http_request_t     *r;
    ngx_http_connection_t  *hc;

    hc = ngx_pcalloc(c->pool, sizeof(ngx_http_connection_t));
    if (hc == NULL) {
        return NULL;
    }

    hc->conf_ctx = ctx;
    c->data = hc;

    r = ngx_http_create_request(c);
    if (r == NULL) {
        return NULL;
    }

    c->data = r;

    ngx_dfp_call_log_listen(c->log);

    r->method = NGX_HTTP_GET;
    r->http_version = NGX_HTTP_VERSION_11;
    ngx_str_set(&r->method_name, "GET");
    ngx_str_set(&r->http_protocol, "HTTP/1.1");
    r->internal = 1;
    r->logged = 1;

    /* the location's limits and its post_action are for clients */

    r->limit_req_status = 1;
    r->limit_conn_status = 1;
    r->post_action = 1;
    r->uri_changes = 0;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return r;
}


/*
 * One end of a socket pair is the client's connection, so that nginx closes,
 * aborts and shuts it down like any other.
 */

static ngx_connection_t *
ngx_dfp_request_connect(ngx_log_t *log, int64_t job, ngx_str_t *shown,
    ngx_array_t *secrets, ngx_socket_t *peer)
{
    int                fd[2];
    ngx_connection_t  *c;

    if (socketpair(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0, fd)
        == -1)
    {
        ngx_log_error(NGX_LOG_ERR, log, ngx_socket_errno,
                      "dfpreheat: socketpair() failed");
        return NULL;
    }

    *peer = fd[1];

    c = ngx_get_connection(fd[0], log);

    if (c == NULL) {
        (void) ngx_close_socket(fd[0]);
        (void) ngx_close_socket(fd[1]);
        return NULL;
    }

    c->pool = ngx_create_pool(NGX_DFP_REQUEST_POOL, log);

    if (c->pool == NULL
        || ngx_dfp_call_log_create(c, log, job, shown, secrets) != NGX_OK)
    {
        goto failed;
    }

    ngx_dfp_request_connection(c);

    c->buffer = ngx_create_temp_buf(c->pool, NGX_DFP_CALL_BUFFER);

    if (c->buffer == NULL
        || (ngx_add_conn && ngx_add_conn(c) == NGX_ERROR))
    {
        goto failed;
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    return c;

failed:

    (void) ngx_close_socket(*peer);

    if (c->pool) {
        ngx_destroy_pool(c->pool);
    }

    /* its log may have been in the destroyed pool */
    c->log = log;
    ngx_close_connection(c);

    return NULL;
}


/* What ngx_event_accept() and ngx_http_init_connection() would set. */

static void
ngx_dfp_request_connection(ngx_connection_t *c)
{
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;
    c->type = SOCK_STREAM;

    c->sockaddr = (struct sockaddr *) &ngx_dfp_nobody;
    c->socklen = sizeof(ngx_dfp_nobody);
    c->local_sockaddr = c->sockaddr;
    c->local_socklen = c->socklen;
    ngx_str_set(&c->addr_text, "127.0.0.1");

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;

    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;

    c->read->handler = ngx_dfp_request_handler;
    c->write->handler = ngx_dfp_request_handler;
    c->write->ready = 1;
}


ngx_int_t
ngx_dfp_request_subrequest(ngx_dfp_request_t *request,
    ngx_http_request_t **sr)
{
    ngx_http_request_t  *r;

    r = request->r;

    return ngx_http_subrequest(r, &r->uri, &r->args, sr, &request->ps, 0)
           == NGX_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_dfp_request_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_dfp_request_t *request = data;

    /* error_page follows the redirect: the subrequest goes on */

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE && rc < NGX_HTTP_BAD_REQUEST) {
        return rc;
    }

    /* a thread reads the rest of the body: nginx finalizes it once more then */

    if (sr->buffered && (rc == NGX_OK || rc == NGX_AGAIN)) {
        return rc;
    }

    if (request->data) {
        request->answered(request->data, sr, rc);
    }

    return NGX_OK;
}


ngx_dfp_request_t *
ngx_dfp_request_get(ngx_http_request_t *sr)
{
    if (sr->post_subrequest
        && sr->post_subrequest->handler == ngx_dfp_request_done)
    {
        return sr->post_subrequest->data;
    }

    return NULL;
}


void *
ngx_dfp_request_data(ngx_http_request_t *sr)
{
    ngx_dfp_request_t  *request;

    request = ngx_dfp_request_get(sr);

    return request ? request->data : NULL;
}


void
ngx_dfp_request_finish(ngx_dfp_request_t *request)
{
    ngx_http_request_t  *r;

    r = request->r;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_set_log_request(r->connection->log, r);

    /* nginx may go on in the background (proxy_cache_background_update): the
     * closed connection must not end that */

    r->read_event_handler = ngx_http_block_reading;

    /* closed first, so that nginx does not linger */

    ngx_dfp_request_hang_up(request);

    ngx_http_finalize_request(r, NGX_DONE);
}


void
ngx_dfp_request_abort(ngx_dfp_request_t *request)
{
    if (request->begin.posted) {
        ngx_delete_posted_event(&request->begin);
    }

    ngx_dfp_request_unlock(request->r);

    /* a thread is writing the file, which must not be closed now */

    if (request->r->blocked) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, request->r->connection->log, 0,
                       "dfpreheat request waits for a thread to end");

        ngx_add_timer(&request->blocked, NGX_DFP_BLOCKED_WAIT);
        return;
    }

    ngx_dfp_request_hang_up(request);
    ngx_dfp_request_terminate(request->r);
}


/* The main request must outlive its subrequests, which are ended one by
 * one. */

static void
ngx_dfp_request_terminate(ngx_http_request_t *r)
{
    r->main->count++;

    ngx_http_finalize_request(r->main, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}


/* A request that waits for a lock of the cache is blocked, too, possibly for
 * long: it stops waiting. */

static void
ngx_dfp_request_unlock(ngx_http_request_t *r)
{
    ngx_http_cache_t  *c;

    c = r->postponed && r->postponed->request ? r->postponed->request->cache
                                              : NULL;

    if (c && c->waiting) {
        ngx_del_timer(&c->wait_event);
        c->waiting = 0;
        r->blocked--;
    }
}


static void
ngx_dfp_request_blocked(ngx_event_t *ev)
{
    ngx_dfp_request_t *request = ev->data;

    ngx_connection_t  *c;

    c = request->r->connection;

    ngx_dfp_request_abort(request);
    ngx_http_run_posted_requests(c);
}


static void
ngx_dfp_request_hang_up(ngx_dfp_request_t *request)
{
    if (request->peer != (ngx_socket_t) -1) {
        (void) ngx_close_socket(request->peer);
        request->peer = (ngx_socket_t) -1;
    }
}


static void
ngx_dfp_request_closed(void *data)
{
    ngx_dfp_request_t *request = data;

    ngx_dfp_request_hang_up(request);

    if (request->begin.posted) {
        ngx_delete_posted_event(&request->begin);
    }

    if (request->blocked.timer_set) {
        ngx_del_timer(&request->blocked);
    }

    if (request->data) {
        request->closed(request->data);
    }
}


/* As nginx's own handler of requests. */

static void
ngx_dfp_request_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    r = c->data;

    ngx_http_set_log_request(c->log, r);

    if (c->close) {
        ngx_dfp_request_terminate(r);

    } else if (ev->write) {
        r->write_event_handler(r);

    } else {
        r->read_event_handler(r);
    }

    ngx_http_run_posted_requests(c);
}
