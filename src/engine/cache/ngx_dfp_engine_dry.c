#include "ngx_dfp_engine_cache.h"
#include "ngx_dfp_image.h"


static ngx_int_t ngx_dfp_engine_dry_start(ngx_dfp_run_t *run);
static ngx_int_t ngx_dfp_engine_dry_call(ngx_dfp_run_t *run);
static void ngx_dfp_engine_dry_answered(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static void ngx_dfp_engine_dry_digest(ngx_dfp_task_t *task);
static void ngx_dfp_engine_dry_checked(void *data, ngx_int_t rc);
static ngx_int_t ngx_dfp_engine_dry_check(ngx_dfp_run_t *run);
static void ngx_dfp_engine_dry_progress(ngx_dfp_run_t *run,
    ngx_dfp_progress_t *p);
static void ngx_dfp_engine_dry_results(ngx_dfp_run_t *run,
    ngx_dfp_results_t *results);


ngx_dfp_engine_t  ngx_dfp_engine_dry = {
    ngx_string("dry run"),
    1,                                      /* caches */
    1,                                      /* looks */
    1,                                      /* dry */
    0,                                      /* resolves */
    0,                                      /* dragonfly */
    ngx_dfp_engine_dry_start,
    ngx_dfp_engine_dry_check,
    NULL,
    ngx_dfp_engine_dry_progress,
    ngx_dfp_engine_dry_results,
    NULL,                                   /* look */
    NULL,                                   /* dry_run */
    NULL                                    /* keep */
};


/* Manifests were read, and are looked up like all other tasks. */

static ngx_int_t
ngx_dfp_engine_dry_start(ngx_dfp_run_t *run)
{
    ngx_int_t          rc;

    rc = ngx_dfp_room_planned(run);

    if (rc != NGX_OK) {

        /* without enough room the run has failed already */

        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    run->stage.call = ngx_dfp_engine_dry_call;
    run->stage.answered = ngx_dfp_engine_dry_answered;

    ngx_dfp_tasks_reopened(run);

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_engine_dry_call(ngx_dfp_run_t *run)
{
    return ngx_dfp_task_call(run, NGX_DFP_CALL_LOOK);
}


static void
ngx_dfp_engine_dry_answered(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    ngx_int_t  rc;

    if (call->answer.untold) {
        ngx_dfp_task_done(task);
        return;
    }

    if (ngx_dfp_task_trouble(task, call) == NGX_OK) {
        return;
    }

    rc = task->run->job.refresh ? NGX_DECLINED
                                : ngx_dfp_engine_warm_find(task, call);

    if (rc == NGX_OK) {
        ngx_dfp_engine_dry_digest(task);
        return;
    }

    task->told = (rc == NGX_DECLINED);
    ngx_dfp_task_done(task);
}


static void
ngx_dfp_engine_dry_digest(ngx_dfp_task_t *task)
{
    ngx_str_t  *digest;

    digest = ngx_dfp_image_expected(task);

    if (digest == NULL) {
        task->told = 1;
        task->held = 1;
        ngx_dfp_task_done(task);
        return;
    }

    task->check = ngx_dfp_digest_start(task->run->conf, &task->entry,
                                       digest, ngx_dfp_engine_dry_checked,
                                       task);
    if (task->check == NULL) {

        /* no memory: it is not known */

        ngx_dfp_task_done(task);
    }
}


/* A job would delete a wrong entry, and fetch it again. */

static void
ngx_dfp_engine_dry_checked(void *data, ngx_int_t rc)
{
    ngx_dfp_task_t *task = data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": digest checked: rc:%i",
                   task->run->claim.id, &task->shown, rc);

    task->check = NULL;
    task->told = (rc != NGX_ERROR);
    task->held = (rc == NGX_OK);

    ngx_dfp_task_done(task);
}


static ngx_int_t
ngx_dfp_engine_dry_check(ngx_dfp_run_t *run)
{
    return run->nfailed ? NGX_DECLINED : NGX_OK;
}


static void
ngx_dfp_engine_dry_progress(ngx_dfp_run_t *run, ngx_dfp_progress_t *p)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        p->bytes_total += ngx_max(task[i]->size, 0);

        if (task[i]->held) {
            p->bytes_done += task[i]->size;
        }
    }
}


static void
ngx_dfp_engine_dry_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    ngx_int_t            held;
    ngx_uint_t           i;
    ngx_dfp_task_t     **task;
    ngx_dfp_instance_t  *instance;

    task = run->tasks.elts;
    instance = &run->conf->instance;
    held = 0;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (task[i]->skipped) {
            continue;
        }

        if (task[i]->failed) {
            ngx_dfp_results_task(results, task[i]);
        }

        if (!task[i]->told) {
            held = NGX_ERROR;

        } else if (held != NGX_ERROR) {
            held += task[i]->held;
        }

        ngx_dfp_results_planned(results, task[i]);
    }

    ngx_dfp_results_target(results, &instance->name, &instance->address, held);
}
