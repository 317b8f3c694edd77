/*
 * Clusters as Dragonfly's manager shows its own: in a job, and in the list of
 * clusters. What only a manager or a scheduler has is empty.
 */

#include "ngx_dfp_conf.h"


#define NGX_DFP_CLUSTER_TIMES                                                 \
    "\"created_at\":\"0001-01-01T00:00:00Z\","                                \
    "\"updated_at\":\"0001-01-01T00:00:00Z\","


static void ngx_dfp_conf_cluster_job(dfp_buf_t *b, ngx_dfp_cluster_t *cluster,
    const char *is_default);
static void ngx_dfp_conf_cluster_listed(dfp_buf_t *b,
    ngx_dfp_cluster_t *cluster, const char *is_default);
static void ngx_dfp_conf_cluster_name(dfp_buf_t *b,
    ngx_dfp_cluster_t *cluster);
static void ngx_dfp_conf_cluster_limits(dfp_buf_t *b, const char *name);
static void ngx_dfp_conf_cluster_status(dfp_buf_t *b,
    ngx_dfp_cluster_t *cluster);
static void ngx_dfp_conf_cluster_schedulers(dfp_buf_t *b,
    ngx_dfp_dragonfly_t *dragonfly);


char *
ngx_dfp_conf_show_cluster(ngx_conf_t *cf, ngx_dfp_cluster_t *cluster,
    ngx_uint_t first)
{
    dfp_buf_t    job, listed;
    dfp_mem_t    mem;
    const char  *is_default;

    mem = ngx_dfp_mem(cf->pool);
    is_default = first ? "\"is_default\":true" : "\"is_default\":false";

    dfp_buf_init(&job, &mem, 512, 0);
    ngx_dfp_conf_cluster_job(&job, cluster, is_default);
    cluster->json = ngx_dfp_str(dfp_buf_value(&job));

    dfp_buf_init(&listed, &mem, 1024, 0);
    ngx_dfp_conf_cluster_listed(&listed, cluster, is_default);
    cluster->listed = ngx_dfp_str(dfp_buf_value(&listed));

    return job.failed || listed.failed ? NGX_CONF_ERROR : NGX_CONF_OK;
}


static void
ngx_dfp_conf_cluster_job(dfp_buf_t *b, ngx_dfp_cluster_t *cluster,
    const char *is_default)
{
    dfp_buf_cstr(b, "{\"id\":");
    dfp_buf_int(b, cluster->id);
    dfp_buf_cstr(b, "," NGX_DFP_CLUSTER_TIMES "\"is_del\":0");
    ngx_dfp_conf_cluster_name(b, cluster);
    dfp_buf_cstr(b, ",\"config\":{},\"client_config\":{},"
                 "\"seed_client_config\":{},\"scopes\":{},");
    dfp_buf_cstr(b, is_default);
    dfp_buf_cstr(b, ",\"seed_peer_clusters\":null,\"schedulers\":null,"
                 "\"peers\":null,\"jobs\":null}");
}


/* As far as the configuration tells: the status has more members. */

static void
ngx_dfp_conf_cluster_listed(dfp_buf_t *b, ngx_dfp_cluster_t *cluster,
    const char *is_default)
{
    dfp_buf_cstr(b, "{\"id\":");
    dfp_buf_int(b, cluster->id);
    ngx_dfp_conf_cluster_name(b, cluster);
    dfp_buf_cstr(b, ",\"scopes\":{\"idc\":\"\",\"location\":\"\","
                 "\"cidrs\":null,\"hostnames\":null},"
                 "\"scheduler_cluster_id\":");
    dfp_buf_int(b, cluster->id);
    dfp_buf_cstr(b, ",\"seed_peer_cluster_id\":0,"
                 "\"scheduler_cluster_config\":{\"candidate_parent_limit\":0,"
                 "\"filter_parent_limit\":0,\"job_rate_limit\":0}");
    ngx_dfp_conf_cluster_limits(b, ",\"seed_peer_cluster_config\":");
    ngx_dfp_conf_cluster_limits(b, ",\"peer_cluster_config\":");
    dfp_buf_cstr(b, "," NGX_DFP_CLUSTER_TIMES);
    dfp_buf_cstr(b, is_default);
    ngx_dfp_conf_cluster_status(b, cluster);
}


static void
ngx_dfp_conf_cluster_name(dfp_buf_t *b, ngx_dfp_cluster_t *cluster)
{
    dfp_buf_cstr(b, ",\"name\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(cluster->name));
    dfp_buf_cstr(b, ",\"bio\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(cluster->engine->name));
}


static void
ngx_dfp_conf_cluster_limits(dfp_buf_t *b, const char *name)
{
    dfp_buf_cstr(b, name);
    dfp_buf_cstr(b, "{\"load_limit\":0,\"block_list\":{\"task\":null,"
                 "\"persistent_task\":null,\"persistent_cache_task\":null}}");
}


static void
ngx_dfp_conf_cluster_status(dfp_buf_t *b, ngx_dfp_cluster_t *cluster)
{
    dfp_buf_cstr(b, ",\"status\":{\"engine\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(cluster->engine->name));
    dfp_buf_cstr(b, ",\"schedulers\":");

    if (cluster->dragonfly) {
        ngx_dfp_conf_cluster_schedulers(b, cluster->dragonfly);

    } else {
        dfp_buf_cstr(b, "null");
    }
}


/* A name with several addresses is listed once. */

static void
ngx_dfp_conf_cluster_schedulers(dfp_buf_t *b, ngx_dfp_dragonfly_t *dragonfly)
{
    dfp_str_t          name, last;
    ngx_uint_t         i;
    ngx_dfp_server_t  *server;

    server = dragonfly->schedulers.elts;
    last = DFP_STR("");

    dfp_buf_cstr(b, "[");

    for (i = 0; i < dragonfly->schedulers.nelts; i++) {
        name = ngx_dfp_dfp_str(server[i].authority);

        if (!dfp_str_eq(name, last)) {
            dfp_buf_cstr(b, i ? "," : "");
            dfp_buf_json(b, name);
        }

        last = name;
    }

    dfp_buf_cstr(b, "]");
}
