#include "ngx_dfp_call.h"
#include "ngx_dfp_revalidate.h"


static void ngx_dfp_call_begin(ngx_event_t *ev);
static ngx_int_t ngx_dfp_call_subrequest(ngx_dfp_call_t *call);
static void ngx_dfp_call_end(ngx_http_request_t *r);
static void ngx_dfp_call_closed(void *data);
static void ngx_dfp_call_over(ngx_event_t *ev);
static void ngx_dfp_call_timeout(ngx_event_t *ev);
static ngx_int_t ngx_dfp_call_enter(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_call_rewrite(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_call_preaccess(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_call_allowed(ngx_dfp_call_t *call,
    ngx_http_request_t *r);
static void ngx_dfp_call_private(ngx_dfp_call_t *call, ngx_http_request_t *r);


ngx_int_t
ngx_dfp_call_start(ngx_dfp_call_t *call)
{
    ngx_dfp_request_t  *request;

    request = ngx_dfp_request_create(call->binding->ctx, call->log, call->job,
                                     &call->shown, call->secrets);
    if (request == NULL) {
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
    request->closed = ngx_dfp_call_closed;
    request->begin.handler = ngx_dfp_call_begin;
    request->ps.handler = ngx_dfp_answer_done;
    request->ps.data = request;

    ngx_add_timer(&call->timer, call->timeout);

    /* by an event: a chain of instant failures must not recurse */
    ngx_post_event(&request->begin, &ngx_posted_events);

    return NGX_OK;
}


static void
ngx_dfp_call_begin(ngx_event_t *ev)
{
    ngx_dfp_request_t *request = ev->data;

    ngx_str_t          uri;
    ngx_connection_t  *c;
    ngx_dfp_call_t    *call;

    call = request->data;
    c = request->r->connection;

    uri.data = (u_char *) call->url.path.data;
    uri.len = call->url.href.len - call->url.origin.len;

    if (ngx_dfp_request_parse(request->r, &uri) != NGX_OK) {
        ngx_dfp_call_fail(call, NGX_DFP_CALL_FAILED,
                          "nginx does not accept its path");
        ngx_dfp_request_abort(request);

    } else if (ngx_dfp_call_subrequest(call) != NGX_OK) {
        ngx_dfp_call_fail(call, NGX_DFP_CALL_AGAIN,
                          "no memory for the request");
        ngx_dfp_request_abort(request);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_dfp_call_subrequest(ngx_dfp_call_t *call)
{
    ngx_str_t                   host;
    ngx_http_request_t         *r, *sr;
    ngx_http_core_main_conf_t  *cmcf;

    r = call->request->r;
    host = ngx_dfp_str(call->url.authority);

    r->headers_in.server.len = host.len;
    r->headers_in.server.data = ngx_pstrdup(r->pool, &host);

    if (r->headers_in.server.data == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_subrequest(r, &r->uri, &r->args, &sr, &call->request->ps, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what the subrequest would share with the main request */

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

    /* as a client's, so that nginx sends the same */

    sr->valid_unparsed_uri = 1;
    sr->quoted_uri = r->quoted_uri;
    sr->plus_in_uri = r->plus_in_uri;
    sr->header_only = (call->limit == 0 && call->take == NULL);
    sr->filter_need_in_memory = !sr->header_only;

    r->write_event_handler = ngx_dfp_call_end;

    return NGX_OK;
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

    call->request = NULL;
    ngx_post_event(&call->over, &ngx_posted_events);
}


static void
ngx_dfp_call_over(ngx_event_t *ev)
{
    ngx_dfp_call_t *call = ev->data;

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    if (!call->collected && call->reason[0] == '\0') {
        ngx_dfp_call_fail(call, NGX_DFP_CALL_AGAIN,
                          call->timedout
                          ? "it took longer than "
                            "dfpreheat_task_timeout"
                          : "it was cut off");
    }

    call->handler(call);
}


static void
ngx_dfp_call_timeout(ngx_event_t *ev)
{
    ngx_dfp_call_t *call = ev->data;

    ngx_connection_t  *c;

    /* it is being closed already */

    if (call->request == NULL) {
        return;
    }

    call->timedout = 1;
    c = call->request->r->connection;

    ngx_dfp_request_abort(call->request);
    ngx_http_run_posted_requests(c);
}


void
ngx_dfp_call_cancel(ngx_dfp_call_t *call)
{
    ngx_connection_t   *c;
    ngx_dfp_request_t  *request;

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    if (call->over.posted) {
        ngx_delete_posted_event(&call->over);
    }

    request = call->request;

    if (request) {
        request->data = NULL;
        call->request = NULL;

        c = request->r->connection;

        ngx_dfp_request_abort(request);
        ngx_http_run_posted_requests(c);
    }
}


void
ngx_dfp_call_fail(ngx_dfp_call_t *call, ngx_dfp_call_result_e result,
    const char *reason)
{
    call->result = result;
    ngx_cpystrn((u_char *) call->reason, (u_char *) reason,
                sizeof(call->reason));
}


ngx_dfp_request_t *
ngx_dfp_call_request(ngx_http_request_t *sr)
{
    if (sr->post_subrequest
        && sr->post_subrequest->handler == ngx_dfp_answer_done)
    {
        return sr->post_subrequest->data;
    }

    return NULL;
}


/* A named location is entered at once, whatever the path. */

static ngx_int_t
ngx_dfp_call_enter(ngx_http_request_t *r)
{
    ngx_str_t          *name;
    ngx_dfp_call_t     *call;
    ngx_dfp_request_t  *request;

    request = ngx_dfp_call_request(r);

    if (request == NULL || request->data == NULL) {
        return NGX_DECLINED;
    }

    call = request->data;
    name = &call->binding->location;

    if (name->len == 0 || call->named) {
        return NGX_DECLINED;
    }

    call->named = 1;

    (void) ngx_http_named_location(r, name);
    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


/* proxy_pass escapes more of the path of an internal request than of a client's,
 * which this one stands for; from here on a rewrite makes both of them internal. */

static ngx_int_t
ngx_dfp_call_rewrite(ngx_http_request_t *r)
{
    if (r->valid_unparsed_uri && ngx_dfp_call_request(r)) {
        r->internal = 0;
    }

    return NGX_DECLINED;
}


/*
 * The phases of access do not run for a subrequest: the location that was found
 * by the path must itself say that it serves this origin. After an internal
 * redirect the phases run again, and so does this.
 */

static ngx_int_t
ngx_dfp_call_preaccess(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_uint_t            pinned;
    ngx_dfp_call_t       *call;
    ngx_dfp_request_t    *request;
    ngx_dfp_loc_conf_t   *dlcf;
    ngx_dfp_main_conf_t  *dmcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (dlcf->redirects) {
        return ngx_dfp_target_follow(r, dlcf->redirects);
    }

    request = ngx_dfp_call_request(r);
    call = request ? request->data : NULL;

    if (call == NULL) {
        dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);

        return dlcf->origins && dmcf->redirects.nelts
               ? ngx_dfp_target_begin(r, NULL, 0)
               : NGX_DECLINED;
    }

    if (ngx_dfp_call_allowed(call, r) != NGX_OK) {
        return NGX_HTTP_FORBIDDEN;
    }

    ngx_dfp_call_private(call, r);

    if (call->take) {
        return ngx_dfp_target_pin(r, &call->url, call->sockaddr,
                                  call->socklen);
    }

    pinned = call->binding->location.len != 0
             || call->binding->rule.kind != NGX_DFP_RULE_FULL;

    rc = ngx_dfp_target_begin(r, &call->url, pinned);

    if (rc != NGX_HTTP_INTERNAL_SERVER_ERROR
        && ngx_dfp_target_token(r, &call->target, &call->target_authorization)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return rc;
}


static ngx_int_t
ngx_dfp_call_allowed(ngx_dfp_call_t *call, ngx_http_request_t *r)
{
    const char          *module;
    ngx_uint_t           allowed;
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    call->entered = 1;

    if (call->take) {
        allowed = (dlcf->grpc == 1);
        module = NGX_DFP_GRPC_MODULE;

    } else {
        allowed = ngx_dfp_binding_allowed(dlcf->origins, &call->url);
        module = NGX_DFP_PROXY_MODULE;
    }

    if (!allowed) {
        call->strayed = 1;
        return NGX_DECLINED;
    }

    if (call->url.tls && !ngx_dfp_binding_verified(r, module)) {
        call->unverified = 1;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* What is in a private image is told to a job by its registry alone. */

static void
ngx_dfp_call_private(ngx_dfp_call_t *call, ngx_http_request_t *r)
{
    dfp_str_t            reference;
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (dlcf->access
        && dfp_oci_manifest_path(ngx_dfp_dfp_str(r->uri), &reference))
    {
        call->refresh = 1;
    }
}


ngx_int_t
ngx_dfp_call_refresh(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_uint_t          set;
    ngx_dfp_call_t     *call;
    ngx_dfp_request_t  *request;

    request = ngx_dfp_call_request(r);

    call = request ? request->data : NULL;

    set = call && (data ? call->probe : call->refresh);

    if (call && data == 0) {
        call->keyed = 1;
    }

    /* the key is known now, and the file is not open */

    if (call && data == 0 && call->since
        && ngx_dfp_revalidate(r, call->since) != NGX_OK)
    {
        set = 1;
    }

    ngx_dfp_variable_flag(v, set);

    return NGX_OK;
}


ngx_int_t
ngx_dfp_call_init(ngx_conf_t *cf)
{
    if (ngx_dfp_call_handler(cf, NGX_HTTP_SERVER_REWRITE_PHASE,
                             ngx_dfp_call_enter)
        != NGX_OK
        || ngx_dfp_call_handler(cf, NGX_HTTP_REWRITE_PHASE,
                                ngx_dfp_call_rewrite)
           != NGX_OK
        || ngx_dfp_call_handler(cf, NGX_HTTP_PREACCESS_PHASE,
                                ngx_dfp_call_preaccess)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_dfp_answer_init();

    return NGX_OK;
}


ngx_int_t
ngx_dfp_call_handler(ngx_conf_t *cf, ngx_uint_t phase,
    ngx_http_handler_pt handler)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[phase].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = handler;

    return NGX_OK;
}
