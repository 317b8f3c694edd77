/*
 * docker, podman and containerd request /v2/ first. When the registry is
 * unavailable, a public cache answers that request itself, so that images in
 * the cache can be pulled.
 */

#ifndef NGX_DFP_LOGIN_H
#define NGX_DFP_LOGIN_H


#include "ngx_dfp_storable.h"


/* A handler of the precontent phase: marks requests for /v2/. */
ngx_int_t ngx_dfp_login_handler(ngx_http_request_t *r);

/* Installs the filters, which replace 502, 503 and 504 by 200. */
void ngx_dfp_login_init(void);


#endif /* NGX_DFP_LOGIN_H */
