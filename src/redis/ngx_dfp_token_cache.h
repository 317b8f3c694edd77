/*
 * Tokens that this worker has found in Redis, for a few seconds. A message of
 * the subscription drops one that was changed or deleted.
 */

#ifndef NGX_DFP_TOKEN_CACHE_H
#define NGX_DFP_TOKEN_CACHE_H


#include "ngx_dfp_store_tokens.h"


#define NGX_DFP_TOKEN_CACHE       5000    /* ms */
#define NGX_DFP_TOKEN_CACHE_SIZE  1024    /* tokens of a worker */


typedef void (*ngx_dfp_token_cache_pt)(int64_t id);


/* Allocates the cache of this worker. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_token_cache_init(ngx_cycle_t *cycle);

/* The token whose secret has this HASH, of DFP_SHA256_HEX_LEN bytes; NULL: it
 * is not cached. It, and its name, are valid until the caller returns. It is
 * found again in each new minute, because Redis notes in which minute it was
 * found last. */
ngx_dfp_stored_token_t *ngx_dfp_token_cache_get(u_char *hash);

/* Counts what was dropped so far. A token that is looked up is only added if
 * nothing was dropped meanwhile: it may be older than the message. */
ngx_uint_t ngx_dfp_token_cache_drops(void);

/* Adds TOKEN, whose look-up began when DROPS was the count. */
void ngx_dfp_token_cache_add(u_char *hash, ngx_dfp_stored_token_t *token,
    ngx_uint_t drops);

/* The token ID was changed or deleted; 0: any token may have been. */
void ngx_dfp_token_cache_drop(int64_t id);

/* HANDLER is called with each ID that is dropped, in this worker. */
void ngx_dfp_token_cache_watch(ngx_dfp_token_cache_pt handler);


#endif /* NGX_DFP_TOKEN_CACHE_H */
