#include "ngx_dfp_conf.h"


static ngx_int_t ngx_dfp_conf_verify_url(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *origin);
static ngx_int_t ngx_dfp_conf_verify_bind(ngx_conf_t *cf,
    ngx_dfp_loc_conf_t *dlcf, ngx_str_t *origin);


/* The front is an origin of this location, but of no job: it is not among the
 * bindings. */

char *
ngx_dfp_conf_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_loc_conf_t *dlcf = conf;

    ngx_str_t                 *value, origin;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_dfp_main_conf_t       *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);

    if (mcf->verify) {
        return "is duplicate";
    }

    if (dlcf->origins || dlcf->redirects) {
        return "cannot be in a location that has dfpreheat_origin or "
               "dfpreheat_redirect";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->named) {
        return "must be in a named location, for example \"location "
               "@dfpreheat_verify\": clients must not reach it";
    }

    value = cf->args->elts;

    if (ngx_dfp_conf_verify_url(cf, &value[1], &origin) != NGX_OK
        || ngx_dfp_conf_verify_bind(cf, dlcf, &origin) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_dfp_conf_verify_url(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *origin)
{
    dfp_err_t  err;
    dfp_mem_t  mem;
    dfp_url_t  url;

    mem = ngx_dfp_mem(cf->pool);

    if (dfp_url_parse(&mem, ngx_dfp_dfp_str(*value), "dfpreheat_verify", &url,
                      &err)
        != DFP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err.text);
        return NGX_ERROR;
    }

    if (url.path.len > 1 || url.query.data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_verify \"%V\" must be scheme, host and "
                           "port only: %*s", value, url.origin.len,
                           url.origin.data);
        return NGX_ERROR;
    }

    *origin = ngx_dfp_str(url.origin);

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_conf_verify_bind(ngx_conf_t *cf, ngx_dfp_loc_conf_t *dlcf,
    ngx_str_t *origin)
{
    ngx_dfp_rule_t            *rule;
    ngx_dfp_binding_t         *binding;
    ngx_dfp_main_conf_t       *mcf;
    ngx_http_core_loc_conf_t  *clcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    binding = ngx_pcalloc(cf->pool, sizeof(ngx_dfp_binding_t));
    dlcf->origins = ngx_array_create(cf->pool, 1, sizeof(ngx_dfp_rule_t));

    if (binding == NULL || dlcf->origins == NULL) {
        return NGX_ERROR;
    }

    rule = ngx_array_push(dlcf->origins);
    if (rule == NULL) {
        return NGX_ERROR;
    }

    rule->kind = NGX_DFP_RULE_FULL;
    rule->text = *origin;

    binding->rule = *rule;
    binding->ctx = cf->ctx;
    binding->location = clcf->name;

    dlcf->named = 1;
    dlcf->verify = 1;
    mcf->verify = binding;

    return NGX_OK;
}
