#include "ngx_http_dfpreheat_engine.h"


static ngx_int_t ngx_http_dfpreheat_cache_start(
    ngx_http_dfpreheat_run_t *run);
static ngx_int_t ngx_http_dfpreheat_cache_next(ngx_http_dfpreheat_run_t *run);
static void ngx_http_dfpreheat_cache_warmed(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call);
static void ngx_http_dfpreheat_cache_checked(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_dfpreheat_cache_check(ngx_http_dfpreheat_run_t *run);
static void ngx_http_dfpreheat_cache_progress(ngx_http_dfpreheat_run_t *run,
    ngx_http_dfpreheat_progress_t *p);
static void ngx_http_dfpreheat_cache_results(ngx_http_dfpreheat_run_t *run,
    ngx_http_dfpreheat_results_t *results);


ngx_http_dfpreheat_engine_t  ngx_http_dfpreheat_engine_cache = {
    ngx_string("cache"),
    1,                                      /* caches */
    0,                                      /* resolves */
    0,                                      /* dragonfly */
    ngx_http_dfpreheat_cache_start,
    ngx_http_dfpreheat_cache_check,
    NULL,
    ngx_http_dfpreheat_cache_progress,
    ngx_http_dfpreheat_cache_results
};


static ngx_int_t
ngx_http_dfpreheat_cache_start(ngx_http_dfpreheat_run_t *run)
{
    run->next = ngx_http_dfpreheat_cache_next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_dfpreheat_cache_next(ngx_http_dfpreheat_run_t *run)
{
    return ngx_http_dfpreheat_task_call(run, 0,
                                        ngx_http_dfpreheat_cache_warmed);
}


static void
ngx_http_dfpreheat_cache_warmed(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call)
{
    if (ngx_http_dfpreheat_task_trouble(task, call) == NGX_OK) {
        return;
    }

    if (task->size != -1 && call->entry.size != task->size) {
        ngx_http_dfpreheat_task_failed(task, "it has %O bytes, but the "
                                       "manifest says %O",
                                       call->entry.size, task->size);
        return;
    }

    task->entry = call->entry;
    task->size = call->entry.size;

    if (task->digest.len == 0) {
        ngx_http_dfpreheat_task_done(task);
        return;
    }

    task->check = ngx_http_dfpreheat_digest_start(&task->entry, &task->digest,
                                              ngx_http_dfpreheat_cache_checked,
                                              task);
    if (task->check == NULL) {
        ngx_http_dfpreheat_task_again(task, 0, "no memory, or no thread, is "
                                      "free to check its digest");
    }
}


/* What is wrong would be so for everybody who pulls it: it does not stay. */

static void
ngx_http_dfpreheat_cache_checked(void *data, ngx_int_t rc)
{
    ngx_http_dfpreheat_task_t *task = data;

    task->check = NULL;

    if (rc == NGX_OK) {
        ngx_http_dfpreheat_task_done(task);

    } else if (rc == NGX_DECLINED) {
        ngx_http_dfpreheat_cache_drop(&task->entry, &task->run->log);
        ngx_http_dfpreheat_task_again(task, 0, "its bytes do not have this "
                                      "digest: they were altered on their way, "
                                      "or in the cache");

    } else {
        ngx_http_dfpreheat_task_again(task, 0, "its file in the cache could not "
                                      "be read");
    }

    task->run->wake(task->run);
}


/*
 * A cache may have dropped the first layers while the last ones came in
 * (max_size); those are fetched once more, and given up when they go again.
 */

static ngx_int_t
ngx_http_dfpreheat_cache_check(ngx_http_dfpreheat_run_t *run)
{
    ngx_uint_t                   i;
    ngx_http_dfpreheat_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (!task[i]->done
            || ngx_http_dfpreheat_cache_holds(&task[i]->entry, &run->log))
        {
            continue;
        }

        ngx_http_dfpreheat_task_lost(task[i], "it was in the cache, and is "
                                     "not any more: is its max_size too "
                                     "small, or its time of validity?");
    }

    if (run->left) {
        return NGX_AGAIN;
    }

    return run->nfailed ? NGX_DECLINED : NGX_OK;
}


static void
ngx_http_dfpreheat_cache_progress(ngx_http_dfpreheat_run_t *run,
    ngx_http_dfpreheat_progress_t *p)
{
    ngx_uint_t                   i;
    ngx_http_dfpreheat_task_t  **task;

    task = run->tasks.elts;
    p->bytes_done = run->bytes;

    for (i = 0; i < run->tasks.nelts; i++) {
        p->bytes_total += ngx_max(task[i]->size, 0);

        if (task[i]->call) {
            p->bytes_done += ngx_http_dfpreheat_call_bytes(task[i]->call);
        }
    }
}


static void
ngx_http_dfpreheat_cache_results(ngx_http_dfpreheat_run_t *run,
    ngx_http_dfpreheat_results_t *results)
{
    ngx_uint_t                       i;
    ngx_http_dfpreheat_task_t      **task;
    ngx_http_dfpreheat_instance_t   *instance;

    task = run->tasks.elts;
    instance = &run->conf->instance;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (task[i]->done) {
            ngx_http_dfpreheat_list_add(&results->success, &instance->name,
                                        &instance->address, &task[i]->shown,
                                        NULL);

        } else if (!task[i]->skipped) {
            ngx_http_dfpreheat_list_add(&results->failure, &instance->name,
                                        &instance->address, &task[i]->shown,
                                        &task[i]->reason);
        }
    }
}
