/*
 * Who may pull what from a shared cache: the key under which nginx remembers for a
 * while what the registry said about a client.
 */

#ifndef NGX_HTTP_DFPREHEAT_ACCESS_H
#define NGX_HTTP_DFPREHEAT_ACCESS_H


#include "ngx_http_dfpreheat_types.h"


/* $dfpreheat_access_key, for the proxy_cache_key of an auth_request location:
 * SHA-256 of the client's Authorization in hex, since keys are written to disk,
 * and the repository that the client asks for; or, of what is none, the path. */
ngx_int_t ngx_http_dfpreheat_access_key(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* NGX_HTTP_DFPREHEAT_ACCESS_H */
