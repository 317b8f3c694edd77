/*
 * What proxy_pass sends, and to which upstream.
 */

#ifndef NGX_DFP_SENT_H
#define NGX_DFP_SENT_H


#include "ngx_dfp_types.h"


/* Finds the proxy module, before the configuration is read. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_sent_init(ngx_conf_t *cf);

/*
 * UPSTREAM is the upstream of R, as in the default of proxy_cache_key:
 * "http://backend:5000". URI is the path and the query, byte for byte as in
 * the request line that nginx sends: those of the client, or what a URI in
 * proxy_pass, a rewrite or a variable makes of them. Both live as long as R.
 * They are known once the content handler of R has been called.
 *
 * NGX_DECLINED: the proxy module of this nginx has another layout, or the
 * location has no proxy_pass. NGX_ERROR: no memory.
 */
ngx_int_t ngx_dfp_sent(ngx_http_request_t *r, ngx_str_t *upstream,
    ngx_str_t *uri);


#endif /* NGX_DFP_SENT_H */
