#include "ngx_dfp_conf.h"


ngx_uint_t
ngx_dfp_conf_param(ngx_str_t *value, const char *name, ngx_str_t *rest)
{
    size_t  len;

    len = ngx_strlen(name);

    if (value->len <= len || ngx_strncmp(value->data, name, len) != 0) {
        return 0;
    }

    rest->data = value->data + len;
    rest->len = value->len - len;

    return 1;
}


ngx_int_t
ngx_dfp_conf_flag(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *rest)
{
    if (rest->len == 2 && ngx_strncmp(rest->data, "on", 2) == 0) {
        return 1;
    }

    if (rest->len == 3 && ngx_strncmp(rest->data, "off", 3) == 0) {
        return 0;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "%V: \"%V\" must be on or off", cf->args->elts, value);
    return NGX_ERROR;
}
