#include "ngx_dfp_conf.h"


ngx_int_t
ngx_dfp_conf_check_values(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    if (mcf->lease < NGX_DFP_LEASE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_lease must be at least %d ms",
                           NGX_DFP_LEASE_MIN);
        return NGX_ERROR;
    }

    if (mcf->retention < NGX_DFP_RETENTION_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_job_retention must be at least %ds",
                           NGX_DFP_RETENTION_MIN);
        return NGX_ERROR;
    }

    if (mcf->keep_interval < NGX_DFP_KEEP_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_keep_interval must be at least %ds",
                           NGX_DFP_KEEP_MIN / 1000);
        return NGX_ERROR;
    }

    if (mcf->task_timeout < NGX_DFP_TASK_TIMEOUT_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_task_timeout must be at least %ds",
                           NGX_DFP_TASK_TIMEOUT_MIN / 1000);
        return NGX_ERROR;
    }

    if (mcf->peer_timeout < NGX_DFP_PEER_TIMEOUT_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_peer_timeout must be at least %ds",
                           NGX_DFP_PEER_TIMEOUT_MIN / 1000);
        return NGX_ERROR;
    }

    if (mcf->max_manifest_size < NGX_DFP_MANIFEST_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_max_manifest_size must be at least %d",
                           NGX_DFP_MANIFEST_MIN);
        return NGX_ERROR;
    }

    if (mcf->max_timeout < DFP_JOB_TIMEOUT_MIN / 1000000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_max_timeout must be at least %Ls",
                           (int64_t) DFP_JOB_TIMEOUT_MIN / 1000000000);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_conf_check(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    if (mcf->used && mcf->redis.addrs.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"dfpreheat on\" needs dfpreheat_redis, for "
                           "example \"dfpreheat_redis 127.0.0.1:6379;\"");
        return NGX_ERROR;
    }

    if (mcf->used && mcf->clusters.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"dfpreheat on\" needs a dfpreheat_cluster, for "
                           "example \"dfpreheat_cluster 1 name=cluster-1 "
                           "engine=cache;\"");
        return NGX_ERROR;
    }

    if (mcf->status && mcf->redis.addrs.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"dfpreheat_status on\" needs dfpreheat_redis");
        return NGX_ERROR;
    }

    if (mcf->skip_verify) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "dfpreheat_insecure_skip_verify is on: "
                           "certificates are not verified, so credentials can "
                           "be read and content can be altered in transit");
    }

    if (ngx_dfp_conf_check_origins(cf, mcf) != NGX_OK
        || ngx_dfp_conf_check_fronts(cf, mcf) != NGX_OK
        || ngx_dfp_conf_check_policies(cf, mcf) != NGX_OK
        || ngx_dfp_conf_default_peers(cf, mcf) != NGX_OK
        || ngx_dfp_conf_check_dragonfly(cf, mcf) != NGX_OK
        || ngx_dfp_conf_definitions(cf, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_conf_default_instance(cf, mcf);
}
