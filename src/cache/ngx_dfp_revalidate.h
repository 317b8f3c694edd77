/*
 * Makes nginx ask the origin whether an entry of the cache has changed: the
 * entry is marked as expired in its file, and a 304 renews it.
 */

#ifndef NGX_DFP_REVALIDATE_H
#define NGX_DFP_REVALIDATE_H


#include "ngx_dfp_cache.h"


/*
 * Marks the entry of R as expired, unless it was requested from the origin
 * later than SINCE. Called before nginx opens the file, when R's key is known.
 * If the origin has not renewed the entry when R ends, its time of validity is
 * restored. NGX_DECLINED: the file could not be written, or no memory: R has
 * to bypass the cache.
 */
ngx_int_t ngx_dfp_revalidate(ngx_http_request_t *r, time_t since);


#endif /* NGX_DFP_REVALIDATE_H */
