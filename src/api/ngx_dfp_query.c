#include "ngx_dfp_query.h"

#include "dfp_url.h"


#define NGX_DFP_QUERY_SECRETS  32


static u_char *ngx_dfp_query_find(u_char *p, u_char *last, const char *name,
    const char *before, u_char **end);
static u_char *ngx_dfp_query_end(u_char *p, u_char *last, const char *after);
static void ngx_dfp_query_hide_in(ngx_str_t text, const char *name);
static ngx_int_t ngx_dfp_query_hide_secrets_in(ngx_http_request_t *r,
    ngx_str_t text);


ngx_int_t
ngx_dfp_query_get(ngx_http_request_t *r, const char *name, ngx_str_t *value)
{
    u_char  *p, *end, *dst;

    ngx_str_null(value);

    if (r->args.len == 0) {
        return NGX_OK;
    }

    p = ngx_dfp_query_find(r->args.data, r->args.data + r->args.len, name,
                           "&", &end);

    if (p == NULL || p == end) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, end - p);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    value->data = dst;
    ngx_unescape_uri(&dst, &p, end - p, 0);
    value->len = dst - value->data;

    return NGX_OK;
}


/* The value of the first NAME that is first or after one of BEFORE, and its end.
 * NULL: there is none. */

static u_char *
ngx_dfp_query_find(u_char *p, u_char *last, const char *name,
    const char *before, u_char **end)
{
    size_t  len;

    len = ngx_strlen(name);

    for ( /* void */ ; p < last; p = ngx_dfp_query_end(p, last, before) + 1) {

        if ((size_t) (last - p) >= len && ngx_memcmp(p, name, len) == 0) {
            p += len;

            /* a request line has a space after the last parameter */

            *end = ngx_dfp_query_end(p, last, "&# ");

            return p;
        }
    }

    return NULL;
}


static u_char *
ngx_dfp_query_end(u_char *p, u_char *last, const char *after)
{
    while (p < last && ngx_strchr(after, *p) == NULL) {
        p++;
    }

    return p;
}


void
ngx_dfp_query_hide(ngx_http_request_t *r, const char *name)
{
    ngx_dfp_query_hide_in(r->args, name);
    ngx_dfp_query_hide_in(r->unparsed_uri, name);
    ngx_dfp_query_hide_in(r->request_line, name);
}


static void
ngx_dfp_query_hide_in(ngx_str_t text, const char *name)
{
    u_char  *p, *end, *last;

    if (text.len == 0) {
        return;
    }

    last = text.data + text.len;

    for (p = text.data;
         (p = ngx_dfp_query_find(p, last, name, "&?# ", &end)) != NULL;
         p = end)
    {
        ngx_memset(p, '*', end - p);
    }
}


ngx_int_t
ngx_dfp_query_hide_secrets(ngx_http_request_t *r)
{
    if (ngx_dfp_query_hide_secrets_in(r, r->args) != NGX_OK
        || ngx_dfp_query_hide_secrets_in(r, r->unparsed_uri) != NGX_OK
        || ngx_dfp_query_hide_secrets_in(r, r->request_line) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_query_hide_secrets_in(ngx_http_request_t *r, ngx_str_t text)
{
    u_char     *p;
    size_t      i, n;
    dfp_mem_t   mem;
    dfp_str_t   secrets[NGX_DFP_QUERY_SECRETS];

    mem = ngx_dfp_mem(r->pool);

    if (dfp_url_secrets(&mem, ngx_dfp_dfp_str(text), secrets,
                        NGX_DFP_QUERY_SECRETS, &n)
        != DFP_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        p = (u_char *) secrets[i].data;

        ngx_memset(p, '*', ngx_dfp_query_end(p, p + secrets[i].len, " ") - p);
    }

    return NGX_OK;
}
