#include "ngx_dfp_call.h"
#include "ngx_dfp_rate.h"
#include "ngx_dfp_state.h"


#define NGX_DFP_CALL_POOL  4096


static void ngx_dfp_call_begin(ngx_event_t *ev);
static ngx_int_t ngx_dfp_call_subrequest(ngx_dfp_call_t *call);
static void ngx_dfp_call_answered(void *data, ngx_http_request_t *sr,
    ngx_int_t rc);
static void ngx_dfp_call_end(ngx_http_request_t *r);
static void ngx_dfp_call_closed(void *data);
static void ngx_dfp_call_over(ngx_event_t *ev);
#if (NGX_DEBUG)
static off_t ngx_dfp_call_received(ngx_dfp_call_t *call);
#endif
static void ngx_dfp_call_timeout(ngx_event_t *ev);
static void ngx_dfp_call_done(ngx_dfp_call_t *call);


ngx_dfp_call_t *
ngx_dfp_call_create(ngx_log_t *log)
{
    ngx_pool_t      *pool;
    ngx_dfp_call_t  *call;

    pool = ngx_create_pool(NGX_DFP_CALL_POOL, log);
    if (pool == NULL) {
        return NULL;
    }

    call = ngx_pcalloc(pool, sizeof(ngx_dfp_call_t));

    if (call == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    call->pool = pool;
    call->log = log;

    return call;
}


ngx_int_t
ngx_dfp_call_start(ngx_dfp_call_t *call)
{
    ngx_dfp_request_t  *request;

    request = ngx_dfp_request_create(call->binding->ctx, call->log, call->job,
                                     &call->shown, call->secrets);
    if (request == NULL) {
        ngx_dfp_call_done(call);
        return NGX_AGAIN;
    }

    call->request = request;

    call->timer.handler = ngx_dfp_call_timeout;
    call->timer.data = call;
    call->timer.log = call->log;

    call->over.handler = ngx_dfp_call_over;
    call->over.data = call;
    call->over.log = call->log;

    request->data = call;
    request->answered = ngx_dfp_call_answered;
    request->closed = ngx_dfp_call_closed;
    request->begin.handler = ngx_dfp_call_begin;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, request->r->connection->log, 0,
                   "dfpreheat call: job %L, %s \"%V\", timeout %M ms",
                   call->job, call->post.len ? "POST" : "GET", &call->shown,
                   call->timeout);

    ngx_add_timer(&call->timer, call->timeout);

    call->started = 1;
    ngx_dfp_gauges->calls++;

    /* by an event: a chain of immediate failures must not recurse */
    ngx_post_event(&request->begin, &ngx_posted_events);

    return NGX_OK;
}


static void
ngx_dfp_call_begin(ngx_event_t *ev)
{
    ngx_dfp_request_t *request = ev->data;

    ngx_connection_t  *c;
    ngx_dfp_call_t    *call;

    call = request->data;
    c = request->r->connection;

    if (ngx_dfp_call_uri(call, request->r) != NGX_OK) {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_FAILED,
                            "nginx rejects its path");
        ngx_dfp_request_abort(request);

    } else if (ngx_dfp_call_subrequest(call) != NGX_OK) {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_AGAIN,
                            "no memory for the request");
        ngx_dfp_request_abort(request);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_dfp_call_subrequest(ngx_dfp_call_t *call)
{
    ngx_str_t                   host;
    ngx_dfp_state_t            *state;
    ngx_http_request_t         *r, *sr;
    ngx_http_core_main_conf_t  *cmcf;

    r = call->request->r;
    host = ngx_dfp_str(call->url.authority);

    r->headers_in.server.len = host.len;
    r->headers_in.server.data = ngx_pstrdup(r->pool, &host);

    if (r->headers_in.server.data == NULL) {
        return NGX_ERROR;
    }

    if (ngx_dfp_request_subrequest(call->request, &sr) != NGX_OK) {
        return NGX_ERROR;
    }

    state = ngx_dfp_state_create(sr);
    if (state == NULL) {
        return NGX_ERROR;
    }

    state->call = 1;
    state->uncached = call->uncached;
    state->listed = call->listed;

    /* the subrequest shares these with the main request */

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    sr->variables = ngx_pcalloc(r->pool, cmcf->variables.nelts
                                         * sizeof(ngx_http_variable_value_t));
    if (sr->variables == NULL) {
        return NGX_ERROR;
    }

    if (ngx_dfp_call_headers(call, sr) != NGX_OK
        || (call->post.len && ngx_dfp_call_post(call, sr) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (call->rehearsal && call->rehearsal->head) {
        sr->method = NGX_HTTP_HEAD;
        ngx_str_set(&sr->method_name, "HEAD");
    }

    /* as for a client's request, so that nginx sends the same */

    sr->valid_unparsed_uri = 1;
    sr->quoted_uri = r->quoted_uri;
    sr->plus_in_uri = r->plus_in_uri;
    sr->header_only = (call->mode == NGX_DFP_CALL_WARM);
    sr->filter_need_in_memory = !sr->header_only;

    r->write_event_handler = ngx_dfp_call_end;

    return NGX_OK;
}


static void
ngx_dfp_call_answered(void *data, ngx_http_request_t *sr, ngx_int_t rc)
{
    ngx_dfp_call_t *call = data;

    if (!call->answered) {
        call->answered = 1;
        ngx_dfp_answer_collect(call, sr, rc);
    }
}


/* The main request is woken when its subrequest has ended. */

static void
ngx_dfp_call_end(ngx_http_request_t *r)
{
    if (r == r->connection->data && r->postponed == NULL) {
        ngx_dfp_request_finish(
            ngx_http_get_module_ctx(r, ngx_http_dfpreheat_module));
    }
}


static void
ngx_dfp_call_closed(void *data)
{
    ngx_dfp_call_t *call = data;

    ngx_msec_t  wait;

    call->request = NULL;
    wait = call->limited ? ngx_dfp_rate_wait() : 0;

    if (wait) {
        ngx_add_timer(&call->over, wait);
        return;
    }

    ngx_post_event(&call->over, &ngx_posted_events);
}


static void
ngx_dfp_call_over(ngx_event_t *ev)
{
    ngx_dfp_call_t *call = ev->data;

    if (!call->answered && call->answer.reason[0] == '\0') {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_AGAIN,
                            call->answer.timedout
                            ? "it took longer than dfpreheat_task_timeout"
                            : "it was aborted");
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "dfpreheat call over: job %L, \"%V\", status %ui, %O bytes",
                   call->job, &call->shown, call->answer.status,
                   ngx_dfp_call_received(call));

    if (call->peek) {
        ngx_dfp_call_look_expired(call);
    }

    call->handler(call);

    ngx_dfp_call_done(call);
}


#if (NGX_DEBUG)

static off_t
ngx_dfp_call_received(ngx_dfp_call_t *call)
{
    if (call->answer.status != NGX_HTTP_OK || call->mode == NGX_DFP_CALL_READ) {
        return call->answer.body.len;
    }

    return call->mode == NGX_DFP_CALL_WARM ? call->answer.entry.size
                                           : call->kept.taken;
}

#endif


static void
ngx_dfp_call_timeout(ngx_event_t *ev)
{
    ngx_dfp_call_t *call = ev->data;

    ngx_connection_t  *c;

    /* it is being closed already */

    if (call->request == NULL) {
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "dfpreheat call timed out: job %L, \"%V\"", call->job,
                   &call->shown);

    call->answer.timedout = 1;
    c = call->request->r->connection;

    ngx_dfp_request_abort(call->request);
    ngx_http_run_posted_requests(c);
}


void
ngx_dfp_call_cancel(ngx_dfp_call_t *call)
{
    ngx_connection_t   *c;
    ngx_dfp_request_t  *request;

    request = call->request;

    if (request) {

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                       "dfpreheat call cancelled: job %L, \"%V\"", call->job,
                       &call->shown);

        /* the request may outlive the call: nginx waits for its threads */

        request->data = NULL;

        c = request->r->connection;

        ngx_dfp_request_abort(request);
        ngx_http_run_posted_requests(c);
    }

    ngx_dfp_call_done(call);
}


/* Frees the call. Nothing else does. */

static void
ngx_dfp_call_done(ngx_dfp_call_t *call)
{
    ngx_dfp_gauges->calls -= call->started;

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    if (call->over.posted) {
        ngx_delete_posted_event(&call->over);
    }

    if (call->over.timer_set) {
        ngx_del_timer(&call->over);
    }

    ngx_destroy_pool(call->pool);
}


off_t
ngx_dfp_call_bytes(ngx_dfp_call_t *call)
{
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = call->request ? call->request->r : NULL;

    if (r == NULL || r->postponed == NULL) {
        return 0;
    }

    u = r->postponed->request->upstream;

    if (u == NULL || u->pipe == NULL || u->pipe->temp_file == NULL) {
        return 0;
    }

    return u->pipe->temp_file->offset;
}
