#include "ngx_dfp_header.h"
#include "ngx_dfp_target.h"


static ngx_int_t ngx_dfp_target_keep_url(ngx_dfp_target_t *target,
    const dfp_url_t *url);
static ngx_int_t ngx_dfp_target_keep_headers(ngx_dfp_target_t *target);
static ngx_int_t ngx_dfp_target_room(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_target_base(ngx_dfp_target_t *target,
    dfp_url_t *base);
static ngx_int_t ngx_dfp_target_check(ngx_dfp_target_t *target,
    dfp_url_t *from, dfp_url_t *to, ngx_array_t *rules);


ngx_int_t
ngx_dfp_target_begin(ngx_http_request_t *r, const dfp_url_t *url,
    ngx_uint_t pinned)
{
    ngx_str_t         *first;
    ngx_array_t       *rules;
    ngx_dfp_target_t  *target;

    target = ngx_dfp_target_create(r);
    if (target == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (target->ready || target->waiting) {
        return target->waiting ? NGX_AGAIN : NGX_DECLINED;
    }

    target->began = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    rules = target->began->origins;

    if (url && ngx_dfp_target_keep_url(target, url) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_null(&target->upstream);
    target->kept = NULL;

    /* a pinned request goes to the URL's own origin, whichever origin is
     * named first */

    first = pinned ? NULL : ngx_dfp_binding_first(rules);

    if (first) {
        target->first = *first;

    } else if (url) {
        target->first = ngx_dfp_str(target->url.origin);
    }

    target->own = url ? ngx_dfp_str(url->origin) : target->first;

    if (url == NULL) {
        return NGX_DECLINED;
    }

    if (!pinned) {
        return NGX_DECLINED;
    }

    target->special = ngx_dfp_binding_named(target->conf, rules, url);

    return ngx_dfp_target_resolve(target);
}


ngx_int_t
ngx_dfp_target_pin(ngx_http_request_t *r, const dfp_url_t *url,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_dfp_target_t  *target;

    target = ngx_dfp_target_create(r);
    if (target == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (target->ready) {
        return NGX_DECLINED;
    }

    if (ngx_dfp_target_keep_url(target, url) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    target->grpc = 1;
    target->special = 1;
    target->address.host = ngx_dfp_str(target->url.host);
    target->address.port = target->url.port;

    ngx_dfp_target_keep(target, sockaddr, socklen);

    if (target->address.naddrs == 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    target->ready = 1;

    return NGX_DECLINED;
}


/* The URL of a call may be freed before the request is: nginx waits for
 * threads and for background updates. */

static ngx_int_t
ngx_dfp_target_keep_url(ngx_dfp_target_t *target, const dfp_url_t *url)
{
    dfp_mem_t  mem;

    mem = ngx_dfp_mem(target->r->pool);

    return dfp_url_dup(&mem, url, &target->url) == DFP_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_dfp_target_follow(ngx_http_request_t *r, ngx_array_t *rules)
{
    dfp_err_t          err;
    dfp_mem_t          mem;
    dfp_url_t          base, url;
    ngx_table_elt_t   *location;
    ngx_dfp_target_t  *target;

    target = ngx_dfp_target_create(r);
    if (target == NULL || ngx_dfp_target_room(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (target->waiting) {
        return NGX_AGAIN;
    }

    /* the host of this redirect has been resolved */

    if (target->ready && !target->used) {
        return NGX_DECLINED;
    }

    location = r->upstream ? r->upstream->headers_in.location : NULL;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        ngx_dfp_target_reason(target, "only GET and HEAD follow redirects");

        return ngx_dfp_target_refuse(target);
    }

    if (location == NULL) {
        ngx_dfp_target_reason(target,
            "a redirect has no Location header");

        return ngx_dfp_target_refuse(target);
    }

    if (ngx_dfp_target_keep_headers(target) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (target->hops++ == NGX_DFP_REDIRECTS_MAX) {
        ngx_dfp_target_reason(target,
            "more than %d consecutive redirects",
            NGX_DFP_REDIRECTS_MAX);

        return ngx_dfp_target_refuse(target);
    }

    mem = ngx_dfp_mem(r->pool);

    if (ngx_dfp_target_base(target, &base) != NGX_OK) {
        ngx_dfp_target_reason(target,
            "a redirect cannot be followed: its location is not bound to a "
            "full origin");

        return ngx_dfp_target_refuse(target);
    }

    if (dfp_url_join(&mem, &base, ngx_dfp_dfp_str(location->value),
                     "a redirect", &url, &err)
        != DFP_OK)
    {
        ngx_dfp_target_reason(target, "%s", err.text);

        return ngx_dfp_target_refuse(target);
    }

    return ngx_dfp_target_check(target, &base, &url, rules);
}


/* Values live as long as the request. A background update has a copy of the target,
 * so that the list is not changed in place. */

static ngx_int_t
ngx_dfp_target_keep_headers(ngx_dfp_target_t *target)
{
    ngx_str_t        *kept, wanted;
    dfp_str_t        *name;
    ngx_uint_t        i, n;
    ngx_array_t      *names;
    ngx_table_elt_t  *h;

    names = target->began ? target->began->kept : NULL;

    if (names == NULL) {
        return NGX_OK;
    }

    kept = ngx_pcalloc(target->r->pool, names->nelts * sizeof(ngx_str_t));
    if (kept == NULL) {
        return NGX_ERROR;
    }

    name = names->elts;

    for (i = 0; i < names->nelts; i++) {
        n = 0;
        wanted = ngx_dfp_str(name[i]);
        h = ngx_dfp_header_find(&target->r->upstream->headers_in.headers, &wanted,
                                &n);
        if (h) {
            kept[i] = h->value;

        } else if (target->kept) {
            kept[i] = target->kept[i];
        }
    }

    target->kept = kept;

    return NGX_OK;
}


/* Makes room for the state of one more upstream. If there is no memory for it when
 * nginx begins with the upstream, it forgets the request, which never ends then
 * (ngx_http_upstream_init_request()). */

static ngx_int_t
ngx_dfp_target_room(ngx_http_request_t *r)
{
    if (r->upstream_states == NULL) {
        return NGX_OK;
    }

    if (ngx_array_push(r->upstream_states) == NULL) {
        return NGX_ERROR;
    }

    r->upstream_states->nelts--;

    return NGX_OK;
}


/* The URL of the request that was answered by a redirect. */

static ngx_int_t
ngx_dfp_target_base(ngx_dfp_target_t *target, dfp_url_t *base)
{
    dfp_buf_t  b;
    dfp_err_t  err;
    dfp_mem_t  mem;
    ngx_str_t  sent;

    if (target->hops > 1) {
        *base = target->url;
        return NGX_OK;
    }

    sent = target->r->upstream->uri;

    if (target->first.len == 0) {
        return NGX_DECLINED;
    }

    mem = ngx_dfp_mem(target->r->pool);

    dfp_buf_init(&b, &mem, target->first.len + sent.len, 0);
    dfp_buf_str(&b, ngx_dfp_dfp_str(target->first));
    dfp_buf_str(&b, ngx_dfp_dfp_str(sent));

    if (b.failed
        || dfp_url_parse_any(&mem, dfp_buf_value(&b), "the request", base,
                             &err)
           != DFP_OK)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_target_check(ngx_dfp_target_t *target, dfp_url_t *from, dfp_url_t *to,
    ngx_array_t *rules)
{
    if (from->tls && !to->tls) {
        ngx_dfp_target_reason(target,
            "a redirect leads from https to %*s, without TLS",
            to->origin.len, to->origin.data);

        return ngx_dfp_target_refuse(target);
    }

    if (!ngx_dfp_binding_allowed(rules, to)
        && !dfp_str_eq(from->origin, to->origin))
    {
        ngx_dfp_target_reason(target,
            "a redirect leads to %*s, which dfpreheat_redirect does not allow",
            to->origin.len, to->origin.data);

        return ngx_dfp_target_refuse(target);
    }

    if (to->tls && !ngx_dfp_binding_verified(target->r, NGX_DFP_PROXY_MODULE))
    {
        ngx_dfp_target_reason(target,
            "the location that follows redirects does not verify certificates "
            "(proxy_ssl_verify)");

        return ngx_dfp_target_refuse(target);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, target->r->connection->log, 0,
                   "dfpreheat redirect %ui leads to \"%*s\"", target->hops,
                   to->origin.len, to->origin.data);

    target->url = *to;
    target->ready = 0;
    target->used = 0;
    target->special = ngx_dfp_binding_named(target->conf, rules, to);

    return ngx_dfp_target_resolve(target);
}
