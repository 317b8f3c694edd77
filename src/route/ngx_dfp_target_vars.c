#include "ngx_dfp_target.h"


#define NGX_DFP_ADDRESS  "dfpreheat_address"


static ngx_int_t ngx_dfp_target_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_dfp_target_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_dfp_target_origin(ngx_http_request_t *r,
    ngx_http_variable_value_t *v);
static ngx_str_t ngx_dfp_target_here(ngx_http_request_t *r);


ngx_int_t
ngx_dfp_target_upstream(ngx_conf_t *cf)
{
    ngx_url_t                      u;
    ngx_http_upstream_srv_conf_t  *us;

    ngx_memzero(&u, sizeof(ngx_url_t));

    ngx_str_set(&u.host, NGX_DFP_ADDRESS);
    u.no_resolve = 1;
    u.no_port = 1;

    us = ngx_http_upstream_add(cf, &u, NGX_HTTP_UPSTREAM_CREATE);
    if (us == NULL) {
        return NGX_ERROR;
    }

    us->peer.init_upstream = ngx_dfp_target_init_upstream;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_target_init_upstream(ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *us)
{
    us->peer.init = ngx_dfp_target_init_peer;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_target_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_dfp_target_t  *target;

    target = ngx_dfp_target_get(r);

    if (target == NULL || !target->ready) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "dfpreheat: $dfpreheat_target is empty: neither a call "
                      "nor a redirect led to this location");
        return NGX_ERROR;
    }

    target->used = 1;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat target \"%V\" is contacted, addresses: %ui",
                   &target->address.host, target->address.naddrs);

    return ngx_http_upstream_create_round_robin_peer(r, &target->address);
}


ngx_dfp_loc_conf_t *
ngx_dfp_target_began(ngx_http_request_t *r)
{
    ngx_dfp_target_t  *target;

    target = ngx_dfp_target_get(r);

    if (target && target->began) {
        return target->began;
    }

    return ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
}


ngx_str_t
ngx_dfp_target_first(ngx_http_request_t *r)
{
    ngx_str_t         *first;
    ngx_dfp_target_t  *target;

    target = ngx_dfp_target_get(r);

    if (target) {
        return target->first;
    }

    first = ngx_dfp_binding_first(ngx_dfp_target_began(r)->origins);

    return first ? *first : (ngx_str_t) ngx_null_string;
}


ngx_int_t
ngx_dfp_target_url(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char            *p;
    ngx_str_t          rest, value;
    const char        *scheme;
    ngx_dfp_target_t  *target;

    target = ngx_dfp_target_get(r);

    if (target == NULL || !target->ready) {
        return ngx_dfp_target_origin(r, v);
    }

    scheme = target->url.tls ? "https" : "http";
    rest.data = (u_char *) target->url.path.data;
    rest.len = target->url.href.len - target->url.origin.len;

    if (target->grpc) {
        scheme = target->url.tls ? "grpcs" : "grpc";
        rest.len = 0;
    }

    p = ngx_pnalloc(r->pool, sizeof("https://" NGX_DFP_ADDRESS)
                             + rest.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%s://" NGX_DFP_ADDRESS "%V", scheme, &rest)
                - p;

    ngx_dfp_variable(v, value);

    return NGX_OK;
}


/* A location of one origin leads there, by nginx's own lookup of the name, which
 * it makes after the cache has been looked into. */

static ngx_int_t
ngx_dfp_target_origin(ngx_http_request_t *r, ngx_http_variable_value_t *v)
{
    ngx_str_t           *first;
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    first = dlcf->pinned ? NULL : ngx_dfp_binding_first(dlcf->origins);

    if (first == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_dfp_variable(v, *first);

    return NGX_OK;
}


ngx_int_t
ngx_dfp_target_host(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char     *p, *last;
    ngx_str_t   host;

    host = ngx_dfp_target_here(r);
    last = host.data + host.len;

    if (host.len && host.data[0] == '[') {
        host.data++;
        p = ngx_strlchr(host.data, last, ']');

    } else {
        p = ngx_strlchr(host.data, last, ':');
    }

    host.len = (p ? p : last) - host.data;

    ngx_dfp_variable(v, host);

    return NGX_OK;
}


ngx_int_t
ngx_dfp_target_authority(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_dfp_variable(v, ngx_dfp_target_here(r));

    return NGX_OK;
}


/* The authority that the request is sent to; "": not known. */

static ngx_str_t
ngx_dfp_target_here(ngx_http_request_t *r)
{
    u_char              *p;
    ngx_str_t            authority, *first;
    ngx_dfp_target_t    *target;
    ngx_dfp_loc_conf_t  *dlcf;

    target = ngx_dfp_target_get(r);

    if (target && target->ready) {
        return ngx_dfp_str(target->url.authority);
    }

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    first = ngx_dfp_binding_first(dlcf->origins);

    if (first == NULL) {
        ngx_str_null(&authority);
        return authority;
    }

    p = (u_char *) ngx_strchr(first->data, '/') + 2;

    authority.data = p;
    authority.len = first->data + first->len - p;

    return authority;
}


ngx_int_t
ngx_dfp_target_token(ngx_http_request_t *r, ngx_str_t *origin,
    ngx_str_t *authorization)
{
    ngx_dfp_target_t  *target;

    target = ngx_dfp_target_get(r);

    if (target == NULL || authorization->len == 0 || target->token.len) {
        return NGX_OK;
    }

    /* the call may be freed while the request waits */

    target->token_for.data = ngx_pstrdup(r->pool, origin);
    target->token.data = ngx_pstrdup(r->pool, authorization);

    if (target->token_for.data == NULL || target->token.data == NULL) {
        return NGX_ERROR;
    }

    target->token_for.len = origin->len;
    target->token.len = authorization->len;

    return NGX_OK;
}


ngx_int_t
ngx_dfp_target_authorization(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_table_elt_t   *h;
    ngx_dfp_target_t  *target;

    h = r->headers_in.authorization;
    target = ngx_dfp_target_get(r);

    if (target && target->hops
        && !dfp_str_eq(ngx_dfp_dfp_str(target->own),
                       target->url.origin))
    {
        if (target->token.len == 0
            || !dfp_str_eq(ngx_dfp_dfp_str(target->token_for),
                           target->url.origin))
        {
            ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "dfpreheat target gets no Authorization: it is "
                           "another origin");

            v->not_found = 1;
            return NGX_OK;
        }

        ngx_dfp_variable(v, target->token);
        return NGX_OK;
    }

    if (h == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_dfp_variable(v, h->value);

    return NGX_OK;
}
