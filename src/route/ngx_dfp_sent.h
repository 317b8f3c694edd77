/*
 * What proxy_pass sends: the upstream it asks, and the target of the request.
 */

#ifndef NGX_DFP_SENT_H
#define NGX_DFP_SENT_H


#include "ngx_dfp_types.h"


/* Before the configuration is read. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_sent_init(ngx_conf_t *cf);

/*
 * UPSTREAM is whom R is sent to, as in the default of proxy_cache_key:
 * "http://backend:5000". URI is the path and the query, byte for byte as they
 * stand in the request line that nginx sends: what the client asked for, or
 * what a URI in proxy_pass, a rewrite or a variable makes of it. They live as
 * long as R. Call it from the time the content handler runs on.
 *
 * NGX_DECLINED: this nginx does not tell, or the location has no proxy_pass.
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_dfp_sent(ngx_http_request_t *r, ngx_str_t *upstream,
    ngx_str_t *uri);


#endif /* NGX_DFP_SENT_H */
