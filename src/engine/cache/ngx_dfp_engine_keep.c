#include "ngx_dfp_engine_cache.h"


/* its copy was read instead; a list of what refers to an image is passed then */

#define ngx_dfp_engine_keep_unread(task)                                      \
    ((task)->stale && ((task)->done || (task)->skipped))


static ngx_int_t ngx_dfp_engine_keep_start(ngx_dfp_run_t *run);
static ngx_int_t ngx_dfp_engine_keep_call(ngx_dfp_run_t *run);
static void ngx_dfp_engine_keep_answered(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static ngx_int_t ngx_dfp_engine_keep_check(ngx_dfp_run_t *run);
static void ngx_dfp_engine_keep_results(ngx_dfp_run_t *run,
    ngx_dfp_results_t *results);


ngx_dfp_engine_t  ngx_dfp_engine_keep = {
    ngx_string("keep"),
    1,                                      /* caches */
    0,                                      /* looks */
    0,                                      /* dry */
    0,                                      /* resolves */
    0,                                      /* dragonfly */
    ngx_dfp_engine_keep_start,
    ngx_dfp_engine_keep_check,
    NULL,
    ngx_dfp_engine_warm_progress,
    ngx_dfp_engine_keep_results,
    NULL,                                   /* look */
    NULL,                                   /* dry_run */
    NULL                                    /* keep */
};


/* Manifests were read as clients read them: from the cache, or from the registry if
 * they are gone or have expired. That was a use of them, but not of the copies of
 * those that could not be read. */

static ngx_int_t
ngx_dfp_engine_keep_start(ngx_dfp_run_t *run)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    if (ngx_dfp_engine_warm_start(run) != NGX_OK) {
        return NGX_ERROR;
    }

    run->stage.call = ngx_dfp_engine_keep_call;
    run->stage.answered = ngx_dfp_engine_keep_answered;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        if (ngx_dfp_engine_keep_unread(task[i]) && task[i]->entry.cache) {
            (void) ngx_dfp_cache_used(&task[i]->entry);
        }
    }

    return NGX_OK;
}


/* Each task is looked up once; what was not found is ready behind those that were
 * not looked up yet. */

static ngx_int_t
ngx_dfp_engine_keep_call(ngx_dfp_run_t *run)
{
    ngx_queue_t     *q;
    ngx_dfp_task_t  *task;

    if (ngx_queue_empty(&run->ready)) {
        return NGX_DECLINED;
    }

    q = ngx_queue_head(&run->ready);
    task = ngx_queue_data(q, ngx_dfp_task_t, queue);

    return ngx_dfp_task_call(run, task->told ? NGX_DFP_CALL_WARM
                                             : NGX_DFP_CALL_LOOK);
}


/* The digest of what is there was checked when it was stored: only what is fetched
 * again is read. What cannot be looked up, such as a file in a location with
 * dfpreheat_access, is requested as a job does. */

static void
ngx_dfp_engine_keep_answered(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    if (task->told) {
        ngx_dfp_engine_warm_answered(task, call);
        return;
    }

    task->told = 1;

    if (call->answer.result != NGX_DFP_CALL_OK
        || ngx_dfp_engine_warm_find(task, call) != NGX_OK)
    {
        task->tries = 0;
        ngx_dfp_task_queue(task);
        return;
    }

    /* at once: the look may run out of time for what is not there */

    (void) ngx_dfp_cache_used(&task->entry);

    task->held = 1;
    task->cached = 1;

    switch (ngx_dfp_room_taken(task)) {

    case NGX_OK:
        ngx_dfp_task_done(task);
        break;

    case NGX_ERROR:
        ngx_dfp_task_failed(task, "no memory");
        break;

    default: /* NGX_DECLINED: the run has failed, and the task with it */
        break;
    }
}


/* Each entry counts as used, so nothing becomes "inactive". If a manifest could not
 * be read, its copy is there, and the look has failed all the same. */

static ngx_int_t
ngx_dfp_engine_keep_check(ngx_dfp_run_t *run)
{
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    rc = ngx_dfp_engine_warm_check(run);

    if (rc == NGX_AGAIN || run->error.len) {
        return rc;
    }

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (ngx_dfp_engine_keep_unread(task[i])) {
            ngx_dfp_run_fail(run, "what is in the cache was kept, but %V could "
                             "not be read: %V", &task[i]->shown,
                             &task[i]->reason);
            return NGX_DECLINED;
        }
    }

    return rc;
}


/* How many tasks were not there. The manifest of a tag may be requested each time, as
 * where the registry is asked who may have it (dfpreheat_access): what is new of it
 * has a digest. */

static void
ngx_dfp_engine_keep_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        results->warmed += (task[i]->done && !task[i]->cached
                            && (task[i]->image == NULL
                                || task[i]->digest.len));
    }
}
