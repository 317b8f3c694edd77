#include "ngx_dfp_page.h"
#include "ngx_dfp_query.h"


dfp_rc_t
ngx_dfp_page_parse(ngx_dfp_api_t *api, int64_t most, dfp_page_t *page,
    dfp_err_t *err)
{
    ngx_str_t  number, size;

    if (ngx_dfp_query_get(api->r, "page=", &number) != NGX_OK
        || ngx_dfp_query_get(api->r, "per_page=", &size) != NGX_OK)
    {
        return DFP_ERROR;
    }

    return dfp_page_parse(ngx_dfp_dfp_str(number), ngx_dfp_dfp_str(size), most,
                          page, err);
}


ngx_int_t
ngx_dfp_page_headers(ngx_dfp_api_t *api, const dfp_page_t *page,
    const char *path, dfp_buf_t *filters, int64_t total)
{
    dfp_buf_t  link, count;

    dfp_buf_init(&link, &api->mem, 512, 0);
    dfp_page_link(&link, page, path, dfp_buf_value(filters), total);
    dfp_buf_append(&link, "", 1);

    dfp_buf_init(&count, &api->mem, NGX_INT64_LEN + 1, 0);
    dfp_buf_int(&count, total);
    dfp_buf_append(&count, "", 1);

    if (filters->failed || link.failed || count.failed
        || ngx_dfp_api_header(api, "Link", link.data) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (total < 0) {
        return ngx_dfp_api_header(api, "X-Incomplete-Results", "true");
    }

    return ngx_dfp_api_header(api, "X-Total-Count", count.data);
}
