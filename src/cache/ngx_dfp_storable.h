/*
 * Which answers the cache of a bound location may store, and which requests it
 * may answer. A shared cache stores what is the same for everybody: manifests
 * and blobs of registries, and files; and no answers that may be meant for one
 * client.
 */

#ifndef NGX_DFP_STORABLE_H
#define NGX_DFP_STORABLE_H


#include "ngx_dfp_cache.h"
#include "ngx_dfp_state.h"

#include "dfp_path.h"


/* What R requests from the origin, by its path. If the path that locations are
 * matched by differs from the one that is sent, and either may be a
 * registry's, it is DFP_PATH_OTHER. */
void ngx_dfp_storable_path(ngx_http_request_t *r, dfp_path_t *path);

/* Why R is neither answered from the cache nor stored there, as a constant;
 * NULL: both are allowed. */
const char *ngx_dfp_storable_refused(ngx_http_request_t *r);

/* $dfpreheat_uncached, in proxy_cache_bypass: "1" if R is not answered from
 * the cache, else not found. $dfpreheat_unstored (DATA is 1), in
 * proxy_no_cache: the same if the answer is not stored. */
ngx_int_t ngx_dfp_storable_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* Adds both variables, and $dfpreheat_expired, to the settings of a location,
 * after they were merged: a configuration cannot leave them out. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_storable_location(ngx_conf_t *cf, void **loc_conf);

/* Installs the header filter: an answer that is not stored is not read to its
 * end for a HEAD request. */
void ngx_dfp_storable_init(void);


#endif /* NGX_DFP_STORABLE_H */
