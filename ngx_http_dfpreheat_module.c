#include "ngx_dfp_access.h"
#include "ngx_dfp_api.h"
#include "ngx_dfp_cache_key.h"
#include "ngx_dfp_conf.h"
#include "ngx_dfp_expired.h"
#include "ngx_dfp_fill.h"
#include "ngx_dfp_handler.h"
#include "ngx_dfp_kept.h"
#include "ngx_dfp_login.h"
#include "ngx_dfp_manifest.h"
#include "ngx_dfp_overtaken.h"
#include "ngx_dfp_phase.h"
#include "ngx_dfp_rate.h"
#include "ngx_dfp_rehearsal.h"
#include "ngx_dfp_runner.h"
#include "ngx_dfp_sent.h"
#include "ngx_dfp_status.h"
#include "ngx_dfp_token_cache.h"
#include "ngx_dfp_valid.h"


static void *ngx_dfp_create_main_conf(ngx_conf_t *cf);
static char *ngx_dfp_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_dfp_create_loc_conf(ngx_conf_t *cf);
static void ngx_dfp_merge_served(ngx_dfp_loc_conf_t *prev,
    ngx_dfp_loc_conf_t *conf);
static char *ngx_dfp_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t ngx_dfp_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_dfp_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_dfp_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_dfp_init_process(ngx_cycle_t *cycle);
static void ngx_dfp_exit_process(ngx_cycle_t *cycle);


static ngx_conf_num_bounds_t  ngx_dfp_at_least_one = {
    ngx_conf_check_num_bounds, 1, -1
};


static ngx_conf_num_bounds_t  ngx_dfp_per_cent = {
    ngx_conf_check_num_bounds, 1, 100
};


/* A directive of http whose value is a size, or a time in ms (msec). */

#define ngx_dfp_main_value(name, kind, field)                                 \
    { ngx_string(name),                                                       \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      ngx_conf_set_##kind##_slot,                                             \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(ngx_dfp_main_conf_t, field),                                   \
      NULL }

/* A directive of a location whose value is on or off. */

#define ngx_dfp_loc_flag(name, field)                                         \
    { ngx_string(name),                                                       \
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,                                        \
      ngx_conf_set_flag_slot,                                                 \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_dfp_loc_conf_t, field),                                    \
      NULL }


/* A directive of a location whose values SETTER takes. */

#define ngx_dfp_loc_list(name, setter)                                        \
    { ngx_string(name),                                                       \
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,                                       \
      setter,                                                                 \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL }


/* A directive of http whose values SETTER takes. */

#define ngx_dfp_main_set(name, args, setter)                                  \
    { ngx_string(name),                                                       \
      NGX_HTTP_MAIN_CONF|args,                                                \
      setter,                                                                 \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      0,                                                                      \
      NULL }


static ngx_command_t  ngx_dfp_commands[] = {

    ngx_dfp_loc_flag("dfpreheat", enable),

    ngx_dfp_loc_flag("dfpreheat_status", status),

    ngx_dfp_loc_flag("dfpreheat_query_token", query_token),

    ngx_dfp_loc_list("dfpreheat_origin", ngx_dfp_conf_origin),

    ngx_dfp_loc_list("dfpreheat_redirect", ngx_dfp_conf_redirect),

    { ngx_string("dfpreheat_grpc"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_dfp_conf_grpc,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dfp_loc_conf_t, grpc),
      NULL },

    { ngx_string("dfpreheat_verify"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_dfp_conf_verify,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    ngx_dfp_loc_flag("dfpreheat_access", access),

    { ngx_string("dfpreheat_tag_valid"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dfp_loc_conf_t, tag_valid),
      NULL },

    ngx_dfp_loc_flag("dfpreheat_share_blobs", share_blobs),

    ngx_dfp_loc_list("dfpreheat_filtered_query_params", ngx_dfp_conf_filter),

    ngx_dfp_loc_list("dfpreheat_redirect_headers", ngx_dfp_conf_kept),

    { ngx_string("dfpreheat_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_dfp_conf_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dfpreheat_redis_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dfp_main_conf_t, redis.timeout),
      NULL },

    ngx_dfp_main_set("dfpreheat_cluster", NGX_CONF_2MORE, ngx_dfp_conf_cluster),

    ngx_dfp_main_set("dfpreheat_policy", NGX_CONF_2MORE, ngx_dfp_conf_policy),

    ngx_dfp_main_set("dfpreheat_peers_allow", NGX_CONF_1MORE,
                     ngx_dfp_conf_peers_allow),

    ngx_dfp_main_set("dfpreheat_certificate_chain", NGX_CONF_TAKE1,
                     ngx_dfp_conf_certificates),

    ngx_dfp_main_set("dfpreheat_unreachable_peers", NGX_CONF_TAKE1,
                     ngx_dfp_conf_unreachable),

    { ngx_string("dfpreheat_success_threshold"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dfp_main_conf_t, success_threshold),
      &ngx_dfp_per_cent },

    ngx_dfp_main_set("dfpreheat_instance", NGX_CONF_TAKE12,
                     ngx_dfp_conf_instance),

    { ngx_string("dfpreheat_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_dfp_conf_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dfpreheat_admin_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_dfp_conf_admin_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dfpreheat_credentials"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_dfp_conf_credentials,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dfpreheat_insecure_skip_verify"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dfp_main_conf_t, skip_verify),
      NULL },

    { ngx_string("dfpreheat_platform"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_dfp_conf_platform,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    ngx_dfp_main_value("dfpreheat_max_timeout", msec, max_timeout),

    ngx_dfp_main_value("dfpreheat_peer_timeout", msec, peer_timeout),

    ngx_dfp_main_value("dfpreheat_settle", msec, settle),

    ngx_dfp_main_value("dfpreheat_task_timeout", msec, task_timeout),

    { ngx_string("dfpreheat_thread_pool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dfp_main_conf_t, thread_pool),
      NULL },

    ngx_dfp_main_value("dfpreheat_max_manifest_size", size, max_manifest_size),

    ngx_dfp_main_value("dfpreheat_max_body_size", size, max_body_size),

    { ngx_string("dfpreheat_queue_limit"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dfp_main_conf_t, queue_limit),
      &ngx_dfp_at_least_one },

    { ngx_string("dfpreheat_streams"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dfp_main_conf_t, streams),
      NULL },

    ngx_dfp_main_value("dfpreheat_keep_interval", msec, keep_interval),

    ngx_dfp_main_value("dfpreheat_lease", msec, lease),

    { ngx_string("dfpreheat_max_attempts"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dfp_main_conf_t, max_attempts),
      &ngx_dfp_at_least_one },

    { ngx_string("dfpreheat_worker_calls"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dfp_main_conf_t, worker_calls),
      &ngx_dfp_at_least_one },

    ngx_dfp_main_value("dfpreheat_rate", size, rate),

    { ngx_string("dfpreheat_job_retention"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dfp_main_conf_t, retention),
      NULL },

      ngx_null_command
};


#define ngx_dfp_var(name, handler, data)                                      \
    { ngx_string(name), NULL, handler, data, NGX_HTTP_VAR_NOCACHEABLE, 0 }


static ngx_http_variable_t  ngx_dfp_variables[] = {
    ngx_dfp_var("dfpreheat_refresh", ngx_dfp_call_refresh, 0),
    ngx_dfp_var("dfpreheat_probe", ngx_dfp_call_refresh, 1),
    ngx_dfp_var("dfpreheat_cache_key", ngx_dfp_cache_key, 0),
    ngx_dfp_var("dfpreheat_tag", ngx_dfp_call_tag, 0),
    ngx_dfp_var("dfpreheat_application", ngx_dfp_call_tag, 1),
    ngx_dfp_var("dfpreheat_uncached", ngx_dfp_storable_variable, 0),
    ngx_dfp_var("dfpreheat_unstored", ngx_dfp_storable_variable, 1),
    ngx_dfp_var("dfpreheat_expired", ngx_dfp_expired_variable, 0),
    ngx_dfp_var("dfpreheat_range", ngx_dfp_access_range, 0),
    ngx_dfp_var("dfpreheat_target", ngx_dfp_target_url, 0),
    ngx_dfp_var("dfpreheat_host", ngx_dfp_target_host, 0),
    ngx_dfp_var("dfpreheat_authority", ngx_dfp_target_authority, 0),
    ngx_dfp_var("dfpreheat_authorization", ngx_dfp_target_authorization, 0),
    ngx_dfp_var("dfpreheat_token_name", ngx_dfp_api_variable, 0),
    ngx_dfp_var("dfpreheat_job_id", ngx_dfp_api_variable, 1),
    ngx_http_null_variable
};


static ngx_http_module_t  ngx_dfp_module_ctx = {
    ngx_dfp_preconfiguration,              /* preconfiguration */
    ngx_dfp_postconfiguration,             /* postconfiguration */

    ngx_dfp_create_main_conf,              /* create main configuration */
    ngx_dfp_init_main_conf,                /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_dfp_create_loc_conf,               /* create location configuration */
    ngx_dfp_merge_loc_conf                 /* merge location configuration */
};


ngx_module_t  ngx_http_dfpreheat_module = {
    NGX_MODULE_V1,
    &ngx_dfp_module_ctx,                   /* module context */
    ngx_dfp_commands,                      /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_dfp_init_module,                   /* init module */
    ngx_dfp_init_process,                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_dfp_exit_process,                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_dfp_create_main_conf(ngx_conf_t *cf)
{
    ngx_dfp_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_dfp_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->redis.addrs, cf->pool, 2,
                       sizeof(ngx_dfp_redis_addr_t))
        != NGX_OK
        || ngx_array_init(&mcf->clusters, cf->pool, 2,
                          sizeof(ngx_dfp_cluster_t))
           != NGX_OK
        || ngx_array_init(&mcf->bindings, cf->pool, 2,
                          sizeof(ngx_dfp_binding_t))
           != NGX_OK
        || ngx_array_init(&mcf->fronts, cf->pool, 1, sizeof(ngx_dfp_front_t))
           != NGX_OK
        || ngx_array_init(&mcf->policies, cf->pool, 1,
                          sizeof(ngx_dfp_policy_t))
           != NGX_OK
        || ngx_array_init(&mcf->redirects, cf->pool, 1,
                          sizeof(ngx_http_conf_ctx_t *))
           != NGX_OK
        || ngx_array_init(&mcf->bound, cf->pool, 4, sizeof(void **)) != NGX_OK
        || ngx_array_init(&mcf->grpc, cf->pool, 1, sizeof(ngx_dfp_binding_t))
           != NGX_OK)
    {
        return NULL;
    }

    ngx_str_set(&mcf->redis.prefix, "dfpreheat:");

    mcf->redis.timeout = NGX_CONF_UNSET_MSEC;
    mcf->max_timeout = NGX_CONF_UNSET_MSEC;
    mcf->max_body_size = NGX_CONF_UNSET_SIZE;
    mcf->queue_limit = NGX_CONF_UNSET_UINT;
    mcf->streams = NGX_CONF_UNSET_UINT;
    mcf->lease = NGX_CONF_UNSET_MSEC;
    mcf->max_attempts = NGX_CONF_UNSET_UINT;
    mcf->worker_calls = NGX_CONF_UNSET_UINT;
    mcf->rate = NGX_CONF_UNSET_SIZE;
    mcf->retention = NGX_CONF_UNSET;
    mcf->keep_interval = NGX_CONF_UNSET_MSEC;
    mcf->task_timeout = NGX_CONF_UNSET_MSEC;
    mcf->peer_timeout = NGX_CONF_UNSET_MSEC;
    mcf->settle = NGX_CONF_UNSET_MSEC;
    mcf->max_manifest_size = NGX_CONF_UNSET_SIZE;
    mcf->skip_verify = NGX_CONF_UNSET;
    mcf->unreachable = NGX_CONF_UNSET_UINT;
    mcf->success_threshold = NGX_CONF_UNSET_UINT;

    return mcf;
}


static char *
ngx_dfp_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    ngx_conf_init_msec_value(mcf->redis.timeout, 5000);
    ngx_conf_init_msec_value(mcf->max_timeout, 24 * 60 * 60 * 1000);
    ngx_conf_init_size_value(mcf->max_body_size, 1024 * 1024);
    ngx_conf_init_uint_value(mcf->queue_limit, 100000);
    ngx_conf_init_uint_value(mcf->streams, 1000);
    ngx_conf_init_msec_value(mcf->lease, 15000);
    ngx_conf_init_uint_value(mcf->max_attempts, 3);
    ngx_conf_init_size_value(mcf->rate, 0);
    ngx_conf_init_value(mcf->retention, 30 * 24 * 60 * 60);
    ngx_conf_init_msec_value(mcf->keep_interval, 5 * 60 * 1000);
    ngx_conf_init_msec_value(mcf->task_timeout, 60 * 60 * 1000);
    ngx_conf_init_msec_value(mcf->peer_timeout, 10000);
    ngx_conf_init_msec_value(mcf->settle, 5 * 60 * 1000);
    ngx_conf_init_size_value(mcf->max_manifest_size, 4 * 1024 * 1024);
    ngx_conf_init_value(mcf->skip_verify, 0);
    ngx_conf_init_uint_value(mcf->success_threshold, 100);

    if (mcf->unreachable == NGX_CONF_UNSET_UINT) {
        mcf->unreachable = 1;
        mcf->unreachable_share = 1;
    }

    ngx_dfp_conf_default_platform(mcf);

    if (ngx_dfp_conf_check_values(cf, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_dfp_create_loc_conf(ngx_conf_t *cf)
{
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_pcalloc(cf->pool, sizeof(ngx_dfp_loc_conf_t));
    if (dlcf == NULL) {
        return NULL;
    }

    dlcf->enable = NGX_CONF_UNSET;
    dlcf->status = NGX_CONF_UNSET;
    dlcf->query_token = NGX_CONF_UNSET;
    dlcf->share_blobs = NGX_CONF_UNSET;
    dlcf->grpc = NGX_CONF_UNSET;
    dlcf->access = NGX_CONF_UNSET;
    dlcf->tag_valid = NGX_CONF_UNSET;

    return dlcf;
}


/* What a location serves is only inherited by "if" and limit_except blocks. */

static void
ngx_dfp_merge_served(ngx_dfp_loc_conf_t *prev, ngx_dfp_loc_conf_t *conf)
{
    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_value(conf->status, prev->status, 0);
    ngx_conf_merge_value(conf->query_token, prev->query_token, 0);
    ngx_conf_merge_value(conf->share_blobs, prev->share_blobs, 0);
    conf->filter = conf->filter ? conf->filter : prev->filter;
    conf->kept = conf->kept ? conf->kept : prev->kept;
    ngx_conf_merge_value(conf->grpc, prev->grpc, 0);

    if (conf->origins == NULL && conf->redirects == NULL) {
        conf->origins = prev->origins;
        conf->redirects = prev->redirects;
        conf->named = prev->named;
        conf->verify = prev->verify;
    }
}


/* What protects a location also protects those below it. */

static char *
ngx_dfp_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_dfp_loc_conf_t *prev = parent;
    ngx_dfp_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;
    ngx_dfp_main_conf_t       *mcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname) {
        ngx_dfp_merge_served(prev, conf);
    }

    ngx_conf_init_value(conf->enable, 0);
    ngx_conf_init_value(conf->status, 0);
    ngx_conf_init_value(conf->query_token, 0);
    ngx_conf_init_value(conf->share_blobs, 0);
    ngx_conf_init_value(conf->grpc, 0);

    conf->access_set = (conf->access != NGX_CONF_UNSET || prev->access_set);
    ngx_conf_merge_value(conf->access, prev->access, 0);
    ngx_conf_merge_sec_value(conf->tag_valid, prev->tag_valid, 60);

    conf->bound = prev->bound || conf->origins || conf->redirects;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);

    if ((conf->bound || conf->access || conf->filter || conf->kept)
        && ngx_dfp_conf_bound(cf, mcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->status) {
        mcf->status = 1;
        clcf->handler = ngx_dfp_status_handler;
    }

    if (!conf->enable) {
        return NGX_CONF_OK;
    }

    if (conf->status) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\": \"dfpreheat_status on\" cannot be "
                           "in a location that has \"dfpreheat on\"",
                           &clcf->name);
        return NGX_CONF_ERROR;
    }

    mcf->used = 1;

    clcf->handler = ngx_dfp_handler;

    /* dfpreheat_max_body_size replaces it, with an answer in JSON */
    clcf->client_max_body_size = 0;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_dfp_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_dfp_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    if (ngx_dfp_sent_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_dfp_target_upstream(cf);
}


static ngx_int_t
ngx_dfp_postconfiguration(ngx_conf_t *cf)
{
    ngx_dfp_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);

    if (ngx_dfp_conf_check(cf, mcf) != NGX_OK
        || (mcf->redis.addrs.nelts && ngx_dfp_digest_init(cf, mcf) != NGX_OK)
        || ngx_dfp_conf_init_bound(cf, mcf) != NGX_OK
        || ngx_dfp_phase_handler(cf, NGX_HTTP_PRECONTENT_PHASE,
                                 ngx_dfp_login_handler)
           != NGX_OK
        || ngx_dfp_phase_handler(cf, NGX_HTTP_PRECONTENT_PHASE,
                                 ngx_dfp_access_handler)
           != NGX_OK
        || ngx_dfp_rehearsal_init(cf, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_dfp_fill_init();
    ngx_dfp_kept_init();
    ngx_dfp_storable_init();
    ngx_dfp_login_init();
    ngx_dfp_overtaken_init();
    ngx_dfp_manifest_init();
    ngx_dfp_valid_init();

    return ngx_dfp_call_init(cf);
}


/* The log has its configured level only from here on. */

static ngx_int_t
ngx_dfp_init_module(ngx_cycle_t *cycle)
{
    ngx_dfp_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_dfpreheat_module);

    if (mcf) {
        ngx_dfp_conf_debug(mcf, cycle->log);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_init_process(ngx_cycle_t *cycle)
{
    ngx_dfp_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_dfpreheat_module);

    /* the cache manager and loader call this, too */

    if (mcf == NULL || mcf->redis.addrs.nelts == 0
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    if (mcf->worker_calls == NGX_CONF_UNSET_UINT) {
        mcf->worker_calls = ngx_max(cycle->connection_n / 8, 1);
    }

    ngx_dfp_counters_init(&mcf->instance.shared->counters);
    ngx_dfp_rate_init(mcf, cycle);

    if (ngx_dfp_token_cache_init(cycle) != NGX_OK
        || ngx_dfp_store_init(mcf, cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_runner_init(mcf, cycle);
}


static void
ngx_dfp_exit_process(ngx_cycle_t *cycle)
{
    ngx_dfp_runner_done();
    ngx_dfp_store_done();
    ngx_dfp_counters_done();
}
