#include "ngx_dfp_jobs_post.h"
#include "ngx_dfp_await.h"
#include "ngx_dfp_body.h"
#include "ngx_dfp_distribution.h"
#include "ngx_dfp_jobs.h"
#include "ngx_dfp_once.h"

#include "dfp_d7y.h"


static void ngx_dfp_jobs_parse(ngx_dfp_api_t *api);
static void ngx_dfp_jobs_find(ngx_dfp_api_t *api);
static void ngx_dfp_jobs_found(void *data, ngx_int_t rc);
static dfp_rc_t ngx_dfp_jobs_found_url(ngx_dfp_api_t *api);
static ngx_uint_t ngx_dfp_jobs_caches(ngx_dfp_api_t *api);


void
ngx_dfp_jobs_create(ngx_dfp_api_t *api)
{
    ngx_dfp_body_read(api, ngx_dfp_jobs_parse);
}


static void
ngx_dfp_jobs_parse(ngx_dfp_api_t *api)
{
    dfp_rc_t   rc;
    dfp_err_t  err;

    rc = ngx_dfp_await_parse(api, &err);

    if (rc == DFP_OK) {
        rc = ngx_dfp_once(api, &err);
    }

    if (rc == DFP_OK) {
        rc = dfp_job_parse(&api->mem, ngx_dfp_dfp_str(api->body),
                           (int64_t) api->conf->max_timeout * 1000000,
                           &api->job, &err);
    }

    if (rc == DFP_OK && api->job.action == DFP_JOB_DISTRIBUTION) {
        ngx_dfp_distribution(api);
        return;
    }

    if (rc == DFP_OK && dfp_job_of_task(api->job.action)
        && api->job.url.len == 0 && ngx_dfp_jobs_caches(api))
    {
        ngx_dfp_jobs_find(api);
        return;
    }

    if (rc == DFP_OK && api->job.action == DFP_JOB_DRY) {
        api->job.timeout = ngx_min(api->job.timeout, NGX_DFP_DRY_TIMEOUT);
        api->stored.keep = NGX_DFP_DRY_KEEP;
    }

    ngx_dfp_jobs_store(api, rc, &err, ngx_dfp_jobs_created);
}


/* Peers know a task by its id, a cache by its URL. */

static void
ngx_dfp_jobs_find(ngx_dfp_api_t *api)
{
    dfp_str_t  id;

    if (dfp_d7y_job_task(&api->mem, &api->job, &id) != DFP_OK) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    id.len = ngx_min(id.len, NGX_DFP_TASK_KEY);
    api->stored.task = ngx_dfp_str(id);
    api->replied = ngx_dfp_jobs_found;

    if (ngx_dfp_store_task_find(api->store, &api->op, &api->stored.task,
                                &api->stored.args)
        != NGX_OK)
    {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


static void
ngx_dfp_jobs_found(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    dfp_rc_t   found;
    dfp_err_t  err;

    found = DFP_OK;

    ngx_str_null(&api->stored.task);

    if (rc == NGX_OK) {
        found = ngx_dfp_jobs_found_url(api);

    } else if (rc != NGX_DECLINED) {
        ngx_dfp_api_store_error(api, rc);
        return;
    }

    ngx_dfp_jobs_store(api, found, &err, ngx_dfp_jobs_created);
}


/* Only the first half of the id has found the job, and Redis may have lost what
 * belonged to it: so the id is computed once more. */

static dfp_rc_t
ngx_dfp_jobs_found_url(ngx_dfp_api_t *api)
{
    dfp_rc_t   rc;
    dfp_job_t  job;
    dfp_err_t  err;
    dfp_str_t  id, wanted;

    rc = dfp_job_parse_args(&api->mem, ngx_dfp_dfp_str(api->stored.args), &job,
                            &err);

    if (rc == DFP_OK) {
        rc = dfp_d7y_job_task(&api->mem, &job, &id);
    }

    if (rc == DFP_OK) {
        rc = dfp_d7y_job_task(&api->mem, &api->job, &wanted);
    }

    if (rc == DFP_OK && dfp_str_eq(id, wanted)) {
        api->job.found_url = job.url.len ? job.url : job.urls[0];

        if (api->job.platform.len == 0) {
            api->job.platform = job.platform;
        }
    }

    return rc == DFP_ERROR ? DFP_ERROR : DFP_OK;
}


static ngx_uint_t
ngx_dfp_jobs_caches(ngx_dfp_api_t *api)
{
    ngx_uint_t          i;
    ngx_dfp_cluster_t  *cluster;

    cluster = api->conf->clusters.elts;

    for (i = 0; i < api->conf->clusters.nelts; i++) {
        if (cluster[i].caches) {
            return 1;
        }
    }

    return 0;
}
