/*
 * docker, podman and containerd ask a registry for /v2/ before anything else.
 * When the registry is unavailable, a public cache answers that itself, so that
 * what it has can be pulled.
 */

#ifndef NGX_DFP_LOGIN_H
#define NGX_DFP_LOGIN_H


#include "ngx_dfp_storable.h"


/* A handler of the precontent phase: marks the requests that are meant. */
ngx_int_t ngx_dfp_login_handler(ngx_http_request_t *r);

/* Installs the filters, which put 200 in the place of 502, 503 and 504. */
void ngx_dfp_login_init(void);


#endif /* NGX_DFP_LOGIN_H */
