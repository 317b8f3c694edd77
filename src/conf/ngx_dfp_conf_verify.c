#include "ngx_dfp_conf.h"
#include "ngx_dfp_binding.h"


static ngx_int_t ngx_dfp_conf_verify_location(ngx_conf_t *cf,
    ngx_dfp_loc_conf_t *dlcf);
static ngx_dfp_rule_t *ngx_dfp_conf_verify_rule(ngx_conf_t *cf,
    ngx_array_t *rules, ngx_str_t *value, ngx_str_t *path);
static ngx_int_t ngx_dfp_conf_verify_origins(ngx_conf_t *cf,
    ngx_dfp_front_t *front);


/* Fronts are origins of this location, but of no job: they are not among the
 * bindings. */

char *
ngx_dfp_conf_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_loc_conf_t *dlcf = conf;

    u_char               *p;
    ngx_str_t            *value;
    ngx_dfp_rule_t       *rule;
    ngx_dfp_front_t      *front;
    ngx_dfp_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);

    if (dlcf->redirects || (dlcf->origins && !dlcf->verify)) {
        return "cannot be in a location that has dfpreheat_origin or "
               "dfpreheat_redirect";
    }

    if (mcf->verify && !dlcf->verify) {
        return "is in another location already: all of them belong to one";
    }

    if (mcf->verify == NULL
        && ngx_dfp_conf_verify_location(cf, dlcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    front = ngx_array_push(&mcf->fronts);
    if (front == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(front, sizeof(ngx_dfp_front_t));

    rule = ngx_dfp_conf_verify_rule(cf, dlcf->origins, &value[1],
                                    &front->path);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    front->url.len = rule->text.len + front->path.len;
    front->url.data = ngx_pnalloc(cf->pool, front->url.len);

    if (front->url.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(front->url.data, rule->text.data, rule->text.len);
    ngx_memcpy(p, front->path.data, front->path.len);

    return ngx_dfp_conf_verify_origins(cf, front) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_dfp_conf_verify_location(ngx_conf_t *cf, ngx_dfp_loc_conf_t *dlcf)
{
    ngx_dfp_binding_t         *binding;
    ngx_dfp_main_conf_t       *mcf;
    ngx_http_core_loc_conf_t  *clcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->named) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"dfpreheat_verify\" must be in a named location, "
                           "for example \"location @dfpreheat_verify\": "
                           "clients must not reach it");
        return NGX_ERROR;
    }

    binding = ngx_pcalloc(cf->pool, sizeof(ngx_dfp_binding_t));
    dlcf->origins = ngx_array_create(cf->pool, 1, sizeof(ngx_dfp_rule_t));

    if (binding == NULL || dlcf->origins == NULL) {
        return NGX_ERROR;
    }

    binding->ctx = cf->ctx;
    binding->location = clcf->name;

    dlcf->named = 1;
    dlcf->verify = 1;
    mcf->verify = binding;

    return NGX_OK;
}


/* Adds the origin of the URL VALUE to RULES. PATH: what follows it, without a "/"
 * at its end; NULL: nothing may. */

static ngx_dfp_rule_t *
ngx_dfp_conf_verify_rule(ngx_conf_t *cf, ngx_array_t *rules, ngx_str_t *value,
    ngx_str_t *path)
{
    dfp_err_t        err;
    dfp_mem_t        mem;
    dfp_url_t        url;
    ngx_dfp_rule_t  *rule;

    mem = ngx_dfp_mem(cf->pool);

    if (dfp_url_parse(&mem, ngx_dfp_dfp_str(*value), "dfpreheat_verify", &url,
                      &err)
        != DFP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err.text);
        return NULL;
    }

    if (url.query.data || (path == NULL && url.path.len > 1)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_verify \"%V\" must be scheme, host and "
                           "port only%s: %*s", value,
                           path ? ", and a path" : "", url.origin.len,
                           url.origin.data);
        return NULL;
    }

    if (path) {
        *path = ngx_dfp_str(url.path);
        path->len -= (path->data[path->len - 1] == '/');
    }

    rule = ngx_array_push(rules);
    if (rule == NULL) {
        return NULL;
    }

    rule->kind = NGX_DFP_RULE_FULL;
    rule->text = ngx_dfp_str(url.origin);

    return rule;
}


static ngx_int_t
ngx_dfp_conf_verify_origins(ngx_conf_t *cf, ngx_dfp_front_t *front)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (cf->args->nelts == 2) {
        return NGX_OK;
    }

    front->origins = ngx_array_create(cf->pool, cf->args->nelts - 2,
                                      sizeof(ngx_dfp_rule_t));
    if (front->origins == NULL) {
        return NGX_ERROR;
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_dfp_conf_verify_rule(cf, front->origins, &value[i], NULL)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_conf_check_fronts(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    dfp_err_t         err;
    dfp_mem_t         mem;
    dfp_url_t         url;
    ngx_uint_t        i, j, others;
    ngx_dfp_rule_t   *rule;
    ngx_dfp_front_t  *front;

    mem = ngx_dfp_mem(cf->pool);
    front = mcf->fronts.elts;
    others = 0;

    for (i = 0; i < mcf->fronts.nelts; i++) {

        if (front[i].origins == NULL) {
            others++;
            continue;
        }

        rule = front[i].origins->elts;

        for (j = 0; j < front[i].origins->nelts; j++) {

            if (dfp_url_parse(&mem, ngx_dfp_dfp_str(rule[j].text), "it", &url,
                              &err)
                != DFP_OK)
            {
                return NGX_ERROR;
            }

            if (ngx_dfp_binding_find(mcf, &url, 0) == NULL) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "dfpreheat_verify %V is for %V, which no "
                                   "location has as dfpreheat_origin",
                                   &front[i].url, &rule[j].text);
                return NGX_ERROR;
            }
        }
    }

    if (mcf->fronts.nelts && others != 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "one dfpreheat_verify must be without origins: it "
                           "is for all that the others do not name; there are "
                           "%ui", others);
        return NGX_ERROR;
    }

    return NGX_OK;
}
