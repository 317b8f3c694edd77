/*
 * What the cache of a bound location may keep, and what it may answer. A shared
 * cache keeps what is the same for everybody: a registry's manifests and blobs,
 * and files; and nothing that is one client's own.
 */

#ifndef NGX_DFP_STORABLE_H
#define NGX_DFP_STORABLE_H


#include "ngx_dfp_cache.h"
#include "ngx_dfp_state.h"

#include "dfp_path.h"


/* What R asks the origin for. A path that is not the same as it is matched and
 * as it is sent is OTHER where either may be a registry's. */
void ngx_dfp_storable_path(ngx_http_request_t *r, dfp_path_t *path);

/* Why R is neither answered from the cache nor stored there; NULL: it may
 * be. */
const char *ngx_dfp_storable_refused(ngx_http_request_t *r);

/* $dfpreheat_uncached, in proxy_cache_bypass: "1" where R is not answered from
 * the cache, else not found. $dfpreheat_unstored (DATA is 1), in
 * proxy_no_cache: the same where the answer is not stored. */
ngx_int_t ngx_dfp_storable_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* Adds both variables, and that of expired entries, to the settings of a location,
 * after they were merged. No location can be without them. */
ngx_int_t ngx_dfp_storable_location(ngx_conf_t *cf, void **loc_conf);

/* Installs the header filter: an answer that is not stored is not read to its
 * end for a client that wants its header only. */
void ngx_dfp_storable_init(void);


#endif /* NGX_DFP_STORABLE_H */
