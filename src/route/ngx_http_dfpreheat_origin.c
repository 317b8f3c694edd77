#include "ngx_http_dfpreheat_origin.h"


static ngx_uint_t ngx_http_dfpreheat_origin_match(
    ngx_http_dfpreheat_rule_t *rule, const dfp_url_t *url);


ngx_http_dfpreheat_origin_t *
ngx_http_dfpreheat_origin_find(ngx_http_dfpreheat_main_conf_t *conf,
    const dfp_url_t *url, ngx_uint_t named)
{
    ngx_uint_t                    i, rank, best;
    ngx_http_dfpreheat_origin_t  *origin, *found;

    origin = conf->origins.elts;
    found = NULL;
    best = 0;

    for (i = 0; i < conf->origins.nelts; i++) {

        rank = 2 * ngx_http_dfpreheat_origin_match(&origin[i].rule, url);

        if (rank == 0) {
            continue;
        }

        if ((origin[i].location.len != 0) == (named != 0)) {
            rank++;
        }

        if (rank > best) {
            best = rank;
            found = &origin[i];
        }
    }

    return found;
}


/* How well it fits: 0 not at all, 1 any, more the longer a suffix. */

static ngx_uint_t
ngx_http_dfpreheat_origin_match(ngx_http_dfpreheat_rule_t *rule,
    const dfp_url_t *url)
{
    size_t       len;
    ngx_str_t   *text;
    const char  *end;

    text = &rule->text;

    switch (rule->kind) {

    case NGX_HTTP_DFPREHEAT_ORIGIN_ANY:
        return 1;

    case NGX_HTTP_DFPREHEAT_ORIGIN_SUFFIX:

        /* ".example.com" is example.com, too, as it is in server_name */

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

    default: /* NGX_HTTP_DFPREHEAT_ORIGIN_FULL */

        if (text->len == url->origin.len
            && ngx_memcmp(text->data, url->origin.data, text->len) == 0)
        {
            return 2 + DFP_HOST_MAX_LEN + 1;
        }

        return 0;
    }
}


ngx_uint_t
ngx_http_dfpreheat_origin_allowed(ngx_array_t *rules, const dfp_url_t *url)
{
    ngx_uint_t                  i;
    ngx_http_dfpreheat_rule_t  *rule;

    if (rules == NULL) {
        return 0;
    }

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {
        if (ngx_http_dfpreheat_origin_match(&rule[i], url)) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_dfpreheat_origin_named(ngx_http_dfpreheat_main_conf_t *conf,
    ngx_array_t *rules, const dfp_url_t *url)
{
    ngx_uint_t                    i;
    ngx_http_dfpreheat_rule_t    *rule;
    ngx_http_dfpreheat_origin_t  *origin;

    origin = conf->origins.elts;

    for (i = 0; i < conf->origins.nelts; i++) {
        if (origin[i].rule.kind == NGX_HTTP_DFPREHEAT_ORIGIN_FULL
            && ngx_http_dfpreheat_origin_match(&origin[i].rule, url))
        {
            return 1;
        }
    }

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {
        if (rule[i].kind == NGX_HTTP_DFPREHEAT_ORIGIN_FULL
            && ngx_http_dfpreheat_origin_match(&rule[i], url))
        {
            return 1;
        }
    }

    return 0;
}


ngx_str_t *
ngx_http_dfpreheat_origin_first(ngx_array_t *rules)
{
    ngx_uint_t                  i;
    ngx_http_dfpreheat_rule_t  *rule;

    if (rules == NULL) {
        return NULL;
    }

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {
        if (rule[i].kind == NGX_HTTP_DFPREHEAT_ORIGIN_FULL) {
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
ngx_http_dfpreheat_origin_upstream(ngx_cycle_t *cycle, void **loc_conf,
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
ngx_http_dfpreheat_origin_verified(ngx_http_request_t *r, const char *module)
{
    ngx_http_upstream_conf_t        *upstream;
    ngx_http_dfpreheat_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);

    if (dmcf->skip_verify) {
        return 1;
    }

    upstream = ngx_http_dfpreheat_origin_upstream((ngx_cycle_t *) ngx_cycle,
                                                  r->loc_conf, module);

#if (NGX_HTTP_SSL)
    return upstream && upstream->ssl_verify;
#else
    return 0;
#endif
}
