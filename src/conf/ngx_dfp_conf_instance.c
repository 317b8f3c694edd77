#include "ngx_dfp_conf.h"
#include "dfp_addr.h"

#include <ifaddrs.h>


static ngx_int_t ngx_dfp_conf_instance_address(ngx_conf_t *cf,
    ngx_str_t *value, ngx_str_t *address);
static ngx_int_t ngx_dfp_conf_address(ngx_conf_t *cf, ngx_str_t *address);
static ngx_int_t ngx_dfp_conf_shared(ngx_conf_t *cf,
    ngx_dfp_instance_t *instance);
static ngx_int_t ngx_dfp_conf_init_shared(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_dfp_conf_keys(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);


char *
ngx_dfp_conf_instance(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    ngx_str_t           *value, rest;
    ngx_uint_t           i;
    ngx_dfp_instance_t  *instance;

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

        if (!ngx_dfp_conf_param(&value[i], "address=", &rest)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_instance: unknown parameter \"%V\": "
                               "only address= may follow the name",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        if (ngx_dfp_conf_instance_address(cf, &rest, &instance->address)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* In the form in which the addresses of jobs are compared with it. */

static ngx_int_t
ngx_dfp_conf_instance_address(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *address)
{
    char  ip[INET6_ADDRSTRLEN];

    address->len = dfp_addr_text(ngx_dfp_dfp_str(*value), ip);

    if (address->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_instance: invalid address \"%V\": it "
                           "must be the IPv4 or IPv6 address of this nginx",
                           value);
        return NGX_ERROR;
    }

    address->data = ngx_pnalloc(cf->pool, address->len);
    if (address->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(address->data, ip, address->len);

    return NGX_OK;
}


ngx_int_t
ngx_dfp_conf_default_instance(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    u_char              *p;
    uint32_t             hash;
    ngx_dfp_instance_t  *instance;

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
        && ngx_dfp_conf_address(cf, &instance->address) != NGX_OK)
    {
        return NGX_ERROR;
    }

    instance->host = cf->cycle->hostname;

    instance->who.len = instance->address.len + 1 + instance->name.len;
    instance->who.data = ngx_pnalloc(cf->pool, instance->who.len);
    if (instance->who.data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(instance->who.data, "%V %V", &instance->address,
                &instance->name);

    if (mcf->redis.addrs.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_dfp_conf_keys(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_dfp_conf_shared(cf, instance);
}


static ngx_int_t
ngx_dfp_conf_address(ngx_conf_t *cf, ngx_str_t *address)
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


/* nginx keeps the zone over a reload. A new binary creates its own. */

static ngx_int_t
ngx_dfp_conf_shared(ngx_conf_t *cf, ngx_dfp_instance_t *instance)
{
    ngx_str_t        name;
    ngx_shm_zone_t  *zone;

    ngx_str_set(&name, "ngx_http_dfpreheat");

    zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                 &ngx_http_dfpreheat_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_dfp_conf_init_shared;
    zone->data = instance;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_conf_init_shared(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t     *pool;
    ngx_dfp_shared_t    *shared;
    ngx_dfp_instance_t  *instance;

    instance = zone->data;
    shared = data;

    if (shared == NULL) {
        pool = (ngx_slab_pool_t *) zone->shm.addr;
        shared = ngx_slab_calloc(pool, sizeof(ngx_dfp_shared_t));

        if (shared == NULL || dfp_uuid((char *) shared->owner) != DFP_OK
            || dfp_uuid((char *) shared->verify) != DFP_OK)
        {
            return NGX_ERROR;
        }
    }

    instance->shared = shared;
    instance->cycle = ++shared->cycles;
    shared->name = ngx_dfp_instance_name(instance);
    zone->data = shared;

    ngx_sprintf(instance->queue.data, "instance:%V:%*s", &instance->id,
                (size_t) DFP_UUID_LEN, shared->owner);
    ngx_memcpy(instance->counts.data + instance->counts.len - DFP_UUID_LEN,
               shared->owner, DFP_UUID_LEN);

    return NGX_OK;
}


/* What names the master is set by ngx_dfp_conf_init_shared(), when that is
 * known. */

static ngx_int_t
ngx_dfp_conf_keys(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    u_char              *p;
    ngx_dfp_instance_t  *instance;

    instance = &mcf->instance;

    instance->queue.len = sizeof("instance::") - 1 + instance->id.len
                          + DFP_UUID_LEN;
    instance->counts.len = mcf->redis.prefix.len + sizeof("counts:") - 1
                           + DFP_UUID_LEN;

    p = ngx_pnalloc(cf->pool, instance->queue.len + instance->counts.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    instance->queue.data = p;
    instance->counts.data = p + instance->queue.len;

    ngx_sprintf(instance->counts.data, "%Vcounts:", &mcf->redis.prefix);

    return NGX_OK;
}
