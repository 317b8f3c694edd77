#include "ngx_dfp_jobs.h"
#include "ngx_dfp_body.h"
#include "ngx_dfp_print.h"

#include "dfp_texts.h"


static void ngx_dfp_jobs_parse(ngx_dfp_api_t *api);
static dfp_rc_t ngx_dfp_jobs_parts(ngx_dfp_api_t *api, dfp_err_t *err);
static ngx_int_t ngx_dfp_jobs_cluster(ngx_dfp_api_t *api,
    ngx_dfp_cluster_t *cluster, ngx_array_t *parts);
static dfp_rc_t ngx_dfp_jobs_unknown(ngx_dfp_api_t *api, int64_t id,
    dfp_err_t *err);
static dfp_rc_t ngx_dfp_jobs_checks(ngx_dfp_api_t *api, dfp_err_t *err);
static dfp_rc_t ngx_dfp_jobs_about(ngx_dfp_api_t *api);
static dfp_rc_t ngx_dfp_jobs_seal(ngx_dfp_api_t *api, dfp_err_t *err);
static ngx_int_t ngx_dfp_jobs_uuid(ngx_dfp_api_t *api, ngx_str_t *uuid);
static void ngx_dfp_jobs_created(void *data, ngx_int_t rc);
static void ngx_dfp_jobs_got(void *data, ngx_int_t rc);
static void ngx_dfp_jobs_settled(void *data, ngx_int_t rc);
static void ngx_dfp_jobs_show(ngx_dfp_api_t *api, ngx_uint_t result);


/* POST /oapi/v1/jobs */

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

    rc = dfp_job_parse(&api->mem, ngx_dfp_dfp_str(api->body),
                       (int64_t) api->conf->max_timeout * 1000000,
                       &api->job, &err);

    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_parts(api, &err);
    }

    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_checks(api, &err);
    }

    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_about(api);
    }

    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_seal(api, &err);
    }

    if (rc == DFP_INVALID) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, err.text);
        return;
    }

    if (rc != DFP_OK) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    ngx_str_set(&api->stored.state, "PENDING");
    api->stored.configured = (api->auth.token.scopes
                              & DFP_TOKEN_ORIGIN_CREDENTIALS) != 0;
    api->stored.timeout = (api->job.timeout + 999999) / 1000000;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, api->r->connection->log, 0,
                   "dfpreheat api: new job %V, %ui parts, timeout %L ms%s",
                   &api->stored.uuid, api->stored.nparts,
                   api->stored.timeout,
                   api->stored.sealed.len ? ", sealed" : "");

    api->replied = ngx_dfp_jobs_created;

    if (ngx_dfp_store_create(api->store, &api->op, &api->stored) != NGX_OK) {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


/* The clusters that the job names, or all. */

static dfp_rc_t
ngx_dfp_jobs_parts(ngx_dfp_api_t *api, dfp_err_t *err)
{
    size_t              i, n;
    ngx_uint_t          k;
    ngx_array_t         parts;
    ngx_dfp_cluster_t  *cluster;

    cluster = api->conf->clusters.elts;
    n = api->job.nclusters;

    if (ngx_array_init(&parts, api->r->pool, 4,
                       sizeof(ngx_dfp_part_t))
        != NGX_OK)
    {
        return DFP_ERROR;
    }

    for (k = 0; n == 0 && k < api->conf->clusters.nelts; k++) {
        if (ngx_dfp_jobs_cluster(api, &cluster[k], &parts) != NGX_OK) {
            return DFP_ERROR;
        }
    }

    for (i = 0; i < n; i++) {

        for (k = 0; k < api->conf->clusters.nelts; k++) {
            if (cluster[k].id == api->job.clusters[i]) {
                break;
            }
        }

        if (k == api->conf->clusters.nelts) {
            return ngx_dfp_jobs_unknown(api, api->job.clusters[i], err);
        }

        if (ngx_dfp_jobs_cluster(api, &cluster[k], &parts) != NGX_OK) {
            return DFP_ERROR;
        }
    }

    api->stored.parts = parts.elts;
    api->stored.nparts = parts.nelts;

    return DFP_OK;
}


/* Each cluster has one job state with one part, for workers of this nginx. */

static ngx_int_t
ngx_dfp_jobs_cluster(ngx_dfp_api_t *api, ngx_dfp_cluster_t *cluster,
    ngx_array_t *parts)
{
    ngx_dfp_part_t  *part;

    part = ngx_array_push(parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(part, sizeof(ngx_dfp_part_t));

    part->cluster = cluster->id;
    part->queue = api->conf->instance.queue;

    return ngx_dfp_jobs_uuid(api, &part->task_uuid);
}


static dfp_rc_t
ngx_dfp_jobs_unknown(ngx_dfp_api_t *api, int64_t id, dfp_err_t *err)
{
    u_char             *p, *last;
    ngx_uint_t          k;
    u_char              known[DFP_ERR_LEN / 2];
    ngx_dfp_cluster_t  *cluster;

    cluster = api->conf->clusters.elts;
    p = known;
    last = known + sizeof(known) - 1;

    for (k = 0; k < api->conf->clusters.nelts; k++) {
        p = ngx_slprintf(p, last, k ? ", %L" : "%L", cluster[k].id);
    }

    *p = '\0';

    return dfp_invalid(err, "scheduler_cluster_ids: unknown cluster %lld; the "
                       "configured clusters are: %s", (long long) id,
                       known);
}


/* Only the engine of nginx's own cache knows which bytes are in it. */

static dfp_rc_t
ngx_dfp_jobs_checks(ngx_dfp_api_t *api, dfp_err_t *err)
{
    ngx_uint_t          i, k;
    ngx_dfp_cluster_t  *cluster;

    if (api->job.digest.len == 0 && api->job.size == 0
        && !api->job.refresh)
    {
        return DFP_OK;
    }

    cluster = api->conf->clusters.elts;

    for (i = 0; i < api->stored.nparts; i++) {
        for (k = 0; k < api->conf->clusters.nelts; k++) {

            if (cluster[k].id == api->stored.parts[i].cluster
                && !cluster[k].caches)
            {
                return dfp_invalid(err,
                    "args.digest, args.size and args.refresh are supported by "
                    "engine=cache only, and cluster %lld has another engine",
                    (long long) cluster[k].id);
            }
        }
    }

    return DFP_OK;
}


/* Printed once; GET shows it as it is stored. */

static dfp_rc_t
ngx_dfp_jobs_about(ngx_dfp_api_t *api)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, &api->mem, 64 + api->job.bio.len, 0);
    dfp_buf_cstr(&b, ",\"bio\":");
    dfp_buf_json(&b, api->job.bio);
    dfp_buf_cstr(&b, ",\"type\":\"preheat\",\"user_id\":");
    dfp_buf_int(&b, api->job.user_id);

    api->stored.about = ngx_dfp_str(dfp_buf_value(&b));

    return b.failed ? DFP_ERROR : DFP_OK;
}


/* The arguments as GET shows them and, where those hide secrets, sealed. */

static dfp_rc_t
ngx_dfp_jobs_seal(ngx_dfp_api_t *api, dfp_err_t *err)
{
    int        secret;
    dfp_rc_t   rc;
    dfp_buf_t  shown, whole;
    dfp_str_t  sealed;

    if (ngx_dfp_jobs_uuid(api, &api->stored.uuid) != NGX_OK) {
        return DFP_ERROR;
    }

    dfp_buf_init(&shown, &api->mem, 2048, 0);
    secret = dfp_job_print_args(&shown, &api->job, 1);

    if (shown.failed) {
        return DFP_ERROR;
    }

    api->stored.args = ngx_dfp_str(dfp_buf_value(&shown));

    if (!secret) {
        return DFP_OK;
    }

    if (api->conf->keys.n == 0) {
        return dfp_invalid(err, "args contains credentials, but "
                           "dfpreheat_key, which encrypts them, is not "
                           "configured");
    }

    dfp_buf_init(&whole, &api->mem, 2048, 0);
    (void) dfp_job_print_args(&whole, &api->job, 0);

    if (whole.failed) {
        return DFP_ERROR;
    }

    rc = dfp_seal(&api->mem, &api->conf->keys,
                  ngx_dfp_dfp_str(api->stored.uuid),
                  dfp_buf_value(&whole), &sealed);

    if (rc == DFP_OK) {
        api->stored.sealed = ngx_dfp_str(sealed);
    }

    return rc;
}


static ngx_int_t
ngx_dfp_jobs_uuid(ngx_dfp_api_t *api, ngx_str_t *uuid)
{
    uuid->len = DFP_UUID_LEN;
    uuid->data = ngx_pnalloc(api->r->pool, uuid->len + 1);

    if (uuid->data == NULL || dfp_uuid((char *) uuid->data) != DFP_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_dfp_jobs_created(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    dfp_err_t  err;

    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, api->r->connection->log, 0,
                      "dfpreheat: job %L accepted", api->stored.id);
        ngx_dfp_jobs_show(api, 0);

    } else if (rc == NGX_DECLINED) {
        (void) dfp_invalid(&err, "the queue is full: %lu jobs are unfinished "
                           "(dfpreheat_queue_limit is %lu)",
                           (unsigned long) api->stored.full,
                           (unsigned long) api->conf->queue_limit);
        ngx_dfp_api_error(api, NGX_HTTP_TOO_MANY_REQUESTS, err.text);

    } else {
        ngx_dfp_api_store_error(api, rc);
    }
}


/* GET /oapi/v1/jobs/:id */

void
ngx_dfp_jobs_get(ngx_dfp_api_t *api)
{
    if (api->stored.id == 0) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE,
            "the job id must be an integer between 1 and 9223372036854775807");
        return;
    }

    /* the answer is printed while the reply exists */

    api->op.borrow = 1;
    api->replied = ngx_dfp_jobs_got;

    if (ngx_dfp_store_get(api->store, &api->op, &api->stored) != NGX_OK) {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


static void
ngx_dfp_jobs_got(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, api->r->connection->log, 0,
                   "dfpreheat api: job %L is read, rc %i, state \"%V\", %ui "
                   "parts", api->stored.id, rc, &api->stored.state,
                   api->stored.nparts);

    if (rc == NGX_DECLINED) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_FOUND, DFP_API_NOT_FOUND);

    } else if (rc != NGX_OK) {
        ngx_dfp_api_store_error(api, rc);

    } else if (api->stored.state.data[0] == 'P'
               && api->stored.deadline <= ngx_dfp_now() && !api->settled)
    {
        /* no worker has ended it: perhaps none is running */

        api->settled = 1;
        api->replied = ngx_dfp_jobs_settled;

        if (ngx_dfp_store_settle(api->store, &api->op, api->stored.id)
            != NGX_OK)
        {
            ngx_dfp_api_store_error(api, NGX_ABORT);
        }

    } else {
        ngx_dfp_jobs_show(api, 1);
    }
}


static void
ngx_dfp_jobs_settled(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        ngx_dfp_jobs_get(api);

    } else {
        ngx_dfp_api_store_error(api, rc);
    }
}


static void
ngx_dfp_jobs_show(ngx_dfp_api_t *api, ngx_uint_t result)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, &api->mem, 4096, 0);
    ngx_dfp_print_job(&b, api, result);

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}
