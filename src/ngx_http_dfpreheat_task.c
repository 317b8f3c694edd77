#include "ngx_http_dfpreheat_task.h"


#define NGX_HTTP_DFPREHEAT_CALL_POOL_SIZE  4096


static void *ngx_http_dfpreheat_mem_alloc(void *ctx, size_t size);
static ngx_http_dfpreheat_origin_t *ngx_http_dfpreheat_task_origin(
    ngx_http_dfpreheat_main_conf_t *conf, dfp_str_t *origin);
static void ngx_http_dfpreheat_task_queue(ngx_http_dfpreheat_task_t *task);
static void ngx_http_dfpreheat_task_called(ngx_http_dfpreheat_call_t *call);
static void ngx_http_dfpreheat_task_ready(ngx_event_t *ev);
static void ngx_http_dfpreheat_task_ended(ngx_http_dfpreheat_task_t *task);


dfp_mem_t
ngx_http_dfpreheat_mem(ngx_pool_t *pool)
{
    dfp_mem_t  mem;

    mem.alloc = ngx_http_dfpreheat_mem_alloc;
    mem.ctx = pool;

    return mem;
}


static void *
ngx_http_dfpreheat_mem_alloc(void *ctx, size_t size)
{
    return ngx_palloc(ctx, size);
}


void
ngx_http_dfpreheat_tasks_init(ngx_http_dfpreheat_run_t *run)
{
    ngx_queue_init(&run->ready);
    ngx_rbtree_init(&run->urls, &run->sentinel, ngx_str_rbtree_insert_value);
}


ngx_http_dfpreheat_task_t *
ngx_http_dfpreheat_task_add(ngx_http_dfpreheat_run_t *run, dfp_url_t *url,
    ngx_uint_t manifest)
{
    int                          changed;
    uint32_t                     hash;
    dfp_mem_t                    mem;
    dfp_str_t                    shown;
    ngx_str_t                    href;
    ngx_http_dfpreheat_task_t   *task, **slot;

    href = ngx_http_dfpreheat_str(url->href);
    hash = ngx_crc32_long(href.data, href.len);

    task = (ngx_http_dfpreheat_task_t *)
               ngx_str_rbtree_lookup(&run->urls, &href, hash);
    if (task) {
        return task;
    }

    mem = ngx_http_dfpreheat_mem(run->pool);

    task = ngx_pcalloc(run->pool, sizeof(ngx_http_dfpreheat_task_t));
    slot = ngx_array_push(&run->tasks);

    if (task == NULL || slot == NULL
        || dfp_url_redact(&mem, url->href, &shown, &changed) != DFP_OK)
    {
        return NULL;
    }

    *slot = task;

    task->node.node.key = hash;
    task->node.str = href;
    task->run = run;
    task->shown = ngx_http_dfpreheat_str(shown);
    task->host = ngx_http_dfpreheat_str(url->authority);
    task->uri.data = href.data + url->origin.len;
    task->uri.len = href.len - url->origin.len;
    task->size = -1;
    task->manifest = manifest;

    task->retry.handler = ngx_http_dfpreheat_task_ready;
    task->retry.data = task;
    task->retry.log = &run->log;

    ngx_rbtree_insert(&run->urls, &task->node.node);
    run->left++;
    run->manifests += manifest;

    task->origin = ngx_http_dfpreheat_task_origin(run->conf, &url->origin);

    if (task->origin == NULL) {
        ngx_http_dfpreheat_task_failed(task, "no location is bound to %*s "
                                       "(dfpreheat_origin)", url->origin.len,
                                       url->origin.data);
        return task;
    }

    if (run->tasks.nelts > NGX_HTTP_DFPREHEAT_TASKS_MAX) {
        ngx_http_dfpreheat_task_failed(task, "the job has more than %d tasks",
                                       NGX_HTTP_DFPREHEAT_TASKS_MAX);
        return task;
    }

    ngx_http_dfpreheat_task_queue(task);

    return task;
}


static void
ngx_http_dfpreheat_task_queue(ngx_http_dfpreheat_task_t *task)
{
    if (task->manifest) {
        ngx_queue_insert_head(&task->run->ready, &task->queue);

    } else {
        ngx_queue_insert_tail(&task->run->ready, &task->queue);
    }
}


static ngx_http_dfpreheat_origin_t *
ngx_http_dfpreheat_task_origin(ngx_http_dfpreheat_main_conf_t *conf,
    dfp_str_t *origin)
{
    ngx_uint_t                    i;
    ngx_http_dfpreheat_origin_t  *o;

    o = conf->origins.elts;

    for (i = 0; i < conf->origins.nelts; i++) {
        if (o[i].origin.len == origin->len
            && ngx_memcmp(o[i].origin.data, origin->data, origin->len) == 0)
        {
            return &o[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_dfpreheat_task_call(ngx_http_dfpreheat_run_t *run, size_t limit,
    ngx_http_dfpreheat_task_pt handler)
{
    ngx_int_t                   rc;
    ngx_pool_t                 *pool;
    ngx_queue_t                *q;
    ngx_http_dfpreheat_call_t  *call;
    ngx_http_dfpreheat_task_t  *task;

    if (ngx_queue_empty(&run->ready)) {
        return NGX_DECLINED;
    }

    q = ngx_queue_head(&run->ready);
    task = ngx_queue_data(q, ngx_http_dfpreheat_task_t, queue);

    pool = ngx_create_pool(NGX_HTTP_DFPREHEAT_CALL_POOL_SIZE, &run->log);
    if (pool == NULL) {
        return NGX_AGAIN;
    }

    call = ngx_pcalloc(pool, sizeof(ngx_http_dfpreheat_call_t));
    if (call == NULL) {
        ngx_destroy_pool(pool);
        return NGX_AGAIN;
    }

    call->handler = ngx_http_dfpreheat_task_called;
    call->data = task;
    call->pool = pool;
    call->log = &run->log;
    call->job = run->claim.id;
    call->origin = task->origin;
    call->uri = task->uri;
    call->host = task->host;
    call->shown = task->shown;
    call->headers = run->job.headers;
    call->nheaders = run->job.nheaders;
    call->limit = limit;
    call->timeout = run->claim.left;
    call->store = run->cluster->engine->caches;

    /* what a tag stands for is known at its registry only */
    call->refresh = (task->manifest && task->digest.len == 0);

    rc = ngx_http_dfpreheat_call_start(call);

    if (rc != NGX_OK) {
        ngx_destroy_pool(pool);
        return NGX_AGAIN;
    }

    ngx_queue_remove(q);

    task->call = call;
    task->handler = handler;
    task->tries++;
    run->calls++;

    return NGX_OK;
}


static void
ngx_http_dfpreheat_task_called(ngx_http_dfpreheat_call_t *call)
{
    ngx_http_dfpreheat_run_t   *run;
    ngx_http_dfpreheat_task_t  *task;

    task = call->data;
    run = task->run;

    task->call = NULL;
    run->calls--;

    task->handler(task, call);

    ngx_destroy_pool(call->pool);

    run->wake(run);
}


void
ngx_http_dfpreheat_task_done(ngx_http_dfpreheat_task_t *task)
{
    task->done = 1;
    task->run->bytes += ngx_max(task->size, 0);

    ngx_http_dfpreheat_task_ended(task);
}


void
ngx_http_dfpreheat_task_lost(ngx_http_dfpreheat_task_t *task,
    const char *reason)
{
    task->done = 0;
    task->manifest = 0;
    task->run->left++;
    task->run->bytes -= ngx_max(task->size, 0);

    ngx_http_dfpreheat_task_again(task, 0, reason);
}


void
ngx_http_dfpreheat_task_failed(ngx_http_dfpreheat_task_t *task,
    const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    p = ngx_pnalloc(task->run->pool, NGX_HTTP_DFPREHEAT_REASON_MAX);

    if (p) {
        task->reason.data = p;

        va_start(args, fmt);
        p = ngx_vslprintf(p, p + NGX_HTTP_DFPREHEAT_REASON_MAX, fmt, args);
        va_end(args);

        task->reason.len = p - task->reason.data;
    }

    task->failed = 1;
    task->run->nfailed++;

    ngx_log_error(NGX_LOG_WARN, &task->run->log, 0,
                  "dfpreheat: \"%V\" failed: %V", &task->shown, &task->reason);

    ngx_http_dfpreheat_task_ended(task);
}


static void
ngx_http_dfpreheat_task_ended(ngx_http_dfpreheat_task_t *task)
{
    task->run->left--;
    task->run->manifests -= task->manifest;
    task->run->changed = 1;
}


void
ngx_http_dfpreheat_task_again(ngx_http_dfpreheat_task_t *task,
    ngx_msec_t retry_after, const char *reason)
{
    ngx_msec_t  pause;

    if (task->tries >= NGX_HTTP_DFPREHEAT_TASK_TRIES) {
        ngx_http_dfpreheat_task_failed(task, "%s (%ui tries)", reason,
                                       task->tries);
        return;
    }

    pause = NGX_HTTP_DFPREHEAT_RETRY_BASE << (task->tries - 1);
    pause = ngx_min(pause, NGX_HTTP_DFPREHEAT_RETRY_MAX);
    pause = pause / 2 + (ngx_msec_t) ngx_random() % pause;
    pause = ngx_max(pause, retry_after);

    ngx_log_error(NGX_LOG_INFO, &task->run->log, 0,
                  "dfpreheat: \"%V\" again in %M ms: %s", &task->shown, pause,
                  reason);

    ngx_add_timer(&task->retry, pause);
}


static void
ngx_http_dfpreheat_task_ready(ngx_event_t *ev)
{
    ngx_http_dfpreheat_task_t *task = ev->data;

    ngx_http_dfpreheat_task_queue(task);
    task->run->wake(task->run);
}


ngx_int_t
ngx_http_dfpreheat_task_trouble(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call)
{
    u_char  reason[NGX_HTTP_DFPREHEAT_REASON_MAX];

    if (call->result == NGX_HTTP_DFPREHEAT_CALL_AGAIN) {
        ngx_http_dfpreheat_task_again(task, call->retry_after, call->reason);
        return NGX_OK;
    }

    if (call->result == NGX_HTTP_DFPREHEAT_CALL_FAILED) {
        ngx_http_dfpreheat_task_failed(task, "%s", call->reason);
        return NGX_OK;
    }

    if (call->status == NGX_HTTP_OK) {
        return NGX_DECLINED;
    }

    ngx_snprintf(reason, sizeof(reason), "the origin answered %ui%Z",
                 call->status);

    if (call->status == NGX_HTTP_TOO_MANY_REQUESTS
        || call->status == NGX_HTTP_REQUEST_TIME_OUT
        || call->status >= NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        ngx_http_dfpreheat_task_again(task, call->retry_after,
                                      (char *) reason);
        return NGX_OK;
    }

    ngx_http_dfpreheat_task_failed(task, "%s", reason);

    return NGX_OK;
}


void
ngx_http_dfpreheat_tasks_stop(ngx_http_dfpreheat_run_t *run)
{
    ngx_uint_t                   i;
    ngx_http_dfpreheat_call_t   *call;
    ngx_http_dfpreheat_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (task[i]->retry.timer_set) {
            ngx_del_timer(&task[i]->retry);
        }

        call = task[i]->call;

        if (call) {
            task[i]->call = NULL;
            run->calls--;

            ngx_http_dfpreheat_call_cancel(call);
            ngx_destroy_pool(call->pool);
        }
    }

    ngx_queue_init(&run->ready);
}
