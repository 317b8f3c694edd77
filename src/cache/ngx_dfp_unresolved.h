/*
 * Expired entries whose upstream has no address, because its name cannot be
 * resolved.
 *
 * proxy_cache_use_stale is for upstreams that fail: nginx looks into it when it
 * has tried one. A proxy_pass with variables is resolved after the cache has been
 * looked into, and if that fails, nginx answers 502 at once. Here the upstream is
 * one without servers then, so that nginx decides as for other failures.
 */

#ifndef NGX_DFP_UNRESOLVED_H
#define NGX_DFP_UNRESOLVED_H


#include "ngx_dfp_types.h"


/* Called when R, whose upstream is set, is about to look into the cache, with the
 * settings of the upstream as they are to be used. Where "error" is not in
 * proxy_cache_use_stale, and without memory, all is as in nginx. */
void ngx_dfp_unresolved_begin(ngx_http_request_t *r);


#endif /* NGX_DFP_UNRESOLVED_H */
