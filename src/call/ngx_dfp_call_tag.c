#include "ngx_dfp_call.h"
#include "ngx_dfp_header.h"

#include "dfp_escape.h"


static dfp_str_t ngx_dfp_call_tag_client(ngx_http_request_t *r,
    ngx_uint_t application);


ngx_int_t
ngx_dfp_call_tag(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    dfp_mem_t        mem;
    dfp_str_t        text;
    ngx_dfp_call_t  *call;

    call = ngx_dfp_request_data(r);

    if (call) {
        text = data ? call->application : call->tag;

    } else {
        text = ngx_dfp_call_tag_client(r, data);
    }

    mem = ngx_dfp_mem(r->pool);

    if (dfp_escape(&mem, text, &text) != DFP_OK) {
        return NGX_ERROR;
    }

    ngx_dfp_variable(v, ngx_dfp_str(text));

    return NGX_OK;
}


/* The headers that dfdaemon's proxy has from its clients. */

static dfp_str_t
ngx_dfp_call_tag_client(ngx_http_request_t *r, ngx_uint_t application)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    static ngx_str_t  names[] = {
        ngx_string("X-Dragonfly-Tag"), ngx_string("X-Dragonfly-Application")
    };

    n = 0;
    h = ngx_dfp_header_find(&r->headers_in.headers, &names[application], &n);

    return h ? ngx_dfp_dfp_str(h->value) : DFP_STR_NULL;
}
