#include "ngx_dfp_token_cache.h"


#define NGX_DFP_TOKEN_CACHE_MINUTE  60    /* s */


/* Each hash has one slot. */
typedef struct {
    u_char                  hash[DFP_SHA256_HEX_LEN];
    ngx_msec_t              found;     /* when, in ngx_current_msec */
    time_t                  minute;    /* ... since 1970 */
    ngx_dfp_stored_token_t  token;
    u_char                  name[DFP_TOKEN_MAX_NAME];
    unsigned                used:1;
} ngx_dfp_token_cache_slot_t;


static ngx_dfp_token_cache_slot_t *ngx_dfp_token_cache_slot(u_char *hash);


static ngx_dfp_token_cache_slot_t  *ngx_dfp_token_cache;
static ngx_uint_t                   ngx_dfp_token_cache_dropped;
static ngx_dfp_token_cache_pt       ngx_dfp_token_cache_watcher;


ngx_int_t
ngx_dfp_token_cache_init(ngx_cycle_t *cycle)
{
    size_t  size;

    size = NGX_DFP_TOKEN_CACHE_SIZE * sizeof(ngx_dfp_token_cache_slot_t);

    ngx_dfp_token_cache = ngx_pcalloc(cycle->pool, size);

    return ngx_dfp_token_cache ? NGX_OK : NGX_ERROR;
}


ngx_dfp_stored_token_t *
ngx_dfp_token_cache_get(u_char *hash)
{
    ngx_dfp_token_cache_slot_t  *slot;

    slot = ngx_dfp_token_cache_slot(hash);

    if (slot->used
        && ngx_memcmp(slot->hash, hash, DFP_SHA256_HEX_LEN) == 0
        && ngx_current_msec - slot->found < NGX_DFP_TOKEN_CACHE
        && slot->minute == ngx_time() / NGX_DFP_TOKEN_CACHE_MINUTE)
    {
        return &slot->token;
    }

    return NULL;
}


ngx_uint_t
ngx_dfp_token_cache_drops(void)
{
    return ngx_dfp_token_cache_dropped;
}


void
ngx_dfp_token_cache_add(u_char *hash, ngx_dfp_stored_token_t *token,
    ngx_uint_t drops)
{
    ngx_dfp_token_cache_slot_t  *slot;

    if (drops != ngx_dfp_token_cache_dropped) {
        return;
    }

    slot = ngx_dfp_token_cache_slot(hash);

    ngx_memcpy(slot->hash, hash, DFP_SHA256_HEX_LEN);
    slot->found = ngx_current_msec;
    slot->minute = ngx_time() / NGX_DFP_TOKEN_CACHE_MINUTE;
    slot->token = *token;
    slot->token.name.data = slot->name;
    slot->token.name.len = ngx_min(token->name.len, DFP_TOKEN_MAX_NAME);
    ngx_memcpy(slot->name, token->name.data, slot->token.name.len);
    slot->used = 1;
}


void
ngx_dfp_token_cache_drop(int64_t id)
{
    ngx_uint_t                   i;
    ngx_dfp_token_cache_slot_t  *slot;

    ngx_dfp_token_cache_dropped++;

    for (i = 0; i < NGX_DFP_TOKEN_CACHE_SIZE; i++) {
        slot = &ngx_dfp_token_cache[i];

        if (id == 0 || slot->token.id == id) {
            slot->used = 0;
        }
    }

    if (ngx_dfp_token_cache_watcher) {
        ngx_dfp_token_cache_watcher(id);
    }
}


void
ngx_dfp_token_cache_watch(ngx_dfp_token_cache_pt handler)
{
    ngx_dfp_token_cache_watcher = handler;
}


static ngx_dfp_token_cache_slot_t *
ngx_dfp_token_cache_slot(u_char *hash)
{
    return &ngx_dfp_token_cache[ngx_hextoi(hash, 4) % NGX_DFP_TOKEN_CACHE_SIZE];
}
