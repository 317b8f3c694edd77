#include "ngx_dfp_call.h"
#include "ngx_dfp_phase.h"
#include "ngx_dfp_revalidate.h"


static ngx_int_t ngx_dfp_call_enter(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_call_rewrite(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_call_preaccess(ngx_http_request_t *r);
#if (NGX_DEBUG)
static void ngx_dfp_call_debug(ngx_dfp_call_t *call, ngx_http_request_t *r);
#endif
static ngx_int_t ngx_dfp_call_allowed(ngx_dfp_call_t *call,
    ngx_http_request_t *r);
static void ngx_dfp_call_private(ngx_dfp_call_t *call, ngx_http_request_t *r);


/* A named location is entered at once, regardless of the path. */

static ngx_int_t
ngx_dfp_call_enter(ngx_http_request_t *r)
{
    ngx_str_t       *name;
    ngx_dfp_call_t  *call;

    call = ngx_dfp_request_data(r);

    if (call == NULL) {
        return NGX_DECLINED;
    }

    name = &call->binding->location;

    if (name->len == 0 || call->way.named) {
        return NGX_DECLINED;
    }

    call->way.named = 1;

    (void) ngx_http_named_location(r, name);
    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


/* proxy_pass escapes the path of an internal request differently. This one
 * has to be sent like a client's; a later rewrite makes both of them
 * internal. */

static ngx_int_t
ngx_dfp_call_rewrite(ngx_http_request_t *r)
{
    if (r->valid_unparsed_uri && ngx_dfp_request_get(r)) {
        r->internal = 0;
    }

    return NGX_DECLINED;
}


/*
 * The access phase does not run for a subrequest: the location that was found
 * by the path must be bound to this origin. After an internal redirect the
 * phases run again, and so does this check.
 */

static ngx_int_t
ngx_dfp_call_preaccess(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_dfp_call_t       *call;
    ngx_dfp_loc_conf_t   *dlcf;
    ngx_dfp_main_conf_t  *dmcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (dlcf->redirects) {
        return ngx_dfp_target_follow(r, dlcf->redirects);
    }

    call = ngx_dfp_request_data(r);

    if (call == NULL) {
        dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);

        return dlcf->origins && dmcf->redirects.nelts
               ? ngx_dfp_target_begin(r, NULL, 0)
               : NGX_DECLINED;
    }

    r->discard_body = 0;

#if (NGX_DEBUG)
    ngx_dfp_call_debug(call, r);
#endif

    if (ngx_dfp_call_allowed(call, r) != NGX_OK) {
        return NGX_HTTP_FORBIDDEN;
    }

    ngx_dfp_call_private(call, r);

    if (ngx_dfp_call_looks(call) && r->content_handler
        && r->content_handler != ngx_dfp_call_look)
    {
        call->content = r->content_handler;
        r->content_handler = ngx_dfp_call_look;
    }

    if (call->take) {
        return ngx_dfp_target_pin(r, &call->url, call->sockaddr,
                                  call->socklen);
    }

    rc = ngx_dfp_target_begin(r, &call->url, dlcf->pinned);

    if (rc != NGX_HTTP_INTERNAL_SERVER_ERROR
        && ngx_dfp_target_token(r, &call->target, &call->target_authorization)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return rc;
}


#if (NGX_DEBUG)

static void
ngx_dfp_call_debug(ngx_dfp_call_t *call, ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat call in location \"%V\": \"%V\"", &clcf->name,
                   &call->shown);
}

#endif


static ngx_int_t
ngx_dfp_call_allowed(ngx_dfp_call_t *call, ngx_http_request_t *r)
{
    const char          *module;
    ngx_uint_t           allowed;
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    call->way.entered = 1;

    if (call->take) {
        allowed = (dlcf->grpc == 1);
        module = NGX_DFP_GRPC_MODULE;

    } else {
        allowed = ngx_dfp_binding_allowed(dlcf->origins, &call->url)
                  && dlcf->verify == (call->rehearsal != NULL);
        module = NGX_DFP_PROXY_MODULE;
    }

    if (!allowed) {
        call->way.strayed = 1;
        return NGX_DECLINED;
    }

    if (call->url.tls && !ngx_dfp_binding_verified(r, module)) {
        call->way.unverified = 1;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* A job is given the manifests of private images by the registry only. */

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
    ngx_uint_t       set;
    ngx_dfp_call_t  *call;

    call = ngx_dfp_request_data(r);
    set = call && (data ? call->mode == NGX_DFP_CALL_PROBE : call->refresh);

    if (call && data == 0) {
        call->way.keyed = 1;
    }

    /* the key is known now, and the file is not open */

    if (call && data == 0 && call->store && r->cache && r->cache->file_cache) {
        ngx_dfp_cache_forget_error(r->cache);
    }

    if (call && data == 0 && call->since
        && ngx_dfp_revalidate(r, call->since) != NGX_OK)
    {
        set = 1;
    }

    if (call && data == 0) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "dfpreheat call %s the cache: \"%V\"",
                       set ? "goes past" : "may be answered by", &call->shown);
    }

    ngx_dfp_variable_flag(v, set);

    return NGX_OK;
}


ngx_int_t
ngx_dfp_call_init(ngx_conf_t *cf)
{
    if (ngx_dfp_phase_handler(cf, NGX_HTTP_SERVER_REWRITE_PHASE,
                              ngx_dfp_call_enter)
        != NGX_OK
        || ngx_dfp_phase_handler(cf, NGX_HTTP_REWRITE_PHASE,
                                 ngx_dfp_call_rewrite)
           != NGX_OK
        || ngx_dfp_phase_handler(cf, NGX_HTTP_PREACCESS_PHASE,
                                 ngx_dfp_call_preaccess)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_dfp_answer_filter_init();

    return NGX_OK;
}
