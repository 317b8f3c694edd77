/*
 * Who may pull what from a shared cache: dfpreheat_access. The registry is
 * asked whether it would give a client what the client wants, by the client's
 * own request with the method HEAD. Only a yes opens the cache; after anything
 * else the client's request goes to the registry, past the cache.
 */

#ifndef NGX_DFP_ACCESS_H
#define NGX_DFP_ACCESS_H


#include "ngx_dfp_access_zone.h"
#include "ngx_dfp_storable.h"


/* A handler of the precontent phase: after all access modules, which may refuse
 * a client without a question, and also for subrequests (SSI and the like). */
ngx_int_t ngx_dfp_access_handler(ngx_http_request_t *r);

/* $dfpreheat_range, for Range: "bytes=0-0" in a question by GET, for registries
 * that do not answer HEAD; the client's own where the request has no cache; else
 * not found. */
ngx_int_t ngx_dfp_access_range(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* Checks the settings of a location, after they were merged; where it has
 * dfpreheat_access, the zone is added. */
ngx_int_t ngx_dfp_access_location(ngx_conf_t *cf, void **loc_conf);


#endif /* NGX_DFP_ACCESS_H */
