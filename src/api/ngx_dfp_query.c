#include "ngx_dfp_query.h"


static u_char *ngx_dfp_query_find(u_char *p, u_char *last, const char *name,
    u_char **end);
static void ngx_dfp_query_hide_in(ngx_str_t text, const char *name);


ngx_int_t
ngx_dfp_query_get(ngx_http_request_t *r, const char *name, ngx_str_t *value)
{
    u_char  *p, *end, *dst;

    ngx_str_null(value);

    if (r->args.len == 0) {
        return NGX_OK;
    }

    p = ngx_dfp_query_find(r->args.data, r->args.data + r->args.len, name,
                           &end);

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


/* The value of the first NAME of a query, and its end. NULL: there is none. */

static u_char *
ngx_dfp_query_find(u_char *p, u_char *last, const char *name, u_char **end)
{
    size_t  len;

    len = ngx_strlen(name);

    while (p < last) {

        /* a request line has a space after the last parameter */

        for (*end = p; *end < last && ngx_strchr("&?# ", **end) == NULL;
             (*end)++)
        {
            /* void */
        }

        if ((size_t) (*end - p) >= len && ngx_memcmp(p, name, len) == 0) {
            return p + len;
        }

        p = *end + 1;
    }

    return NULL;
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
         (p = ngx_dfp_query_find(p, last, name, &end)) != NULL;
         p = end)
    {
        ngx_memset(p, '*', end - p);
    }
}
