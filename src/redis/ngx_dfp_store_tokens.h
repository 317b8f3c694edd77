/*
 * Personal access tokens in Redis, as operations of the store.
 */

#ifndef NGX_DFP_STORE_TOKENS_H
#define NGX_DFP_STORE_TOKENS_H


#include "ngx_dfp_store.h"


/* A token as it is in Redis. Times are milliseconds since 1970. */
typedef struct {
    int64_t     id;
    int64_t     created;
    int64_t     user_id;
    int64_t     expired_at;
    int64_t     now;           /* by Redis's clock */
    ngx_uint_t  scopes;        /* DFP_TOKEN_ scopes */
    unsigned    active:1;
} ngx_dfp_stored_token_t;


/* Stores the token REQUEST with the HASH of its secret, and fills in TOKEN's
 * id and created. NGX_DECLINED: the name is taken. */
ngx_int_t ngx_dfp_store_token_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, dfp_token_t *request, ngx_dfp_stored_token_t *token);

/* Reads the token whose secret has this HASH. NGX_DECLINED: there is none. */
ngx_int_t ngx_dfp_store_token_find(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, ngx_dfp_stored_token_t *token);


#endif /* NGX_DFP_STORE_TOKENS_H */
