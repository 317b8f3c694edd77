/*
 * The key under which a permission of a registry is remembered: a hash of all
 * that the decision may depend on.
 */

#ifndef NGX_DFP_ACCESS_KEY_H
#define NGX_DFP_ACCESS_KEY_H


#include "ngx_dfp_storable.h"


/*
 * KEY, DFP_SHA256_HEX_LEN + 1 bytes, is SHA-256 in hex of: the origin; the
 * repository of PATH and KIND, or for a file its path, decoded and as it was
 * sent; the query; the client's address and certificate; the host, the
 * server's address and the scheme; and all headers but those that never
 * identify a client. NGX_ERROR: no memory.
 */
ngx_int_t ngx_dfp_access_key(ngx_http_request_t *r, dfp_path_t *path,
    dfp_path_kind_t kind, u_char *key);

/* Finds the variables that are in the key, while the configuration is read.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_access_key_init(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);


#endif /* NGX_DFP_ACCESS_KEY_H */
