#include "ngx_dfp_task.h"

#include "dfp_time.h"


static ngx_int_t ngx_dfp_task_grant_wait(ngx_dfp_task_t *task,
    ngx_dfp_grant_t *grant);
static void ngx_dfp_task_grant_queue(ngx_dfp_task_t *task,
    ngx_dfp_grant_t *grant);
static void ngx_dfp_task_grant_none(ngx_dfp_task_t *task, ngx_int_t rc,
    ngx_msec_t retry_after, const char *reason);
static void ngx_dfp_task_grant_fail(ngx_dfp_task_t *task,
    ngx_dfp_grant_t *grant, ngx_dfp_call_t *call, dfp_err_t *err);


ngx_int_t
ngx_dfp_task_grant_ready(ngx_dfp_task_t *task)
{
    ngx_int_t  rc;

    rc = ngx_dfp_task_grant_wait(task, task->grant);

    if (rc == NGX_OK && task->grant->target) {
        rc = ngx_dfp_task_grant_wait(task, task->grant->target);
    }

    return rc;
}


static ngx_int_t
ngx_dfp_task_grant_wait(ngx_dfp_task_t *task, ngx_dfp_grant_t *grant)
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

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": waits for a token for %V",
                   task->run->claim.id, &task->shown, &grant->origin);

    if (grant->call) {
        return NGX_AGAIN;
    }

    (void) dfp_invalid(&err, "no memory");
    rc = ngx_dfp_grant_fetch(grant, &err);

    if (rc != NGX_OK) {
        ngx_queue_remove(&task->queue);
        ngx_dfp_task_grant_none(task, rc, 0, err.text);
    }

    return NGX_AGAIN;
}


/* The token that tasks wait for was fetched, or was not. */

void
ngx_dfp_task_grant_done(ngx_dfp_grant_t *grant, ngx_int_t rc,
    ngx_dfp_call_t *call, const char *reason)
{
    ngx_queue_t     *q;
    ngx_dfp_task_t  *task;

    while (!ngx_queue_empty(&grant->waiting)) {

        q = ngx_queue_head(&grant->waiting);
        task = ngx_queue_data(q, ngx_dfp_task_t, queue);

        ngx_queue_remove(q);

        if (rc == NGX_OK) {
            ngx_dfp_task_queue(task);

        } else if (call->answer.busy) {
            ngx_dfp_task_busy(task);

        } else {
            ngx_dfp_task_grant_none(task, rc, call->answer.retry_after, reason);
        }
    }
}


/* There is no token: another try fetches one, or the task fails. */

static void
ngx_dfp_task_grant_none(ngx_dfp_task_t *task, ngx_int_t rc,
    ngx_msec_t retry_after, const char *reason)
{
    if (rc == NGX_AGAIN) {
        task->tries++;
        ngx_dfp_task_again(task, NGX_DFP_RETRY_AUTHORIZATION, retry_after,
                           reason);
        return;
    }

    ngx_dfp_task_failed(task, "%s", reason);
}


void
ngx_dfp_task_grant_sent(ngx_dfp_task_t *task)
{
    task->serial = task->grant->serial;
    task->target = task->grant->target;
    task->target_serial = task->target ? task->target->serial : 0;
}


void
ngx_dfp_task_grant_accepted(ngx_dfp_task_t *task)
{
    if (task->serial == task->grant->serial) {
        task->grant->accepted = ngx_time();
    }

    if (task->target && task->target_serial == task->target->serial) {
        task->target->accepted = ngx_time();
    }
}


void
ngx_dfp_task_grant_refused(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    dfp_err_t         err;
    ngx_int_t         rc;
    ngx_uint_t        serial;
    ngx_dfp_grant_t  *grant;

    grant = task->grant;
    serial = task->serial;
    err.text[0] = '\0';

    if (call->answer.led) {
        grant = ngx_dfp_grant_target(task->grant, call);

        if (grant == NULL) {
            ngx_dfp_task_failed(task, "no memory");
            return;
        }

        serial = (grant == task->target) ? task->target_serial : 0;
    }

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": 401 of %V, it sent "
                   "Authorization %ui of %ui", task->run->claim.id,
                   &task->shown, &grant->origin, serial, grant->serial);

    /*
     * redirects may lead to another target each time, to which nothing was
     * sent
     */

    if ((serial || grant->led)
        && task->refused++ == NGX_DFP_REFUSALS_MAX)
    {
        ngx_dfp_task_grant_fail(task, grant, call, &err);
        return;
    }

    /* that was no try of the task */
    task->tries--;

    if (grant->call == NULL && serial == grant->serial) {
        rc = ngx_dfp_grant_challenge_answer(grant, call, &err);

        if (rc == NGX_AGAIN) {
            ngx_dfp_task_grant_none(task, rc, 0, err.text);
            return;
        }

        if (rc != NGX_OK) {
            ngx_dfp_task_grant_fail(task, grant, call, &err);
            return;
        }
    }

    /* the first 401 of a registry is no failure */

    if (serial) {
        ngx_dfp_count_retry(NGX_DFP_RETRY_AUTHORIZATION);
    }

    ngx_dfp_task_grant_queue(task, grant);
}


/* Fails the task for a 401. ERR says more, or is "". */

static void
ngx_dfp_task_grant_fail(ngx_dfp_task_t *task, ngx_dfp_grant_t *grant,
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

    ngx_dfp_task_failed(task, "%s; the Authorization of the job was accepted "
                        "until %*s and refused at %*s: it has expired, "
                        "and there are no credentials to renew it",
                        why.text, until.len,
                        until.data, now.len, now.data);
}


/* Some registries answer 403, not 401, when a login has expired. */

ngx_int_t
ngx_dfp_task_grant_forbidden(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    ngx_dfp_grant_t  *grant;

    grant = task->grant;

    if (call->answer.result != NGX_DFP_CALL_OK
        || call->answer.status != NGX_HTTP_FORBIDDEN
        || call->answer.led || task->forbidden || task->serial == 0)
    {
        return NGX_DECLINED;
    }

    task->forbidden = 1;

    if (grant->call == NULL && task->serial == grant->serial
        && ngx_dfp_grant_challenge_again(grant) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* that was no try of the task */
    task->tries--;

    ngx_dfp_count_retry(NGX_DFP_RETRY_AUTHORIZATION);
    ngx_dfp_task_grant_queue(task, grant);

    return NGX_OK;
}


static void
ngx_dfp_task_grant_queue(ngx_dfp_task_t *task, ngx_dfp_grant_t *grant)
{
    if (grant->call) {
        ngx_queue_insert_tail(&grant->waiting, &task->queue);

    } else {
        ngx_dfp_task_queue(task);
    }
}
