#include "ngx_http_dfpreheat_engine.h"


static char *ngx_http_dfpreheat_cache_configure(ngx_conf_t *cf,
    ngx_http_dfpreheat_cluster_t *cluster, ngx_str_t *value, ngx_uint_t n);
static ngx_int_t ngx_http_dfpreheat_cache_parts(
    ngx_http_dfpreheat_main_conf_t *conf,
    ngx_http_dfpreheat_cluster_t *cluster, dfp_job_t *job,
    ngx_array_t *parts);
static void ngx_http_dfpreheat_cache_start(ngx_http_dfpreheat_run_t *run);
static ngx_int_t ngx_http_dfpreheat_cache_next(ngx_http_dfpreheat_run_t *run);
static void ngx_http_dfpreheat_cache_warmed(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call);
static void ngx_http_dfpreheat_cache_checked(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_dfpreheat_cache_check(ngx_http_dfpreheat_run_t *run);
static void ngx_http_dfpreheat_cache_results(ngx_http_dfpreheat_run_t *run,
    dfp_buf_t *success, dfp_buf_t *failure);
static void ngx_http_dfpreheat_cache_result(ngx_http_dfpreheat_task_t *task,
    dfp_buf_t *b, ngx_str_t *description);


ngx_http_dfpreheat_engine_t  ngx_http_dfpreheat_engine_cache = {
    ngx_string("cache"),
    1,                                      /* caches */
    ngx_http_dfpreheat_cache_configure,
    ngx_http_dfpreheat_cache_parts,
    ngx_http_dfpreheat_cache_start,
    ngx_http_dfpreheat_cache_check,
    ngx_http_dfpreheat_cache_results
};


static char *
ngx_http_dfpreheat_cache_configure(ngx_conf_t *cf,
    ngx_http_dfpreheat_cluster_t *cluster, ngx_str_t *value, ngx_uint_t n)
{
    if (n) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "engine=cache takes no parameter \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* One part for each instance: this one. */

static ngx_int_t
ngx_http_dfpreheat_cache_parts(ngx_http_dfpreheat_main_conf_t *conf,
    ngx_http_dfpreheat_cluster_t *cluster, dfp_job_t *job, ngx_array_t *parts)
{
    ngx_http_dfpreheat_part_t  *part;

    part = ngx_array_push(parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(part, sizeof(ngx_http_dfpreheat_part_t));

    part->cluster = cluster->id;
    part->queue = conf->instance.queue;

    return NGX_OK;
}


static void
ngx_http_dfpreheat_cache_start(ngx_http_dfpreheat_run_t *run)
{
    run->next = ngx_http_dfpreheat_cache_next;
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

    return run->left ? NGX_AGAIN : NGX_OK;
}


static void
ngx_http_dfpreheat_cache_results(ngx_http_dfpreheat_run_t *run,
    dfp_buf_t *success, dfp_buf_t *failure)
{
    ngx_uint_t                   i;
    ngx_http_dfpreheat_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (task[i]->done) {
            ngx_http_dfpreheat_cache_result(task[i], success, NULL);

        } else if (!task[i]->skipped) {
            ngx_http_dfpreheat_cache_result(task[i], failure,
                                            &task[i]->reason);
        }
    }
}


static void
ngx_http_dfpreheat_cache_result(ngx_http_dfpreheat_task_t *task, dfp_buf_t *b,
    ngx_str_t *description)
{
    ngx_http_dfpreheat_instance_t  *instance;

    instance = &task->run->conf->instance;

    dfp_buf_cstr(b, b->len ? ",{" : "{");

    if (description) {
        dfp_buf_cstr(b, "\"description\":");
        dfp_buf_json(b, ngx_http_dfpreheat_dfp(*description));
        dfp_buf_cstr(b, ",");
    }

    dfp_buf_cstr(b, "\"hostname\":");
    dfp_buf_json(b, ngx_http_dfpreheat_dfp(instance->name));
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, ngx_http_dfpreheat_dfp(instance->address));
    dfp_buf_cstr(b, ",\"url\":");
    dfp_buf_json(b, ngx_http_dfpreheat_dfp(task->shown));
    dfp_buf_cstr(b, "}");
}
