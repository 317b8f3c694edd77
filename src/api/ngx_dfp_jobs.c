#include "ngx_dfp_jobs.h"
#include "ngx_dfp_await.h"
#include "ngx_dfp_choose.h"
#include "ngx_dfp_jobs_hook.h"
#include "ngx_dfp_once.h"
#include "ngx_dfp_print.h"

#include "dfp_d7y.h"
#include "dfp_texts.h"


static dfp_rc_t ngx_dfp_jobs_listed(ngx_dfp_api_t *api);
static dfp_rc_t ngx_dfp_jobs_about(ngx_dfp_api_t *api);
static dfp_rc_t ngx_dfp_jobs_task(ngx_dfp_api_t *api);
static dfp_rc_t ngx_dfp_jobs_seal(ngx_dfp_api_t *api, dfp_err_t *err);
static void ngx_dfp_jobs_told(void *data, ngx_int_t rc);
static void ngx_dfp_jobs_got(void *data, ngx_int_t rc);
static void ngx_dfp_jobs_settled(void *data, ngx_int_t rc);
static void ngx_dfp_jobs_ended(void *data, ngx_int_t rc);
static ngx_uint_t ngx_dfp_jobs_status(ngx_dfp_api_t *api);
static void ngx_dfp_jobs_show(ngx_dfp_api_t *api,
    ngx_dfp_print_form_e form);


void
ngx_dfp_jobs_store(ngx_dfp_api_t *api, dfp_rc_t rc, dfp_err_t *err,
    ngx_dfp_op_pt next)
{
    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_prepare(api, err);
    }

    if (rc == DFP_INVALID) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, err->text);
        return;
    }

    if (rc != DFP_OK) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    api->replied = next;

    if (ngx_dfp_store_create(api->store, &api->op, &api->stored) != NGX_OK) {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


dfp_rc_t
ngx_dfp_jobs_prepare(ngx_dfp_api_t *api, dfp_err_t *err)
{
    dfp_rc_t  rc;

    rc = ngx_dfp_choose(api, err);

    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_about(api);
    }

    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_seal(api, err);
    }

    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_hook(api, err);
    }

    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_task(api);
    }

    if (rc == DFP_OK && (api->job.action == DFP_JOB_PREHEAT
                         || dfp_job_of_task(api->job.action)))
    {
        rc = ngx_dfp_jobs_listed(api);
    }

    if (rc != DFP_OK) {
        return rc;
    }

    ngx_str_set(&api->stored.state, "PENDING");
    api->stored.configured = (api->auth.token.scopes
                              & DFP_TOKEN_ORIGIN_CREDENTIALS) != 0;
    api->stored.timeout = (api->job.timeout + 999999) / 1000000;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, api->r->connection->log, 0,
                   "dfpreheat api: new job %V, %ui clusters, timeout %L ms%s",
                   &api->stored.uuid, api->stored.nparts,
                   api->stored.timeout,
                   api->stored.sealed.len ? ", sealed" : "");

    return DFP_OK;
}


/* Jobs of these types are listed, also by their user. */

static dfp_rc_t
ngx_dfp_jobs_listed(ngx_dfp_api_t *api)
{
    ngx_str_t  *user;

    user = &api->stored.user;

    user->data = ngx_pnalloc(api->r->pool, NGX_INT64_LEN);
    if (user->data == NULL) {
        return DFP_ERROR;
    }

    user->len = ngx_sprintf(user->data, "%L", api->job.user_id) - user->data;

    if (dfp_job_of_task(api->job.action)) {
        api->stored.kind = ngx_dfp_str(
                             dfp_cstr(dfp_job_type_name(api->job.action)));
    }

    return DFP_OK;
}


/* What is preheated into caches here is found by the id of its task. */

static dfp_rc_t
ngx_dfp_jobs_task(ngx_dfp_api_t *api)
{
    dfp_rc_t                rc;
    dfp_str_t               id;
    ngx_uint_t              i;
    ngx_dfp_cluster_t      *cluster;
    ngx_dfp_job_cluster_t  *chosen;

    if (api->job.action != DFP_JOB_PREHEAT) {
        return DFP_OK;
    }

    chosen = api->stored.clusters.elts;

    for (i = 0; i < api->stored.clusters.nelts; i++) {
        cluster = ngx_dfp_choose_find(api, chosen[i].id);

        if (cluster->caches) {
            break;
        }
    }

    if (i == api->stored.clusters.nelts) {
        return DFP_OK;
    }

    rc = dfp_d7y_job_task(&api->mem, &api->job, &id);

    if (rc == DFP_OK) {
        id.len = ngx_min(id.len, NGX_DFP_TASK_KEY);
        api->stored.task = ngx_dfp_str(id);
    }

    return rc == DFP_ERROR ? DFP_ERROR : DFP_OK;
}


/* Printed once; GET shows it as it is stored. */

static dfp_rc_t
ngx_dfp_jobs_about(ngx_dfp_api_t *api)
{
    dfp_buf_t        b;
    dfp_job_about_t  about;

    about.bio = api->job.bio;
    about.type = dfp_cstr(dfp_job_type_name(api->job.action));
    about.user_id = api->job.user_id;
    about.dry_run = (api->job.action == DFP_JOB_DRY);

    dfp_buf_init(&b, &api->mem, 64 + api->job.bio.len, 0);
    dfp_job_print_about(&b, &about);

    api->stored.about = ngx_dfp_str(dfp_buf_value(&b));

    return b.failed ? DFP_ERROR : DFP_OK;
}


/* The arguments as GET shows them and, where those hide secrets, sealed. */

static dfp_rc_t
ngx_dfp_jobs_seal(ngx_dfp_api_t *api, dfp_err_t *err)
{
    int        secret;
    dfp_rc_t   rc;
    dfp_buf_t  shown, stored, whole;
    dfp_str_t  sealed;

    if (ngx_dfp_api_uuid(api, &api->stored.uuid) != NGX_OK) {
        return DFP_ERROR;
    }

    dfp_buf_init(&shown, &api->mem, 2048, 0);
    secret = dfp_job_print_args(&shown, &api->job, 1);

    dfp_buf_init(&stored, &api->mem, 2048, 0);
    dfp_job_args_store(&stored, dfp_buf_value(&shown));

    if (shown.failed || stored.failed) {
        return DFP_ERROR;
    }

    api->stored.args = ngx_dfp_str(dfp_buf_value(&stored));

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


void
ngx_dfp_jobs_created(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    if (rc != NGX_OK) {
        ngx_dfp_jobs_refused(api, rc);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, api->r->connection->log, 0,
                  "dfpreheat: job %L accepted", api->stored.id);

    api->stored.webhook.updated = api->stored.created;

    if (api->waits) {
        ngx_dfp_jobs_read(api);

    } else {
        ngx_dfp_jobs_show(api, NGX_DFP_PRINT_NEW);
    }
}


void
ngx_dfp_jobs_answer(ngx_dfp_api_t *api, ngx_int_t rc, ngx_msec_t time,
    ngx_dfp_api_pt show)
{
    if (rc != NGX_OK) {
        ngx_dfp_jobs_refused(api, rc);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, api->r->connection->log, 0,
                  "dfpreheat: job %L accepted, its end is awaited",
                  api->stored.id);

    /* a reload does not interrupt it */

    api->follower.stays = 1;
    api->show = show;

    ngx_dfp_await(api, time, ngx_dfp_jobs_told);
}


static void
ngx_dfp_jobs_told(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        api->show(api);

    } else if (rc == NGX_DECLINED) {
        ngx_dfp_api_error(api, NGX_HTTP_SERVICE_UNAVAILABLE,
                          "Redis has lost the job: repeat the request");

    } else {
        ngx_dfp_api_store_error(api, rc);
    }
}


void
ngx_dfp_jobs_refused(ngx_dfp_api_t *api, ngx_int_t rc)
{
    dfp_err_t  err;

    if (rc != NGX_DECLINED) {
        ngx_dfp_api_store_error(api, rc);
        return;
    }

    if (api->stored.repeated) {
        ngx_dfp_jobs_read(api);
        return;
    }

    if (api->stored.other) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, NGX_DFP_ONCE_OTHER);
        return;
    }

    if (api->stored.excess) {
        (void) dfp_invalid(&err, "args.scope: %lu instances would have to warm "
                           "it, and the maximum is %lu: name some of them in "
                           "args.ips, or use args.count or "
                           "scheduler_cluster_ids",
                           (unsigned long) api->stored.excess,
                           (unsigned long) api->stored.most);
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, err.text);
        return;
    }

    if (api->stored.kept) {
        (void) dfp_invalid(&err, "args.keep_until: %lu jobs are kept, and the "
                           "maximum is %lu: delete some of them",
                           (unsigned long) api->stored.kept,
                           (unsigned long) api->stored.most);
        ngx_dfp_api_error(api, NGX_HTTP_TOO_MANY_REQUESTS, err.text);
        return;
    }

    (void) dfp_invalid(&err, "the queue is full: %lu jobs are unfinished "
                       "(dfpreheat_queue_limit is %lu)",
                       (unsigned long) api->stored.full,
                       (unsigned long) api->conf->queue_limit);
    ngx_dfp_api_error(api, NGX_HTTP_TOO_MANY_REQUESTS, err.text);
}


/* GET /oapi/v1/jobs/:id */

void
ngx_dfp_jobs_get(ngx_dfp_api_t *api)
{
    dfp_rc_t   rc;
    dfp_err_t  err;

    rc = api->stored.id ? ngx_dfp_await_parse(api, &err)
                        : dfp_invalid(&err, NGX_DFP_JOBS_ID);

    if (rc == DFP_OK) {
        ngx_dfp_jobs_read(api);

    } else if (rc == DFP_INVALID) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, err.text);

    } else {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
    }
}


void
ngx_dfp_jobs_read(ngx_dfp_api_t *api)
{
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

    if (rc == NGX_DECLINED || (rc == NGX_OK && ngx_dfp_jobs_hidden(api))) {
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

    } else if (api->stored.state.data[0] == 'P' && api->wait
               && !ngx_exiting)
    {
        ngx_dfp_await(api, api->wait, ngx_dfp_jobs_ended);

    } else {
        ngx_dfp_jobs_show(api, NGX_DFP_PRINT_ONE);
    }
}


static void
ngx_dfp_jobs_settled(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        ngx_dfp_jobs_read(api);

    } else {
        ngx_dfp_api_store_error(api, rc);
    }
}


static void
ngx_dfp_jobs_ended(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        ngx_dfp_jobs_show(api, NGX_DFP_PRINT_ONE);

    } else if (rc == NGX_DECLINED) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_FOUND, DFP_API_NOT_FOUND);

    } else {
        ngx_dfp_api_store_error(api, rc);
    }
}


static void
ngx_dfp_jobs_show(ngx_dfp_api_t *api, ngx_dfp_print_form_e form)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, &api->mem, 4096, 0);
    ngx_dfp_print_job(&b, api->conf, &api->stored, form);

    ngx_dfp_api_send(api, ngx_dfp_jobs_status(api), &b);
}


/* For a script that goes on only if its images are there. */

static ngx_uint_t
ngx_dfp_jobs_status(ngx_dfp_api_t *api)
{
    if (!api->gate || api->stored.state.data[0] == 'S') {
        return NGX_HTTP_OK;
    }

    return api->stored.state.data[0] == 'F' ? NGX_HTTP_FAILED_DEPENDENCY
                                            : NGX_HTTP_GATEWAY_TIME_OUT;
}
