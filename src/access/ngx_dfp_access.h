/*
 * Access to private images in a shared cache: dfpreheat_access. The registry
 * is sent the client's request with the method HEAD. If it allows it, the
 * cache may answer; else the client's request goes to the registry, past the
 * cache.
 */

#ifndef NGX_DFP_ACCESS_H
#define NGX_DFP_ACCESS_H


#include "ngx_dfp_access_zone.h"
#include "ngx_dfp_storable.h"


/* A handler of the precontent phase: it runs after all access modules, which
 * may refuse a client first, and also for subrequests (SSI and the like). */
ngx_int_t ngx_dfp_access_handler(ngx_http_request_t *r);

/* $dfpreheat_range, for the header Range: "bytes=0-0" if the registry is asked
 * by GET, since it does not answer HEAD; the client's own in locations without
 * a cache; else not found. */
ngx_int_t ngx_dfp_access_range(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* Checks the settings of a location, after they were merged, and adds the
 * shared memory zone if it has dfpreheat_access. NGX_ERROR: no memory, or the
 * configuration is wrong, which is logged. */
ngx_int_t ngx_dfp_access_location(ngx_conf_t *cf, void **loc_conf);


#endif /* NGX_DFP_ACCESS_H */
