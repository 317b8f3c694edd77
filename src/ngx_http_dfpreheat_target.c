#include "ngx_http_dfpreheat_target.h"

#include "dfp_addr.h"


static ngx_http_dfpreheat_target_t *ngx_http_dfpreheat_target_create(
    ngx_http_request_t *r);
static void ngx_http_dfpreheat_target_cleanup(void *data);
static ngx_int_t ngx_http_dfpreheat_target_base(
    ngx_http_dfpreheat_target_t *target, dfp_url_t *base);
static ngx_int_t ngx_http_dfpreheat_target_check(
    ngx_http_dfpreheat_target_t *target, dfp_url_t *from, dfp_url_t *to,
    ngx_array_t *rules);
static ngx_int_t ngx_http_dfpreheat_target_resolve(
    ngx_http_dfpreheat_target_t *target);
static ngx_int_t ngx_http_dfpreheat_target_literal(
    ngx_http_dfpreheat_target_t *target);
static void ngx_http_dfpreheat_target_resolved(ngx_resolver_ctx_t *lookup);
static void ngx_http_dfpreheat_target_keep(
    ngx_http_dfpreheat_target_t *target, struct sockaddr *sockaddr,
    socklen_t socklen);
static ngx_uint_t ngx_http_dfpreheat_target_special(
    ngx_http_dfpreheat_target_t *target, struct sockaddr *sockaddr,
    socklen_t socklen);
static ngx_int_t ngx_http_dfpreheat_target_kept(
    ngx_http_dfpreheat_target_t *target);
static void ngx_http_dfpreheat_target_resume(
    ngx_http_dfpreheat_target_t *target);
static void ngx_http_dfpreheat_target_reason(
    ngx_http_dfpreheat_target_t *target, const char *fmt, ...);
static ngx_int_t ngx_http_dfpreheat_target_refuse(
    ngx_http_dfpreheat_target_t *target);


ngx_http_dfpreheat_target_t *
ngx_http_dfpreheat_target_get(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_dfpreheat_target_t  *target;

    /* a context of the module would not outlive an internal redirect */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_dfpreheat_target_cleanup) {
            target = cln->data;

            if (target->r == r) {
                return target;
            }
        }
    }

    return NULL;
}


static ngx_http_dfpreheat_target_t *
ngx_http_dfpreheat_target_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_dfpreheat_target_t  *target;

    target = ngx_http_dfpreheat_target_get(r);
    if (target) {
        return target;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_dfpreheat_target_t));
    if (cln == NULL) {
        return NULL;
    }

    target = cln->data;
    ngx_memzero(target, sizeof(ngx_http_dfpreheat_target_t));

    target->r = r;
    target->conf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);

    cln->handler = ngx_http_dfpreheat_target_cleanup;

    return target;
}


static void
ngx_http_dfpreheat_target_cleanup(void *data)
{
    ngx_http_dfpreheat_target_t *target = data;

    if (target->lookup) {
        ngx_resolve_name_done(target->lookup);
        target->lookup = NULL;
    }
}


ngx_int_t
ngx_http_dfpreheat_target_begin(ngx_http_request_t *r, const dfp_url_t *url,
    ngx_uint_t pinned)
{
    ngx_str_t                    *first;
    ngx_array_t                  *rules;
    ngx_http_dfpreheat_target_t  *target;

    target = ngx_http_dfpreheat_target_create(r);
    if (target == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (target->ready || target->waiting) {
        return target->waiting ? NGX_AGAIN : NGX_DECLINED;
    }

    target->began = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    rules = target->began->origins;

    first = ngx_http_dfpreheat_origin_first(rules);

    if (first) {
        target->first = *first;

    } else if (url) {
        target->first = ngx_http_dfpreheat_str(url->origin);
    }

    target->own = url ? ngx_http_dfpreheat_str(url->origin) : target->first;

    if (url == NULL) {
        return NGX_DECLINED;
    }

    target->url = *url;

    if (!pinned) {
        return NGX_DECLINED;
    }

    target->special = ngx_http_dfpreheat_origin_named(target->conf, rules,
                                                      url);

    return ngx_http_dfpreheat_target_resolve(target);
}


ngx_int_t
ngx_http_dfpreheat_target_pin(ngx_http_request_t *r, const dfp_url_t *url,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_http_dfpreheat_target_t  *target;

    target = ngx_http_dfpreheat_target_create(r);
    if (target == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (target->ready) {
        return NGX_DECLINED;
    }

    target->url = *url;
    target->grpc = 1;
    target->special = 1;
    target->address.host = ngx_http_dfpreheat_str(url->host);
    target->address.port = url->port;

    ngx_http_dfpreheat_target_keep(target, sockaddr, socklen);

    if (target->address.naddrs == 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    target->ready = 1;

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_dfpreheat_target_follow(ngx_http_request_t *r, ngx_array_t *rules)
{
    dfp_err_t                     err;
    dfp_mem_t                     mem;
    dfp_url_t                     base, url;
    ngx_table_elt_t              *location;
    ngx_http_dfpreheat_target_t  *target;

    target = ngx_http_dfpreheat_target_create(r);
    if (target == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (target->waiting) {
        return NGX_AGAIN;
    }

    /* back from the lookup of this hop */

    if (target->ready && !target->used) {
        return NGX_DECLINED;
    }

    location = r->upstream ? r->upstream->headers_in.location : NULL;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        ngx_http_dfpreheat_target_reason(target,
            "only GET and HEAD follow redirects");

        return ngx_http_dfpreheat_target_refuse(target);
    }

    if (location == NULL) {
        ngx_http_dfpreheat_target_reason(target,
            "an answer is a redirect without Location");

        return ngx_http_dfpreheat_target_refuse(target);
    }

    if (target->hops++ == NGX_HTTP_DFPREHEAT_REDIRECTS_MAX) {
        ngx_http_dfpreheat_target_reason(target,
            "there are more than %d redirects, one after the other",
            NGX_HTTP_DFPREHEAT_REDIRECTS_MAX);

        return ngx_http_dfpreheat_target_refuse(target);
    }

    mem = ngx_http_dfpreheat_mem(r->pool);

    if (ngx_http_dfpreheat_target_base(target, &base) != NGX_OK) {
        ngx_http_dfpreheat_target_reason(target,
            "there is a redirect, and its location is bound to no origin in "
            "full");

        return ngx_http_dfpreheat_target_refuse(target);
    }

    if (dfp_url_join(&mem, &base, ngx_http_dfpreheat_dfp(location->value),
                     "a redirect", &url, &err)
        != DFP_OK)
    {
        ngx_http_dfpreheat_target_reason(target, "%s", err.text);

        return ngx_http_dfpreheat_target_refuse(target);
    }

    return ngx_http_dfpreheat_target_check(target, &base, &url, rules);
}


/* The URL of the request that was answered by a redirect. */

static ngx_int_t
ngx_http_dfpreheat_target_base(ngx_http_dfpreheat_target_t *target,
    dfp_url_t *base)
{
    dfp_buf_t  b;
    dfp_err_t  err;
    dfp_mem_t  mem;

    if (target->url.href.len) {
        *base = target->url;
        return NGX_OK;
    }

    if (target->first.len == 0) {
        return NGX_DECLINED;
    }

    mem = ngx_http_dfpreheat_mem(target->r->pool);

    dfp_buf_init(&b, &mem, target->first.len + target->r->unparsed_uri.len, 0);
    dfp_buf_str(&b, ngx_http_dfpreheat_dfp(target->first));
    dfp_buf_str(&b, ngx_http_dfpreheat_dfp(target->r->unparsed_uri));

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
ngx_http_dfpreheat_target_check(ngx_http_dfpreheat_target_t *target,
    dfp_url_t *from, dfp_url_t *to, ngx_array_t *rules)
{
    if (from->tls && !to->tls) {
        ngx_http_dfpreheat_target_reason(target,
            "a redirect leads from https to %*s, without TLS",
            to->origin.len, to->origin.data);

        return ngx_http_dfpreheat_target_refuse(target);
    }

    if (!ngx_http_dfpreheat_origin_allowed(rules, to)
        && !dfp_str_eq(from->origin, to->origin))
    {
        ngx_http_dfpreheat_target_reason(target,
            "a redirect leads to %*s, which dfpreheat_redirect does not name",
            to->origin.len, to->origin.data);

        return ngx_http_dfpreheat_target_refuse(target);
    }

    if (to->tls && !ngx_http_dfpreheat_origin_verified(target->r,
                                            NGX_HTTP_DFPREHEAT_PROXY_MODULE))
    {
        ngx_http_dfpreheat_target_reason(target,
            "the location that follows redirects does not verify certificates "
            "(proxy_ssl_verify)");

        return ngx_http_dfpreheat_target_refuse(target);
    }

    target->url = *to;
    target->ready = 0;
    target->used = 0;
    target->special = ngx_http_dfpreheat_origin_named(target->conf, rules,
                                                      to);

    return ngx_http_dfpreheat_target_resolve(target);
}


/* Looks the address up, unless the host is one. */

static ngx_int_t
ngx_http_dfpreheat_target_resolve(ngx_http_dfpreheat_target_t *target)
{
    ngx_int_t                  rc;
    ngx_http_request_t        *r;
    ngx_resolver_ctx_t        *lookup, temp;
    ngx_http_core_loc_conf_t  *clcf;

    r = target->r;

    ngx_memzero(&target->address, sizeof(ngx_http_upstream_resolved_t));
    target->address.host = ngx_http_dfpreheat_str(target->url.host);
    target->address.port = target->url.port;

    rc = ngx_http_dfpreheat_target_literal(target);
    if (rc != NGX_AGAIN) {
        return rc;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    temp.name = target->address.host;
    lookup = ngx_resolve_start(clcf->resolver, &temp);

    if (lookup == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (lookup == NGX_NO_RESOLVER) {
        ngx_http_dfpreheat_target_reason(target,
            "there is no resolver (the directive) to look up %V with",
            &target->address.host);

        return ngx_http_dfpreheat_target_refuse(target);
    }

    lookup->name = target->address.host;
    lookup->handler = ngx_http_dfpreheat_target_resolved;
    lookup->data = target;
    lookup->timeout = clcf->resolver_timeout;

    target->lookup = lookup;

    if (ngx_resolve_name(lookup) != NGX_OK) {
        target->lookup = NULL;
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (target->lookup == NULL) {
        return target->refused ? NGX_HTTP_BAD_GATEWAY : NGX_DECLINED;
    }

    target->waiting = 1;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (r == r->main) {
        r->read_event_handler = ngx_http_test_reading;
    }

    return NGX_AGAIN;
}


/* NGX_AGAIN: the host is a name. */

static ngx_int_t
ngx_http_dfpreheat_target_literal(ngx_http_dfpreheat_target_t *target)
{
    u_char               *p, text[NGX_SOCKADDR_STRLEN];
    ngx_str_t            *host;
    struct sockaddr_in    sin;
    struct sockaddr_in6   sin6;

    host = &target->address.host;

    if (host->len >= sizeof(text)) {
        return NGX_AGAIN;
    }

    p = ngx_cpymem(text, host->data, host->len);
    *p = '\0';

    ngx_memzero(&sin, sizeof(struct sockaddr_in));
    ngx_memzero(&sin6, sizeof(struct sockaddr_in6));

    sin.sin_family = AF_INET;
    sin6.sin6_family = AF_INET6;

    if (inet_pton(AF_INET, (char *) text, &sin.sin_addr) == 1) {
        ngx_http_dfpreheat_target_keep(target, (struct sockaddr *) &sin,
                                       sizeof(struct sockaddr_in));
        return ngx_http_dfpreheat_target_kept(target);
    }

    if (text[0] == '[') {
        p[-1] = '\0';

        if (inet_pton(AF_INET6, (char *) text + 1, &sin6.sin6_addr) == 1) {
            ngx_http_dfpreheat_target_keep(target, (struct sockaddr *) &sin6,
                                           sizeof(struct sockaddr_in6));
            return ngx_http_dfpreheat_target_kept(target);
        }
    }

    return NGX_AGAIN;
}


static void
ngx_http_dfpreheat_target_resolved(ngx_resolver_ctx_t *lookup)
{
    ngx_http_dfpreheat_target_t *target = lookup->data;

    ngx_uint_t  i;

    if (lookup->state) {
        target->again = (lookup->state != NGX_RESOLVE_NXDOMAIN);
        ngx_http_dfpreheat_target_reason(target,
            "%V could not be resolved (%i: %s)",
            &lookup->name, lookup->state,
            ngx_resolver_strerror(lookup->state));

        (void) ngx_http_dfpreheat_target_refuse(target);

    } else {

        /* of several addresses those that may be used are enough */

        for (i = 0; i < lookup->naddrs; i++) {
            ngx_http_dfpreheat_target_keep(target, lookup->addrs[i].sockaddr,
                                           lookup->addrs[i].socklen);
        }

        ngx_http_dfpreheat_target_kept(target);
    }

    ngx_resolve_name_done(lookup);
    target->lookup = NULL;

    if (target->waiting) {
        ngx_http_dfpreheat_target_resume(target);
    }
}


/* An address of the host, if it may be used. */

static void
ngx_http_dfpreheat_target_keep(ngx_http_dfpreheat_target_t *target,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_pool_t                    *pool;
    ngx_resolver_addr_t           *addr;
    ngx_http_upstream_resolved_t  *address;

    pool = target->r->pool;
    address = &target->address;

    if (!target->special
        && ngx_http_dfpreheat_target_special(target, sockaddr, socklen))
    {
        return;
    }

    if (address->addrs == NULL) {
        address->addrs = ngx_pcalloc(pool, NGX_HTTP_DFPREHEAT_ADDRESSES_MAX
                                           * sizeof(ngx_resolver_addr_t));
    }

    if (address->addrs == NULL
        || address->naddrs == NGX_HTTP_DFPREHEAT_ADDRESSES_MAX)
    {
        return;
    }

    addr = &address->addrs[address->naddrs];
    addr->sockaddr = ngx_palloc(pool, socklen);

    if (addr->sockaddr) {
        ngx_memcpy(addr->sockaddr, sockaddr, socklen);
        addr->socklen = socklen;
        address->naddrs++;
    }
}


static ngx_uint_t
ngx_http_dfpreheat_target_special(ngx_http_dfpreheat_target_t *target,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    size_t                len;
    u_char                text[NGX_SOCKADDR_STRLEN];
    const char           *kind;
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    if (sockaddr->sa_family == AF_INET6) {
        sin6 = (struct sockaddr_in6 *) sockaddr;
        kind = dfp_addr_special(sin6->sin6_addr.s6_addr, 16);

    } else {
        sin = (struct sockaddr_in *) sockaddr;
        kind = dfp_addr_special((u_char *) &sin->sin_addr.s_addr, 4);
    }

    if (kind == NULL) {
        return 0;
    }

    len = ngx_sock_ntop(sockaddr, socklen, text, NGX_SOCKADDR_STRLEN, 0);

    ngx_http_dfpreheat_target_reason(target, "%V has the address %*s (%s): an "
                                     "origin has to be named in full to have "
                                     "such a one", &target->address.host, len,
                                     text, kind);

    return 1;
}


/* All addresses were looked at. */

static ngx_int_t
ngx_http_dfpreheat_target_kept(ngx_http_dfpreheat_target_t *target)
{
    if (target->address.naddrs) {
        target->ready = 1;
        return NGX_DECLINED;
    }

    if (target->reason[0] == '\0') {
        ngx_http_dfpreheat_target_reason(target, "%V has no address",
                                         &target->address.host);
    }

    return ngx_http_dfpreheat_target_refuse(target);
}


static void
ngx_http_dfpreheat_target_resume(ngx_http_dfpreheat_target_t *target)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = target->r;
    c = r->connection;

    target->waiting = 0;

    if (target->refused) {
        ngx_http_finalize_request(r, NGX_HTTP_BAD_GATEWAY);

    } else {
        r->write_event_handler = ngx_http_core_run_phases;
        ngx_http_core_run_phases(r);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_dfpreheat_target_reason(ngx_http_dfpreheat_target_t *target,
    const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    p = (u_char *) target->reason;

    va_start(args, fmt);
    p = ngx_vslprintf(p, p + sizeof(target->reason) - 1, fmt, args);
    va_end(args);

    *p = '\0';
}


/* REASON is set. */

static ngx_int_t
ngx_http_dfpreheat_target_refuse(ngx_http_dfpreheat_target_t *target)
{
    target->refused = 1;

    ngx_log_error(NGX_LOG_WARN, target->r->connection->log, 0,
                  "dfpreheat: %s", target->reason);

    return NGX_HTTP_BAD_GATEWAY;
}
