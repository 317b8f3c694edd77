/*
 * The shared memory zone in which all workers remember for a while what
 * registries have allowed.
 */

#ifndef NGX_DFP_ACCESS_ZONE_H
#define NGX_DFP_ACCESS_ZONE_H


#include "ngx_dfp_types.h"


#define NGX_DFP_ACCESS_TIME  60000      /* ms, how long a grant is cached */
#define NGX_DFP_ACCESS_ZONE  4194304    /* bytes of shared memory */


/* Adds the zone to the configuration. NULL: no memory. */
ngx_shm_zone_t *ngx_dfp_access_zone(ngx_conf_t *cf);

/* Whether KEY was added less than NGX_DFP_ACCESS_TIME ms ago. A key has
 * DFP_SHA256_HEX_LEN bytes. */
ngx_uint_t ngx_dfp_access_known(ngx_shm_zone_t *zone, u_char *key);

/* Adds KEY, or restarts its time. When the zone is full, the oldest keys are
 * removed. */
void ngx_dfp_access_remember(ngx_shm_zone_t *zone, u_char *key);


#endif /* NGX_DFP_ACCESS_ZONE_H */
