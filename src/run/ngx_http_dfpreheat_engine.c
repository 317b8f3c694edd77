#include "ngx_http_dfpreheat_engine.h"


void
ngx_http_dfpreheat_list_add(ngx_http_dfpreheat_list_t *list,
    ngx_str_t *hostname, ngx_str_t *ip, ngx_str_t *url, ngx_str_t *description)
{
    dfp_buf_t  *b;

    if (list->n == NGX_HTTP_DFPREHEAT_RESULTS_MAX) {
        list->omitted++;
        return;
    }

    b = &list->json;

    dfp_buf_cstr(b, list->n++ ? ",{" : "{");

    if (description) {
        dfp_buf_cstr(b, "\"description\":");
        dfp_buf_json(b, ngx_http_dfpreheat_dfp(*description));
        dfp_buf_cstr(b, ",");
    }

    dfp_buf_cstr(b, "\"hostname\":");
    dfp_buf_json(b, ngx_http_dfpreheat_dfp(*hostname));
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, ngx_http_dfpreheat_dfp(*ip));

    if (url) {
        dfp_buf_cstr(b, ",\"url\":");
        dfp_buf_json(b, ngx_http_dfpreheat_dfp(*url));
    }

    dfp_buf_cstr(b, "}");
}
