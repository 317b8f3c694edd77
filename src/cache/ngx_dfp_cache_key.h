/*
 * $dfpreheat_cache_key: what an entry of the cache stands for.
 */

#ifndef NGX_DFP_CACHE_KEY_H
#define NGX_DFP_CACHE_KEY_H


#include "ngx_dfp_target.h"


/*
 * For proxy_cache_key: the upstream that is asked, the origin of the location,
 * and the path and the query as they are sent, byte for byte, without the
 * query's parameter "ns" of containerd.  Requests that are sent alike share an
 * entry, be they a job's or a client's; and no others do.
 *
 * Where a redirect was followed it is the key of the request that was
 * redirected. Values that open doors are hidden, and SHA-256 of what is sent
 * follows.
 *
 * Where it cannot be told what is sent, and for methods other than GET and
 * HEAD, the key is another one each time: an empty one would be that of all
 * such requests.
 */
ngx_int_t ngx_dfp_cache_key(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* NGX_DFP_CACHE_KEY_H */
