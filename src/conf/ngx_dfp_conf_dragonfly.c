#include "ngx_dfp_conf.h"


static ngx_int_t ngx_dfp_conf_dragonfly_param(ngx_conf_t *cf,
    ngx_dfp_cluster_t *cluster, ngx_str_t *value);
static ngx_int_t ngx_dfp_conf_map(ngx_conf_t *cf,
    ngx_dfp_dragonfly_t *dragonfly, ngx_str_t *value, ngx_str_t *rest);
static ngx_int_t ngx_dfp_conf_map_origin(ngx_conf_t *cf, ngx_str_t *value,
    u_char *text, size_t len, ngx_str_t *origin);
static ngx_int_t ngx_dfp_conf_schedulers(ngx_conf_t *cf,
    ngx_dfp_cluster_t *cluster, ngx_str_t *value);
static ngx_int_t ngx_dfp_conf_scheduler(ngx_conf_t *cf,
    ngx_dfp_dragonfly_t *dragonfly, ngx_url_t *u, ngx_addr_t *addr,
    ngx_uint_t tls);
static ngx_dfp_binding_t *ngx_dfp_conf_grpc_location(ngx_conf_t *cf,
    ngx_dfp_cluster_t *cluster, ngx_str_t *name);
static ngx_int_t ngx_dfp_conf_check_grpc(ngx_conf_t *cf,
    ngx_dfp_binding_t *binding, ngx_uint_t tls);
static ngx_uint_t ngx_dfp_conf_schedulers_tls(ngx_dfp_dragonfly_t *dragonfly);


char *
ngx_dfp_conf_grpc(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_loc_conf_t *dlcf = conf;

    char                      *rv;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_dfp_binding_t         *binding;
    ngx_dfp_main_conf_t       *mcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || !dlcf->grpc) {
        return rv;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->named) {
        return "must be in a named location, for example \"location "
               "@dfpreheat_grpc\"";
    }

    binding = ngx_array_push(&mcf->grpc);
    if (binding == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(binding, sizeof(ngx_dfp_binding_t));

    binding->ctx = cf->ctx;
    binding->location = clcf->name;

    return NGX_CONF_OK;
}


char *
ngx_dfp_conf_dragonfly(ngx_conf_t *cf, ngx_dfp_cluster_t *cluster,
    ngx_str_t *value, ngx_uint_t n)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_pool_cleanup_t   *cln;
    ngx_dfp_dragonfly_t  *dragonfly;

    dragonfly = ngx_pcalloc(cf->pool, sizeof(ngx_dfp_dragonfly_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (dragonfly == NULL || cln == NULL
        || ngx_array_init(&dragonfly->schedulers, cf->pool, 2,
                          sizeof(ngx_dfp_server_t))
           != NGX_OK
        || ngx_array_init(&dragonfly->map, cf->pool, 2, sizeof(ngx_keyval_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cluster->dragonfly = dragonfly;

    cln->handler = ngx_dfp_listed_forget;
    cln->data = dragonfly;

    for (i = 0; i < n; i++) {

        rc = ngx_dfp_conf_dragonfly_param(cf, cluster, &value[i]);

        if (rc == NGX_DECLINED) {
            rc = ngx_dfp_conf_schedulers(cf, cluster, &value[i]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (dragonfly->schedulers.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster %L: engine=%V needs the address "
                           "of a scheduler, for example \"scheduler-1:%d\"",
                           cluster->id, &cluster->engine->name,
                           NGX_DFP_SCHEDULER_PORT);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_dfp_conf_dragonfly_param(ngx_conf_t *cf, ngx_dfp_cluster_t *cluster,
    ngx_str_t *value)
{
    ngx_int_t             flag;
    ngx_str_t             rest;
    ngx_dfp_dragonfly_t  *dragonfly;

    dragonfly = cluster->dragonfly;

    if (ngx_dfp_conf_param(value, "location=", &rest)) {
        dragonfly->via = rest;
        return NGX_OK;
    }

    if (ngx_dfp_conf_param(value, "peers_location=", &rest)) {
        dragonfly->peers_via = rest;
        return NGX_OK;
    }

    if (ngx_dfp_conf_param(value, "map=", &rest)) {
        return ngx_dfp_conf_map(cf, dragonfly, value, &rest);
    }

    if (ngx_dfp_conf_param(value, "peers_tls=", &rest)) {
        flag = ngx_dfp_conf_flag(cf, value, &rest);
        dragonfly->peers_tls = (flag == 1);
        return flag == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    if (ngx_dfp_conf_param(value, "blob_digest=", &rest)) {
        flag = ngx_dfp_conf_flag(cf, value, &rest);
        dragonfly->blob_digest = (flag == 1);
        return flag == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    return NGX_DECLINED;
}


/* map=FROM=TO; an origin has no "=". */

static ngx_int_t
ngx_dfp_conf_map(ngx_conf_t *cf, ngx_dfp_dragonfly_t *dragonfly,
    ngx_str_t *value, ngx_str_t *rest)
{
    u_char        *p, *last;
    ngx_keyval_t  *pair;

    last = rest->data + rest->len;
    p = ngx_strlchr(rest->data, last, '=');

    if (p == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster: \"%V\" must be two origins, "
                           "for example "
                           "map=https://index.docker.io=https://docker.io",
                           value);
        return NGX_ERROR;
    }

    pair = ngx_array_push(&dragonfly->map);
    if (pair == NULL) {
        return NGX_ERROR;
    }

    if (ngx_dfp_conf_map_origin(cf, value, rest->data,
                                p - rest->data, &pair->key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_conf_map_origin(cf, value, p + 1, last - p - 1,
                                   &pair->value);
}


static ngx_int_t
ngx_dfp_conf_map_origin(ngx_conf_t *cf, ngx_str_t *value, u_char *text,
    size_t len, ngx_str_t *origin)
{
    dfp_err_t  err;
    dfp_mem_t  mem;
    dfp_str_t  s;
    dfp_url_t  url;

    mem = ngx_dfp_mem(cf->pool);
    s.data = (char *) text;
    s.len = len;

    if (dfp_url_parse(&mem, s, "dfpreheat_cluster: map=", &url, &err)
        != DFP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err.text);
        return NGX_ERROR;
    }

    if (url.path.len > 1 || url.query.data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster: \"%V\": an origin consists of "
                           "scheme, host and port only", value);
        return NGX_ERROR;
    }

    *origin = ngx_dfp_str(url.origin);

    return NGX_OK;
}


/* [grpc://|grpcs://]host[:port]; a name may have several addresses. */

static ngx_int_t
ngx_dfp_conf_schedulers(ngx_conf_t *cf, ngx_dfp_cluster_t *cluster,
    ngx_str_t *value)
{
    ngx_url_t   u;
    ngx_str_t   rest;
    ngx_uint_t  i, tls;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;
    u.default_port = NGX_DFP_SCHEDULER_PORT;
    tls = 0;

    if (ngx_dfp_conf_param(value, "grpc://", &rest)) {
        u.url = rest;

    } else if (ngx_dfp_conf_param(value, "grpcs://", &rest)) {
        u.url = rest;
        tls = 1;
    }

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0
        || u.family == AF_UNIX || u.uri.len)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster %L: %s \"%V\": it must be the "
                           "address of a scheduler (host:port, grpc://, "
                           "grpcs://), location=, peers_location=, "
                           "peers_tls=, blob_digest= or map=", cluster->id,
                           u.err ? u.err : "invalid parameter", value);
        return NGX_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {

        if (cluster->dragonfly->schedulers.nelts == NGX_DFP_SCHEDULERS_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_cluster %L: too many scheduler "
                               "addresses: the maximum is %d", cluster->id,
                               NGX_DFP_SCHEDULERS_MAX);
            return NGX_ERROR;
        }

        if (ngx_dfp_conf_scheduler(cf, cluster->dragonfly, &u,
                                   &u.addrs[i], tls)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_conf_scheduler(ngx_conf_t *cf, ngx_dfp_dragonfly_t *dragonfly,
    ngx_url_t *u, ngx_addr_t *addr, ngx_uint_t tls)
{
    u_char            *p;
    size_t             len;
    ngx_dfp_server_t  *server;

    server = ngx_array_push(&dragonfly->schedulers);
    if (server == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_dfp_server_t));

    len = u->host.len + addr->name.len + sizeof("the scheduler  ():65535");

    server->authority.data = ngx_pnalloc(cf->pool, len);
    server->name.data = ngx_pnalloc(cf->pool, len);

    if (server->authority.data == NULL || server->name.data == NULL) {
        return NGX_ERROR;
    }

    /* certificates are issued for names */

    p = ngx_sprintf(server->authority.data, "%V:%d", &u->host,
                    (int) ngx_inet_get_port(addr->sockaddr));
    server->authority.len = p - server->authority.data;

    p = ngx_sprintf(server->name.data, "the scheduler %V", &addr->name);
    server->name.len = p - server->name.data;
    *p = '\0';

    server->sockaddr = addr->sockaddr;
    server->socklen = addr->socklen;
    server->tls = tls;

    return NGX_OK;
}


ngx_int_t
ngx_dfp_conf_check_dragonfly(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    ngx_uint_t            i, k;
    ngx_dfp_server_t     *server;
    ngx_dfp_cluster_t    *cluster;
    ngx_dfp_dragonfly_t  *dragonfly;

    cluster = mcf->clusters.elts;

    for (i = 0; i < mcf->clusters.nelts; i++) {

        dragonfly = cluster[i].dragonfly;

        if (dragonfly == NULL) {
            continue;
        }

        if (dragonfly->peers_via.len == 0) {
            dragonfly->peers_via = dragonfly->via;
        }

        dragonfly->location = ngx_dfp_conf_grpc_location(cf, &cluster[i],
                                                       &dragonfly->via);
        dragonfly->peers_location = ngx_dfp_conf_grpc_location(cf, &cluster[i],
            &dragonfly->peers_via);

        if (dragonfly->location == NULL || dragonfly->peers_location == NULL
            || ngx_dfp_conf_check_grpc(cf, dragonfly->location,
                             ngx_dfp_conf_schedulers_tls(dragonfly))
               != NGX_OK
            || ngx_dfp_conf_check_grpc(cf, dragonfly->peers_location,
                                           dragonfly->peers_tls)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        server = dragonfly->schedulers.elts;

        for (k = 0; k < dragonfly->schedulers.nelts; k++) {
            server[k].location = dragonfly->location;
        }
    }

    return NGX_OK;
}


/* The location with this name, or the only one where the name is empty. */

static ngx_dfp_binding_t *
ngx_dfp_conf_grpc_location(ngx_conf_t *cf, ngx_dfp_cluster_t *cluster,
    ngx_str_t *name)
{
    ngx_uint_t            i, n;
    ngx_dfp_binding_t    *binding, *found;
    ngx_dfp_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);
    binding = mcf->grpc.elts;

    if (mcf->grpc.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster %L needs a gRPC location, for "
                           "example \"location @dfpreheat_grpc { include "
                           "dfpreheat_grpc.conf; }\"", cluster->id);
        return NULL;
    }

    if (name->len == 0 && mcf->grpc.nelts == 1) {
        return binding;
    }

    if (name->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "several locations have dfpreheat_grpc: "
                           "dfpreheat_cluster %L must name its own, for "
                           "example \"location=%V\"", cluster->id,
                           &binding[0].location);
        return NULL;
    }

    found = NULL;
    n = 0;

    for (i = 0; i < mcf->grpc.nelts; i++) {
        if (binding[i].location.len == name->len
            && ngx_strncmp(binding[i].location.data, name->data, name->len)
               == 0)
        {
            found = &binding[i];
            n++;
        }
    }

    if (n == 1) {
        return found;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "dfpreheat_cluster %L: there %s \"%V\" with "
                       "dfpreheat_grpc", cluster->id,
                       n ? "are several locations" : "is no location", name);
    return NULL;
}


static ngx_int_t
ngx_dfp_conf_check_grpc(ngx_conf_t *cf, ngx_dfp_binding_t *binding,
    ngx_uint_t tls)
{
    ngx_http_upstream_conf_t  *upstream;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_dfp_main_conf_t       *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);
    clcf = binding->ctx->loc_conf[ngx_http_core_module.ctx_index];
    upstream = ngx_dfp_binding_upstream(cf->cycle, binding->ctx->loc_conf,
                                        NGX_DFP_GRPC_MODULE);

    /* grpc_pass with a variable has no upstream before a request comes */

    if (upstream == NULL || upstream->upstream || clcf->handler == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the location %V has dfpreheat_grpc and needs "
                           "\"grpc_pass $dfpreheat_target\"",
                           &binding->location);
        return NGX_ERROR;
    }

    if (!tls || mcf->skip_verify) {
        return NGX_OK;
    }

#if (NGX_HTTP_SSL)

    if (upstream->ssl_verify) {
        return NGX_OK;
    }

#endif

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "the location %V does not verify certificates: add "
                       "\"grpc_ssl_verify on\" and "
                       "\"grpc_ssl_trusted_certificate\", or set "
                       "\"dfpreheat_insecure_skip_verify on\" for all "
                       "locations",
                       &binding->location);
    return NGX_ERROR;
}


static ngx_uint_t
ngx_dfp_conf_schedulers_tls(ngx_dfp_dragonfly_t *dragonfly)
{
    ngx_uint_t         i;
    ngx_dfp_server_t  *server;

    server = dragonfly->schedulers.elts;

    for (i = 0; i < dragonfly->schedulers.nelts; i++) {
        if (server[i].tls) {
            return 1;
        }
    }

    return 0;
}
