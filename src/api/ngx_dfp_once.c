#include "ngx_dfp_once.h"

#include "dfp_hex.h"


static ngx_str_t *ngx_dfp_once_key(ngx_http_request_t *r);
static dfp_rc_t ngx_dfp_once_hash(ngx_dfp_api_t *api, ngx_str_t first,
    ngx_str_t second, ngx_str_t *hash);


dfp_rc_t
ngx_dfp_once(ngx_dfp_api_t *api, dfp_err_t *err)
{
    size_t      i;
    u_char      id[NGX_INT64_LEN];
    dfp_rc_t    rc;
    ngx_str_t  *key, token;

    key = ngx_dfp_once_key(api->r);

    if (key == NULL) {
        return DFP_OK;
    }

    for (i = 0; i < key->len; i++) {
        if (key->data[i] < ' ' || key->data[i] > '~') {
            break;
        }
    }

    if (key->len == 0 || key->len > NGX_DFP_ONCE_MAX || i < key->len) {
        return dfp_invalid(err, "Idempotency-Key must have 1 to %d printable "
                           "ASCII characters", NGX_DFP_ONCE_MAX);
    }

    token.data = id;
    token.len = ngx_sprintf(id, "%L", api->auth.token.id) - id;

    rc = ngx_dfp_once_hash(api, token, *key, &api->stored.once);

    /* the hash stays in Redis for a day, and the body may have a password, which
       could be guessed: only who sends the token knows all that is hashed */

    if (rc == DFP_OK) {
        rc = ngx_dfp_once_hash(api, api->auth.bearer, api->body,
                               &api->stored.body_hash);
    }

    return rc;
}


/* The ids of tokens are numbers, so no Idempotency-Key has this hash. */

dfp_rc_t
ngx_dfp_once_push(ngx_dfp_api_t *api, ngx_str_t key, ngx_str_t body)
{
    dfp_rc_t    rc;
    ngx_str_t  *once, hash;

    static ngx_str_t  push = ngx_string("push");

    once = &api->stored.once;

    rc = ngx_dfp_once_hash(api, push, key, &hash);

    if (rc == DFP_OK) {
        rc = ngx_dfp_once_hash(api, push, body, &api->stored.body_hash);
    }

    if (rc != DFP_OK) {
        return rc;
    }

    once->len = 1 + hash.len;
    once->data = ngx_pnalloc(api->r->pool, once->len);

    if (once->data == NULL) {
        return DFP_ERROR;
    }

    once->data[0] = '-';
    ngx_memcpy(once->data + 1, hash.data, hash.len);

    return DFP_OK;
}


/* NULL: the request has none. */

static ngx_str_t *
ngx_dfp_once_key(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("Idempotency-Key");

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == name.len
                && ngx_strncasecmp(h[i].key.data, name.data, name.len) == 0)
            {
                return &h[i].value;
            }
        }
    }

    return NULL;
}


static dfp_rc_t
ngx_dfp_once_hash(ngx_dfp_api_t *api, ngx_str_t first, ngx_str_t second,
    ngx_str_t *hash)
{
    dfp_rc_t       rc;
    dfp_hash_t     h;
    unsigned char  sum[DFP_SHA256_LEN];

    hash->data = ngx_pnalloc(api->r->pool, DFP_SHA256_HEX_LEN);

    if (hash->data == NULL || dfp_hash_start(&h, DFP_SHA256) != DFP_OK) {
        return DFP_ERROR;
    }

    rc = dfp_hash_add(&h, first.data, first.len);

    if (rc == DFP_OK) {
        rc = dfp_hash_add(&h, " ", 1);
    }

    if (rc == DFP_OK) {
        rc = dfp_hash_add(&h, second.data, second.len);
    }

    if (dfp_hash_end(&h, sum) != DFP_OK || rc != DFP_OK) {
        return DFP_ERROR;
    }

    hash->len = dfp_hex_print(sum, sizeof(sum), (char *) hash->data)
                - (char *) hash->data;

    return DFP_OK;
}
