#include "ngx_dfp_where.h"
#include "ngx_dfp_jobs.h"
#include "ngx_dfp_print.h"
#include "ngx_dfp_query.h"

#include "dfp_where.h"


static dfp_rc_t ngx_dfp_where_job(ngx_dfp_api_t *api, dfp_err_t *err);
static dfp_rc_t ngx_dfp_where_clusters(ngx_dfp_api_t *api, dfp_err_t *err);
static void ngx_dfp_where_created(void *data, ngx_int_t rc);
static void ngx_dfp_where_show(ngx_dfp_api_t *api);


void
ngx_dfp_where(ngx_dfp_api_t *api)
{
    dfp_rc_t   rc;
    dfp_err_t  err;

    rc = ngx_dfp_where_job(api, &err);

    if (rc == DFP_OK) {
        rc = ngx_dfp_where_clusters(api, &err);
    }

    api->stored.keep = NGX_DFP_WHERE_KEEP;

    ngx_dfp_jobs_store(api, rc, &err, ngx_dfp_where_created);
}


static dfp_rc_t
ngx_dfp_where_job(ngx_dfp_api_t *api, dfp_err_t *err)
{
    ngx_str_t         platform;
    dfp_job_action_t  action;

    if (ngx_dfp_query_get(api->r, "platform=", &platform) != NGX_OK) {
        return DFP_ERROR;
    }

    action = (api->r->method == NGX_HTTP_DELETE) ? DFP_JOB_REMOVE
                                                 : DFP_JOB_LOOK;

    return dfp_job_of_url(&api->mem, action, ngx_dfp_dfp_str(api->url),
                          ngx_dfp_dfp_str(platform),
                          (int64_t) NGX_DFP_WHERE_TIMEOUT * 1000000,
                          &api->job, err);
}


/* Those whose instances have a cache: all, or the one that is named. */

static dfp_rc_t
ngx_dfp_where_clusters(ngx_dfp_api_t *api, dfp_err_t *err)
{
    off_t               id;
    ngx_str_t           named;
    dfp_job_t          *job;
    ngx_uint_t          i;
    ngx_dfp_cluster_t  *cluster;

    job = &api->job;
    cluster = api->conf->clusters.elts;

    if (ngx_dfp_query_get(api->r, "scheduler_cluster_id=", &named) != NGX_OK)
    {
        return DFP_ERROR;
    }

    id = named.len ? ngx_atoof(named.data, named.len) : 0;

    job->clusters = ngx_palloc(api->r->pool, (api->conf->clusters.nelts + 1)
                                             * sizeof(int64_t));
    if (job->clusters == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < api->conf->clusters.nelts; i++) {
        if (cluster[i].caches && (named.len == 0 || cluster[i].id == id)) {
            job->clusters[job->nclusters++] = cluster[i].id;
        }
    }

    if (job->nclusters) {
        return DFP_OK;
    }

    return dfp_invalid(err, named.len
                       ? "scheduler_cluster_id must be the id of a "
                         "dfpreheat_cluster with engine=cache"
                       : "no dfpreheat_cluster has engine=cache: url cannot be "
                         "in a cache");
}


static void
ngx_dfp_where_created(void *data, ngx_int_t rc)
{
    ngx_dfp_jobs_answer(data, rc, NGX_DFP_WHERE_TIMEOUT + NGX_DFP_WHERE_LATE,
                        ngx_dfp_where_show);
}


static void
ngx_dfp_where_show(ngx_dfp_api_t *api)
{
    dfp_buf_t        b;
    ngx_uint_t       i;
    dfp_where_t     *where;
    ngx_dfp_part_t  *part;

    part = api->stored.parts;

    where = ngx_pcalloc(api->r->pool,
                        (api->stored.nparts + 1) * sizeof(dfp_where_t));
    if (where == NULL) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    for (i = 0; i < api->stored.nparts; i++) {
        ngx_dfp_print_who(&part[i], &where[i].ip, &where[i].hostname);

        where[i].cluster = part[i].cluster;
        where[i].results = ngx_dfp_dfp_str(part[i].results);
        where[i].error = ngx_dfp_dfp_str(part[i].error);

        if (part[i].state.data[0] == 'P') {
            where[i].error = DFP_STR("it has not answered in time");
        }
    }

    dfp_buf_init(&b, &api->mem, 4096, 0);

    if (dfp_where_print(&b, where, api->stored.nparts) != DFP_OK) {
        b.failed = 1;
    }

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}
