#include "ngx_http_dfpreheat_conf.h"

#include <ifaddrs.h>


static ngx_int_t ngx_http_dfpreheat_conf_redis_param(ngx_conf_t *cf,
    ngx_http_dfpreheat_redis_conf_t *redis, ngx_str_t *value);
static ngx_int_t ngx_http_dfpreheat_conf_redis_addr(ngx_conf_t *cf,
    ngx_http_dfpreheat_redis_conf_t *redis, ngx_str_t *value);
static char *ngx_http_dfpreheat_conf_cluster_json(ngx_conf_t *cf,
    ngx_http_dfpreheat_cluster_t *cluster, ngx_uint_t first);
static ngx_http_dfpreheat_engine_t *ngx_http_dfpreheat_conf_engine(
    ngx_str_t *name);
static ngx_int_t ngx_http_dfpreheat_conf_address(ngx_conf_t *cf,
    ngx_str_t *address);
static ngx_int_t ngx_http_dfpreheat_conf_queue(ngx_conf_t *cf,
    ngx_http_dfpreheat_instance_t *instance);
static ngx_int_t ngx_http_dfpreheat_conf_file(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *text);
static ngx_int_t ngx_http_dfpreheat_conf_read(ngx_conf_t *cf, ngx_fd_t fd,
    ngx_str_t *path, ngx_str_t *text);
static ngx_uint_t ngx_http_dfpreheat_conf_param(ngx_str_t *value,
    const char *name, ngx_str_t *rest);


/* A new engine is one more line here. */

static ngx_http_dfpreheat_engine_t  *ngx_http_dfpreheat_engines[] = {
    &ngx_http_dfpreheat_engine_cache,
    NULL
};


char *
ngx_http_dfpreheat_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_dfpreheat_main_conf_t *mcf = conf;

    ngx_int_t                         rc;
    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_http_dfpreheat_redis_conf_t  *redis;

    redis = &mcf->redis;

    if (redis->addrs.nelts) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_dfpreheat_conf_redis_param(cf, redis, &value[i]);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_dfpreheat_conf_redis_addr(cf, redis, &value[i]);
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
ngx_http_dfpreheat_conf_redis_param(ngx_conf_t *cf,
    ngx_http_dfpreheat_redis_conf_t *redis, ngx_str_t *value)
{
    ngx_str_t  rest;

    if (ngx_http_dfpreheat_conf_param(value, "user=", &rest)) {
        redis->user = rest;
        return NGX_OK;
    }

    if (ngx_http_dfpreheat_conf_param(value, "prefix=", &rest)) {
        redis->prefix = rest;
        return NGX_OK;
    }

    if (ngx_http_dfpreheat_conf_param(value, "password_file=", &rest)) {
        return ngx_http_dfpreheat_conf_file(cf, &rest, &redis->password);
    }

    if (ngx_http_dfpreheat_conf_param(value, "db=", &rest)) {
        redis->db = ngx_atoi(rest.data, rest.len);

        if (redis->db == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_redis: \"%V\" is no database: it "
                               "must be a whole number, as in db=1", value);
        }

        return redis->db == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    return NGX_DECLINED;
}


/* A name may stand for several addresses: each is tried in turn. */

static ngx_int_t
ngx_http_dfpreheat_conf_redis_addr(ngx_conf_t *cf,
    ngx_http_dfpreheat_redis_conf_t *redis, ngx_str_t *value)
{
    ngx_url_t                         u;
    ngx_uint_t                        i;
    ngx_http_dfpreheat_redis_addr_t  *addr;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;
    u.default_port = NGX_HTTP_DFPREHEAT_REDIS_PORT;

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
ngx_http_dfpreheat_conf_cluster(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_dfpreheat_main_conf_t *mcf = conf;

    ngx_int_t                      id;
    ngx_str_t                     *value, rest, engine;
    ngx_uint_t                     i, n;
    ngx_http_dfpreheat_cluster_t  *cluster, *other;

    value = cf->args->elts;
    id = ngx_atoi(value[1].data, value[1].len);

    if (id < 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster: \"%V\" is no cluster id: it "
                           "must be a whole number from 1", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (mcf->clusters.nelts == NGX_HTTP_DFPREHEAT_CLUSTERS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "there are more than %d dfpreheat_cluster",
                           NGX_HTTP_DFPREHEAT_CLUSTERS_MAX);
        return NGX_CONF_ERROR;
    }

    other = mcf->clusters.elts;

    for (i = 0; i < mcf->clusters.nelts; i++) {
        if (other[i].id == id) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_cluster %i is there twice", id);
            return NGX_CONF_ERROR;
        }
    }

    cluster = ngx_array_push(&mcf->clusters);
    if (cluster == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(cluster, sizeof(ngx_http_dfpreheat_cluster_t));
    ngx_str_null(&engine);
    cluster->id = id;

    /* what is left over is the engine's, moved to the front */

    for (i = 2, n = 0; i < cf->args->nelts; i++) {

        if (ngx_http_dfpreheat_conf_param(&value[i], "name=", &rest)) {
            cluster->name = rest;

        } else if (ngx_http_dfpreheat_conf_param(&value[i], "engine=", &rest)) {
            engine = rest;

        } else {
            value[2 + n++] = value[i];
        }
    }

    cluster->engine = ngx_http_dfpreheat_conf_engine(&engine);

    if (cluster->engine == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster %i: engine \"%V\" is not known: "
                           "it must be engine=cache", id, &engine);
        return NGX_CONF_ERROR;
    }

    if (cluster->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_cluster %i has no name=", id);
        return NGX_CONF_ERROR;
    }

    if (cluster->engine->configure(cf, cluster, &value[2], n) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_dfpreheat_conf_cluster_json(cf, cluster,
                                                mcf->clusters.nelts == 1);
}


/* As Dragonfly's manager shows a cluster of its own. */

static char *
ngx_http_dfpreheat_conf_cluster_json(ngx_conf_t *cf,
    ngx_http_dfpreheat_cluster_t *cluster, ngx_uint_t first)
{
    dfp_buf_t  b;
    dfp_mem_t  mem;

    mem = ngx_http_dfpreheat_mem(cf->pool);

    dfp_buf_init(&b, &mem, 512, 0);
    dfp_buf_cstr(&b, "{\"id\":");
    dfp_buf_int(&b, cluster->id);
    dfp_buf_cstr(&b, ",\"created_at\":\"0001-01-01T00:00:00Z\","
                 "\"updated_at\":\"0001-01-01T00:00:00Z\",\"is_del\":0,"
                 "\"name\":");
    dfp_buf_json(&b, ngx_http_dfpreheat_dfp(cluster->name));
    dfp_buf_cstr(&b, ",\"bio\":");
    dfp_buf_json(&b, ngx_http_dfpreheat_dfp(cluster->engine->name));
    dfp_buf_cstr(&b, ",\"config\":{},\"client_config\":{},"
                 "\"seed_client_config\":{},\"scopes\":{},\"is_default\":");
    dfp_buf_cstr(&b, first ? "true" : "false");
    dfp_buf_cstr(&b, ",\"seed_peer_clusters\":null,\"schedulers\":null,"
                 "\"peers\":null,\"jobs\":null}");

    cluster->json = ngx_http_dfpreheat_str(dfp_buf_value(&b));

    return b.failed ? NGX_CONF_ERROR : NGX_CONF_OK;
}


static ngx_http_dfpreheat_engine_t *
ngx_http_dfpreheat_conf_engine(ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_http_dfpreheat_engine_t  *engine;

    for (i = 0; ngx_http_dfpreheat_engines[i]; i++) {
        engine = ngx_http_dfpreheat_engines[i];

        if (engine->name.len == name->len
            && ngx_strncmp(engine->name.data, name->data, name->len) == 0)
        {
            return engine;
        }
    }

    return NULL;
}


char *
ngx_http_dfpreheat_conf_instance(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_dfpreheat_main_conf_t *mcf = conf;

    ngx_str_t                      *value, rest;
    ngx_uint_t                      i;
    ngx_http_dfpreheat_instance_t  *instance;

    instance = &mcf->instance;

    if (instance->name.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    instance->name = value[1];
    instance->id = value[1];

    if (value[1].len == 0) {
        return "has an empty name";
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (!ngx_http_dfpreheat_conf_param(&value[i], "address=", &rest)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_instance: \"%V\" is not known: "
                               "after the name there may be address=",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        instance->address = rest;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_dfpreheat_conf_default_instance(ngx_conf_t *cf,
    ngx_http_dfpreheat_main_conf_t *mcf)
{
    u_char                         *p;
    uint32_t                        hash;
    ngx_http_dfpreheat_instance_t  *instance;

    instance = &mcf->instance;

    if (instance->name.len == 0) {
        instance->name = cf->cycle->hostname;

        p = ngx_pnalloc(cf->pool, instance->name.len + 1 + 8);
        if (p == NULL) {
            return NGX_ERROR;
        }

        hash = ngx_crc32_long(cf->cycle->conf_file.data,
                              cf->cycle->conf_file.len);

        instance->id.data = p;
        instance->id.len = ngx_sprintf(p, "%V-%08xD", &instance->name, hash)
                           - p;
    }

    if (instance->address.len == 0
        && ngx_http_dfpreheat_conf_address(cf, &instance->address) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_dfpreheat_conf_queue(cf, instance);
}


static ngx_int_t
ngx_http_dfpreheat_conf_address(ngx_conf_t *cf, ngx_str_t *address)
{
    u_char               text[NGX_INET_ADDRSTRLEN];
    ngx_str_t            found;
    struct ifaddrs      *list, *ifa;
    struct sockaddr_in  *sin;

    found.data = text;
    found.len = ngx_sprintf(text, "127.0.0.1") - text;

    if (getifaddrs(&list) == 0) {

        for (ifa = list; ifa; ifa = ifa->ifa_next) {
            sin = (struct sockaddr_in *) ifa->ifa_addr;

            if (sin && sin->sin_family == AF_INET
                && ntohl(sin->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
            {
                found.len = ngx_inet_ntop(AF_INET, &sin->sin_addr, text,
                                          NGX_INET_ADDRSTRLEN);
                break;
            }
        }

        freeifaddrs(list);
    }

    address->len = found.len;
    address->data = ngx_pstrdup(cf->pool, &found);

    return address->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_dfpreheat_conf_queue(ngx_conf_t *cf,
    ngx_http_dfpreheat_instance_t *instance)
{
    instance->queue.len = sizeof("instance:") - 1 + instance->id.len;
    instance->queue.data = ngx_pnalloc(cf->pool, instance->queue.len);

    if (instance->queue.data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(instance->queue.data, "instance:%V", &instance->id);

    return NGX_OK;
}


char *
ngx_http_dfpreheat_conf_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_dfpreheat_main_conf_t *mcf = conf;

    ngx_str_t  *value, text;
    dfp_err_t   err;

    value = cf->args->elts;

    if (mcf->keys.n) {
        return "is duplicate";
    }

    if (ngx_http_dfpreheat_conf_file(cf, &value[1], &text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (dfp_seal_parse_keys(ngx_http_dfpreheat_dfp(text), &mcf->keys, &err)
        != DFP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "dfpreheat_key \"%V\": %s",
                           &value[1], err.text);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_dfpreheat_conf_admin_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_dfpreheat_main_conf_t *mcf = conf;

    u_char     *p;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (mcf->admin_key.len) {
        return "is duplicate";
    }

    if (ngx_http_dfpreheat_conf_file(cf, &value[1], &mcf->admin_key)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (p = mcf->admin_key.data;
         p < mcf->admin_key.data + mcf->admin_key.len;
         p++)
    {
        if (*p <= ' ' || *p > '~') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_admin_key \"%V\": it must be one "
                               "word of printable characters", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (mcf->admin_key.len < NGX_HTTP_DFPREHEAT_ADMIN_KEY_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_admin_key \"%V\": it must have at least "
                           "%d characters", &value[1],
                           NGX_HTTP_DFPREHEAT_ADMIN_KEY_MIN);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_dfpreheat_conf_platform(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_dfpreheat_main_conf_t *mcf = conf;

    ngx_str_t  *value;
    dfp_err_t   err;
    dfp_mem_t   mem;

    value = cf->args->elts;

    if (mcf->platform.len) {
        return "is duplicate";
    }

    mem = ngx_http_dfpreheat_mem(cf->pool);
    mcf->platform = value[1];

    if (dfp_oci_parse_platforms(&mem, ngx_http_dfpreheat_dfp(value[1]),
                                "dfpreheat_platform", &mcf->platforms, &err)
        != DFP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err.text);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_dfpreheat_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_dfpreheat_loc_conf_t *dlcf = conf;

    ngx_str_t                       *value;
    dfp_err_t                        err;
    dfp_mem_t                        mem;
    dfp_url_t                        url;
    ngx_http_dfpreheat_origin_t     *origin;
    ngx_http_dfpreheat_main_conf_t  *mcf;

    value = cf->args->elts;

    if (dlcf->origin.data) {
        return "is duplicate";
    }

    mem = ngx_http_dfpreheat_mem(cf->pool);

    if (dfp_url_parse(&mem, ngx_http_dfpreheat_dfp(value[1]),
                      "dfpreheat_origin", &url, &err)
        != DFP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err.text);
        return NGX_CONF_ERROR;
    }

    if (url.path.len > 1 || url.query.data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_origin \"%V\" must be scheme, host and "
                           "port only: %*s", &value[1], url.origin.len,
                           url.origin.data);
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);

    origin = ngx_array_push(&mcf->origins);
    if (origin == NULL) {
        return NGX_CONF_ERROR;
    }

    dlcf->origin = ngx_http_dfpreheat_str(url.origin);

    origin->origin = dlcf->origin;
    origin->ctx = cf->ctx;

    return NGX_CONF_OK;
}


/* A secret in a file, without the white space at its end. */

static ngx_int_t
ngx_http_dfpreheat_conf_file(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *text)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    rc = ngx_http_dfpreheat_conf_read(cf, fd, path, text);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    return rc;
}


static ngx_int_t
ngx_http_dfpreheat_conf_read(ngx_conf_t *cf, ngx_fd_t fd, ngx_str_t *path,
    ngx_str_t *text)
{
    ssize_t          n;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    if (ngx_file_access(&fi) & (S_IROTH|S_IWOTH)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" holds a secret and is open to everybody",
                           path);
    }

    text->data = ngx_pnalloc(cf->pool, NGX_HTTP_DFPREHEAT_SECRET_FILE_MAX);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, text->data, NGX_HTTP_DFPREHEAT_SECRET_FILE_MAX);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    while (n && text->data[n - 1] <= ' ') {
        n--;
    }

    text->len = n;

    if (n == 0 || n == NGX_HTTP_DFPREHEAT_SECRET_FILE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is %s: it must have 1 to %d bytes", path,
                           n ? "too large" : "empty",
                           NGX_HTTP_DFPREHEAT_SECRET_FILE_MAX - 1);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_dfpreheat_conf_param(ngx_str_t *value, const char *name,
    ngx_str_t *rest)
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
