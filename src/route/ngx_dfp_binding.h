/*
 * The location through which the URLs of an origin are requested.
 */

#ifndef NGX_DFP_BINDING_H
#define NGX_DFP_BINDING_H


#include "ngx_dfp_types.h"


/*
 * The binding of URL's origin: a full origin wins over another name of Docker Hub
 * (dfp_docker_hub()), that over the longest suffix, and that over "any". Of two of the same kind, a location that is found by the
 * URL's path wins over a named one; with NAMED it is the reverse (token
 * services, which clients do not request through this nginx). NULL: the origin
 * is bound nowhere. The binding is part of the configuration.
 */
ngx_dfp_binding_t *ngx_dfp_binding_find(ngx_dfp_main_conf_t *conf,
    const dfp_url_t *url, ngx_uint_t named);

/* Whether BINDING, of URL, is in full, but of another name of Docker Hub. */
ngx_uint_t ngx_dfp_binding_alias(ngx_dfp_binding_t *binding,
    const dfp_url_t *url);

/* Whether one of RULES allows URL's origin, or another name of Docker Hub; RULES
 * may be NULL. */
ngx_uint_t ngx_dfp_binding_allowed(ngx_array_t *rules, const dfp_url_t *url);

/* Whether the operator has named URL's origin in full, in RULES or in any
 * dfpreheat_origin: then it may have a private address. */
ngx_uint_t ngx_dfp_binding_named(ngx_dfp_main_conf_t *conf, ngx_array_t *rules,
    const dfp_url_t *url);

#define NGX_DFP_PROXY_MODULE  "ngx_http_proxy_module"
#define NGX_DFP_GRPC_MODULE   "ngx_http_grpc_module"

/* The settings of a location's proxy_pass or grpc_pass, by the name of the
 * module. NULL: nginx has no such module. */
ngx_http_upstream_conf_t *ngx_dfp_binding_upstream(ngx_cycle_t *cycle,
    void **loc_conf, const char *module);

/* Whether that module verifies certificates in R's location, or need not
 * (dfpreheat_insecure_skip_verify). */
ngx_uint_t ngx_dfp_binding_verified(ngx_http_request_t *r, const char *module);

/* The origin that a location stands for, in its cache key and as Host: the
 * first one that RULES name in full. NULL: none. */
ngx_str_t *ngx_dfp_binding_first(ngx_array_t *rules);


#endif /* NGX_DFP_BINDING_H */
