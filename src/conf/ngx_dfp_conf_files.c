#include "ngx_dfp_conf.h"

#include "dfp_char.h"


static ngx_int_t ngx_dfp_conf_filter_add(ngx_conf_t *cf, ngx_array_t *filter,
    dfp_str_t name);
static ngx_uint_t ngx_dfp_conf_kept_valid(ngx_array_t *kept, dfp_str_t name);


/* Headers of a redirect that are none of the answer to which it leads, or that nginx
 * or caches interpret. */
static const char *const  ngx_dfp_conf_not_kept[] = {
    "Location", "Set-Cookie", "WWW-Authenticate", "Proxy-Authenticate", "Connection",
    "Keep-Alive", "Transfer-Encoding", "Trailer", "Upgrade", "TE", "Date", "Server",
    "Age", "Vary", "Cache-Control", "Expires", "Pragma", "ETag", "Last-Modified",
    "Accept-Ranges", "Retry-After", "Refresh", "Status", NULL
};


char *
ngx_dfp_conf_filter(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_loc_conf_t *dlcf = conf;

    ngx_str_t    *value;
    dfp_str_t     list;
    ngx_uint_t    i;
    const char   *p, *last;

    if (dlcf->filter) {
        return "is duplicate";
    }

    dlcf->filter = ngx_array_create(cf->pool, 32, sizeof(dfp_str_t));
    if (dlcf->filter == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        list = ngx_dfp_dfp_str(value[i]);

        if (dfp_str_eq(list, DFP_STR("default"))) {
            list = dfp_cstr(dfp_job_default_filter);

        } else if (memchr(list.data, '&', list.len)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_filtered_query_params: \"%V\" is not "
                               "a name: separate names by spaces", &value[i]);
            return NGX_CONF_ERROR;
        }

        p = list.data;
        last = p + list.len;

        do {
            if (ngx_dfp_conf_filter_add(cf, dlcf->filter,
                                        dfp_str_until(&p, last, "&"))
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

        } while (p++ < last);
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_dfp_conf_filter_add(ngx_conf_t *cf, ngx_array_t *filter, dfp_str_t name)
{
    size_t      i;
    dfp_str_t  *slot;

    for (i = 0; i < name.len; i++) {
        if ((u_char) name.data[i] < 0x20 || memchr("=?#%", name.data[i], 4)) {
            break;
        }
    }

    if (name.len == 0 || i < name.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_filtered_query_params: \"%*s\" is not the "
                           "name of a parameter", name.len, name.data);
        return NGX_ERROR;
    }

    if (filter->nelts == NGX_DFP_FILTER_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_filtered_query_params has more than %d "
                           "names", NGX_DFP_FILTER_MAX);
        return NGX_ERROR;
    }

    slot = ngx_array_push(filter);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    *slot = name;

    return NGX_OK;
}


char *
ngx_dfp_conf_kept(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_loc_conf_t *dlcf = conf;

    ngx_str_t   *value;
    dfp_str_t   *slot;
    ngx_uint_t   i;

    if (dlcf->kept) {
        return "is duplicate";
    }

    if (cf->args->nelts - 1 > NGX_DFP_KEPT_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_redirect_headers has more than %d names",
                           NGX_DFP_KEPT_MAX);
        return NGX_CONF_ERROR;
    }

    dlcf->kept = ngx_array_create(cf->pool, 4, sizeof(dfp_str_t));
    if (dlcf->kept == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (!ngx_dfp_conf_kept_valid(dlcf->kept, ngx_dfp_dfp_str(value[i]))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_redirect_headers: \"%V\" cannot be kept: "
                               "it is no name of a header, duplicate, or not for "
                               "the answer to which a redirect leads", &value[i]);
            return NGX_CONF_ERROR;
        }

        slot = ngx_array_push(dlcf->kept);
        if (slot == NULL) {
            return NGX_CONF_ERROR;
        }

        *slot = ngx_dfp_dfp_str(value[i]);
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_dfp_conf_kept_valid(ngx_array_t *kept, dfp_str_t name)
{
    size_t      i;
    dfp_str_t  *other;

    other = kept->elts;

    for (i = 0; i < kept->nelts; i++) {
        if (dfp_str_case_eq(name, other[i])) {
            return 0;
        }
    }

    for (i = 0; i < name.len; i++) {
        if (!dfp_tchar(name.data[i])) {
            return 0;
        }
    }

    if (name.len == 0 || dfp_str_case_starts(name, DFP_STR("X-Accel-"))
        || dfp_str_case_starts(name, DFP_STR("Content-")))
    {
        return 0;
    }

    for (i = 0; ngx_dfp_conf_not_kept[i]; i++) {
        if (dfp_str_case_eq(name, dfp_cstr(ngx_dfp_conf_not_kept[i]))) {
            return 0;
        }
    }

    return 1;
}


/* Without a signature in the key, the cache does not know who has one. */

ngx_int_t
ngx_dfp_conf_files(ngx_conf_t *cf, void **loc_conf)
{
    ngx_dfp_loc_conf_t        *dlcf;
    ngx_http_core_loc_conf_t  *clcf;

    dlcf = loc_conf[ngx_http_dfpreheat_module.ctx_index];
    clcf = loc_conf[ngx_http_core_module.ctx_index];

    if ((dlcf->filter || dlcf->kept) && dlcf->origins == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\" has %s but no dfpreheat_origin",
                           &clcf->name, dlcf->kept
                           ? "dfpreheat_redirect_headers"
                           : "dfpreheat_filtered_query_params");
        return NGX_ERROR;
    }

    if (dlcf->filter && !dlcf->access_set) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\" has "
                           "dfpreheat_filtered_query_params: without signatures "
                           "in its cache keys, clients get files without one. "
                           "Add \"dfpreheat_access on;\" to have the origin "
                           "asked about each signature, or \"dfpreheat_access "
                           "off;\" if the files are public", &clcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}
