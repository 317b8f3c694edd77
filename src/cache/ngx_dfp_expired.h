/*
 * Requests that meet an expired entry of the cache.
 *
 * nginx's lock (proxy_cache_lock) does not cover these: each request that comes
 * before the answer would go to the origin, too. Here they wait for the first one,
 * where the location has the lock. Where a worker dies, nginx leaves its entry
 * marked as being updated for ever; here the mark is as old as a lock may be
 * (proxy_cache_lock_age).
 */

#ifndef NGX_DFP_EXPIRED_H
#define NGX_DFP_EXPIRED_H


#include "ngx_dfp_cache.h"


/*
 * $dfpreheat_expired, the last in proxy_cache_bypass, and never found: nginx opens
 * the entry next. A client's request waits from here on, where another one updates
 * the entry; a job's is never answered by a stale copy.
 */
ngx_int_t ngx_dfp_expired_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* NGX_DFP_EXPIRED_H */
