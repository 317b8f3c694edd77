/*
 * $dfpreheat_cache_key: the key of an entry of the cache.
 */

#ifndef NGX_DFP_CACHE_KEY_H
#define NGX_DFP_CACHE_KEY_H


#include "ngx_dfp_target.h"


/*
 * For proxy_cache_key: the upstream, the origin of the location, and the path
 * and the query as they are sent, byte for byte, without the parameter "ns"
 * that containerd adds. Requests of jobs and clients share an entry if, and
 * only if, the same is sent.
 *
 * After a redirect it is the key of the request that was redirected.
 * Signatures and credentials in the query are hidden; then SHA-256 of the URI
 * follows.
 *
 * Where what is sent is not known, and for methods other than GET and HEAD,
 * the key is unique: an empty one would be shared by all such requests.
 */
ngx_int_t ngx_dfp_cache_key(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* NGX_DFP_CACHE_KEY_H */
