/*
 * Headers of redirects that were followed (dfpreheat_redirect_headers): they are
 * stored with the answer to which the redirects led, and sent to clients with it.
 *
 * They may change while that answer does not: then the stored ones are changed in
 * place, if they are as long, or the answer is fetched again.
 */

#ifndef NGX_DFP_KEPT_H
#define NGX_DFP_KEPT_H


#include "ngx_dfp_cache.h"


/* Whether R, which has followed redirects, and whose key is known, must not be
 * answered by what the cache has, since its headers of redirects cannot be changed in
 * place. */
ngx_uint_t ngx_dfp_kept_differs(ngx_http_request_t *r);

/* Installs the header filter. */
void ngx_dfp_kept_init(void);


#endif /* NGX_DFP_KEPT_H */
