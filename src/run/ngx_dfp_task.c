#include "ngx_dfp_engine.h"
#include "ngx_dfp_image.h"

#include "dfp_path.h"


/* The media types of manifests: a registry may convert to an older one
 * otherwise. */
static const char  ngx_dfp_manifest_types[] =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, */*";


static ngx_dfp_task_t *ngx_dfp_task_create(ngx_dfp_run_t *run, dfp_url_t *url,
    ngx_dfp_image_t *image);
static ngx_int_t ngx_dfp_task_start(ngx_dfp_task_t *task,
    ngx_dfp_call_mode_e mode);
static ngx_dfp_call_t *ngx_dfp_task_prepare(ngx_dfp_task_t *task,
    ngx_dfp_call_mode_e mode);
static void ngx_dfp_task_called(ngx_dfp_call_t *call);


ngx_int_t
ngx_dfp_tasks_init(ngx_dfp_run_t *run)
{
    ngx_queue_init(&run->ready);
    ngx_queue_init(&run->grants);
    ngx_rbtree_init(&run->urls, &run->sentinel, ngx_str_rbtree_insert_value);

    if (ngx_array_init(&run->tasks, run->pool, 16,
                       sizeof(ngx_dfp_task_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_secrets_init(&run->secrets, run->pool);
}


ngx_dfp_task_t *
ngx_dfp_task_add(ngx_dfp_run_t *run, dfp_url_t *url, ngx_dfp_image_t *image,
    ngx_uint_t manifest)
{
    uint32_t         hash;
    ngx_str_t        href;
    ngx_dfp_task_t  *task;

    href = ngx_dfp_str(url->href);
    hash = ngx_crc32_long(href.data, href.len);

    task = (ngx_dfp_task_t *)
               ngx_str_rbtree_lookup(&run->urls, &href, hash);
    if (task) {
        return task;
    }

    task = ngx_dfp_task_create(run, url, image);
    if (task == NULL) {
        return NULL;
    }

    task->node.node.key = hash;
    task->node.str = href;
    task->manifest = manifest;
    task->document = manifest;

    ngx_rbtree_insert(&run->urls, &task->node.node);
    run->left++;
    run->manifests += manifest;

    task->binding = ngx_dfp_binding_find(run->conf, url, 0);

    if (task->binding == NULL) {
        ngx_dfp_task_failed(task, "no location is bound to %*s "
                            "(dfpreheat_origin)", url->origin.len,
                            url->origin.data);
        return task;
    }

    if (run->tasks.nelts > NGX_DFP_TASKS_MAX) {
        ngx_dfp_task_failed(task, "the job has more than %d tasks",
                            NGX_DFP_TASKS_MAX);
        return task;
    }

    ngx_dfp_task_queue(task);

    return task;
}


static ngx_dfp_task_t *
ngx_dfp_task_create(ngx_dfp_run_t *run, dfp_url_t *url, ngx_dfp_image_t *image)
{
    int               changed;
    dfp_mem_t         mem;
    dfp_path_t        path;
    dfp_str_t         shown;
    ngx_str_t         repository;
    ngx_dfp_task_t   *task, **slot;

    mem = ngx_dfp_mem(run->pool);

    /* a file may belong to a registry, too */

    dfp_path_read(url->path, &path);
    repository = ngx_dfp_str(path.name);

    if (image) {
        repository = ngx_dfp_str(image->ref.name);
    }

    task = ngx_pcalloc(run->pool, sizeof(ngx_dfp_task_t));

    if (task == NULL
        || dfp_url_redact(&mem, url->href, &shown, &changed) != DFP_OK)
    {
        return NULL;
    }

    task->grant = ngx_dfp_grant_get(run, url, &repository,
                                    ngx_dfp_task_grant_done);
    if (task->grant == NULL) {
        return NULL;
    }

    /* a task in the list is complete: nothing may fail after this */

    slot = ngx_array_push(&run->tasks);
    if (slot == NULL) {
        return NULL;
    }

    *slot = task;

    task->run = run;
    task->image = image;
    task->url = *url;
    task->shown = ngx_dfp_str(shown);
    task->size = -1;

    task->retry.handler = ngx_dfp_task_retry;
    task->retry.data = task;
    task->retry.log = &run->log;

    return task;
}


ngx_int_t
ngx_dfp_task_call(ngx_dfp_run_t *run, ngx_dfp_call_mode_e mode)
{
    ngx_uint_t       calls;
    ngx_queue_t     *q;
    ngx_dfp_task_t  *task;

    calls = run->calls;

    if (ngx_dfp_task_held(run)) {
        return NGX_DECLINED;
    }

    while (!ngx_queue_empty(&run->ready)) {

        q = ngx_queue_head(&run->ready);
        task = ngx_queue_data(q, ngx_dfp_task_t, queue);

        if (mode == NGX_DFP_CALL_LOOK || task->stale
            || ngx_dfp_task_grant_ready(task) == NGX_OK)
        {
            ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                           "dfpreheat: job %L: task \"%V\": try %ui, "
                           "%ui calls", run->claim.id, &task->shown,
                           task->tries + 1, run->calls);

            return ngx_dfp_task_start(task, mode);
        }

        /* it waits for a token: a call to fetch one may have been started */

        if (run->calls > calls) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_dfp_task_start(ngx_dfp_task_t *task, ngx_dfp_call_mode_e mode)
{
    ngx_dfp_run_t   *run;
    ngx_dfp_call_t  *call;

    run = task->run;

    call = ngx_dfp_task_prepare(task, mode);

    if (call == NULL || ngx_dfp_call_start(call) != NGX_OK) {
        return NGX_AGAIN;
    }

    ngx_queue_remove(&task->queue);

    task->call = call;
    ngx_dfp_task_grant_sent(task);
    task->tries++;
    run->calls++;

    return NGX_OK;
}


static ngx_dfp_call_t *
ngx_dfp_task_prepare(ngx_dfp_task_t *task, ngx_dfp_call_mode_e mode)
{
    ngx_dfp_run_t   *run;
    ngx_dfp_call_t  *call;

    run = task->run;

    call = ngx_dfp_call_create(&run->log);
    if (call == NULL) {
        return NULL;
    }

    if (task->deadline == 0) {
        task->deadline = ngx_current_msec
                         + (task->manifest ? ngx_dfp_run_patience(run)
                                           : run->conf->task_timeout);
    }

    call->handler = ngx_dfp_task_called;
    call->data = task;
    call->job = run->claim.id;
    call->binding = task->binding;
    call->url = task->url;
    call->shown = task->shown;
    call->who = "the origin";
    call->secrets = ngx_dfp_task_secrets(task, call->pool);
    ngx_dfp_grant_apply(task->grant, call);
    call->headers = run->job.headers;
    call->nheaders = run->job.nheaders;
    call->tag = run->job.tag;
    call->application = run->job.application;
    call->mode = mode;
    call->size = run->conf->max_manifest_size;
    call->timeout = ngx_max((ngx_msec_int_t)
                            (task->deadline - ngx_current_msec), 1);
    call->store = run->engine->caches && !run->engine->looks
                  && mode != NGX_DFP_CALL_LOOK && !task->stale;
    call->offline = task->stale;
    call->peek = call->offline
                 || (run->engine->looks && !run->engine->dry
                     && mode == NGX_DFP_CALL_READ);
    call->uncached = call->peek
                     || (run->engine->dry && mode == NGX_DFP_CALL_READ);
    call->named = (task->image != NULL);

    if (task->subject == NGX_DFP_SUBJECT_LIST) {
        call->store = 0;
        call->listed = (run->job.action == DFP_JOB_PREHEAT
                        || run->job.action == DFP_JOB_KEEP);
        call->uncached |= !call->listed;
    }

    if (task->document || (task->image && run->engine->resolves)) {
        call->accept = ngx_dfp_manifest_types;
    }

    ngx_dfp_task_fresh(task, call);

    if (call->secrets == NULL
        || (run->stage.prepare && run->stage.prepare(task, call) != NGX_OK))
    {
        ngx_dfp_call_cancel(call);
        return NULL;
    }

    return call;
}


static void
ngx_dfp_task_called(ngx_dfp_call_t *call)
{
    ngx_dfp_run_t   *run;
    ngx_dfp_task_t  *task;

    task = call->data;
    run = task->run;

    task->call = NULL;
    run->calls--;

    if (call->rehearsal == NULL) {
        task->cached = call->answer.cached;
    }

    ngx_log_debug7(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: task \"%V\": call ended, result:%d "
                   "status:%ui cached:%d stale:%d led:%d", run->claim.id,
                   &task->shown, call->answer.result, call->answer.status,
                   call->answer.cached, call->answer.stale, call->answer.led);

    run->stage.answered(task, call);

    run->wake(run);
}


ngx_int_t
ngx_dfp_task_trouble(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    dfp_err_t  why;
    ngx_int_t  rc;

    /*
     * nginx may be configured to cache errors; the origin may have the file by
     * now
     */

    if (call->answer.result == NGX_DFP_CALL_OK && call->answer.cached
        && call->answer.status != NGX_HTTP_OK)
    {
        task->refresh = 1;
        (void) dfp_invalid(&why, "the cache answered %lu",
                           (unsigned long) call->answer.status);
        ngx_dfp_task_again(task, NGX_DFP_RETRY_CACHE, 0, why.text);
        return NGX_OK;
    }

    if (call->answer.result == NGX_DFP_CALL_OK
        && call->answer.status == NGX_HTTP_UNAUTHORIZED)
    {
        ngx_dfp_task_grant_refused(task, call);
        return NGX_OK;
    }

    if (call->answer.busy) {
        task->tries--;
        ngx_dfp_task_busy(task);
        return NGX_OK;
    }

    if (ngx_dfp_task_grant_forbidden(task, call) == NGX_OK) {
        return NGX_OK;
    }

    rc = ngx_dfp_answer_verdict(call, &why);

    switch (rc) {

    case NGX_OK:
        ngx_dfp_task_steady(task->run);
        ngx_dfp_task_grant_accepted(task);
        return NGX_DECLINED;

    case NGX_AGAIN:
        /*
         * nginx may still have a deleted cache file open; and updating a stale
         * copy may take longer than the tries
         */

        task->refresh |= call->answer.cached
                         || (call->answer.stale && task->tries > 1);
        ngx_dfp_task_again(task, ngx_dfp_answer_retry(call),
                           call->answer.retry_after, why.text);
        return NGX_OK;

    default:
        ngx_dfp_task_failed(task, "%s", why.text);
        return NGX_OK;
    }
}


void
ngx_dfp_tasks_stop(ngx_dfp_run_t *run)
{
    ngx_uint_t        i;
    ngx_dfp_call_t   *call;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (task[i]->retry.timer_set) {
            ngx_del_timer(&task[i]->retry);
        }

        if (task[i]->check) {
            ngx_dfp_digest_cancel(task[i]->check);
            task[i]->check = NULL;
        }

        call = task[i]->call;

        if (call) {
            task[i]->call = NULL;
            run->calls--;

            ngx_dfp_call_cancel(call);
        }
    }

    ngx_dfp_grants_stop(run);

    ngx_queue_init(&run->ready);

    if (run->engine && run->engine->stop) {
        run->engine->stop(run);
    }
}


void
ngx_dfp_tasks_fail(ngx_dfp_run_t *run, ngx_str_t *why)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    ngx_dfp_tasks_stop(run);

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        if ((!task[i]->done || task[i]->unverified) && !task[i]->failed
            && !task[i]->skipped)
        {
            ngx_dfp_task_failed(task[i], "%V", why);
        }
    }
}
