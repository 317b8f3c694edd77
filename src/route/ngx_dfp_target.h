/*
 * Where a request goes that nginx itself would look up: a redirect that is
 * followed, or a call to an origin that has no location of its own. The address
 * is looked up once, checked, and that address is used.
 *
 * $dfpreheat_target, for proxy_pass, leads to the upstream "dfpreheat_address",
 * which has no servers but those of the request's target.
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
    ngx_str_t                     first;     /* the origin where it began */
    ngx_dfp_loc_conf_t           *began;     /* and the location */
    ngx_str_t                     upstream;  /* whom that asks, for what, as */
    ngx_str_t                     sent;      /* its cache key has it */
    ngx_str_t                     own;       /* whose credentials it has */
    ngx_str_t                     token_for; /* another origin, that gets */
    ngx_str_t                     token;     /* this Authorization */
    dfp_url_t                     url;       /* href.len 0: not set */
    ngx_uint_t                    hops;      /* redirects so far */
    ngx_resolver_ctx_t           *lookup;    /* under way */
    ngx_http_upstream_resolved_t  address;
    char                          reason[NGX_DFP_REASON_MAX];
    unsigned                      grpc:1;
    unsigned                      special:1; /* addresses may be */
    unsigned                      waiting:1; /* for the lookup */
    unsigned                      ready:1;
    unsigned                      refused:1; /* REASON says why */
    unsigned                      again:1;   /* and may pass */
    unsigned                      used:1;    /* as the upstream's peer */
} ngx_dfp_target_t;


/* The target of R; NULL: it has none. */
ngx_dfp_target_t *ngx_dfp_target_get(ngx_http_request_t *r);

/* The location that R is for, wherever redirects have led it, and its origin; "":
 * none. */
ngx_dfp_loc_conf_t *ngx_dfp_target_began(ngx_http_request_t *r);
ngx_str_t ngx_dfp_target_first(ngx_http_request_t *r);

/*
 * These three are for a handler of a phase, which returns what they return; it is
 * called again when an address was looked up.
 *
 * target_begin: R is in a location that is bound to origins. URL is that of a
 * call, and NULL for a client's request. With PINNED the target is looked up;
 * without, nginx's own proxy_pass goes there.
 *
 * target_pin: R is a call of gRPC to URL at this address.
 *
 * target_follow: R is in a location that follows the redirects of RULES, after
 * an answer of the location before.
 */
ngx_int_t ngx_dfp_target_begin(ngx_http_request_t *r, const dfp_url_t *url,
    ngx_uint_t pinned);
ngx_int_t ngx_dfp_target_pin(ngx_http_request_t *r, const dfp_url_t *url,
    struct sockaddr *sockaddr, socklen_t socklen);
ngx_int_t ngx_dfp_target_follow(ngx_http_request_t *r, ngx_array_t *rules);

/* Between the files of a target: target.c decides where a request goes,
 * target_address.c by which addresses. */

/* Looks the address of target->url up, unless its host is one; returns as the
 * three above. */
ngx_int_t ngx_dfp_target_resolve(ngx_dfp_target_t *target);

/* Adds an address of the host, if it may be used. */
void ngx_dfp_target_keep(ngx_dfp_target_t *target, struct sockaddr *sockaddr,
    socklen_t socklen);

/* Sets the target's reason; then refuses the request for it, with a line in the
 * log. */
void ngx_dfp_target_reason(ngx_dfp_target_t *target, const char *fmt, ...);
ngx_int_t ngx_dfp_target_refuse(ngx_dfp_target_t *target);

/* What ORIGIN gets where redirects lead to it. Both are copied; R has a target. */
ngx_int_t ngx_dfp_target_token(ngx_http_request_t *r, ngx_str_t *origin,
    ngx_str_t *authorization);

/* Adds the upstream: before the configuration is read. */
ngx_int_t ngx_dfp_target_upstream(ngx_conf_t *cf);

/* $dfpreheat_target: scheme, upstream, path and query; for grpc_pass without the
 * last two; empty without target.
 * $dfpreheat_host, $dfpreheat_authority: of the target, or of the origin that
 * the location is bound to. $dfpreheat_authorization: the request's own
 * Authorization; where a redirect has led to another origin, that of
 * target_token(), or nothing. */
ngx_int_t ngx_dfp_target_url(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_dfp_target_host(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_dfp_target_authority(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_dfp_target_authorization(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* NGX_DFP_TARGET_H */
