#include "ngx_dfp_once.h"


static ngx_str_t *ngx_dfp_once_key(ngx_http_request_t *r);
static dfp_rc_t ngx_dfp_once_hash(ngx_dfp_api_t *api, dfp_str_t text,
    ngx_str_t *hash);


dfp_rc_t
ngx_dfp_once(ngx_dfp_api_t *api, dfp_err_t *err)
{
    size_t      i;
    dfp_rc_t    rc;
    dfp_buf_t   b;
    ngx_str_t  *key;

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

    dfp_buf_init(&b, &api->mem, 32 + key->len, 0);
    dfp_buf_int(&b, api->auth.token.id);
    dfp_buf_cstr(&b, " ");
    dfp_buf_str(&b, ngx_dfp_dfp_str(*key));

    if (b.failed) {
        return DFP_ERROR;
    }

    rc = ngx_dfp_once_hash(api, dfp_buf_value(&b), &api->stored.once);

    if (rc == DFP_OK) {
        rc = ngx_dfp_once_hash(api, ngx_dfp_dfp_str(api->body),
                               &api->stored.body_hash);
    }

    return rc;
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
ngx_dfp_once_hash(ngx_dfp_api_t *api, dfp_str_t text, ngx_str_t *hash)
{
    hash->len = DFP_SHA256_HEX_LEN;
    hash->data = ngx_pnalloc(api->r->pool, hash->len + 1);

    return hash->data ? dfp_sha256_hex(text, (char *) hash->data) : DFP_ERROR;
}
