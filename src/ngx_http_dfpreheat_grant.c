#include "ngx_http_dfpreheat_grant.h"


static ngx_http_dfpreheat_grant_t *ngx_http_dfpreheat_grant_find(
    ngx_http_dfpreheat_run_t *run, const dfp_url_t *url, ngx_str_t *repository,
    ngx_uint_t led);
static ngx_http_dfpreheat_grant_t *ngx_http_dfpreheat_grant_target(
    ngx_http_dfpreheat_grant_t *grant, ngx_http_dfpreheat_call_t *call);
static ngx_int_t ngx_http_dfpreheat_grant_wait(
    ngx_http_dfpreheat_task_t *task, ngx_http_dfpreheat_grant_t *grant);
static ngx_int_t ngx_http_dfpreheat_grant_own(
    ngx_http_dfpreheat_grant_t *grant);
static ngx_int_t ngx_http_dfpreheat_grant_answer(
    ngx_http_dfpreheat_grant_t *grant, ngx_http_dfpreheat_call_t *call,
    dfp_err_t *err);
static ngx_int_t ngx_http_dfpreheat_grant_pick(
    ngx_http_dfpreheat_grant_t *grant, ngx_http_dfpreheat_call_t *call,
    dfp_err_t *err);
static void ngx_http_dfpreheat_grant_fail(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_grant_t *grant, ngx_http_dfpreheat_call_t *call,
    dfp_err_t *err);


ngx_http_dfpreheat_grant_t *
ngx_http_dfpreheat_grant_get(ngx_http_dfpreheat_run_t *run,
    const dfp_url_t *url, ngx_str_t *repository)
{
    return ngx_http_dfpreheat_grant_find(run, url, repository, 0);
}


/* With LED it is that of a redirect's target, and has nothing of the job. */

static ngx_http_dfpreheat_grant_t *
ngx_http_dfpreheat_grant_find(ngx_http_dfpreheat_run_t *run,
    const dfp_url_t *url, ngx_str_t *repository, ngx_uint_t led)
{
    ngx_queue_t                 *q;
    ngx_http_dfpreheat_grant_t  *grant;

    for (q = ngx_queue_head(&run->grants);
         q != ngx_queue_sentinel(&run->grants);
         q = ngx_queue_next(q))
    {
        grant = ngx_queue_data(q, ngx_http_dfpreheat_grant_t, queue);

        if (grant->led == led
            && dfp_str_eq(ngx_http_dfpreheat_dfp(grant->origin), url->origin)
            && dfp_str_eq(ngx_http_dfpreheat_dfp(grant->repository),
                          ngx_http_dfpreheat_dfp(*repository)))
        {
            return grant;
        }
    }

    grant = ngx_pcalloc(run->pool, sizeof(ngx_http_dfpreheat_grant_t));

    if (grant == NULL
        || ngx_http_dfpreheat_secrets_init(&grant->secrets, run->pool)
           != NGX_OK)
    {
        return NULL;
    }

    grant->run = run;
    grant->led = led;
    grant->origin = ngx_http_dfpreheat_str(url->origin);
    grant->authority = ngx_http_dfpreheat_str(url->authority);
    grant->repository = *repository;

    ngx_queue_init(&grant->waiting);
    ngx_queue_insert_tail(&run->grants, &grant->queue);

    if (!led) {
        grant->own = ngx_http_dfpreheat_grant_own(grant);
    }

    return grant;
}


/* Who has answered CALL, at the end of a redirect. */

static ngx_http_dfpreheat_grant_t *
ngx_http_dfpreheat_grant_target(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_call_t *call)
{
    dfp_err_t   err;
    dfp_mem_t   mem;
    dfp_url_t   url;

    if (grant->target
        && dfp_str_eq(ngx_http_dfpreheat_dfp(grant->target->origin),
                      call->target_url.origin))
    {
        return grant->target;
    }

    mem = ngx_http_dfpreheat_mem(grant->run->pool);

    /* a copy, which does not die with the call */

    if (dfp_url_parse(&mem, call->target_url.origin, "it", &url, &err)
        != DFP_OK)
    {
        return NULL;
    }

    grant->target = ngx_http_dfpreheat_grant_find(grant->run, &url,
                                                  &grant->repository, 1);

    return grant->target;
}


/* The job's own Authorization goes first, as it is. */

static ngx_int_t
ngx_http_dfpreheat_grant_own(ngx_http_dfpreheat_grant_t *grant)
{
    size_t             i;
    ngx_str_t          value;
    dfp_job_header_t  *header;

    header = grant->run->job.headers;

    for (i = 0; i < grant->run->job.nheaders; i++) {

        if (dfp_job_header_authorization(header[i].name)) {
            value = ngx_http_dfpreheat_str(header[i].value);
            ngx_http_dfpreheat_grant_set(grant, &value);
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_dfpreheat_grant_ready(ngx_http_dfpreheat_task_t *task)
{
    ngx_int_t  rc;

    rc = ngx_http_dfpreheat_grant_wait(task, task->grant);

    if (rc == NGX_OK && task->grant->target) {
        rc = ngx_http_dfpreheat_grant_wait(task, task->grant->target);
    }

    return rc;
}


static ngx_int_t
ngx_http_dfpreheat_grant_wait(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_grant_t *grant)
{
    dfp_err_t  err;
    ngx_int_t  rc;

    if (grant->call == NULL
        && (grant->renew == 0 || ngx_time() < grant->renew))
    {
        return NGX_OK;
    }

    ngx_queue_remove(&task->queue);
    ngx_queue_insert_tail(&grant->waiting, &task->queue);

    if (grant->call) {
        return NGX_AGAIN;
    }

    rc = ngx_http_dfpreheat_grant_fetch(grant, &err);

    if (rc != NGX_OK) {
        (void) ngx_http_dfpreheat_grant_next(grant);
        ngx_http_dfpreheat_grant_end(task, rc, 0, err.text);
    }

    return NGX_AGAIN;
}


void
ngx_http_dfpreheat_grant_apply(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_call_t *call)
{
    call->authorization = grant->authorization;

    if (grant->target) {
        call->target = grant->target->origin;
        call->target_authorization = grant->target->authorization;
    }
}


void
ngx_http_dfpreheat_grant_sent(ngx_http_dfpreheat_task_t *task)
{
    task->serial = task->grant->serial;
    task->target = task->grant->target;
    task->target_serial = task->target ? task->target->serial : 0;
}


void
ngx_http_dfpreheat_grant_accepted(ngx_http_dfpreheat_task_t *task)
{
    if (task->serial == task->grant->serial) {
        task->grant->accepted = ngx_time();
    }

    if (task->target && task->target_serial == task->target->serial) {
        task->target->accepted = ngx_time();
    }
}


void
ngx_http_dfpreheat_grant_refused(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call)
{
    dfp_err_t                    err;
    ngx_int_t                    rc;
    ngx_uint_t                   serial;
    ngx_http_dfpreheat_grant_t  *grant;

    grant = task->grant;
    serial = task->serial;
    err.text[0] = '\0';

    if (call->led) {
        grant = ngx_http_dfpreheat_grant_target(task->grant, call);

        if (grant == NULL) {
            ngx_http_dfpreheat_task_failed(task, "no memory");
            return;
        }

        serial = (grant == task->target) ? task->target_serial : 0;
    }

    /* redirects may lead to somebody else each time, who has got nothing yet */

    if ((serial || grant->led)
        && task->refused++ == NGX_HTTP_DFPREHEAT_REFUSALS_MAX)
    {
        ngx_http_dfpreheat_grant_fail(task, grant, call, &err);
        return;
    }

    /* that was no try of the task */
    task->tries--;

    if (grant->call == NULL && serial == grant->serial) {
        rc = ngx_http_dfpreheat_grant_answer(grant, call, &err);

        if (rc == NGX_AGAIN) {
            ngx_http_dfpreheat_grant_end(task, rc, 0, err.text);
            return;
        }

        if (rc != NGX_OK) {
            ngx_http_dfpreheat_grant_fail(task, grant, call, &err);
            return;
        }
    }

    if (grant->call) {
        ngx_queue_insert_tail(&grant->waiting, &task->queue);

    } else {
        ngx_http_dfpreheat_task_queue(task);
    }
}


/* What was sent, if anything, does not do: NGX_OK when there is another answer
 * to the challenge, or a token is being fetched; NGX_AGAIN: later. */

static ngx_int_t
ngx_http_dfpreheat_grant_answer(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_call_t *call, dfp_err_t *err)
{
    ngx_int_t                   rc;
    dfp_mem_t                   mem;
    dfp_str_t                   basic;
    ngx_str_t                   value;
    ngx_http_dfpreheat_login_t  login;

    /* what was made of the same credentials before was never good */

    if (grant->serial && !grant->own && grant->accepted == 0) {
        return NGX_DECLINED;
    }

    rc = ngx_http_dfpreheat_grant_pick(grant, call, err);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_dfpreheat_grant_login(grant, &login);

    /* nothing but what has just been refused */

    if (grant->own && !login.given) {
        return NGX_DECLINED;
    }

    grant->own = 0;
    grant->accepted = 0;

    if (login.token.len) {
        ngx_http_dfpreheat_grant_set(grant, &login.token);
        return NGX_OK;
    }

    if (grant->challenge.scheme == DFP_CHALLENGE_BEARER) {
        return ngx_http_dfpreheat_grant_fetch(grant, err);
    }

    if (!login.given) {
        return NGX_DECLINED;
    }

    mem = ngx_http_dfpreheat_mem(grant->run->pool);

    if (dfp_basic_print(&mem, login.username, login.password, &basic)
        != DFP_OK)
    {
        return NGX_ERROR;
    }

    value = ngx_http_dfpreheat_str(basic);
    ngx_http_dfpreheat_grant_set(grant, &value);

    return NGX_OK;
}


/* The challenge is kept in the run's pool, to renew a token by. */

static ngx_int_t
ngx_http_dfpreheat_grant_pick(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_call_t *call, dfp_err_t *err)
{
    int        rc;
    dfp_mem_t  mem;

    mem = ngx_http_dfpreheat_mem(grant->run->pool);

    rc = dfp_challenge_pick(&mem, call->challenges, call->nchallenges,
                            &grant->challenge, err);

    if (rc == DFP_DECLINED) {
        return NGX_DECLINED;
    }

    return rc == DFP_OK ? NGX_OK : NGX_ERROR;
}


void
ngx_http_dfpreheat_grant_login(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_login_t *login)
{
    ngx_http_dfpreheat_run_t  *run;

    run = grant->run;
    ngx_memzero(login, sizeof(ngx_http_dfpreheat_login_t));

    if (grant->led) {
        return;
    }

    if (run->job.username.len || run->job.password.len) {
        login->username = run->job.username;
        login->password = run->job.password;
        login->given = 1;
        return;
    }

    if (run->claim.configured) {
        ngx_http_dfpreheat_credentials_find(run->conf->credentials,
                                            &grant->authority,
                                            &grant->repository, run->pool,
                                            &run->log, login);
    }
}


void
ngx_http_dfpreheat_grant_set(ngx_http_dfpreheat_grant_t *grant,
    ngx_str_t *authorization)
{
    /* one that could not be remembered would not be hidden */

    ngx_str_null(&grant->authorization);
    grant->secrets.nelts = 0;

    if (ngx_http_dfpreheat_secrets_add(&grant->secrets,
                                       ngx_http_dfpreheat_dfp(*authorization))
        != NGX_OK)
    {
        return;
    }

    grant->authorization = *authorization;
    grant->serial++;
    grant->renew = 0;
    grant->accepted = 0;
}


void
ngx_http_dfpreheat_grant_end(ngx_http_dfpreheat_task_t *task, ngx_int_t rc,
    ngx_msec_t retry_after, const char *reason)
{
    if (rc == NGX_AGAIN) {
        task->tries++;
        ngx_http_dfpreheat_task_again(task, retry_after, reason);
        return;
    }

    ngx_http_dfpreheat_task_failed(task, "%s", reason);
}


ngx_http_dfpreheat_task_t *
ngx_http_dfpreheat_grant_next(ngx_http_dfpreheat_grant_t *grant)
{
    ngx_queue_t  *q;

    if (ngx_queue_empty(&grant->waiting)) {
        return NULL;
    }

    q = ngx_queue_head(&grant->waiting);
    ngx_queue_remove(q);

    return ngx_queue_data(q, ngx_http_dfpreheat_task_t, queue);
}


/* Why a 401 is the end. ERR says more, or nothing. */

static void
ngx_http_dfpreheat_grant_fail(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_grant_t *grant, ngx_http_dfpreheat_call_t *call,
    dfp_err_t *err)
{
    dfp_buf_t  until, now;
    dfp_err_t  why;
    dfp_mem_t  mem;

    (void) ngx_http_dfpreheat_call_verdict(call, &why);

    if (!grant->own || grant->accepted == 0) {
        ngx_http_dfpreheat_task_failed(task, err->text[0] ? "%s; %s" : "%s",
                                       why.text, err->text);
        return;
    }

    mem = ngx_http_dfpreheat_mem(call->pool);

    dfp_buf_init(&until, &mem, 32, 0);
    dfp_buf_init(&now, &mem, 32, 0);
    dfp_buf_time(&until, (int64_t) grant->accepted * 1000);
    dfp_buf_time(&now, (int64_t) ngx_time() * 1000);

    ngx_http_dfpreheat_task_failed(task, "%s; the Authorization of the job was "
                                   "accepted until %*s and is not any more at "
                                   "%*s: it has run out, and there is nothing "
                                   "to renew it with", why.text, until.len,
                                   until.data, now.len, now.data);
}


void
ngx_http_dfpreheat_grants_stop(ngx_http_dfpreheat_run_t *run)
{
    ngx_queue_t                 *q;
    ngx_http_dfpreheat_call_t   *call;
    ngx_http_dfpreheat_grant_t  *grant;

    for (q = ngx_queue_head(&run->grants);
         q != ngx_queue_sentinel(&run->grants);
         q = ngx_queue_next(q))
    {
        grant = ngx_queue_data(q, ngx_http_dfpreheat_grant_t, queue);
        call = grant->call;

        ngx_queue_init(&grant->waiting);

        if (call) {
            grant->call = NULL;
            run->calls--;

            ngx_http_dfpreheat_call_cancel(call);
            ngx_destroy_pool(call->pool);
        }
    }
}
