#include "ngx_dfp_binding.h"

#include "dfp_credentials.h"


static ngx_uint_t ngx_dfp_binding_match(ngx_dfp_rule_t *rule,
    const dfp_url_t *url);
static ngx_uint_t ngx_dfp_binding_hub(ngx_str_t *origin, const dfp_url_t *url);


ngx_dfp_binding_t *
ngx_dfp_binding_find(ngx_dfp_main_conf_t *conf, const dfp_url_t *url,
    ngx_uint_t named)
{
    ngx_uint_t          i, rank, best;
    ngx_dfp_binding_t  *binding, *found;

    binding = conf->bindings.elts;
    found = NULL;
    best = 0;

    for (i = 0; i < conf->bindings.nelts; i++) {

        rank = 2 * ngx_dfp_binding_match(&binding[i].rule, url);

        if (rank == 0) {
            continue;
        }

        if ((binding[i].location.len != 0) == (named != 0)) {
            rank++;
        }

        if (rank > best) {
            best = rank;
            found = &binding[i];
        }
    }

    return found;
}


/* How specific the rule is for this URL: 0: it does not match, 1: any origin;
 * the longer the suffix, the more. */

static ngx_uint_t
ngx_dfp_binding_match(ngx_dfp_rule_t *rule, const dfp_url_t *url)
{
    size_t       len;
    ngx_str_t   *text;
    const char  *end;

    text = &rule->text;

    switch (rule->kind) {

    case NGX_DFP_RULE_ANY:
        return 1;

    case NGX_DFP_RULE_SUFFIX:

        /* ".example.com" matches example.com, too, as in server_name */

        len = text->len;
        end = url->host.data + url->host.len;

        if ((url->host.len >= len
             && ngx_memcmp(end - len, text->data, len) == 0)
            || (url->host.len == len - 1
                && ngx_memcmp(url->host.data, text->data + 1, len - 1) == 0))
        {
            return 1 + len;
        }

        return 0;

    default: /* NGX_DFP_RULE_FULL */

        if (text->len == url->origin.len
            && ngx_memcmp(text->data, url->origin.data, text->len) == 0)
        {
            return 2 + DFP_HOST_MAX_LEN + 2;
        }

        if (ngx_dfp_binding_hub(text, url)) {
            return 2 + DFP_HOST_MAX_LEN + 1;
        }

        return 0;
    }
}


ngx_uint_t
ngx_dfp_binding_alias(ngx_dfp_binding_t *binding, const dfp_url_t *url)
{
    return binding->rule.kind == NGX_DFP_RULE_FULL
           && !dfp_str_eq(ngx_dfp_dfp_str(binding->rule.text), url->origin);
}


/* docker.io, index.docker.io and registry-1.docker.io are one registry. */

static ngx_uint_t
ngx_dfp_binding_hub(ngx_str_t *origin, const dfp_url_t *url)
{
    dfp_str_t  authority;

    static const ngx_str_t  https = ngx_string("https://");

    if (!url->tls || origin->len < https.len
        || ngx_memcmp(origin->data, https.data, https.len) != 0)
    {
        return 0;
    }

    authority.data = (const char *) origin->data + https.len;
    authority.len = origin->len - https.len;

    return dfp_docker_hub(authority) && dfp_docker_hub(url->authority);
}


ngx_uint_t
ngx_dfp_binding_allowed(ngx_array_t *rules, const dfp_url_t *url)
{
    ngx_uint_t       i;
    ngx_dfp_rule_t  *rule;

    if (rules == NULL) {
        return 0;
    }

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {
        if (ngx_dfp_binding_match(&rule[i], url)) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_dfp_binding_named(ngx_dfp_main_conf_t *conf, ngx_array_t *rules,
    const dfp_url_t *url)
{
    ngx_uint_t          i;
    ngx_dfp_rule_t     *rule;
    ngx_dfp_binding_t  *binding;

    binding = conf->bindings.elts;

    for (i = 0; i < conf->bindings.nelts; i++) {
        if (binding[i].rule.kind == NGX_DFP_RULE_FULL
            && ngx_dfp_binding_match(&binding[i].rule, url))
        {
            return 1;
        }
    }

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {
        if (rule[i].kind == NGX_DFP_RULE_FULL
            && ngx_dfp_binding_match(&rule[i], url))
        {
            return 1;
        }
    }

    return 0;
}


ngx_str_t *
ngx_dfp_binding_first(ngx_array_t *rules)
{
    ngx_uint_t       i;
    ngx_dfp_rule_t  *rule;

    if (rules == NULL) {
        return NULL;
    }

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {
        if (rule[i].kind == NGX_DFP_RULE_FULL) {
            return &rule[i].text;
        }
    }

    return NULL;
}


/*
 * The module's own structure is private; its first member is the configuration
 * of the upstream (ngx_http_proxy_module.c, ngx_http_fastcgi_module.c and the
 * like).
 */

ngx_http_upstream_conf_t *
ngx_dfp_binding_upstream(ngx_cycle_t *cycle, void **loc_conf,
    const char *module)
{
    ngx_uint_t  i;

    for (i = 0; cycle->modules[i]; i++) {
        if (ngx_strcmp(cycle->modules[i]->name, module) == 0) {
            return loc_conf[cycle->modules[i]->ctx_index];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_dfp_binding_verified(ngx_http_request_t *r, const char *module)
{
    ngx_http_upstream_conf_t  *upstream;
    ngx_dfp_main_conf_t       *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);

    if (dmcf->skip_verify) {
        return 1;
    }

    upstream = ngx_dfp_binding_upstream((ngx_cycle_t *) ngx_cycle,
                                        r->loc_conf, module);

#if (NGX_HTTP_SSL)
    return upstream && upstream->ssl_verify;
#else
    return 0;
#endif
}
