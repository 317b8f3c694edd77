#include "ngx_dfp_call.h"
#include "ngx_dfp_storable.h"


static const char *ngx_dfp_call_look_refused(ngx_dfp_call_t *call,
    ngx_http_request_t *r);
static ngx_int_t ngx_dfp_call_look_places(ngx_dfp_call_t *call,
    ngx_http_request_t *r);
static ngx_int_t ngx_dfp_call_look_read(ngx_dfp_call_t *call, time_t valid);
static ngx_int_t ngx_dfp_call_look_end(ngx_dfp_call_t *call,
    ngx_http_request_t *r, const char *reason);


/*
 * The key of the cache is known when proxy_pass has prepared its request. It
 * does so in the handler of the location, which would start the upstream; but
 * nginx does not start one while a file is being read (aio), so the request
 * stops there.
 */

ngx_int_t
ngx_dfp_call_look(ngx_http_request_t *r)
{
    ngx_int_t        rc;
    const char      *reason;
    ngx_dfp_call_t  *call;

    call = ngx_dfp_request_data(r);

    if (call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->aio = 1;
    rc = call->content(r);
    r->aio = 0;

    if (rc != NGX_DONE || r->upstream == NULL) {
        return rc;
    }

    reason = ngx_dfp_call_look_refused(call, r);

    if (reason) {
        if (call->mode == NGX_DFP_CALL_LOOK || call->offline) {
            return ngx_dfp_call_look_end(call, r, reason);
        }

    } else {
        rc = ngx_dfp_call_look_places(call, r);

        if (rc == NGX_DECLINED) {
            return ngx_dfp_call_look_end(call, r,
                "the proxy_cache_key of its location is not "
                "$dfpreheat_cache_key: include dfpreheat_cache.conf");
        }

        if (rc != NGX_OK) {
            return ngx_dfp_call_look_end(call, r, "no memory");
        }
    }

    if (call->mode == NGX_DFP_CALL_LOOK
        || ngx_dfp_call_look_read(call, call->offline ? 0 : ngx_time())
           == NGX_OK)
    {
        return ngx_dfp_call_look_end(call, r, NULL);
    }

    if (call->offline) {
        return ngx_dfp_call_look_end(call, r, "it is not in the cache");
    }

    /* what the handler would have done */

    ngx_http_upstream_init(r);

    return NGX_DONE;
}


/* Why nothing of the location can be in the cache, or may be told. */

static const char *
ngx_dfp_call_look_refused(ngx_dfp_call_t *call, ngx_http_request_t *r)
{
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    /* a zone by a variable is not possible in a bound location */

    if (!r->upstream->conf->cache || r->upstream->conf->cache_zone == NULL) {
        return "its location has no proxy_cache";
    }

    /* the registry decides who may know about private images, by their
     * manifests */

    if (dlcf->access && !call->named) {
        call->answer.untold = 1;
        return "its location has dfpreheat_access, so only images can be "
               "looked up there, not single URLs";
    }

    return call->mode == NGX_DFP_CALL_LOOK ? ngx_dfp_storable_refused(r) : NULL;
}


/*
 * The caches in which the answer may be: that of the location, and those of
 * the locations that follow its redirects, where it has the same key.
 * NGX_DECLINED: clients may use another key.
 */

static ngx_int_t
ngx_dfp_call_look_places(ngx_dfp_call_t *call, ngx_http_request_t *r)
{
    ngx_uint_t                  i, k;
    ngx_dfp_entry_t            *place;
    ngx_http_conf_ctx_t       **ctx;
    ngx_dfp_main_conf_t        *dmcf;
    ngx_http_file_cache_t      *cache;
    ngx_http_upstream_conf_t   *conf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);
    ctx = dmcf->redirects.elts;

    place = ngx_pcalloc(call->pool, (1 + dmcf->redirects.nelts)
                                    * sizeof(ngx_dfp_entry_t));
    if (place == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_file_cache_new(r) != NGX_OK
        || r->upstream->create_key(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_file_cache_create_key(r);

    if (!ngx_dfp_cache_keyed(r)) {
        return NGX_DECLINED;
    }

    place[0].cache = r->upstream->conf->cache_zone->data;
    call->answer.places = place;
    call->answer.nplaces = 1;

    for (i = 0; i < dmcf->redirects.nelts; i++) {

        conf = ngx_dfp_binding_upstream((ngx_cycle_t *) ngx_cycle,
                                        ctx[i]->loc_conf, NGX_DFP_PROXY_MODULE);

        cache = conf && conf->cache_zone ? conf->cache_zone->data : NULL;

        for (k = 0; cache && k < call->answer.nplaces; k++) {
            if (place[k].cache == cache) {
                cache = NULL;
            }
        }

        if (cache) {
            place[call->answer.nplaces++].cache = cache;
        }
    }

    for (k = 0; k < call->answer.nplaces; k++) {
        ngx_memcpy(place[k].key, r->cache->key, NGX_HTTP_CACHE_KEY_LEN);
    }

    r->cache = NULL;

    return NGX_OK;
}


/* A copy that is valid until VALID or later answers the call. */

static ngx_int_t
ngx_dfp_call_look_read(ngx_dfp_call_t *call, time_t valid)
{
    ngx_uint_t         k;
    ngx_dfp_held_t     held;
    ngx_dfp_answer_t  *answer;

    answer = &call->answer;

    for (k = 0; !call->refresh && k < answer->nplaces; k++) {

        if (ngx_dfp_cache_look(&answer->places[k], call->log, &held) == NGX_OK
            && held.valid >= valid
            && ngx_dfp_cache_body(&answer->places[k], call->pool, call->size,
                                  &answer->body, &answer->content_type)
               == NGX_OK)
        {
            answer->cached = 1;
            answer->entry = answer->places[k];
            answer->entry.start = held.start;
            answer->entry.size = held.size;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* As proxy_cache_use_stale for clients. */

void
ngx_dfp_call_look_expired(ngx_dfp_call_t *call)
{
    ngx_dfp_answer_t  *answer;

    answer = &call->answer;

    if (answer->result == NGX_DFP_CALL_FAILED
        || (answer->result == NGX_DFP_CALL_OK
            && answer->status != NGX_HTTP_TOO_MANY_REQUESTS
            && answer->status < NGX_HTTP_INTERNAL_SERVER_ERROR)
        || ngx_dfp_call_look_read(call, 0) != NGX_OK)
    {
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "dfpreheat call answered by an expired copy: job %L, \"%V\"",
                   call->job, &call->shown);

    answer->result = NGX_DFP_CALL_OK;
    answer->status = NGX_HTTP_OK;
}


/* Ends the subrequest, for REASON if it has failed. */

static ngx_int_t
ngx_dfp_call_look_end(ngx_dfp_call_t *call, ngx_http_request_t *r,
    const char *reason)
{
    call->way.looked = 1;
    r->cache = NULL;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat call looked: \"%V\", %ui places", &call->shown,
                   call->answer.nplaces);

    if (reason) {
        ngx_dfp_answer_fail(call, NGX_DFP_CALL_FAILED, reason);

    } else {
        call->answer.status = NGX_HTTP_OK;
    }

    ngx_http_finalize_request(r, NGX_OK);

    return NGX_DONE;
}
