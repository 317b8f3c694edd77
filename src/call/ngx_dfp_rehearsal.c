#include "ngx_dfp_rehearsal.h"
#include "ngx_dfp_header.h"
#include "ngx_dfp_phase.h"
#include "ngx_dfp_state.h"

#include "dfp_hex.h"

#include <openssl/crypto.h>


#define NGX_DFP_REHEARSAL_CACHE_LEN  16     /* longer than each status */


static ngx_int_t ngx_dfp_rehearsal_entry(ngx_pool_t *pool,
    ngx_http_file_cache_t *cache, u_char *key, ngx_str_t *text);
static void ngx_dfp_rehearsal_read(ngx_dfp_rehearsal_t *rehearsal,
    ngx_str_t *value);
static void ngx_dfp_rehearsal_range(ngx_dfp_rehearsal_t *rehearsal,
    ngx_str_t *value);
static ngx_int_t ngx_dfp_rehearsal_handler(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_rehearsal_filter(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;

static ngx_str_t  ngx_dfp_rehearsal_asks = ngx_string("X-Dfpreheat-Verify");
static ngx_str_t  ngx_dfp_rehearsal_tells = ngx_string("X-Dfpreheat-Cache");


ngx_dfp_rehearsal_t *
ngx_dfp_rehearsal_begin(ngx_dfp_main_conf_t *conf, ngx_pool_t *pool,
    ngx_dfp_entry_t *entry)
{
    u_char               *p;
    ngx_dfp_rehearsal_t  *rehearsal;

    rehearsal = ngx_pcalloc(pool, sizeof(ngx_dfp_rehearsal_t));

    if (rehearsal == NULL
        || (entry->cache
            && ngx_dfp_rehearsal_entry(pool, entry->cache, entry->key,
                                       &rehearsal->entry)
               != NGX_OK))
    {
        return NULL;
    }

    p = ngx_cpymem(rehearsal->key, conf->instance.shared->verify,
                   NGX_DFP_VERIFY_KEY_LEN);
    *p++ = '.';

    if (dfp_uuid((char *) p) != DFP_OK) {
        return NULL;
    }

    rehearsal->header.name = ngx_dfp_dfp_str(ngx_dfp_rehearsal_asks);
    rehearsal->header.value.data = (char *) rehearsal->key;
    rehearsal->header.value.len = NGX_DFP_REHEARSAL_LEN;

    return rehearsal;
}


static ngx_int_t
ngx_dfp_rehearsal_entry(ngx_pool_t *pool, ngx_http_file_cache_t *cache,
    u_char *key, ngx_str_t *text)
{
    char       *p;
    ngx_str_t  *zone;

    zone = &cache->shm_zone->shm.name;

    text->len = 2 * NGX_HTTP_CACHE_KEY_LEN + 1 + zone->len;
    text->data = ngx_pnalloc(pool, text->len);

    if (text->data == NULL) {
        return NGX_ERROR;
    }

    p = dfp_hex_print(key, NGX_HTTP_CACHE_KEY_LEN, (char *) text->data);
    *p++ = ' ';
    ngx_memcpy(p, zone->data, zone->len);

    return NGX_OK;
}


void
ngx_dfp_rehearsal_answer(ngx_dfp_rehearsal_t *rehearsal, ngx_list_t *headers)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    static ngx_str_t  range = ngx_string("Content-Range");

    rehearsal->first = -1;
    rehearsal->last = -1;
    rehearsal->total = -1;

    n = 0;

    while ((h = ngx_dfp_header_find(headers, &ngx_dfp_rehearsal_tells, &n))) {
        ngx_dfp_rehearsal_read(rehearsal, &h->value);
    }

    n = 0;
    h = ngx_dfp_header_find(headers, &range, &n);

    if (h) {
        ngx_dfp_rehearsal_range(rehearsal, &h->value);
    }
}


static void
ngx_dfp_rehearsal_read(ngx_dfp_rehearsal_t *rehearsal, ngx_str_t *value)
{
    u_char      *nonce, *p, *last;
    ngx_str_t    status, name;
    ngx_uint_t   i;

    nonce = rehearsal->key + NGX_DFP_VERIFY_KEY_LEN + 1;

    if (value->len <= NGX_DFP_NONCE_LEN
        || value->data[NGX_DFP_NONCE_LEN] != ' '
        || ngx_memcmp(value->data, nonce, NGX_DFP_NONCE_LEN) != 0)
    {
        return;
    }

    last = value->data + value->len;
    status.data = value->data + NGX_DFP_NONCE_LEN + 1;
    p = ngx_strlchr(status.data, last, ' ');
    status.len = (p ? p : last) - status.data;

    rehearsal->warmed = (p && rehearsal->entry.len
                         && (size_t) (last - p - 1) == rehearsal->entry.len
                         && ngx_memcmp(p + 1, rehearsal->entry.data,
                                       rehearsal->entry.len)
                            == 0);

    for (i = 0; i <= NGX_HTTP_CACHE_HIT; i++) {
        name = ngx_dfp_rehearsal_status(i);

        if (name.len == status.len
            && ngx_memcmp(name.data, status.data, status.len) == 0)
        {
            rehearsal->known = 1;
            rehearsal->cache = i;
        }
    }
}


/* "bytes 0-0/1024" */

static void
ngx_dfp_rehearsal_range(ngx_dfp_rehearsal_t *rehearsal, ngx_str_t *value)
{
    u_char  *p, *dash, *slash, *last;

    static ngx_str_t  unit = ngx_string("bytes ");

    if (value->len <= unit.len
        || ngx_strncasecmp(value->data, unit.data, unit.len) != 0)
    {
        return;
    }

    p = value->data + unit.len;
    last = value->data + value->len;
    dash = ngx_strlchr(p, last, '-');
    slash = dash ? ngx_strlchr(dash, last, '/') : NULL;

    if (slash == NULL) {
        return;
    }

    rehearsal->first = ngx_atoof(p, dash - p);
    rehearsal->last = ngx_atoof(dash + 1, slash - dash - 1);
    rehearsal->total = ngx_atoof(slash + 1, last - slash - 1);
}


ngx_str_t
ngx_dfp_rehearsal_status(ngx_uint_t cache)
{
    static ngx_str_t  none = ngx_string("-");

#if (NGX_HTTP_CACHE)
    if (cache) {
        return ngx_http_cache_status[cache - 1];
    }
#endif

    return none;
}


/*
 * The key ends here: it is not sent to the origin, and not logged. Requests of
 * clients have no such header, or one that means nothing.
 */

static ngx_int_t
ngx_dfp_rehearsal_handler(ngx_http_request_t *r)
{
    ngx_uint_t            n;
    ngx_table_elt_t      *h;
    ngx_dfp_state_t      *state;
    ngx_dfp_main_conf_t  *dmcf;

    if (r != r->main || r->internal) {
        return NGX_DECLINED;
    }

    n = 0;
    h = ngx_dfp_header_find(&r->headers_in.headers, &ngx_dfp_rehearsal_asks,
                            &n);

    if (h == NULL || h->value.len != NGX_DFP_REHEARSAL_LEN
        || h->value.data[NGX_DFP_VERIFY_KEY_LEN] != '.')
    {
        return NGX_DECLINED;
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);

    if (CRYPTO_memcmp(h->value.data, dmcf->instance.shared->verify,
                      NGX_DFP_VERIFY_KEY_LEN)
        != 0)
    {
        return NGX_DECLINED;
    }

    state = ngx_dfp_state_create(r);
    if (state == NULL) {
        return NGX_ERROR;
    }

    state->nonce.len = NGX_DFP_NONCE_LEN;
    state->nonce.data = h->value.data + NGX_DFP_VERIFY_KEY_LEN + 1;

    ngx_memzero(h->value.data, NGX_DFP_VERIFY_KEY_LEN);
    h->value.len = 0;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_dfp_rehearsal_filter(ngx_http_request_t *r)
{
    u_char           *p;
    size_t            len;
    ngx_str_t         status, entry;
    ngx_table_elt_t  *h;
    ngx_dfp_state_t  *state;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    state = ngx_dfp_state_get(r);

    if (state == NULL || state->nonce.len == 0) {
        return ngx_http_next_header_filter(r);
    }

    status = ngx_dfp_rehearsal_status(0);
    ngx_str_null(&entry);

#if (NGX_HTTP_CACHE)
    if (r->upstream) {
        status = ngx_dfp_rehearsal_status(r->upstream->cache_status);
    }

    if (r->cache && r->cache->file_cache
        && ngx_dfp_rehearsal_entry(r->pool, r->cache->file_cache,
                                   r->cache->key, &entry)
           != NGX_OK)
    {
        return NGX_ERROR;
    }
#endif

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    len = NGX_DFP_NONCE_LEN + 1 + NGX_DFP_REHEARSAL_CACHE_LEN + 1 + entry.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key = ngx_dfp_rehearsal_tells;
    h->value.data = p;
    h->value.len = ngx_snprintf(p, len, entry.len ? "%V %V %V" : "%V %V",
                                &state->nonce, &status, &entry)
                   - p;

    return ngx_http_next_header_filter(r);
}


ngx_int_t
ngx_dfp_rehearsal_init(ngx_conf_t *cf, ngx_dfp_main_conf_t *conf)
{
    /* nginx without a front to ask has nothing to recognize */

    if (conf->verify == NULL) {
        return NGX_OK;
    }

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_rehearsal_filter;

    return ngx_dfp_phase_handler(cf, NGX_HTTP_POST_READ_PHASE,
                                 ngx_dfp_rehearsal_handler);
}
