#include "ngx_dfp_conf.h"
#include "ngx_dfp_engine_cache.h"
#include "ngx_dfp_engine_peers.h"
#include "ngx_dfp_engine_scheduler.h"


static ngx_int_t ngx_dfp_conf_redis_param(ngx_conf_t *cf,
    ngx_dfp_redis_conf_t *redis, ngx_str_t *value);
static ngx_int_t ngx_dfp_conf_redis_addr(ngx_conf_t *cf,
    ngx_dfp_redis_conf_t *redis, ngx_str_t *value);
static char *ngx_dfp_conf_cluster_params(ngx_conf_t *cf,
    ngx_dfp_cluster_t *cluster);
static ngx_dfp_engine_t *ngx_dfp_conf_engine(ngx_str_t *name);


/* The table of engines. */

static ngx_dfp_engine_t  *ngx_dfp_engines[] = {
    &ngx_dfp_engine_cache,
    &ngx_dfp_engine_peers,
    &ngx_dfp_engine_scheduler,
    NULL
};


char *
ngx_dfp_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    ngx_int_t              rc;
    ngx_str_t             *value;
    ngx_uint_t             i;
    ngx_dfp_redis_conf_t  *redis;

    redis = &mcf->redis;

    if (redis->addrs.nelts) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_dfp_conf_redis_param(cf, redis, &value[i]);

        if (rc == NGX_DECLINED) {
            rc = ngx_dfp_conf_redis_addr(cf, redis, &value[i]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (redis->addrs.nelts == 0) {
        return "has no address";
    }

    if (redis->user.len && redis->password.len == 0) {
        return "has user= but no password_file=";
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_dfp_conf_redis_param(ngx_conf_t *cf, ngx_dfp_redis_conf_t *redis,
    ngx_str_t *value)
{
    ngx_str_t  rest;

    if (ngx_dfp_conf_param(value, "user=", &rest)) {
        redis->user = rest;
        return NGX_OK;
    }

    if (ngx_dfp_conf_param(value, "prefix=", &rest)) {
        redis->prefix = rest;
        return NGX_OK;
    }

    if (ngx_dfp_conf_param(value, "password_file=", &rest)) {
        return ngx_dfp_conf_secret(cf, &rest, &redis->password);
    }

    if (ngx_dfp_conf_param(value, "db=", &rest)) {
        redis->db = ngx_atoi(rest.data, rest.len);

        if (redis->db == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_redis: invalid database \"%V\": it "
                               "must be a whole number, for example db=1",
                               value);
        }

        return redis->db == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    return NGX_DECLINED;
}


/* A name may have several addresses; each is tried in turn. */

static ngx_int_t
ngx_dfp_conf_redis_addr(ngx_conf_t *cf, ngx_dfp_redis_conf_t *redis,
    ngx_str_t *value)
{
    ngx_url_t              u;
    ngx_uint_t             i;
    ngx_dfp_redis_addr_t  *addr;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;
    u.default_port = NGX_DFP_REDIS_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_redis: %s \"%V\": it must be host:port, "
                           "unix:/path, user=, password_file=, db= or prefix=",
                           u.err ? u.err : "invalid parameter", value);
        return NGX_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {
        addr = ngx_array_push(&redis->addrs);
        if (addr == NULL) {
            return NGX_ERROR;
        }

        addr->name = u.addrs[i].name;
        addr->sockaddr = u.addrs[i].sockaddr;
        addr->socklen = u.addrs[i].socklen;
    }

    return NGX_OK;
}


char *
ngx_dfp_conf_cluster(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    ngx_int_t           id;
    ngx_str_t          *value;
    ngx_uint_t          i;
    ngx_dfp_cluster_t  *cluster, *other;

    value = cf->args->elts;
    id = ngx_atoi(value[1].data, value[1].len);

    if (id < 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster: invalid cluster id \"%V\": it "
                           "must be a positive integer", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (mcf->clusters.nelts == NGX_DFP_CLUSTERS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "too many dfpreheat_cluster directives: the "
                           "maximum is %d",
                           NGX_DFP_CLUSTERS_MAX);
        return NGX_CONF_ERROR;
    }

    other = mcf->clusters.elts;

    for (i = 0; i < mcf->clusters.nelts; i++) {
        if (other[i].id == id) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate dfpreheat_cluster %i", id);
            return NGX_CONF_ERROR;
        }
    }

    cluster = ngx_array_push(&mcf->clusters);
    if (cluster == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(cluster, sizeof(ngx_dfp_cluster_t));
    cluster->id = id;

    if (ngx_dfp_conf_cluster_params(cf, cluster) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_dfp_conf_show_cluster(cf, cluster, mcf->clusters.nelts == 1);
}


static char *
ngx_dfp_conf_cluster_params(ngx_conf_t *cf, ngx_dfp_cluster_t *cluster)
{
    ngx_str_t   *value, rest, engine;
    ngx_uint_t   i, n;

    value = cf->args->elts;
    ngx_str_null(&engine);

    /* the engine's own parameters are moved to the front */

    for (i = 2, n = 0; i < cf->args->nelts; i++) {

        if (ngx_dfp_conf_param(&value[i], "name=", &rest)) {
            cluster->name = rest;

        } else if (ngx_dfp_conf_param(&value[i], "engine=", &rest)) {
            engine = rest;

        } else if (ngx_dfp_conf_param(&value[i], "default_scope=", &rest)) {
            cluster->scope = dfp_job_scope(ngx_dfp_dfp_str(rest));

            if (cluster->scope == DFP_SCOPE_DEFAULT) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "dfpreheat_cluster %L: \"%V\" must be "
                                   "single_seed_peer, all_seed_peers or "
                                   "all_peers", cluster->id, &value[i]);
                return NGX_CONF_ERROR;
            }

        } else {
            value[2 + n++] = value[i];
        }
    }

    cluster->engine = ngx_dfp_conf_engine(&engine);

    if (cluster->engine == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster %L: unknown engine \"%V\": it "
                           "must be engine=cache, engine=peers or "
                           "engine=scheduler", cluster->id, &engine);
        return NGX_CONF_ERROR;
    }

    cluster->caches = cluster->engine->caches;
    cluster->untagged = (cluster->engine == &ngx_dfp_engine_scheduler);

    if (cluster->scope == DFP_SCOPE_DEFAULT) {
        cluster->scope = cluster->caches ? DFP_SCOPE_ALL_PEERS
                                         : DFP_SCOPE_SINGLE_SEED_PEER;
    }

    if (cluster->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster %L has no name=", cluster->id);
        return NGX_CONF_ERROR;
    }

    if (cluster->engine->dragonfly) {
        return ngx_dfp_conf_dragonfly(cf, cluster, &value[2], n);
    }

    if (n) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "engine=%V does not support the parameter \"%V\"",
                           &cluster->engine->name, &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_dfp_engine_t *
ngx_dfp_conf_engine(ngx_str_t *name)
{
    ngx_uint_t         i;
    ngx_dfp_engine_t  *engine;

    for (i = 0; ngx_dfp_engines[i]; i++) {
        engine = ngx_dfp_engines[i];

        if (engine->name.len == name->len
            && ngx_strncmp(engine->name.data, name->data, name->len) == 0)
        {
            return engine;
        }
    }

    return NULL;
}


char *
ngx_dfp_conf_platform(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    ngx_str_t  *value;
    dfp_err_t   err;
    dfp_mem_t   mem;

    value = cf->args->elts;

    if (mcf->platform.len) {
        return "is duplicate";
    }

    mem = ngx_dfp_mem(cf->pool);
    mcf->platform = value[1];

    if (dfp_oci_parse_platforms(&mem, ngx_dfp_dfp_str(value[1]),
                                "dfpreheat_platform", &mcf->platforms, &err)
        != DFP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err.text);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void
ngx_dfp_conf_default_platform(ngx_dfp_main_conf_t *mcf)
{
    if (mcf->platform.len) {
        return;
    }

    ngx_str_set(&mcf->platform, "linux/amd64");
    mcf->platforms.n = 1;
    mcf->platforms.list[0].os = DFP_STR("linux");
    mcf->platforms.list[0].arch = DFP_STR("amd64");
    mcf->platforms.list[0].variant = DFP_STR("");
}
