#include "ngx_dfp_conf.h"
#include "ngx_dfp_binding.h"


static ngx_int_t ngx_dfp_conf_rules(ngx_conf_t *cf, ngx_array_t **rules);
static ngx_int_t ngx_dfp_conf_rule(ngx_conf_t *cf, ngx_str_t *value,
    ngx_dfp_rule_t *rule);
static ngx_int_t ngx_dfp_conf_suffix(ngx_conf_t *cf, ngx_str_t *value,
    ngx_dfp_rule_t *rule);
static ngx_int_t ngx_dfp_conf_bind(ngx_conf_t *cf, ngx_dfp_rule_t *rule);
static ngx_int_t ngx_dfp_conf_check_location(ngx_conf_t *cf, void **loc_conf);
static ngx_int_t ngx_dfp_conf_check_tls(ngx_conf_t *cf, const char *directive,
    ngx_dfp_rule_t *rule, ngx_http_upstream_conf_t *upstream);
static ngx_int_t ngx_dfp_conf_check_pass(ngx_conf_t *cf, const char *directive,
    ngx_dfp_rule_t *rule, ngx_http_upstream_conf_t *upstream);
static ngx_int_t ngx_dfp_conf_check_single(ngx_conf_t *cf, ngx_array_t *rules,
    void **loc_conf, ngx_http_upstream_conf_t *upstream);
static ngx_int_t ngx_dfp_conf_check_cache(ngx_conf_t *cf,
    const char *directive, ngx_dfp_rule_t *rule,
    ngx_http_upstream_conf_t *upstream);
static void ngx_dfp_conf_check_inactive(ngx_conf_t *cf, void ***loc_conf,
    ngx_uint_t i);


char *
ngx_dfp_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_loc_conf_t *dlcf = conf;

    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_dfp_rule_t            *rule;

    if (dlcf->origins) {
        return "is duplicate";
    }

    if (dlcf->redirects) {
        return "cannot be in a location that has dfpreheat_redirect";
    }

    if (ngx_dfp_conf_rules(cf, &dlcf->origins) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    dlcf->named = clcf->named;

    rule = dlcf->origins->elts;

    for (i = 0; i < dlcf->origins->nelts; i++) {

        if (rule[i].kind != NGX_DFP_RULE_FULL && !dlcf->named) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_origin %V must be in a named "
                               "location, for example \"location "
                               "@dfpreheat_calls\": a client's request does "
                               "not name its origin", &rule[i].text);
            return NGX_CONF_ERROR;
        }

        if (ngx_dfp_conf_bind(cf, &rule[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_dfp_conf_redirect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_loc_conf_t *dlcf = conf;

    ngx_http_conf_ctx_t       **ctx;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_dfp_main_conf_t        *mcf;

    if (dlcf->redirects) {
        return "is duplicate";
    }

    if (dlcf->origins) {
        return "cannot be in a location that has dfpreheat_origin";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->named) {
        return "must be in a named location, for example \"location "
               "@dfpreheat_redirect\", as the target of error_page";
    }

    dlcf->named = 1;

    if (ngx_dfp_conf_rules(cf, &dlcf->redirects) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);

    ctx = ngx_array_push(&mcf->redirects);
    if (ctx == NULL) {
        return NGX_CONF_ERROR;
    }

    *ctx = cf->ctx;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_dfp_conf_rules(ngx_conf_t *cf, ngx_array_t **rules)
{
    ngx_str_t       *value;
    ngx_uint_t       i;
    ngx_dfp_rule_t  *rule;

    *rules = ngx_array_create(cf->pool, cf->args->nelts,
                              sizeof(ngx_dfp_rule_t));
    if (*rules == NULL) {
        return NGX_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rule = ngx_array_push(*rules);

        if (rule == NULL
            || ngx_dfp_conf_rule(cf, &value[i], rule) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_conf_rule(ngx_conf_t *cf, ngx_str_t *value, ngx_dfp_rule_t *rule)
{
    dfp_err_t   err;
    dfp_mem_t   mem;
    dfp_url_t   url;
    ngx_str_t  *name;

    name = cf->args->elts;

    if (value->len == 3 && ngx_strncmp(value->data, "any", 3) == 0) {
        rule->kind = NGX_DFP_RULE_ANY;
        rule->text = *value;
        return NGX_OK;
    }

    if (value->len > 1 && value->data[0] == '.') {
        return ngx_dfp_conf_suffix(cf, value, rule);
    }

    mem = ngx_dfp_mem(cf->pool);

    if (dfp_url_parse(&mem, ngx_dfp_dfp_str(*value),
                      (char *) name->data, &url, &err)
        != DFP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s, or .example.com, or any",
                           err.text);
        return NGX_ERROR;
    }

    if (url.path.len > 1 || url.query.data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V \"%V\" must be scheme, host and port only: "
                           "%*s", name, value, url.origin.len,
                           url.origin.data);
        return NGX_ERROR;
    }

    rule->kind = NGX_DFP_RULE_FULL;
    rule->text = ngx_dfp_str(url.origin);

    return NGX_OK;
}


/* The rest after the first "." must be a host. */

static ngx_int_t
ngx_dfp_conf_suffix(ngx_conf_t *cf, ngx_str_t *value, ngx_dfp_rule_t *rule)
{
    dfp_buf_t   b;
    dfp_err_t   err;
    dfp_mem_t   mem;
    dfp_url_t   url;
    ngx_str_t  *name;

    name = cf->args->elts;
    mem = ngx_dfp_mem(cf->pool);

    dfp_buf_init(&b, &mem, value->len + sizeof("https:/"), 0);
    dfp_buf_cstr(&b, "https:/");
    dfp_buf_str(&b, ngx_dfp_dfp_str(*value));

    if (b.failed) {
        return NGX_ERROR;
    }

    b.data[sizeof("https:/") - 1] = '/';

    if (dfp_url_parse(&mem, dfp_buf_value(&b), "it", &url, &err) != DFP_OK
        || url.host.len != value->len - 1)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V \"%V\" must have a host name after the first "
                           "\".\", for example .example.com", name, value);
        return NGX_ERROR;
    }

    rule->kind = NGX_DFP_RULE_SUFFIX;
    rule->text = *value;
    ngx_strlow(value->data, value->data, value->len);

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_conf_bind(ngx_conf_t *cf, ngx_dfp_rule_t *rule)
{
    ngx_uint_t                 i;
    ngx_http_conf_ctx_t       *ctx;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_dfp_binding_t         *binding;
    ngx_dfp_main_conf_t       *mcf;

    ctx = cf->ctx;
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    binding = mcf->bindings.elts;

    /* of several servers or named locations, the first would get all calls */

    for (i = 0; i < mcf->bindings.nelts; i++) {

        if (binding[i].rule.text.len != rule->text.len
            || ngx_memcmp(binding[i].rule.text.data, rule->text.data,
                          rule->text.len)
               != 0
            || (binding[i].location.len != 0) != clcf->named)
        {
            continue;
        }

        if (clcf->named) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_origin %V is already bound in "
                               "location %V",
                               &rule->text, &binding[i].location);
            return NGX_ERROR;
        }

        if (binding[i].ctx->srv_conf != ctx->srv_conf) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_origin %V is bound in another "
                               "server: all its locations must be in one "
                               "server",
                               &rule->text);
            return NGX_ERROR;
        }
    }

    binding = ngx_array_push(&mcf->bindings);
    if (binding == NULL) {
        return NGX_ERROR;
    }

    binding->rule = *rule;
    binding->ctx = ctx;
    ngx_str_null(&binding->location);

    if (clcf->named) {
        binding->location = clcf->name;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_conf_check_origins(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    void               ***loc_conf;
    ngx_uint_t            i;
    ngx_dfp_loc_conf_t   *dlcf;

    loc_conf = mcf->bound.elts;

    for (i = 0; i < mcf->bound.nelts; i++) {
        dlcf = loc_conf[i][ngx_http_dfpreheat_module.ctx_index];

        if (dlcf->origins == NULL && dlcf->redirects == NULL) {
            continue;
        }

        if (ngx_dfp_conf_check_location(cf, loc_conf[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_dfp_conf_check_inactive(cf, loc_conf, i);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_conf_check_location(ngx_conf_t *cf, void **loc_conf)
{
    ngx_uint_t                 i;
    const char                *directive;
    ngx_array_t               *rules;
    ngx_http_upstream_conf_t  *upstream;
    ngx_dfp_rule_t            *rule;
    ngx_dfp_loc_conf_t        *dlcf;

    dlcf = loc_conf[ngx_http_dfpreheat_module.ctx_index];
    upstream = ngx_dfp_binding_upstream(cf->cycle, loc_conf,
                                              NGX_DFP_PROXY_MODULE);

    rules = dlcf->origins ? dlcf->origins : dlcf->redirects;
    directive = dlcf->origins ? "dfpreheat_origin" : "dfpreheat_redirect";
    rule = rules->elts;

    if (dlcf->redirects && upstream && upstream->pass_request_headers) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the location of dfpreheat_redirect %V needs "
                           "\"proxy_pass_request_headers off\": request "
                           "headers must not be sent to a redirect's target",
                           &rule->text);
        return NGX_ERROR;
    }

    for (i = 0; i < rules->nelts; i++) {
        if (ngx_dfp_conf_check_tls(cf, directive, &rule[i],
                                   upstream)
            != NGX_OK
            || (dlcf->named
                && ngx_dfp_conf_check_pass(cf, directive, &rule[i], upstream)
                   != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    if (!dlcf->named
        && ngx_dfp_conf_check_single(cf, rules, loc_conf, upstream)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_conf_check_cache(cf, directive, rule, upstream);
}


static ngx_int_t
ngx_dfp_conf_check_tls(ngx_conf_t *cf, const char *directive,
    ngx_dfp_rule_t *rule, ngx_http_upstream_conf_t *upstream)
{
    ngx_dfp_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);

    if (mcf->skip_verify
        || (rule->kind == NGX_DFP_RULE_FULL
            && ngx_strncmp(rule->text.data, "https:", 6) != 0))
    {
        return NGX_OK;
    }

#if (NGX_HTTP_SSL)

    if (upstream && upstream->ssl_verify) {
        return NGX_OK;
    }

#endif

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "the location of %s %V does not verify certificates: "
                       "add \"proxy_ssl_verify on\" and "
                       "\"proxy_ssl_trusted_certificate\", or set "
                       "\"dfpreheat_insecure_skip_verify on\" for all "
                       "locations", directive,
                       &rule->text);
    return NGX_ERROR;
}


/* proxy_pass with a variable has no upstream before a request comes. */

static ngx_int_t
ngx_dfp_conf_check_pass(ngx_conf_t *cf, const char *directive,
    ngx_dfp_rule_t *rule, ngx_http_upstream_conf_t *upstream)
{
    if (upstream && upstream->upstream == NULL) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "the location of %s %V needs \"proxy_pass "
                       "$dfpreheat_target\", so that only the checked address "
                       "is used", directive, &rule->text);
    return NGX_ERROR;
}


/*
 * A client's request does not tell which of several origins it is for, so one
 * host must serve all of them. With a variable in proxy_pass there may be
 * several. /
 */

static ngx_int_t
ngx_dfp_conf_check_single(ngx_conf_t *cf, ngx_array_t *rules, void **loc_conf,
    ngx_http_upstream_conf_t *upstream)
{
    ngx_http_core_loc_conf_t  *clcf;
    ngx_dfp_rule_t            *rule;

    clcf = loc_conf[ngx_http_core_module.ctx_index];
    rule = rules->elts;

    /* a location without a handler has no proxy_pass at all */

    if (rules->nelts == 1 || clcf->handler == NULL || upstream == NULL
        || upstream->upstream)
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "the location of dfpreheat_origin %V and %V needs a "
                       "proxy_pass without variables: with one, clients of "
                       "one origin could get content of the other",
                       &rule[0].text, &rule[1].text);
    return NGX_ERROR;
}


static ngx_int_t
ngx_dfp_conf_check_cache(ngx_conf_t *cf, const char *directive,
    ngx_dfp_rule_t *rule, ngx_http_upstream_conf_t *upstream)
{
#if (NGX_HTTP_CACHE)

    if (upstream && upstream->cache_value) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the location of %s %V needs a proxy_cache without "
                           "variables: with one, a job could warm another "
                           "cache than the clients use", directive,
                           &rule->text);
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


/* What nobody has requested for this time is deleted, also what was warmed for
 * tonight. Each zone is named once. */

static void
ngx_dfp_conf_check_inactive(ngx_conf_t *cf, void ***loc_conf, ngx_uint_t i)
{
#if (NGX_HTTP_CACHE)

    ngx_uint_t                 k;
    ngx_shm_zone_t            *zone;
    ngx_http_file_cache_t     *cache;
    ngx_http_upstream_conf_t  *upstream;

    upstream = ngx_dfp_binding_upstream(cf->cycle, loc_conf[i],
                                        NGX_DFP_PROXY_MODULE);

    zone = upstream ? upstream->cache_zone : NULL;
    cache = zone ? zone->data : NULL;

    if (cache == NULL || cache->inactive >= NGX_DFP_INACTIVE_MIN) {
        return;
    }

    for (k = 0; k < i; k++) {
        upstream = ngx_dfp_binding_upstream(cf->cycle, loc_conf[k],
                                            NGX_DFP_PROXY_MODULE);

        if (upstream && upstream->cache_zone == zone) {
            return;
        }
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "proxy_cache_path: the zone \"%V\" of an origin has "
                       "inactive=%Ts: what a job has warmed is deleted if no "
                       "client requests it for so long; add inactive=7d, or "
                       "at least inactive=1d", &zone->shm.name,
                       cache->inactive);

#endif
}
