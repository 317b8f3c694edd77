#include "dfp_time.h"
#include "ngx_dfp_grant.h"


static ngx_dfp_grant_t *ngx_dfp_grant_find(ngx_dfp_run_t *run,
    const dfp_url_t *url, ngx_str_t *repository, ngx_uint_t led);
static ngx_dfp_grant_t *ngx_dfp_grant_target(ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call);
static ngx_int_t ngx_dfp_grant_wait(ngx_dfp_task_t *task,
    ngx_dfp_grant_t *grant);
static ngx_int_t ngx_dfp_grant_own(ngx_dfp_grant_t *grant);
static ngx_int_t ngx_dfp_grant_answer(ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call, dfp_err_t *err);
static ngx_int_t ngx_dfp_grant_pick(ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call, dfp_err_t *err);
static ngx_int_t ngx_dfp_grant_scope(ngx_dfp_grant_t *grant);
static ngx_int_t ngx_dfp_grant_again(ngx_dfp_grant_t *grant);
static void ngx_dfp_grant_queue(ngx_dfp_task_t *task, ngx_dfp_grant_t *grant);
static void ngx_dfp_grant_fail(ngx_dfp_task_t *task, ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call, dfp_err_t *err);


ngx_dfp_grant_t *
ngx_dfp_grant_get(ngx_dfp_run_t *run, const dfp_url_t *url,
    ngx_str_t *repository)
{
    return ngx_dfp_grant_find(run, url, repository, 0);
}


/* With LED it is that of a redirect's target, and has nothing of the job. */

static ngx_dfp_grant_t *
ngx_dfp_grant_find(ngx_dfp_run_t *run, const dfp_url_t *url,
    ngx_str_t *repository, ngx_uint_t led)
{
    ngx_queue_t      *q;
    ngx_dfp_grant_t  *grant;

    for (q = ngx_queue_head(&run->grants);
         q != ngx_queue_sentinel(&run->grants);
         q = ngx_queue_next(q))
    {
        grant = ngx_queue_data(q, ngx_dfp_grant_t, queue);

        if (grant->led == led
            && dfp_str_eq(ngx_dfp_dfp_str(grant->origin), url->origin)
            && dfp_str_eq(ngx_dfp_dfp_str(grant->repository),
                          ngx_dfp_dfp_str(*repository)))
        {
            return grant;
        }
    }

    grant = ngx_pcalloc(run->pool, sizeof(ngx_dfp_grant_t));

    if (grant == NULL
        || ngx_dfp_secrets_init(&grant->secrets, run->pool)
           != NGX_OK)
    {
        return NULL;
    }

    grant->run = run;
    grant->led = led;
    grant->origin = ngx_dfp_str(url->origin);
    grant->authority = ngx_dfp_str(url->authority);
    grant->repository = *repository;

    ngx_queue_init(&grant->waiting);
    ngx_queue_insert_tail(&run->grants, &grant->queue);

    if (!led) {
        grant->own = ngx_dfp_grant_own(grant);
    }

    return grant;
}


/* Who has answered CALL, at the end of a redirect. */

static ngx_dfp_grant_t *
ngx_dfp_grant_target(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call)
{
    dfp_err_t   err;
    dfp_mem_t   mem;
    dfp_url_t   url;

    if (grant->target
        && dfp_str_eq(ngx_dfp_dfp_str(grant->target->origin),
                      call->target_url.origin))
    {
        return grant->target;
    }

    mem = ngx_dfp_mem(grant->run->pool);

    /* a copy, which does not die with the call */

    if (dfp_url_parse(&mem, call->target_url.origin, "it", &url, &err)
        != DFP_OK)
    {
        return NULL;
    }

    grant->target = ngx_dfp_grant_find(grant->run, &url,
                                       &grant->repository, 1);

    return grant->target;
}


/* The job's own Authorization goes first, as it is. */

static ngx_int_t
ngx_dfp_grant_own(ngx_dfp_grant_t *grant)
{
    size_t             i;
    ngx_str_t          value;
    dfp_job_header_t  *header;

    header = grant->run->job.headers;

    for (i = 0; i < grant->run->job.nheaders; i++) {

        if (dfp_job_header_authorization(header[i].name)) {
            value = ngx_dfp_str(header[i].value);
            ngx_dfp_grant_set(grant, &value);
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_dfp_grant_ready(ngx_dfp_task_t *task)
{
    ngx_int_t  rc;

    rc = ngx_dfp_grant_wait(task, task->grant);

    if (rc == NGX_OK && task->grant->target) {
        rc = ngx_dfp_grant_wait(task, task->grant->target);
    }

    return rc;
}


static ngx_int_t
ngx_dfp_grant_wait(ngx_dfp_task_t *task, ngx_dfp_grant_t *grant)
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

    rc = ngx_dfp_grant_fetch(grant, &err);

    if (rc != NGX_OK) {
        (void) ngx_dfp_grant_next(grant);
        ngx_dfp_grant_end(task, rc, 0, err.text);
    }

    return NGX_AGAIN;
}


void
ngx_dfp_grant_apply(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call)
{
    call->authorization = grant->authorization;

    if (grant->target) {
        call->target = grant->target->origin;
        call->target_authorization = grant->target->authorization;
    }
}


void
ngx_dfp_grant_sent(ngx_dfp_task_t *task)
{
    task->serial = task->grant->serial;
    task->target = task->grant->target;
    task->target_serial = task->target ? task->target->serial : 0;
}


void
ngx_dfp_grant_accepted(ngx_dfp_task_t *task)
{
    if (task->serial == task->grant->serial) {
        task->grant->accepted = ngx_time();
    }

    if (task->target && task->target_serial == task->target->serial) {
        task->target->accepted = ngx_time();
    }
}


void
ngx_dfp_grant_refused(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    dfp_err_t         err;
    ngx_int_t         rc;
    ngx_uint_t        serial;
    ngx_dfp_grant_t  *grant;

    grant = task->grant;
    serial = task->serial;
    err.text[0] = '\0';

    if (call->led) {
        grant = ngx_dfp_grant_target(task->grant, call);

        if (grant == NULL) {
            ngx_dfp_task_failed(task, "no memory");
            return;
        }

        serial = (grant == task->target) ? task->target_serial : 0;
    }

    /* redirects may lead to somebody else each time, who has got nothing yet */

    if ((serial || grant->led)
        && task->refused++ == NGX_DFP_REFUSALS_MAX)
    {
        ngx_dfp_grant_fail(task, grant, call, &err);
        return;
    }

    /* that was no try of the task */
    task->tries--;

    if (grant->call == NULL && serial == grant->serial) {
        rc = ngx_dfp_grant_answer(grant, call, &err);

        if (rc == NGX_AGAIN) {
            ngx_dfp_grant_end(task, rc, 0, err.text);
            return;
        }

        if (rc != NGX_OK) {
            ngx_dfp_grant_fail(task, grant, call, &err);
            return;
        }
    }

    ngx_dfp_grant_queue(task, grant);
}


static void
ngx_dfp_grant_queue(ngx_dfp_task_t *task, ngx_dfp_grant_t *grant)
{
    if (grant->call) {
        ngx_queue_insert_tail(&grant->waiting, &task->queue);

    } else {
        ngx_dfp_task_queue(task);
    }
}


/* There are registries that answer 403, and not 401, when a login has run out. */

ngx_int_t
ngx_dfp_grant_forbidden(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    ngx_dfp_grant_t  *grant;

    grant = task->grant;

    if (call->result != NGX_DFP_CALL_OK
        || call->status != NGX_HTTP_FORBIDDEN
        || call->led || task->forbidden || task->serial == 0)
    {
        return NGX_DECLINED;
    }

    task->forbidden = 1;

    if (grant->call == NULL && task->serial == grant->serial
        && ngx_dfp_grant_again(grant) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* that was no try of the task */
    task->tries--;

    ngx_dfp_grant_queue(task, grant);

    return NGX_OK;
}


/* Another login, or another token for the one that was accepted: that once. */

static ngx_int_t
ngx_dfp_grant_again(ngx_dfp_grant_t *grant)
{
    dfp_err_t   err;
    ngx_uint_t  changed;

    /* what else there is to log in with nobody has asked for so far */

    if (grant->own) {
        return NGX_DECLINED;
    }

    changed = ngx_dfp_grant_login(grant, 1);

    if (!changed
        && (grant->accepted == 0 || grant->forbidden || grant->login.token.len
            || grant->challenge.scheme != DFP_CHALLENGE_BEARER))
    {
        return NGX_DECLINED;
    }

    grant->forbidden = !changed;

    return ngx_dfp_grant_log_in(grant, &err);
}


/* What was sent, if anything, does not do: NGX_OK when there is another answer
 * to the challenge, or a token is being fetched; NGX_AGAIN: later. */

static ngx_int_t
ngx_dfp_grant_answer(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call,
    dfp_err_t *err)
{
    ngx_int_t   rc;
    ngx_uint_t  changed;

    changed = ngx_dfp_grant_login(grant, grant->serial != 0);

    /* what was made of the same credentials before was never good */

    if (grant->serial && !grant->own && grant->accepted == 0 && !changed) {
        return NGX_DECLINED;
    }

    rc = ngx_dfp_grant_pick(grant, call, err);
    if (rc != NGX_OK) {
        return rc;
    }

    /* nothing but what has just been refused */

    if (grant->own && !grant->login.given) {
        return NGX_DECLINED;
    }

    grant->own = 0;
    grant->accepted = 0;

    return ngx_dfp_grant_log_in(grant, err);
}


/* The challenge is kept in the run's pool, to renew a token by. */

static ngx_int_t
ngx_dfp_grant_pick(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call,
    dfp_err_t *err)
{
    dfp_rc_t   rc;
    dfp_mem_t  mem;

    mem = ngx_dfp_mem(grant->run->pool);

    rc = dfp_challenge_pick(&mem, call->challenges, call->nchallenges,
                            &grant->challenge, err);

    if (rc != DFP_OK) {
        return rc == DFP_DECLINED ? NGX_DECLINED : NGX_ERROR;
    }

    return ngx_dfp_grant_scope(grant);
}


/* Where the registry does not say what a token has to be for, it is for what is
 * requested. What a redirect's target calls its own nobody knows. */

static ngx_int_t
ngx_dfp_grant_scope(ngx_dfp_grant_t *grant)
{
    u_char           *p;
    dfp_challenge_t  *challenge;

    challenge = &grant->challenge;

    if (challenge->scheme != DFP_CHALLENGE_BEARER || challenge->scope.len
        || grant->repository.len == 0 || grant->led)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(grant->run->pool, sizeof("repository::pull")
                                      + grant->repository.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    challenge->scope.data = (char *) p;
    challenge->scope.len = ngx_sprintf(p, "repository:%V:pull",
                                       &grant->repository)
                           - p;

    return NGX_OK;
}


void
ngx_dfp_grant_set(ngx_dfp_grant_t *grant, ngx_str_t *authorization)
{
    /* one that could not be remembered would not be hidden */

    ngx_str_null(&grant->authorization);
    grant->secrets.nelts = 0;

    if (ngx_dfp_secrets_add(&grant->secrets,
                            ngx_dfp_dfp_str(*authorization))
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
ngx_dfp_grant_end(ngx_dfp_task_t *task, ngx_int_t rc, ngx_msec_t retry_after,
    const char *reason)
{
    if (rc == NGX_AGAIN) {
        task->tries++;
        ngx_dfp_task_again(task, retry_after, reason);
        return;
    }

    ngx_dfp_task_failed(task, "%s", reason);
}


ngx_dfp_task_t *
ngx_dfp_grant_next(ngx_dfp_grant_t *grant)
{
    ngx_queue_t  *q;

    if (ngx_queue_empty(&grant->waiting)) {
        return NULL;
    }

    q = ngx_queue_head(&grant->waiting);
    ngx_queue_remove(q);

    return ngx_queue_data(q, ngx_dfp_task_t, queue);
}


/* Why a 401 is the end. ERR says more, or nothing. */

static void
ngx_dfp_grant_fail(ngx_dfp_task_t *task, ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call, dfp_err_t *err)
{
    dfp_buf_t  until, now;
    dfp_err_t  why;
    dfp_mem_t  mem;

    (void) ngx_dfp_answer_verdict(call, &why);

    if (!grant->own || grant->accepted == 0) {
        ngx_dfp_task_failed(task, err->text[0] ? "%s; %s" : "%s",
                            why.text, err->text);
        return;
    }

    mem = ngx_dfp_mem(call->pool);

    dfp_buf_init(&until, &mem, 32, 0);
    dfp_buf_init(&now, &mem, 32, 0);
    dfp_time_print(&until, (int64_t) grant->accepted * 1000);
    dfp_time_print(&now, (int64_t) ngx_time() * 1000);

    ngx_dfp_task_failed(task, "%s; the Authorization of the job was "
                        "accepted until %*s and is not any more at "
                        "%*s: it has run out, and there is nothing "
                        "to renew it with", why.text, until.len,
                        until.data, now.len, now.data);
}


void
ngx_dfp_grants_stop(ngx_dfp_run_t *run)
{
    ngx_queue_t      *q;
    ngx_dfp_call_t   *call;
    ngx_dfp_grant_t  *grant;

    for (q = ngx_queue_head(&run->grants);
         q != ngx_queue_sentinel(&run->grants);
         q = ngx_queue_next(q))
    {
        grant = ngx_queue_data(q, ngx_dfp_grant_t, queue);
        call = grant->call;

        ngx_queue_init(&grant->waiting);

        if (call) {
            grant->call = NULL;
            run->calls--;

            ngx_dfp_call_cancel(call);
            ngx_destroy_pool(call->pool);
        }
    }
}
