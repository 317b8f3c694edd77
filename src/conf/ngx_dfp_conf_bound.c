#include "ngx_dfp_access.h"
#include "ngx_dfp_conf.h"


ngx_int_t
ngx_dfp_conf_bound(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    void                 ***loc_conf;
    ngx_http_conf_ctx_t    *ctx;

    ctx = cf->ctx;

    loc_conf = ngx_array_push(&mcf->bound);
    if (loc_conf == NULL) {
        return NGX_ERROR;
    }

    *loc_conf = ctx->loc_conf;

    return NGX_OK;
}


ngx_int_t
ngx_dfp_conf_init_bound(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    void        ***loc_conf;
    ngx_uint_t     i;

    loc_conf = mcf->bound.elts;

    for (i = 0; i < mcf->bound.nelts; i++) {
        if (ngx_dfp_conf_files(cf, loc_conf[i]) != NGX_OK
            || ngx_dfp_access_location(cf, loc_conf[i]) != NGX_OK
            || ngx_dfp_storable_location(cf, loc_conf[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
