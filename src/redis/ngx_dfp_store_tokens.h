/*
 * Personal access tokens in Redis, as operations of the store.
 */

#ifndef NGX_DFP_STORE_TOKENS_H
#define NGX_DFP_STORE_TOKENS_H


#include "ngx_dfp_store.h"


/* A token as it is in Redis. Times are milliseconds since 1970. */
typedef struct {
    int64_t     id;
    int64_t     user_id;
    int64_t     expired_at;
    ngx_uint_t  scopes;        /* DFP_TOKEN_ scopes */
    ngx_str_t   name;
    unsigned    active:1;

    /* of a token that is to be shown */
    ngx_str_t   bio;
    int64_t     created;
    int64_t     updated;
    int64_t     used;          /* the minute of its last use; 0: none */
} ngx_dfp_stored_token_t;


/* A part of all tokens, the newest first. */
typedef struct {

    /* which */
    int64_t                  before;     /* tokens that come before it */
    int64_t                  size;       /* at most, >= 1 */
    dfp_token_state_t        state;
    int64_t                  user_id;    /* 0: any */

    /* filled in */
    ngx_dfp_stored_token_t  *tokens;
    ngx_uint_t               n;
    int64_t                  total;      /* in all parts; -1: unknown */
} ngx_dfp_token_list_t;


/* Stores the token REQUEST with the HASH of its secret, and fills in TOKEN's
 * id and created. NGX_DECLINED: the name is taken. */
ngx_int_t ngx_dfp_store_token_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, dfp_token_t *request, ngx_dfp_stored_token_t *token);

/* Reads the token whose secret has this HASH, but what is to be shown. It counts
 * as used now. NGX_DECLINED: there is none. */
ngx_int_t ngx_dfp_store_token_find(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, ngx_dfp_stored_token_t *token);

/* Reads a part of the list. NGX_DECLINED: the list is not complete yet; this
 * must be repeated. */
ngx_int_t ngx_dfp_store_token_list(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_token_list_t *list);

/* Changes the token TOKEN->id (CHANGE is NULL: only reads it), and fills in
 * TOKEN. A message tells all workers (ngx_dfp_token_cache.h). NGX_DECLINED:
 * there is none. */
ngx_int_t ngx_dfp_store_token_change(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    dfp_token_change_t *change, ngx_dfp_stored_token_t *token);

/* Deletes the token, once for each UUID. A message tells all workers.
 * NGX_DECLINED: there is none. */
ngx_int_t ngx_dfp_store_token_delete(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    int64_t id, ngx_str_t *uuid);


#endif /* NGX_DFP_STORE_TOKENS_H */
