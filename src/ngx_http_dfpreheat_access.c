#include "ngx_http_dfpreheat_access.h"


static ngx_str_t ngx_http_dfpreheat_access_repository(ngx_str_t *uri);


ngx_int_t
ngx_http_dfpreheat_access_key(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char           *p;
    dfp_str_t         credential;
    ngx_str_t         repository;
    ngx_table_elt_t  *h;

    /* the request that is asked about */
    r = r->main;

    h = r->headers_in.authorization;
    credential = h ? ngx_http_dfpreheat_dfp(h->value) : DFP_STR("");
    repository = ngx_http_dfpreheat_access_repository(&r->uri);

    p = ngx_pnalloc(r->pool, DFP_TOKEN_HASH_LEN + 1 + repository.len);

    if (p == NULL || dfp_token_hash(credential, (char *) p) != DFP_OK) {
        return NGX_ERROR;
    }

    v->data = p;

    p += DFP_TOKEN_HASH_LEN;
    *p++ = ' ';
    p = ngx_cpymem(p, repository.data, repository.len);

    v->len = p - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* Up to the last part of the path that is the API's own, as "/blobs/". */

static ngx_str_t
ngx_http_dfpreheat_access_repository(ngx_str_t *uri)
{
    size_t     i, k, len;
    ngx_str_t  repository;

    static ngx_str_t  parts[] = {
        ngx_string("/manifests/"), ngx_string("/blobs/"),
        ngx_string("/referrers/"), ngx_null_string
    };

    repository = *uri;

    for (i = uri->len; i > 0; i--) {

        for (k = 0; parts[k].len; k++) {
            len = parts[k].len;

            if (uri->len - (i - 1) >= len
                && ngx_memcmp(&uri->data[i - 1], parts[k].data, len) == 0)
            {
                repository.len = i - 1;
                return repository;
            }
        }
    }

    return repository;
}
