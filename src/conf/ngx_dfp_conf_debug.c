#include "ngx_dfp_conf.h"


#if (NGX_DEBUG)

static void ngx_dfp_conf_debug_clusters(ngx_dfp_main_conf_t *mcf,
    ngx_log_t *log);
static void ngx_dfp_conf_debug_redirects(ngx_dfp_main_conf_t *mcf,
    ngx_log_t *log);
static ngx_str_t *ngx_dfp_conf_debug_name(ngx_http_conf_ctx_t *ctx);


void
ngx_dfp_conf_debug(ngx_dfp_main_conf_t *mcf, ngx_log_t *log)
{
    ngx_uint_t             i;
    ngx_dfp_binding_t     *binding;
    ngx_dfp_redis_addr_t  *addr;

    addr = mcf->redis.addrs.elts;

    for (i = 0; i < mcf->redis.addrs.nelts; i++) {
        ngx_log_debug4(NGX_LOG_DEBUG_HTTP, log, 0,
                       "dfpreheat conf: redis %V, db %i, user \"%V\", prefix "
                       "\"%V\"", &addr[i].name, mcf->redis.db,
                       &mcf->redis.user, &mcf->redis.prefix);
    }

    ngx_dfp_conf_debug_clusters(mcf, log);

    binding = mcf->bindings.elts;

    for (i = 0; i < mcf->bindings.nelts; i++) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                       "dfpreheat conf: origin %V in location \"%V\"",
                       &binding[i].rule.text,
                       ngx_dfp_conf_debug_name(binding[i].ctx));
    }

    ngx_dfp_conf_debug_redirects(mcf, log);

    binding = mcf->grpc.elts;

    for (i = 0; i < mcf->grpc.nelts; i++) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, log, 0,
                       "dfpreheat conf: gRPC in location \"%V\"",
                       &binding[i].location);
    }
}


static void
ngx_dfp_conf_debug_clusters(ngx_dfp_main_conf_t *mcf, ngx_log_t *log)
{
    ngx_uint_t          i, k;
    ngx_dfp_server_t   *server;
    ngx_dfp_cluster_t  *cluster;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                   "dfpreheat conf: instance \"%V\", address %V",
                   &mcf->instance.id, &mcf->instance.address);

    cluster = mcf->clusters.elts;

    for (i = 0; i < mcf->clusters.nelts; i++) {

        ngx_log_debug4(NGX_LOG_DEBUG_HTTP, log, 0,
                       "dfpreheat conf: cluster %L \"%V\", engine %V, \"%V\"",
                       cluster[i].id, &cluster[i].name,
                       &cluster[i].engine->name, &cluster[i].definition);

        if (cluster[i].dragonfly == NULL) {
            continue;
        }

        server = cluster[i].dragonfly->schedulers.elts;

        for (k = 0; k < cluster[i].dragonfly->schedulers.nelts; k++) {
            ngx_log_debug3(NGX_LOG_DEBUG_HTTP, log, 0,
                           "dfpreheat conf: cluster %L, %V by location \"%V\"",
                           cluster[i].id, &server[k].name,
                           &server[k].location->location);
        }
    }
}


static void
ngx_dfp_conf_debug_redirects(ngx_dfp_main_conf_t *mcf, ngx_log_t *log)
{
    ngx_uint_t             i, k;
    ngx_dfp_rule_t        *rule;
    ngx_dfp_loc_conf_t    *dlcf;
    ngx_http_conf_ctx_t  **ctx;

    ctx = mcf->redirects.elts;

    for (i = 0; i < mcf->redirects.nelts; i++) {

        dlcf = ctx[i]->loc_conf[ngx_http_dfpreheat_module.ctx_index];
        rule = dlcf->redirects->elts;

        for (k = 0; k < dlcf->redirects->nelts; k++) {
            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                           "dfpreheat conf: redirects to %V in location "
                           "\"%V\"", &rule[k].text,
                           ngx_dfp_conf_debug_name(ctx[i]));
        }
    }
}


static ngx_str_t *
ngx_dfp_conf_debug_name(ngx_http_conf_ctx_t *ctx)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];

    return &clcf->name;
}

#else

void
ngx_dfp_conf_debug(ngx_dfp_main_conf_t *mcf, ngx_log_t *log)
{
    /* void */
}

#endif
