#include "ngx_dfp_state.h"
#include "ngx_dfp_target.h"

#include "dfp_addr.h"
#include "dfp_texts.h"


static ngx_int_t ngx_dfp_target_literal(ngx_dfp_target_t *target);
static void ngx_dfp_target_resolved(ngx_resolver_ctx_t *lookup);
#if (NGX_DEBUG)
static void ngx_dfp_target_debug(ngx_dfp_target_t *target,
    struct sockaddr *sockaddr, socklen_t socklen);
#endif
static ngx_uint_t ngx_dfp_target_special(ngx_dfp_target_t *target,
    struct sockaddr *sockaddr, socklen_t socklen);
static ngx_int_t ngx_dfp_target_kept(ngx_dfp_target_t *target);
static void ngx_dfp_target_resume(ngx_dfp_target_t *target);


ngx_int_t
ngx_dfp_target_resolve(ngx_dfp_target_t *target)
{
    ngx_int_t                  rc;
    ngx_http_request_t        *r;
    ngx_resolver_ctx_t        *lookup, temp;
    ngx_http_core_loc_conf_t  *clcf;

    r = target->r;

    ngx_memzero(&target->address, sizeof(ngx_http_upstream_resolved_t));
    target->address.host = ngx_dfp_str(target->url.host);
    target->address.port = target->url.port;

    rc = ngx_dfp_target_literal(target);
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
        ngx_dfp_target_reason(target,
            "no resolver is configured to resolve %V",
            &target->address.host);

        return ngx_dfp_target_refuse(target);
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat target \"%V\" is looked up",
                   &target->address.host);

    lookup->name = target->address.host;
    lookup->handler = ngx_dfp_target_resolved;
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
ngx_dfp_target_literal(ngx_dfp_target_t *target)
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
        ngx_dfp_target_keep(target, (struct sockaddr *) &sin,
                            sizeof(struct sockaddr_in));
        return ngx_dfp_target_kept(target);
    }

    if (text[0] == '[') {
        p[-1] = '\0';

        if (inet_pton(AF_INET6, (char *) text + 1, &sin6.sin6_addr) == 1) {
            ngx_dfp_target_keep(target, (struct sockaddr *) &sin6,
                                sizeof(struct sockaddr_in6));
            return ngx_dfp_target_kept(target);
        }
    }

    return NGX_AGAIN;
}


static void
ngx_dfp_target_resolved(ngx_resolver_ctx_t *lookup)
{
    ngx_dfp_target_t *target = lookup->data;

    ngx_uint_t  i;

    if (lookup->state) {
        target->again = (lookup->state != NGX_RESOLVE_NXDOMAIN);
        ngx_dfp_target_reason(target,
            "%V" DFP_NGINX_UNRESOLVED "%i: %s)",
            &lookup->name, lookup->state,
            ngx_resolver_strerror(lookup->state));

        (void) ngx_dfp_target_refuse(target);

        /* a job fails for that reason; for a client, nginx contacts an upstream
         * without addresses, so that proxy_cache_use_stale decides */

        if (!ngx_dfp_state_call(target->r)) {
            target->refused = 0;
            target->ready = 1;
        }

    } else {

        /* one allowed address is enough */

        for (i = 0; i < lookup->naddrs; i++) {
            ngx_dfp_target_keep(target, lookup->addrs[i].sockaddr,
                                lookup->addrs[i].socklen);
        }

        ngx_dfp_target_kept(target);
    }

    ngx_resolve_name_done(lookup);
    target->lookup = NULL;

    if (target->waiting) {
        ngx_dfp_target_resume(target);
    }
}


void
ngx_dfp_target_keep(ngx_dfp_target_t *target, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    ngx_pool_t                    *pool;
    ngx_resolver_addr_t           *addr;
    ngx_http_upstream_resolved_t  *address;

    pool = target->r->pool;
    address = &target->address;

    if (!target->special
        && ngx_dfp_target_special(target, sockaddr, socklen))
    {
        return;
    }

    if (address->addrs == NULL) {
        address->addrs = ngx_pcalloc(pool, NGX_DFP_ADDRESSES_MAX
                                           * sizeof(ngx_resolver_addr_t));
    }

    if (address->addrs == NULL
        || address->naddrs == NGX_DFP_ADDRESSES_MAX)
    {
        return;
    }

#if (NGX_DEBUG)
    ngx_dfp_target_debug(target, sockaddr, socklen);
#endif

    addr = &address->addrs[address->naddrs];
    addr->sockaddr = ngx_palloc(pool, socklen);

    if (addr->sockaddr) {
        ngx_memcpy(addr->sockaddr, sockaddr, socklen);
        addr->socklen = socklen;
        address->naddrs++;
    }
}


#if (NGX_DEBUG)

static void
ngx_dfp_target_debug(ngx_dfp_target_t *target, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    size_t  len;
    u_char  text[NGX_SOCKADDR_STRLEN];

    len = ngx_sock_ntop(sockaddr, socklen, text, NGX_SOCKADDR_STRLEN, 0);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, target->r->connection->log, 0,
                   "dfpreheat target \"%V\" may have the address %*s",
                   &target->address.host, len, text);
}

#endif


static ngx_uint_t
ngx_dfp_target_special(ngx_dfp_target_t *target, struct sockaddr *sockaddr,
    socklen_t socklen)
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

    ngx_dfp_target_reason(target, "%V has the address %*s (%s): only an "
                          "origin that is named in full may have such "
                          "an address", &target->address.host, len,
                          text, kind);

    return 1;
}


/* All addresses were checked. */

static ngx_int_t
ngx_dfp_target_kept(ngx_dfp_target_t *target)
{
    if (target->address.naddrs) {
        target->ready = 1;
        return NGX_DECLINED;
    }

    if (target->reason[0] == '\0') {
        ngx_dfp_target_reason(target, "%V has no address",
                              &target->address.host);
    }

    return ngx_dfp_target_refuse(target);
}


static void
ngx_dfp_target_resume(ngx_dfp_target_t *target)
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
