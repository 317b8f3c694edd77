#include "ngx_dfp_task.h"
#include "ngx_dfp_pause.h"


#define NGX_DFP_SECRETS_POOL  4096


static ngx_uint_t ngx_dfp_task_kept(ngx_dfp_task_t *task);
static ngx_str_t ngx_dfp_task_mask(ngx_dfp_task_t *task, ngx_str_t text);
static void ngx_dfp_task_ended(ngx_dfp_task_t *task);


void
ngx_dfp_task_queue(ngx_dfp_task_t *task)
{
    if (task->manifest) {
        ngx_queue_insert_head(&task->run->ready, &task->queue);

    } else {
        ngx_queue_insert_tail(&task->run->ready, &task->queue);
    }
}


void
ngx_dfp_task_done(ngx_dfp_task_t *task)
{
    task->done = 1;
    task->run->bytes += ngx_max(task->size, 0);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": done, %O bytes",
                   task->run->claim.id, &task->shown, task->size);

    ngx_dfp_task_ended(task);
}


void
ngx_dfp_task_skipped(ngx_dfp_task_t *task, const char *reason)
{
    ngx_queue_remove(&task->queue);

    task->skipped = 1;
    task->size = -1;
    task->reason.data = (u_char *) reason;
    task->reason.len = ngx_strlen(reason);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": skipped, %V",
                   task->run->claim.id, &task->shown, &task->reason);

    ngx_dfp_task_ended(task);
}


void
ngx_dfp_task_passed(ngx_dfp_task_t *task, const char *reason)
{
    dfp_mem_t  mem;

    task->skipped = 1;
    task->size = -1;

    if (reason) {
        mem = ngx_dfp_mem(task->run->pool);

        task->reason.len = ngx_strlen(reason);
        task->reason.data = (u_char *) dfp_strdup(&mem, reason,
                                                  task->reason.len);

        if (task->reason.data == NULL) {
            task->reason.len = 0;
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": not to be warmed, %V",
                   task->run->claim.id, &task->shown, &task->reason);

    ngx_dfp_task_ended(task);
}


void
ngx_dfp_task_wanted(ngx_dfp_task_t *task)
{
    task->skipped = 0;
    task->run->left++;
    ngx_str_null(&task->reason);

    ngx_dfp_task_queue(task);
}


void
ngx_dfp_task_lost(ngx_dfp_task_t *task, const char *reason)
{
    ngx_dfp_task_reopened(task);
    ngx_dfp_task_again(task, NGX_DFP_RETRY_EVICTED, 0, reason);
}


/* Its manifest was read already. */

void
ngx_dfp_task_reopened(ngx_dfp_task_t *task)
{
    task->done = 0;
    task->manifest = 0;
    task->run->left++;
    task->run->bytes -= ngx_max(task->size, 0);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": no longer done",
                   task->run->claim.id, &task->shown);
}


void
ngx_dfp_tasks_reopened(ngx_dfp_run_t *run)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        if (task[i]->done) {
            ngx_dfp_task_reopened(task[i]);
            ngx_dfp_task_queue(task[i]);
        }
    }
}


void
ngx_dfp_task_failed(ngx_dfp_task_t *task, const char *fmt, ...)
{
    va_list    args;
    ngx_str_t  reason;

    va_start(args, fmt);
    reason = ngx_dfp_run_text(task->run, fmt, args);
    va_end(args);

    /* of a manifest of a kept job, the first reason is that of the registry */

    if (reason.data && !task->stale) {
        task->reason = ngx_dfp_task_mask(task, reason);
    }

    if (ngx_dfp_task_kept(task)) {
        return;
    }

    if (task->done) {
        ngx_dfp_task_reopened(task);
    }

    task->failed = 1;
    task->run->nfailed++;

    ngx_log_error(NGX_LOG_WARN, &task->run->log, 0,
                  "dfpreheat: \"%V\" failed: %V", &task->shown, &task->reason);

    ngx_dfp_task_ended(task);
}


/* What is in the cache of a kept job stays there as long as it is used, whatever the
 * registry says. When the timeout of the look has passed, nothing is called. */

static ngx_uint_t
ngx_dfp_task_kept(ngx_dfp_task_t *task)
{
    if (task->run->job.action != DFP_JOB_KEEP || !task->manifest
        || task->stale || task->done || task->binding == NULL
        || task->run->error.len || !task->run->deadline.timer_set)
    {
        return 0;
    }

    ngx_log_error(NGX_LOG_WARN, &task->run->log, 0,
                  "dfpreheat: \"%V\" of a kept job could not be read, its copy "
                  "in the cache is used: %V", &task->shown, &task->reason);

    task->stale = 1;
    task->tries = 0;
    task->deadline = 0;

    ngx_dfp_task_queue(task);
    task->run->wake(task->run);

    return 1;
}


static void
ngx_dfp_task_ended(ngx_dfp_task_t *task)
{
    task->run->left--;
    task->run->manifests -= task->manifest;
    task->run->unverified -= task->unverified;
    task->unverified = 0;
    task->run->changed = 1;

    /*
     * it may have been the last task, with no active call that would wake the
     * run
     */
    task->run->wake(task->run);
}


void
ngx_dfp_task_again(ngx_dfp_task_t *task, ngx_dfp_retry_e why,
    ngx_msec_t retry_after, const char *reason)
{
    ngx_str_t   text;
    ngx_msec_t  pause;

    if (task->tries >= NGX_DFP_TASK_TRIES) {
        ngx_dfp_task_failed(task, "%s (%ui tries)", reason, task->tries);
        return;
    }

    pause = ngx_dfp_pause(ngx_max(task->tries, 1) - 1, NGX_DFP_RETRY_BASE,
                          NGX_DFP_RETRY_MAX);
    pause = ngx_max(pause, retry_after);

    if (task->deadline
        && (ngx_msec_int_t) (task->deadline - ngx_current_msec - pause) <= 0)
    {
        ngx_dfp_task_failed(task, "%s (%ui tries, no time for another one "
                            "within dfpreheat_task_timeout)", reason,
                            task->tries);
        return;
    }

    text.data = (u_char *) reason;
    text.len = ngx_strlen(reason);
    text = ngx_dfp_task_mask(task, text);

    ngx_log_error(NGX_LOG_INFO, &task->run->log, 0,
                  "dfpreheat: \"%V\" will be retried in %M ms: %V",
                  &task->shown, pause,
                  &text);

    ngx_dfp_count_retry(why);

    ngx_add_timer(&task->retry, pause);
}


void
ngx_dfp_task_retry(ngx_event_t *ev)
{
    ngx_dfp_task_t *task = ev->data;

    ngx_dfp_task_queue(task);
    task->run->wake(task->run);
}


ngx_array_t *
ngx_dfp_task_secrets(ngx_dfp_task_t *task, ngx_pool_t *pool)
{
    ngx_array_t  *secrets;

    secrets = ngx_palloc(pool, sizeof(ngx_array_t));

    if (secrets == NULL
        || ngx_dfp_secrets_init(secrets, pool) != NGX_OK
        || ngx_dfp_secrets_copy(secrets, &task->run->secrets)
           != NGX_OK
        || ngx_dfp_secrets_copy(secrets, &task->grant->secrets)
           != NGX_OK
        || (task->grant->target
            && ngx_dfp_secrets_copy(secrets, &task->grant->target->secrets)
               != NGX_OK)
        || ngx_dfp_secrets_url(secrets, task->url.href) != NGX_OK)
    {
        return NULL;
    }

    return secrets;
}


/* Masks in TEXT what the task sends; in the run's pool, "" without memory. */

static ngx_str_t
ngx_dfp_task_mask(ngx_dfp_task_t *task, ngx_str_t text)
{
    ngx_str_t     masked;
    ngx_pool_t   *pool;
    ngx_array_t  *secrets;

    ngx_str_null(&masked);

    /* a pool of its own: thousands of tasks may fail */

    pool = ngx_create_pool(NGX_DFP_SECRETS_POOL, &task->run->log);
    if (pool == NULL) {
        return masked;
    }

    secrets = ngx_dfp_task_secrets(task, pool);

    if (secrets) {
        masked = ngx_dfp_secrets_mask(secrets, task->run->pool, text);
    }

    ngx_destroy_pool(pool);

    return masked;
}
