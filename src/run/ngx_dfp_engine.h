/* The engines, one interface (ngx_dfp_engine_t), one file each. */

#ifndef NGX_DFP_ENGINE_H
#define NGX_DFP_ENGINE_H


#include "ngx_dfp_dragonfly.h"
#include "ngx_dfp_image.h"


/* engine=cache: into the proxy_cache of this nginx. */
extern ngx_dfp_engine_t  ngx_dfp_engine_cache;

/* engine=peers: Dragonfly's peers are asked, one by one. */
extern ngx_dfp_engine_t  ngx_dfp_engine_peers;

/* engine=scheduler: Dragonfly's scheduler is asked to. */
extern ngx_dfp_engine_t  ngx_dfp_engine_scheduler;


/* Why a peer is unreachable that nobody has called. */
#define NGX_DFP_UNUSABLE                                                      \
    "the scheduler lists it without an address, or a port"


/* Adds to a list of results, or counts what does not go into it. URL and
 * DESCRIPTION may be NULL. */
void ngx_dfp_list_add(ngx_dfp_list_t *list, ngx_str_t *hostname, ngx_str_t *ip,
    ngx_str_t *url, ngx_str_t *description);


#endif /* NGX_DFP_ENGINE_H */
