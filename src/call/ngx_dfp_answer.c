#include "ngx_dfp_call.h"
#include "ngx_dfp_call_log.h"
#include "ngx_dfp_storable.h"


static void ngx_dfp_answer_complete(ngx_dfp_call_t *call,
    ngx_http_request_t *sr, ngx_int_t rc);
static ngx_uint_t ngx_dfp_answer_misplaced(ngx_dfp_call_t *call,
    ngx_http_request_t *sr, ngx_int_t rc);
static ngx_uint_t ngx_dfp_answer_returned(ngx_dfp_call_t *call,
    ngx_http_request_t *sr, ngx_int_t rc);
static ngx_uint_t ngx_dfp_answer_headed(ngx_http_request_t *sr);
static ngx_int_t ngx_dfp_answer_led(ngx_dfp_call_t *call,
    ngx_dfp_target_t *target);
static void ngx_dfp_answer_stored(ngx_dfp_call_t *call,
    ngx_http_request_t *sr, ngx_int_t rc);
#if (NGX_DEBUG)
static void ngx_dfp_answer_debug(ngx_dfp_call_t *call, ngx_http_request_t *sr);
#endif
static ngx_uint_t ngx_dfp_answer_old(ngx_dfp_call_t *call,
    ngx_http_request_t *sr);
static ngx_uint_t ngx_dfp_answer_cut(ngx_dfp_call_t *call,
    ngx_http_request_t *sr);
static void ngx_dfp_answer_unreached(ngx_dfp_call_t *call,
    ngx_http_request_t *sr, ngx_int_t rc);


void
ngx_dfp_answer_collect(ngx_dfp_call_t *call, ngx_http_request_t *sr,
    ngx_int_t rc)
{
    u_char                reason[NGX_DFP_REASON_MAX];
    ngx_http_upstream_t  *u;
    ngx_dfp_target_t     *target;

    if (call->way.looked) {
        return;
    }

    u = sr->upstream;
    target = ngx_dfp_target_get(sr);

    if (ngx_dfp_answer_led(call, target) != NGX_OK) {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_AGAIN,
                            "no memory for the answer");
        return;
    }

    if (target && target->refused) {
        ngx_dfp_answer_fail(call, target->again ? NGX_DFP_CALL_AGAIN
                                                : NGX_DFP_CALL_FAILED,
                            target->reason);
        return;
    }

    if (ngx_dfp_answer_misplaced(call, sr, rc)) {
        return;
    }

    if (call->answer.too_big) {
        ngx_snprintf(reason, sizeof(reason), "the answer is larger than %uz "
                     "bytes%Z", call->kept.max);
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_FAILED, (char *) reason);
        return;
    }

    if (u->headers_in.status_n && ngx_dfp_answer_cut(call, sr)) {
        return;
    }

    if (!ngx_dfp_answer_headed(sr)) {
        ngx_dfp_answer_unreached(call, sr, rc);
        return;
    }

    if (target && target->ready && !target->used && !sr->cached) {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_FAILED,
            "its location does not use the checked address: it needs "
            "\"proxy_pass $dfpreheat_target\" or grpc_pass");
        return;
    }

    ngx_dfp_answer_complete(call, sr, rc);
}


/* The location is not allowed for this call, or has no upstream. */

static ngx_uint_t
ngx_dfp_answer_misplaced(ngx_dfp_call_t *call, ngx_http_request_t *sr,
    ngx_int_t rc)
{
    ngx_uint_t   answered;
    const char  *reason;

    answered = !call->way.entered
               || (!call->way.strayed && !call->way.unverified
                   && sr->upstream == NULL && sr->content_handler
                   && rc >= NGX_HTTP_BAD_REQUEST);

    if (answered && ngx_dfp_answer_returned(call, sr, rc)) {
        return 1;
    }

    if (call->way.strayed || !call->way.entered) {
        reason = call->take
            ? "its location is not a gRPC location (dfpreheat_grpc)"
            : "its path is served by a location that is not bound to its "
              "origin (dfpreheat_origin)";

    } else if (call->way.unverified) {
        reason = "its location does not verify certificates "
                 "(proxy_ssl_verify, grpc_ssl_verify), and "
                 "dfpreheat_insecure_skip_verify is off";

    } else if (sr->upstream == NULL) {
        reason = "its location does not pass requests to an upstream";

    } else {
        return 0;
    }

    ngx_dfp_answer_fail(call, NGX_DFP_CALL_FAILED, reason);

    return 1;
}


/* The server or the location has answered before the content phase. */

static ngx_uint_t
ngx_dfp_answer_returned(ngx_dfp_call_t *call, ngx_http_request_t *sr,
    ngx_int_t rc)
{
    u_char                     reason[NGX_DFP_REASON_MAX];
    ngx_uint_t                 status, server;
    ngx_http_core_srv_conf_t  *cscf;
    ngx_dfp_loc_conf_t        *dlcf;

    cscf = ngx_http_get_module_srv_conf(sr, ngx_http_core_module);
    dlcf = ngx_http_get_module_loc_conf(sr, ngx_http_dfpreheat_module);

    server = (sr->loc_conf == cscf->ctx->loc_conf);

    if (!server
        && !ngx_dfp_binding_allowed(dlcf->origins, &call->url))
    {
        return 0;
    }

    status = rc >= NGX_HTTP_SPECIAL_RESPONSE ? (ngx_uint_t) rc
                                             : sr->headers_out.status;

    if (status == 0
        || (call->way.entered && status == NGX_HTTP_INTERNAL_SERVER_ERROR))
    {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_AGAIN,
                            "nginx could not process the request: "
                            "see the error log");
        return 1;
    }

    ngx_snprintf(reason, sizeof(reason),
        "%s answered %ui itself: \"return\", \"rewrite\" and \"try_files\" "
        "are processed before proxy_pass%Z",
                 server ? "the server block" : "its location", status);

    ngx_dfp_answer_fail(call, NGX_DFP_CALL_FAILED, (char *) reason);

    return 1;
}


/* Whether the header of an answer is complete, from the upstream or the
 * cache. */

static ngx_uint_t
ngx_dfp_answer_headed(ngx_http_request_t *sr)
{
    ngx_http_upstream_t  *u;

    u = sr->upstream;

    return u->headers_in.status_n
           && (sr->cached || u->state == NULL
               || u->state->header_time != (ngx_msec_t) -1);
}


/* After a redirect the answer may be that of another origin. */

static ngx_int_t
ngx_dfp_answer_led(ngx_dfp_call_t *call, ngx_dfp_target_t *target)
{
    u_char     *p;
    dfp_err_t   err;
    dfp_mem_t   mem;

    static const char  who[] = "the redirect's target ";

    if (target == NULL || target->hops == 0
        || dfp_str_eq(target->url.origin, call->url.origin))
    {
        return NGX_OK;
    }

    mem = ngx_dfp_mem(call->pool);

    if (dfp_url_parse(&mem, target->url.origin, "it",
                      &call->answer.target_url, &err)
        != DFP_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(call->pool, sizeof(who) + target->url.origin.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(p, "%s%*s%Z", who, target->url.origin.len,
                       target->url.origin.data);

    call->who = (char *) p;
    call->answer.led = 1;

    return NGX_OK;
}


/* The status line has fitted into the buffer, the headers have not. */

static ngx_uint_t
ngx_dfp_answer_cut(ngx_dfp_call_t *call, ngx_http_request_t *sr)
{
    if (!ngx_dfp_call_log_says(sr->connection->log, DFP_NGINX_BIG_HEADER)) {
        return 0;
    }

    ngx_dfp_answer_fail(call, NGX_DFP_CALL_FAILED,
        call->take
        ? "the header of its answer is larger than grpc_buffer_size"
        : "the header of its answer is larger than proxy_buffer_size");

    return 1;
}


static void
ngx_dfp_answer_unreached(ngx_dfp_call_t *call, ngx_http_request_t *sr,
    ngx_int_t rc)
{
    u_char       reason[NGX_DFP_REASON_MAX];
    const char  *trouble;

    trouble = ngx_dfp_call_log_trouble(sr->connection->log);

    /* no connection was made; a failed TLS handshake does not count */

    if (sr->upstream->state
        && sr->upstream->state->connect_time == (ngx_msec_t) -1
        && (rc == NGX_HTTP_GATEWAY_TIME_OUT
            || ngx_dfp_call_log_says(sr->connection->log, DFP_NGINX_CONNECT)))
    {
        call->answer.unreached = 1;
    }

    /* the server has received the request, and may have crashed on it */

    if (sr->upstream->state
        && sr->upstream->state->connect_time != (ngx_msec_t) -1
        && (ngx_dfp_call_log_says(sr->connection->log, DFP_NGINX_CLOSED)
            || ngx_dfp_call_log_says(sr->connection->log, DFP_NGINX_RECV)))
    {
        call->answer.broken = 1;
    }

    ngx_dfp_answer_busy(call, sr);

    if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        ngx_snprintf(reason, sizeof(reason), "%s did not answer in time "
                     "(%s_connect_timeout, %s_read_timeout)%Z", call->who,
                     call->take ? "grpc" : "proxy",
                     call->take ? "grpc" : "proxy");

    } else if (*trouble) {
        ngx_snprintf(reason, sizeof(reason), "%s could not be reached: %s%Z",
                     call->who, trouble);

    } else {
        ngx_snprintf(reason, sizeof(reason),
            "%s could not be reached, or its answer was invalid: see the "
            "error log%Z", call->who);
    }

    /* another try would find the same certificate */

    ngx_dfp_answer_fail(call,
        ngx_dfp_call_log_says(sr->connection->log, DFP_NGINX_CERTIFICATE)
        ? NGX_DFP_CALL_FAILED : NGX_DFP_CALL_AGAIN,
        (char *) reason);
}


static void
ngx_dfp_answer_complete(ngx_dfp_call_t *call, ngx_http_request_t *sr,
    ngx_int_t rc)
{
    ngx_int_t  got;

    got = call->take ? ngx_dfp_answer_grpc(call, sr)
                     : ngx_dfp_answer_head(call, sr);

    if (got != NGX_OK) {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_AGAIN,
                            "no memory for the answer");
        return;
    }

    call->answer.stale = sr->cached
                  && (sr->upstream->cache_status == NGX_HTTP_CACHE_STALE
                      || sr->upstream->cache_status == NGX_HTTP_CACHE_UPDATING);
    call->answer.cached = sr->cached && !call->answer.stale;

#if (NGX_DEBUG)
    ngx_dfp_answer_debug(call, sr);
#endif

    if (ngx_dfp_answer_old(call, sr)) {
        return;
    }

    if (call->answer.status != NGX_HTTP_OK) {
        return;
    }

    /* a body that is read must not be compressed */

    if (call->answer.packed && call->mode == NGX_DFP_CALL_READ
        && !call->store)
    {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_FAILED,
            "the answer is compressed (Content-Encoding), although "
            "compression was not requested: \"gunzip on\" in its location "
            "decompresses gzip");
        return;
    }

    /* an entry of the cache may be truncated: that is checked below */

    if ((call->mode == NGX_DFP_CALL_READ || call->mode == NGX_DFP_CALL_PROBE)
        && !call->kept.complete && !call->answer.cached)
    {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_AGAIN,
                            "the answer was incomplete");
        return;
    }

    if (call->store) {
        ngx_dfp_answer_stored(call, sr, rc);
    }
}


/* Whether all of it is in the cache now. */

static void
ngx_dfp_answer_stored(ngx_dfp_call_t *call, ngx_http_request_t *sr,
    ngx_int_t rc)
{
    ngx_int_t    stored;
    const char  *reason;

    reason = ngx_dfp_storable_refused(sr);

    if (reason) {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_FAILED, reason);
        return;
    }

    stored = ngx_dfp_cache_stored(sr, rc, &call->answer.entry, &reason);

    if (stored == NGX_OK) {
        return;
    }

    call->answer.unstored = (rc == NGX_OK);

    ngx_dfp_answer_fail(call,
                        stored == NGX_AGAIN
                        ? NGX_DFP_CALL_AGAIN
                        : NGX_DFP_CALL_FAILED, reason);
}


#if (NGX_DEBUG)

static void
ngx_dfp_answer_debug(ngx_dfp_call_t *call, ngx_http_request_t *sr)
{
    ngx_str_t             cache;
    ngx_http_upstream_t  *u;

    u = sr->upstream;
    ngx_str_set(&cache, "none");

    if (u->cache_status) {
        cache = ngx_http_cache_status[u->cache_status - 1];
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, sr->connection->log, 0,
                   "dfpreheat call answered: \"%V\", status %ui, cache %V",
                   &call->shown, call->answer.status, &cache);
}

#endif


/* Whether the cache has answered with an entry that is too old for the call.
 * The call may have waited for a request that began before the job was
 * posted. */

static ngx_uint_t
ngx_dfp_answer_old(ngx_dfp_call_t *call, ngx_http_request_t *sr)
{
    if (sr->cache == NULL
        || sr->upstream->cache_status != NGX_HTTP_CACHE_HIT)
    {
        return 0;
    }

    if (!call->refresh
        && (call->since == 0
            || ngx_dfp_cache_later(sr->cache->date, call->since)))
    {
        return 0;
    }

    /* the entry itself is not wrong */

    call->answer.cached = 0;
    call->answer.unstored = 1;

    if (call->way.keyed) {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_AGAIN,
                            "the cache answered with a copy that is older "
                            "than the job");

    } else {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_FAILED,
            "the cache answered without contacting the origin: its location "
            "needs \"proxy_cache_bypass $dfpreheat_refresh\"");
    }

    return 1;
}
