#include "ngx_dfp_push.h"
#include "ngx_dfp_body.h"
#include "ngx_dfp_jobs.h"
#include "ngx_dfp_once.h"
#include "ngx_dfp_push_plan.h"


static void ngx_dfp_push_too_large(ngx_dfp_api_t *api);
static void ngx_dfp_push_parsed(ngx_dfp_api_t *api);
static void ngx_dfp_push_refused(ngx_dfp_api_t *api, ngx_uint_t status,
    const char *reason);
static ngx_uint_t ngx_dfp_push_repeats(ngx_http_request_t *r);
static void ngx_dfp_push_dropped(ngx_dfp_api_t *api, const char *reason);
static void ngx_dfp_push_next(ngx_dfp_api_t *api);
static dfp_rc_t ngx_dfp_push_prepare(ngx_dfp_api_t *api,
    ngx_dfp_push_job_t *job, dfp_err_t *err);
static dfp_rc_t ngx_dfp_push_body(ngx_dfp_api_t *api, ngx_dfp_push_job_t *job,
    dfp_str_t *body);
static dfp_rc_t ngx_dfp_push_once(ngx_dfp_api_t *api,
    ngx_dfp_push_job_t *job);
static void ngx_dfp_push_stored(void *data, ngx_int_t rc);
static void ngx_dfp_push_created(ngx_dfp_api_t *api, ngx_dfp_push_job_t *job);
static void ngx_dfp_push_failed(ngx_dfp_api_t *api, ngx_dfp_push_job_t *job,
    const char *reason);
static void ngx_dfp_push_answer(ngx_dfp_api_t *api);
static void ngx_dfp_push_show_job(dfp_buf_t *b, ngx_dfp_push_job_t *job);
static void ngx_dfp_push_show_ignored(dfp_buf_t *b, dfp_push_t *push,
    ngx_str_t *policy, const char *reason, ngx_uint_t n);


void
ngx_dfp_push(ngx_dfp_api_t *api)
{
    api->too_large = ngx_dfp_push_too_large;

    ngx_dfp_body_read(api, ngx_dfp_push_parsed);
}


static void
ngx_dfp_push_too_large(ngx_dfp_api_t *api)
{
    ngx_dfp_push_refused(api, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                         NGX_DFP_BODY_TOO_LARGE);
}


static void
ngx_dfp_push_parsed(ngx_dfp_api_t *api)
{
    dfp_rc_t             rc;
    dfp_err_t            err;
    ngx_dfp_push_plan_t  *plan;

    plan = ngx_pcalloc(api->r->pool, sizeof(ngx_dfp_push_plan_t));

    rc = plan ? dfp_push_parse(&api->mem, ngx_dfp_dfp_str(api->body),
                               &plan->pushes, &plan->n, &err)
              : DFP_ERROR;

    if (rc == DFP_OK) {
        rc = ngx_dfp_push_make(api, plan);
    }

    if (rc == DFP_OK && plan->jobs.nelts > NGX_DFP_PUSH_JOBS_MAX) {
        rc = dfp_invalid(&err, "events: they would become %lu jobs, and the "
                         "maximum of a request is %d",
                         (unsigned long) plan->jobs.nelts,
                         NGX_DFP_PUSH_JOBS_MAX);
    }

    if (rc == DFP_INVALID) {
        ngx_dfp_push_refused(api, NGX_HTTP_UNPROCESSABLE, err.text);
        return;
    }

    if (rc != DFP_OK) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    api->data = plan;

    ngx_dfp_push_next(api);
}


static void
ngx_dfp_push_refused(ngx_dfp_api_t *api, ngx_uint_t status, const char *reason)
{
    if (ngx_dfp_push_repeats(api->r)) {
        ngx_dfp_push_dropped(api, reason);

    } else {
        ngx_dfp_api_error(api, status, reason);
    }
}


/*
 * distribution, by the type of its notifications (notifications/event.go), sends one
 * that is refused again for ever, and nothing else meanwhile. A notification has
 * headers of whoever pushes (User-Agent, Host), so it may be of any size.
 */

static ngx_uint_t
ngx_dfp_push_repeats(ngx_http_request_t *r)
{
    ngx_table_elt_t  *type;

    static ngx_str_t  events =
        ngx_string("application/vnd.docker.distribution.events.");

    type = r->headers_in.content_type;

    return type && dfp_str_case_starts(ngx_dfp_dfp_str(type->value),
                                       ngx_dfp_dfp_str(events));
}


static void
ngx_dfp_push_dropped(ngx_dfp_api_t *api, const char *reason)
{
    dfp_push_t           *push;
    ngx_dfp_push_plan_t  *plan;

    ngx_log_error(NGX_LOG_WARN, api->r->connection->log, 0,
                  "dfpreheat: a notification is ignored: %s", reason);

    plan = ngx_pcalloc(api->r->pool, sizeof(ngx_dfp_push_plan_t));
    push = ngx_pcalloc(api->r->pool, sizeof(dfp_push_t));

    if (plan == NULL || push == NULL) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    push->ignored = reason;
    plan->pushes = push;
    plan->n = 1;

    api->data = plan;

    ngx_dfp_push_answer(api);
}


/* Stores the next job; those that cannot be stored do not keep the others from
 * it. */

static void
ngx_dfp_push_next(ngx_dfp_api_t *api)
{
    dfp_rc_t              rc;
    dfp_err_t             err;
    ngx_dfp_push_job_t   *job;
    ngx_dfp_push_plan_t  *plan;

    plan = api->data;
    job = plan->jobs.elts;

    for ( /* void */ ; plan->next < plan->jobs.nelts; plan->next++) {

        rc = ngx_dfp_push_prepare(api, &job[plan->next], &err);

        if (rc == DFP_INVALID) {
            ngx_dfp_push_failed(api, &job[plan->next], err.text);
            continue;
        }

        if (rc != DFP_OK) {
            ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR,
                              "no memory");
            return;
        }

        api->replied = ngx_dfp_push_stored;

        if (ngx_dfp_store_create(api->store, &api->op, &api->stored)
            != NGX_OK)
        {
            ngx_dfp_api_store_error(api, NGX_ABORT);
        }

        return;
    }

    ngx_dfp_push_answer(api);
}


/* As if it had been posted. */

static dfp_rc_t
ngx_dfp_push_prepare(ngx_dfp_api_t *api, ngx_dfp_push_job_t *job,
    dfp_err_t *err)
{
    dfp_rc_t   rc;
    dfp_str_t  body;

    ngx_memzero(&api->stored, sizeof(ngx_dfp_stored_job_t));

    rc = ngx_dfp_push_body(api, job, &body);

    if (rc == DFP_OK) {
        rc = dfp_job_parse(&api->mem, body,
                           (int64_t) api->conf->max_timeout * 1000000,
                           &api->job, err);
    }

    if (rc == DFP_OK) {
        api->job.pushed = job->push->digest;

        if (job->policy->keep && !job->kept) {
            api->job.keep_until = ngx_dfp_now()
                                  + (int64_t) job->policy->keep * 1000;
        }

        rc = ngx_dfp_push_once(api, job);
    }

    return rc == DFP_OK ? ngx_dfp_jobs_prepare(api, err) : rc;
}


static dfp_rc_t
ngx_dfp_push_body(ngx_dfp_api_t *api, ngx_dfp_push_job_t *job,
    dfp_str_t *body)
{
    dfp_buf_t          b;
    ngx_dfp_policy_t  *policy;

    policy = job->policy;

    dfp_buf_init(&b, &api->mem, 512, 0);
    dfp_buf_cstr(&b, "{\"type\":\"preheat\",\"bio\":\"dfpreheat_policy ");
    dfp_buf_str(&b, ngx_dfp_dfp_str(policy->name));
    dfp_buf_cstr(&b, "\",\"scheduler_cluster_ids\":[");
    dfp_buf_str(&b, ngx_dfp_dfp_str(policy->clusters));
    dfp_buf_cstr(&b, "],\"args\":{\"type\":\"image\",\"url\":");
    dfp_buf_json(&b, job->url);
    dfp_buf_str(&b, ngx_dfp_dfp_str(policy->args));

    /* of two fields with the same name, the last one counts; what is signed has a
       platform, and not its signature */

    if (dfp_push_subject_tag(job->push->tag)) {
        dfp_buf_cstr(&b, ",\"platform\":\"all\",\"subjects\":false");
    }

    dfp_buf_cstr(&b, "}}");

    *body = dfp_buf_value(&b);

    return b.failed ? DFP_ERROR : DFP_OK;
}


/* A registry may tell the same several times, to several nginx. A tag that was
 * moved is another job, also if it was moved back. */

static dfp_rc_t
ngx_dfp_push_once(ngx_dfp_api_t *api, ngx_dfp_push_job_t *job)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, &api->mem, 512, 0);
    dfp_buf_str(&b, ngx_dfp_dfp_str(job->policy->name));
    dfp_buf_cstr(&b, " ");
    dfp_buf_str(&b, job->url);

    return b.failed ? DFP_ERROR
                    : ngx_dfp_once_push(api, ngx_dfp_str(dfp_buf_value(&b)),
                                        ngx_dfp_str(job->push->digest));
}


/* Those that were stored already are found again when the registry repeats the
 * request. */

static void
ngx_dfp_push_stored(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    dfp_err_t             err;
    ngx_dfp_push_job_t   *job;
    ngx_dfp_push_plan_t  *plan;

    plan = api->data;
    job = (ngx_dfp_push_job_t *) plan->jobs.elts + plan->next;

    if (rc == NGX_OK || (rc == NGX_DECLINED && api->stored.repeated)) {
        ngx_dfp_push_created(api, job);

    } else if (rc == NGX_DECLINED && api->stored.kept) {

        /* it is warmed at least: the registry would tell nothing else for days */

        job->kept = api->stored.kept;
        job->most = api->stored.most;

        ngx_dfp_push_next(api);
        return;

    } else if (rc == NGX_DECLINED && api->stored.excess) {
        (void) dfp_invalid(&err, "%lu instances would have to warm it, and the "
                           "maximum is %lu", (unsigned long) api->stored.excess,
                           (unsigned long) api->stored.most);
        ngx_dfp_push_failed(api, job, err.text);

    } else {
        ngx_dfp_jobs_refused(api, rc);
        return;
    }

    plan->next++;

    ngx_dfp_push_next(api);
}


static void
ngx_dfp_push_created(ngx_dfp_api_t *api, ngx_dfp_push_job_t *job)
{
    job->id = api->stored.id;
    job->created = !api->stored.repeated;

    ngx_dfp_count(&ngx_dfp_counters->pushes[job->created
                                            ? NGX_DFP_PUSHES_CREATED
                                            : NGX_DFP_PUSHES_REPEATED], 1);

    ngx_log_error(NGX_LOG_INFO, api->r->connection->log, 0,
                  job->created ? "dfpreheat: job %L accepted, of policy %V"
                  : "dfpreheat: job %L is there already, of policy %V",
                  job->id, &job->policy->name);

    if (job->kept) {
        ngx_log_error(NGX_LOG_WARN, api->r->connection->log, 0,
                      "dfpreheat: policy %V: job %L is not kept: %ui jobs are "
                      "kept, and the maximum is %ui", &job->policy->name,
                      job->id, job->kept, job->most);
    }
}


static void
ngx_dfp_push_failed(ngx_dfp_api_t *api, ngx_dfp_push_job_t *job,
    const char *reason)
{
    dfp_str_t  copy;

    copy.len = ngx_strlen(reason);
    copy.data = dfp_strdup(&api->mem, reason, copy.len);

    job->ignored = copy.data ? copy.data : "no memory";

    ngx_log_error(NGX_LOG_WARN, api->r->connection->log, 0,
                  "dfpreheat: policy %V: a push of \"%*s\" does not become a "
                  "job: %s", &job->policy->name, job->url.len, job->url.data,
                  job->ignored);
}


static void
ngx_dfp_push_answer(ngx_dfp_api_t *api)
{
    dfp_buf_t             b;
    ngx_uint_t            i, n;
    ngx_dfp_push_job_t   *job;
    ngx_dfp_push_plan_t  *plan;

    plan = api->data;
    job = plan->jobs.elts;

    dfp_buf_init(&b, &api->mem, 1024, 0);
    dfp_buf_cstr(&b, "{\"jobs\":[");

    for (i = 0, n = 0; i < plan->jobs.nelts; i++) {
        if (job[i].ignored == NULL) {
            dfp_buf_cstr(&b, n++ ? "," : "");
            ngx_dfp_push_show_job(&b, &job[i]);
        }
    }

    dfp_buf_cstr(&b, "],\"ignored\":[");

    for (i = 0, n = 0; i < plan->n; i++) {
        if (plan->pushes[i].ignored) {
            ngx_dfp_push_show_ignored(&b, &plan->pushes[i], NULL,
                                      plan->pushes[i].ignored, n++);
        }
    }

    for (i = 0; i < plan->jobs.nelts; i++) {
        if (job[i].ignored) {
            ngx_dfp_push_show_ignored(&b, job[i].push, &job[i].policy->name,
                                      job[i].ignored, n++);
        }
    }

    dfp_buf_cstr(&b, "]}");

    ngx_dfp_count(&ngx_dfp_counters->pushes[NGX_DFP_PUSHES_IGNORED], n);

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}


static void
ngx_dfp_push_show_job(dfp_buf_t *b, ngx_dfp_push_job_t *job)
{
    dfp_buf_cstr(b, "{\"created\":");
    dfp_buf_cstr(b, job->created ? "true" : "false");
    dfp_buf_cstr(b, ",\"digest\":");
    dfp_buf_json(b, job->push->digest);
    dfp_buf_cstr(b, ",\"id\":");
    dfp_buf_int(b, job->id);
    dfp_buf_cstr(b, ",\"policy\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(job->policy->name));
    dfp_buf_cstr(b, ",\"url\":");
    dfp_buf_json(b, job->url);
    dfp_buf_cstr(b, "}");
}


static void
ngx_dfp_push_show_ignored(dfp_buf_t *b, dfp_push_t *push, ngx_str_t *policy,
    const char *reason, ngx_uint_t n)
{
    dfp_buf_cstr(b, n ? ",{\"description\":" : "{\"description\":");
    dfp_buf_json(b, dfp_cstr(reason));
    dfp_buf_cstr(b, ",\"digest\":");
    dfp_buf_json(b, push->digest);

    if (policy) {
        dfp_buf_cstr(b, ",\"policy\":");
        dfp_buf_json(b, ngx_dfp_dfp_str(*policy));
    }

    dfp_buf_cstr(b, ",\"repository\":");
    dfp_buf_json(b, push->repository);
    dfp_buf_cstr(b, ",\"tag\":");
    dfp_buf_json(b, push->tag);
    dfp_buf_cstr(b, "}");
}
