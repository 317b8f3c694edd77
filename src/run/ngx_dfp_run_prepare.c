#include "ngx_dfp_engine.h"


static ngx_dfp_cluster_t *ngx_dfp_run_cluster(ngx_dfp_run_t *run);
static ngx_dfp_engine_t *ngx_dfp_run_engine(ngx_dfp_run_t *run);


ngx_int_t
ngx_dfp_run_prepare(ngx_dfp_run_t *run)
{
    dfp_rc_t   rc;
    dfp_str_t  args;
    dfp_mem_t  mem;
    dfp_err_t  err;

    run->cluster = ngx_dfp_run_cluster(run);

    if (run->cluster == NULL) {
        ngx_dfp_run_fail(run, "cluster %L is no longer configured",
                         run->claim.cluster);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, &run->log, 0,
                  "dfpreheat: run %V starts in cluster \"%V\"",
                  &run->claim.run, &run->cluster->name);

    mem = ngx_dfp_mem(run->pool);
    args = ngx_dfp_dfp_str(run->claim.args);
    rc = DFP_OK;

    if (run->claim.sealed.len) {
        rc = dfp_unseal(&mem, &run->conf->keys,
                        ngx_dfp_dfp_str(run->claim.uuid),
                        ngx_dfp_dfp_str(run->claim.sealed), &args, &err);
    }

    if (rc == DFP_OK) {
        rc = dfp_job_parse_args(&mem, args, &run->job, &err);
    }

    if (rc == DFP_INVALID) {
        ngx_dfp_run_fail(run, "%s", err.text);
        return NGX_OK;
    }

    if (rc != DFP_OK) {
        return NGX_ERROR;
    }

    if (run->claim.look) {
        run->job.action = DFP_JOB_KEEP;
        run->job.verify = 0;
    }

    run->engine = ngx_dfp_run_engine(run);

    if (run->engine == NULL) {
        ngx_dfp_run_fail(run, "cluster %L has no cache", run->cluster->id);
        return NGX_OK;
    }

    if (run->job.verify && run->conf->verify == NULL) {
        ngx_dfp_run_fail(run, "args.verify: this nginx has no location with "
                         "dfpreheat_verify");
        return NGX_OK;
    }

    run->width = run->job.concurrent_task_count;

    if (run->job.scope == DFP_SCOPE_DEFAULT) {
        run->job.scope = run->cluster->scope;
    }

    return ngx_dfp_secrets_job(&run->secrets, &run->job);
}


static ngx_dfp_cluster_t *
ngx_dfp_run_cluster(ngx_dfp_run_t *run)
{
    ngx_uint_t          i;
    ngx_dfp_cluster_t  *cluster;

    cluster = run->conf->clusters.elts;

    for (i = 0; i < run->conf->clusters.nelts; i++) {
        if (cluster[i].id == run->claim.cluster) {
            return &cluster[i];
        }
    }

    return NULL;
}


static ngx_dfp_engine_t *
ngx_dfp_run_engine(ngx_dfp_run_t *run)
{
    switch (run->job.action) {

    case DFP_JOB_PREHEAT:
        return run->cluster->engine;

    case DFP_JOB_DRY:
        return run->cluster->engine->dry_run;

    case DFP_JOB_KEEP:
        return run->cluster->engine->keep;

    default: /* what is there is looked up, or removed */
        return run->cluster->engine->look;
    }
}
