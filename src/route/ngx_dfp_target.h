/*
 * The target of a request whose host is only known at run time: a redirect
 * that is followed, or a call to an origin that has no location of its own.
 * The host is resolved once, its addresses are checked, and those addresses
 * are used.
 *
 * $dfpreheat_target, for proxy_pass, names the upstream "dfpreheat_address",
 * whose only servers are the addresses of the request's target; or the origin of a
 * location that leads to one upstream.
 */

#ifndef NGX_DFP_TARGET_H
#define NGX_DFP_TARGET_H


#include "ngx_dfp_context.h"
#include "ngx_dfp_binding.h"


#define NGX_DFP_REDIRECTS_MAX  5     /* in a row */
#define NGX_DFP_ADDRESSES_MAX  32    /* of one host */


/* Lives with its request, through all internal redirects. */
typedef struct {
    ngx_http_request_t           *r;
    ngx_dfp_main_conf_t          *conf;
    ngx_str_t                     first;     /* the origin before redirects */
    ngx_dfp_loc_conf_t           *began;     /* the location before them, ... */
    ngx_str_t                     upstream;  /* ... its upstream and ... */
    ngx_str_t                     sent;      /* ... URI, as in the cache key */
    ngx_str_t                     own;       /* the origin that may see the
                                                request's Authorization */
    ngx_str_t                     token_for; /* another one, that gets ... */
    ngx_str_t                     token;     /* ... this Authorization */
    dfp_url_t                     url;       /* href.len 0: not set */
    ngx_uint_t                    hops;      /* redirects so far */
    ngx_str_t                    *kept;      /* for each of began->kept its value
                                                in the last redirect that had it,
                                                data NULL: none; NULL: no redirect
                                                had any */
    ngx_resolver_ctx_t           *lookup;    /* in progress */
    ngx_http_upstream_resolved_t  address;
    char                          reason[NGX_DFP_REASON_MAX];
    unsigned                      grpc:1;
    unsigned                      special:1; /* private addresses are allowed */
    unsigned                      waiting:1; /* for the lookup */
    unsigned                      ready:1;   /* it has addresses */
    unsigned                      refused:1; /* for REASON */
    unsigned                      again:1;   /* another try may succeed */
    unsigned                      used:1;    /* nginx has taken the addresses */
} ngx_dfp_target_t;


/* The target of R; NULL: it has none. */
ngx_dfp_target_t *ngx_dfp_target_get(ngx_http_request_t *r);

/* The location in which R was before redirects were followed, and its origin
 * ("": none). */
ngx_dfp_loc_conf_t *ngx_dfp_target_began(ngx_http_request_t *r);
ngx_str_t ngx_dfp_target_first(ngx_http_request_t *r);

/*
 * These three are called by a phase handler, which returns what they return:
 * NGX_DECLINED: go on; NGX_AGAIN: the handler is called again when the host
 * has been resolved; else a status. What URL and SOCKADDR point to is copied.
 *
 * target_begin: R is in a location that is bound to origins. URL is that of a
 * call, and NULL for a client's request. With PINNED the host of URL is
 * resolved and checked here; without, proxy_pass of the location chooses the
 * upstream.
 *
 * target_pin: R is a gRPC call to URL at this address.
 *
 * target_follow: R is in a location that follows redirects to RULES, after
 * another location was answered by a redirect.
 */
ngx_int_t ngx_dfp_target_begin(ngx_http_request_t *r, const dfp_url_t *url,
    ngx_uint_t pinned);
ngx_int_t ngx_dfp_target_pin(ngx_http_request_t *r, const dfp_url_t *url,
    struct sockaddr *sockaddr, socklen_t socklen);
ngx_int_t ngx_dfp_target_follow(ngx_http_request_t *r, ngx_array_t *rules);

/* Between the files of a target: ngx_dfp_target_context.c keeps it,
 * ngx_dfp_target.c chooses its URL, ngx_dfp_target_address.c its addresses. */

/* The target of R, which is made where there is none. NULL: no memory. */
ngx_dfp_target_t *ngx_dfp_target_create(ngx_http_request_t *r);

/* Resolves the host of target->url, unless it is an address. Returns as the
 * three above. */
ngx_int_t ngx_dfp_target_resolve(ngx_dfp_target_t *target);

/* Adds an address of the host, if it is allowed. It is copied; without memory
 * it is not added. */
void ngx_dfp_target_keep(ngx_dfp_target_t *target, struct sockaddr *sockaddr,
    socklen_t socklen);

/* Sets the reason of a refusal; refuses the request for that reason, which is
 * logged. Returns the status. */
void ngx_dfp_target_reason(ngx_dfp_target_t *target, const char *fmt, ...);
ngx_int_t ngx_dfp_target_refuse(ngx_dfp_target_t *target);

/* The Authorization that ORIGIN is sent where a redirect leads to it. Both are
 * copied. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_target_token(ngx_http_request_t *r, ngx_str_t *origin,
    ngx_str_t *authorization);

/* Adds the upstream "dfpreheat_address", before the configuration is read.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_target_upstream(ngx_conf_t *cf);

/*
 * $dfpreheat_target: scheme, upstream, path and query; for grpc_pass without
 * the last two. Without a target that was resolved: the origin of the location,
 * where it has one upstream, otherwise not found.
 *
 * $dfpreheat_host, $dfpreheat_authority: those of the target, or of the origin
 * that the location is bound to.
 *
 * $dfpreheat_authorization: the request's Authorization; where a redirect has
 * led to another origin, that of ngx_dfp_target_token(), or not found.
 */
ngx_int_t ngx_dfp_target_url(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_dfp_target_host(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_dfp_target_authority(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_dfp_target_authorization(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* NGX_DFP_TARGET_H */
