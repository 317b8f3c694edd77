/*
 * Which location the URLs of an origin are requested through.
 */

#ifndef NGX_DFP_BINDING_H
#define NGX_DFP_BINDING_H


#include "ngx_dfp_types.h"


/*
 * The binding of URL's origin: one in full before the longest suffix, and that
 * before "any". Of two alike, the location that is found by the URL's path
 * comes before a named one; with NAMED it is the other way round (token
 * services, which nobody else asks through this nginx). NULL: bound nowhere.
 */
ngx_dfp_binding_t *ngx_dfp_binding_find(ngx_dfp_main_conf_t *conf,
    const dfp_url_t *url, ngx_uint_t named);

/* Whether one of RULES allows URL's origin. */
ngx_uint_t ngx_dfp_binding_allowed(ngx_array_t *rules, const dfp_url_t *url);

/* Whether the operator has named URL's origin in full, here in RULES or in any
 * dfpreheat_origin: then it may have a private address. */
ngx_uint_t ngx_dfp_binding_named(ngx_dfp_main_conf_t *conf, ngx_array_t *rules,
    const dfp_url_t *url);

#define NGX_DFP_PROXY_MODULE  "ngx_http_proxy_module"
#define NGX_DFP_GRPC_MODULE   "ngx_http_grpc_module"

/* The settings of a location's proxy_pass or grpc_pass; NULL: nginx has no such
 * module. */
ngx_http_upstream_conf_t *ngx_dfp_binding_upstream(ngx_cycle_t *cycle,
    void **loc_conf, const char *module);

/* Whether R's location verifies certificates with that module, or need not
 * (dfpreheat_insecure_skip_verify). */
ngx_uint_t ngx_dfp_binding_verified(ngx_http_request_t *r, const char *module);

/* The origin that a location stands for, in its cache key and as Host: the
 * first that it names in full. NULL: none. */
ngx_str_t *ngx_dfp_binding_first(ngx_array_t *rules);


#endif /* NGX_DFP_BINDING_H */
