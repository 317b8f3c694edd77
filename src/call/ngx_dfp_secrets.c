#include "ngx_dfp_secrets.h"

#include "dfp_escape.h"
#include "dfp_mask.h"


static ngx_uint_t ngx_dfp_secrets_known(ngx_array_t *secrets, dfp_str_t value);
static ngx_int_t ngx_dfp_secrets_header(ngx_array_t *secrets, dfp_str_t value);


ngx_int_t
ngx_dfp_secrets_init(ngx_array_t *secrets, ngx_pool_t *pool)
{
    return ngx_array_init(secrets, pool, 8, sizeof(dfp_str_t));
}


ngx_int_t
ngx_dfp_secrets_add(ngx_array_t *secrets, dfp_str_t value)
{
    size_t      i, n;
    dfp_mem_t   mem;
    dfp_str_t   form[3], *secret;

    mem = ngx_dfp_mem(secrets->pool);

    for (i = value.len; i > 0 && value.data[i - 1] != ' '; i--) { /* void */ }

    form[0] = value;
    form[1] = (dfp_str_t) { value.len - i, value.data + i };

    if (dfp_escape(&mem, form[1], &form[2]) != DFP_OK) {
        return NGX_ERROR;
    }

    n = (form[2].data == form[1].data) ? 2 : 3;

    for (i = (form[1].len == value.len); i < n; i++) {

        if (ngx_dfp_secrets_known(secrets, form[i])) {
            continue;
        }

        secret = ngx_array_push(secrets);
        if (secret == NULL) {
            return NGX_ERROR;
        }

        *secret = form[i];
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_dfp_secrets_known(ngx_array_t *secrets, dfp_str_t value)
{
    dfp_str_t   *secret;
    ngx_uint_t   i;

    secret = secrets->elts;

    for (i = 0; i < secrets->nelts; i++) {
        if (dfp_str_eq(secret[i], value)) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_dfp_secrets_login(ngx_array_t *secrets, dfp_str_t username,
    dfp_str_t password, dfp_str_t basic)
{
    ngx_str_t   value;
    ngx_uint_t  i;
    dfp_str_t   list[3];

    list[0] = basic;
    list[1] = username;
    list[2] = password;

    for (i = 0; i < 3; i++) {
        value = ngx_dfp_str(list[i]);

        list[i].data = (char *) ngx_pstrdup(secrets->pool, &value);

        if (list[i].data == NULL
            || ngx_dfp_secrets_add(secrets, list[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_secrets_job(ngx_array_t *secrets, const dfp_job_t *job)
{
    size_t  i;

    if (ngx_dfp_secrets_add(secrets, job->username) != NGX_OK
        || ngx_dfp_secrets_add(secrets, job->password) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < job->nheaders; i++) {
        if (dfp_job_header_secret(job->headers[i].name)
            && ngx_dfp_secrets_header(secrets, job->headers[i].value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* A cookie is a list of "name=value", and so may be others; "Bearer TOKEN". */

static ngx_int_t
ngx_dfp_secrets_header(ngx_array_t *secrets, dfp_str_t value)
{
    size_t      i;
    dfp_str_t   part;
    ngx_uint_t  parts;

    parts = 0;
    part = value;
    part.len = 0;

    for (i = 0; i <= value.len; i++) {

        if (i < value.len && memchr("=;, ", value.data[i], 4) == NULL) {
            part.len++;
            continue;
        }

        if (part.len >= NGX_DFP_SECRET_PART_MIN
            && parts++ < NGX_DFP_SECRET_PARTS_MAX
            && ngx_dfp_secrets_add(secrets, part) != NGX_OK)
        {
            return NGX_ERROR;
        }

        part.data = value.data + i + 1;
        part.len = 0;
    }

    return ngx_dfp_secrets_add(secrets, value);
}


ngx_int_t
ngx_dfp_secrets_url(ngx_array_t *secrets, dfp_str_t url)
{
    size_t      i, n;
    dfp_mem_t   mem;
    dfp_str_t   values[NGX_DFP_URL_SECRETS];

    mem = ngx_dfp_mem(secrets->pool);

    if (dfp_url_secrets(&mem, url, values, NGX_DFP_URL_SECRETS, &n)
        != DFP_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_dfp_secrets_add(secrets, values[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_secrets_copy(ngx_array_t *copy, ngx_array_t *secrets)
{
    ngx_str_t    from;
    dfp_str_t   *secret, *to;
    ngx_uint_t   i;

    for (i = 0; secrets && i < secrets->nelts; i++) {
        secret = secrets->elts;
        from = ngx_dfp_str(secret[i]);

        to = ngx_array_push(copy);
        if (to == NULL) {
            return NGX_ERROR;
        }

        to->len = from.len;
        to->data = (char *) ngx_pstrdup(copy->pool, &from);

        if (to->data == NULL) {
            copy->nelts--;
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_str_t
ngx_dfp_secrets_mask(ngx_array_t *secrets, ngx_pool_t *pool, ngx_str_t text)
{
    dfp_mem_t  mem;
    dfp_str_t  masked;

    mem = ngx_dfp_mem(pool);

    if (dfp_mask(&mem, ngx_dfp_dfp_str(text), secrets->elts,
                 secrets->nelts, &masked)
        != DFP_OK)
    {
        masked.len = 0;

    } else if (masked.data == (char *) text.data) {

        /* nothing was hidden; TEXT may go before POOL does */

        masked.data = dfp_strdup(&mem, masked.data, masked.len);

        if (masked.data == NULL) {
            masked.len = 0;
        }
    }

    return ngx_dfp_str(masked);
}
