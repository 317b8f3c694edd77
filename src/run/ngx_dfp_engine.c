#include "ngx_dfp_engine.h"


void
ngx_dfp_list_add(ngx_dfp_list_t *list, ngx_str_t *hostname, ngx_str_t *ip,
    ngx_str_t *url, ngx_str_t *description)
{
    dfp_buf_t  *b;

    if (list->n == NGX_DFP_RESULTS_MAX) {
        list->omitted++;
        return;
    }

    b = &list->json;

    dfp_buf_cstr(b, list->n++ ? ",{" : "{");

    if (description) {
        dfp_buf_cstr(b, "\"description\":");
        dfp_buf_json(b, ngx_dfp_dfp_str(*description));
        dfp_buf_cstr(b, ",");
    }

    dfp_buf_cstr(b, "\"hostname\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(*hostname));
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(*ip));

    if (url) {
        dfp_buf_cstr(b, ",\"url\":");
        dfp_buf_json(b, ngx_dfp_dfp_str(*url));
    }

    dfp_buf_cstr(b, "}");
}
