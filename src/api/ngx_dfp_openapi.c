#include "ngx_dfp_openapi.h"
#include "ngx_dfp_document.h"


void
ngx_dfp_openapi(ngx_dfp_api_t *api)
{
    dfp_buf_t            b;
    ngx_table_elt_t     *tag;
    ngx_http_request_t  *r;

    r = api->r;

    tag = ngx_list_push(&r->headers_out.headers);

    if (tag == NULL) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    ngx_memzero(tag, sizeof(ngx_table_elt_t));

    tag->hash = 1;
    ngx_str_set(&tag->key, "ETag");
    tag->value.data = (u_char *) ngx_dfp_document_tag;
    tag->value.len = ngx_strlen(ngx_dfp_document_tag);

    r->headers_out.etag = tag;
    r->disable_not_modified = 0;

    ngx_str_set(&r->headers_out.content_type, "application/yaml");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    /* sent from where it is */

    ngx_memzero(&b, sizeof(dfp_buf_t));

    b.data = (char *) ngx_dfp_document;
    b.len = ngx_dfp_document_len;

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}
