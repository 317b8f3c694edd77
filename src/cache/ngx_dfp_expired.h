/*
 * Requests that find an expired entry in the cache.
 *
 * nginx's lock (proxy_cache_lock) does not cover them: each request that comes
 * before the answer would go to the origin, too. Here they wait for the first
 * one, if the location has the lock. When a worker dies, nginx leaves its
 * entry marked as being updated for ever; here the mark expires like a lock
 * (proxy_cache_lock_age).
 */

#ifndef NGX_DFP_EXPIRED_H
#define NGX_DFP_EXPIRED_H


#include "ngx_dfp_cache.h"


/*
 * $dfpreheat_expired, the last variable of proxy_cache_bypass: nginx opens the
 * entry next. It is never found. A client's request waits from here on while
 * another one updates the entry; a job's is never answered by a stale copy; and
 * the lock of whoever gets it is watched (ngx_dfp_fill.h).
 */
ngx_int_t ngx_dfp_expired_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* NGX_DFP_EXPIRED_H */
