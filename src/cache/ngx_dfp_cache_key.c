#include "ngx_dfp_cache_key.h"
#include "ngx_dfp_sent.h"

#include "dfp_key.h"


static ngx_int_t ngx_dfp_cache_key_sent(ngx_http_request_t *r,
    ngx_str_t *upstream, ngx_str_t *uri);
static void ngx_dfp_cache_key_unique(ngx_http_request_t *r,
    ngx_http_variable_value_t *v);


ngx_int_t
ngx_dfp_cache_key(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    dfp_key_t            parts;
    dfp_mem_t            mem;
    dfp_str_t            key;
    ngx_str_t            upstream, uri;
    ngx_dfp_loc_conf_t  *began;

    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    /* a request body is not in the key */

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        || ngx_dfp_cache_key_sent(r, &upstream, &uri) != NGX_OK)
    {
        ngx_dfp_cache_key_unique(r, v);
        return NGX_OK;
    }

    mem = ngx_dfp_mem(r->pool);
    began = ngx_dfp_target_began(r);

    parts.upstream = ngx_dfp_dfp_str(upstream);
    parts.origin = ngx_dfp_dfp_str(ngx_dfp_target_first(r));
    parts.uri = ngx_dfp_dfp_str(uri);
    parts.head = (r->method == NGX_HTTP_HEAD && r->upstream
                  && r->upstream->method.len == 0);
    parts.share_blobs = began->share_blobs;
    parts.filter = began->filter ? began->filter->elts : NULL;
    parts.nfilter = began->filter ? began->filter->nelts : 0;

    if (dfp_key(&mem, &parts, &key) != DFP_OK) {
        ngx_dfp_cache_key_unique(r, v);
        return NGX_OK;
    }

    v->data = (u_char *) key.data;
    v->len = key.len;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat cache key: \"%v\"", v);

    return NGX_OK;
}


/* A location that follows redirects stores the answer under the key of the
 * request that was redirected. */

static ngx_int_t
ngx_dfp_cache_key_sent(ngx_http_request_t *r, ngx_str_t *upstream,
    ngx_str_t *uri)
{
    ngx_int_t            rc;
    ngx_dfp_target_t    *target;
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    target = ngx_dfp_target_get(r);

    if (dlcf->redirects) {
        if (target == NULL || target->upstream.len == 0) {
            return NGX_DECLINED;
        }

        *upstream = target->upstream;
        *uri = target->sent;

        return NGX_OK;
    }

    rc = ngx_dfp_sent(r, upstream, uri);

    if (rc == NGX_OK && target) {
        target->upstream = *upstream;
        target->sent = *uri;
    }

    return rc;
}


/*
 * An empty key would be shared by all such requests. nginx copies the key
 * before the next one is made, so it needs no memory of its own.
 */

static void
ngx_dfp_cache_key_unique(ngx_http_request_t *r, ngx_http_variable_value_t *v)
{
    static u_char      text[sizeof("dfpreheat   ") + 3 * NGX_INT64_LEN];
    static ngx_uint_t  n;

    /* the variable is not used as a key, but in a log or the like */

    if (r->cache == NULL) {
        v->not_found = 1;
        return;
    }

    v->data = text;
    v->len = ngx_sprintf(text, "dfpreheat %P %T %ui", ngx_pid, ngx_time(), n++)
             - text;

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "dfpreheat: the request to the upstream is not known to "
                  "$dfpreheat_cache_key: the answer gets a key of its own");
}
