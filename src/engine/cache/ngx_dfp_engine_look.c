#include "ngx_dfp_engine_cache.h"

#include "dfp_time.h"


/* What was found of a task, its DATA. */
typedef struct {
    ngx_dfp_entry_t  *places;
    ngx_uint_t        nplaces;
    ngx_dfp_held_t    held;
    unsigned          looked:1;
    unsigned          is:1;          /* it is in a cache, or was */
} ngx_dfp_found_t;


static ngx_int_t ngx_dfp_engine_look_start(ngx_dfp_run_t *run);
static ngx_int_t ngx_dfp_engine_look_call(ngx_dfp_run_t *run);
static void ngx_dfp_engine_look_answered(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static ngx_int_t ngx_dfp_engine_look_check(ngx_dfp_run_t *run);
static void ngx_dfp_engine_look_at(ngx_dfp_task_t *task);
static void ngx_dfp_engine_look_progress(ngx_dfp_run_t *run,
    ngx_dfp_progress_t *p);
static void ngx_dfp_engine_look_results(ngx_dfp_run_t *run,
    ngx_dfp_results_t *results);
static void ngx_dfp_engine_look_result(ngx_dfp_results_t *results,
    ngx_dfp_task_t *task);
static void ngx_dfp_engine_look_holder(ngx_dfp_run_t *run,
    ngx_dfp_results_t *results);
static void ngx_dfp_engine_look_layers(ngx_dfp_run_t *run,
    ngx_dfp_results_t *results);
static void ngx_dfp_engine_look_print(ngx_dfp_list_t *list,
    ngx_dfp_task_t *task);


ngx_dfp_engine_t  ngx_dfp_engine_look = {
    ngx_string("look"),
    1,                                      /* caches */
    1,                                      /* looks */
    0,                                      /* dry */
    0,                                      /* resolves */
    0,                                      /* dragonfly */
    ngx_dfp_engine_look_start,
    ngx_dfp_engine_look_check,
    NULL,
    ngx_dfp_engine_look_progress,
    ngx_dfp_engine_look_results,
    NULL,                                   /* look */
    NULL,                                   /* dry_run */
    NULL                                    /* keep */
};


/* Manifests were read, and are looked up like all other tasks. */

static ngx_int_t
ngx_dfp_engine_look_start(ngx_dfp_run_t *run)
{
    ngx_dfp_stored_t  *stored;

    stored = ngx_pcalloc(run->pool, sizeof(ngx_dfp_stored_t));
    if (stored == NULL) {
        return NGX_ERROR;
    }

    run->data = stored;
    run->stage.call = ngx_dfp_engine_look_call;
    run->stage.answered = ngx_dfp_engine_look_answered;

    ngx_dfp_tasks_reopened(run);

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_engine_look_call(ngx_dfp_run_t *run)
{
    return ngx_dfp_task_call(run, NGX_DFP_CALL_LOOK);
}


static void
ngx_dfp_engine_look_answered(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    size_t            len;
    ngx_pool_t       *pool;
    ngx_dfp_found_t  *found;

    if (ngx_dfp_task_trouble(task, call) == NGX_OK) {
        return;
    }

    pool = task->run->pool;
    len = call->answer.nplaces * sizeof(ngx_dfp_entry_t);

    found = ngx_pcalloc(pool, sizeof(ngx_dfp_found_t));

    if (found == NULL || (found->places = ngx_palloc(pool, len)) == NULL) {
        ngx_dfp_task_failed(task, "no memory");
        return;
    }

    ngx_memcpy(found->places, call->answer.places, len);
    found->nplaces = call->answer.nplaces;
    task->data = found;

    ngx_dfp_task_done(task);
}


/* Some files are opened, or deleted, in each turn of the event loop. Nothing is
 * removed if a part of the image is not known, or not for the job. */

static ngx_int_t
ngx_dfp_engine_look_check(ngx_dfp_run_t *run)
{
    ngx_uint_t         i, last;
    ngx_dfp_stored_t  *stored;
    ngx_dfp_task_t   **task;

    stored = run->data;
    task = run->tasks.elts;
    last = ngx_min(stored->next + NGX_DFP_LOOKS, run->tasks.nelts);

    for (i = stored->next; i < last; i++) {
        if (task[i]->done) {
            ngx_dfp_engine_look_at(task[i]);
        }
    }

    stored->next = last;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: %ui of %ui tasks looked up in the "
                   "cache", run->claim.id, last, run->tasks.nelts);

    if (last < run->tasks.nelts) {
        run->wake(run);
        return NGX_AGAIN;
    }

    return run->nfailed ? NGX_DECLINED : NGX_OK;
}


static void
ngx_dfp_engine_look_at(ngx_dfp_task_t *task)
{
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_dfp_run_t    *run;
    ngx_dfp_held_t    held;
    ngx_dfp_found_t  *found;

    run = task->run;
    found = task->data;
    found->looked = 1;

    for (i = 0; i < found->nplaces; i++) {

        rc = ngx_dfp_cache_look(&found->places[i], &run->log, &held);

        if (rc == NGX_ERROR && dfp_job_of_task(run->job.action)) {
            ngx_dfp_task_failed(task, "its file in the cache cannot be opened");
            return;
        }

        if (rc != NGX_OK) {
            continue;
        }

        if (!found->is) {
            found->is = 1;
            found->held = held;
        }

        if ((run->job.action == DFP_JOB_REMOVE
             || run->job.action == DFP_JOB_DELETE_TASK)
            && run->nfailed == 0)
        {
            ngx_dfp_cache_drop(&found->places[i], &run->log);
        }
    }
}


static void
ngx_dfp_engine_look_progress(ngx_dfp_run_t *run, ngx_dfp_progress_t *p)
{
    p->bytes_done = run->bytes;
    p->bytes_total = run->bytes;
}


static void
ngx_dfp_engine_look_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    if (dfp_job_of_task(run->job.action)) {
        ngx_dfp_engine_look_holder(run, results);
        return;
    }

    if (run->job.action == DFP_JOB_DISTRIBUTION) {
        ngx_dfp_engine_look_layers(run, results);
        return;
    }

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        if (!task[i]->skipped) {
            ngx_dfp_engine_look_result(results, task[i]);
        }
    }
}


static void
ngx_dfp_engine_look_result(ngx_dfp_results_t *results, ngx_dfp_task_t *task)
{
    ngx_dfp_run_t       *run;
    ngx_dfp_found_t     *found;
    ngx_dfp_instance_t  *instance;

    run = task->run;
    found = task->data;
    instance = &run->conf->instance;

    if (task->failed) {
        ngx_dfp_results_task(results, task);

    } else if (found == NULL || !found->looked) {
        ngx_dfp_results_add(&results->failure, &instance->name,
                            &instance->address, &task->shown, &run->error);

    } else if (!found->is) {
        ngx_dfp_results_task(results, task);

    } else if (results->success.n == results->success.max) {
        results->success.omitted++;

    } else {
        ngx_dfp_engine_look_print(&results->success, task);
    }
}


static void
ngx_dfp_engine_look_print(ngx_dfp_list_t *list, ngx_dfp_task_t *task)
{
    dfp_buf_t           *b;
    ngx_dfp_held_t      *held;
    ngx_dfp_found_t     *found;
    ngx_dfp_instance_t  *instance;

    found = task->data;
    held = &found->held;
    instance = &task->run->conf->instance;
    b = &list->json;

    dfp_buf_cstr(b, list->n++ ? ",{\"age\":" : "{\"age\":");
    dfp_buf_int(b, ngx_max(ngx_time() - held->date, 0));
    dfp_buf_cstr(b, ",\"hostname\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(instance->name));
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(instance->address));
    dfp_buf_cstr(b, ",\"last_used_at\":");

    if (held->used) {
        dfp_buf_cstr(b, "\"");
        dfp_time_print(b, (int64_t) held->used * 1000);
        dfp_buf_cstr(b, "\"");

    } else {
        dfp_buf_cstr(b, "null");
    }

    dfp_buf_cstr(b, ",\"size\":");
    dfp_buf_int(b, held->size);
    dfp_buf_cstr(b, ",\"url\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(task->shown));
    dfp_buf_cstr(b, held->valid >= ngx_time() ? ",\"valid\":true}"
                                              : ",\"valid\":false}");
}


/* This nginx holds the task if it has a part of it, and all of it if each part is
 * there and valid. */

static void
ngx_dfp_engine_look_holder(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    ngx_uint_t         i;
    ngx_dfp_task_t   **task;
    ngx_dfp_found_t   *found;
    ngx_dfp_holder_t   holder;

    if (ngx_dfp_results_instance(run, &holder) != NGX_OK) {
        results->success.json.failed = 1;
        return;
    }

    if (run->error.len) {
        ngx_dfp_results_told(&results->failure, &holder, &run->error);
        return;
    }

    holder.finished = 1;
    holder.updated = ngx_dfp_now();
    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (task[i]->skipped) {
            continue;
        }

        found = task[i]->data;

        if (!found->is || found->held.valid < ngx_time()) {
            holder.finished = 0;
        }

        if (found->is && (holder.created == 0
                          || (int64_t) found->held.date * 1000
                             < holder.created))
        {
            holder.created = (int64_t) found->held.date * 1000;
        }
    }

    if (holder.created == 0) {
        return;
    }

    if (run->job.action == DFP_JOB_DELETE_TASK) {
        ngx_dfp_results_told(&results->success, &holder, NULL);

    } else {
        ngx_dfp_results_holder(&results->success, &holder);
    }
}


/* Manifests are not among the layers of the manager. */

static void
ngx_dfp_engine_look_layers(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    dfp_mem_t            mem;
    ngx_uint_t           i;
    ngx_dfp_list_t       layers;
    ngx_dfp_task_t     **task;
    ngx_dfp_found_t     *found;
    ngx_dfp_instance_t  *instance;

    mem = ngx_dfp_mem(run->pool);
    instance = &run->conf->instance;
    task = run->tasks.elts;

    ngx_memzero(&layers, sizeof(ngx_dfp_list_t));
    dfp_buf_init(&layers.json, &mem, 256, 0);
    layers.max = results->tasks.max;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (task[i]->document || task[i]->skipped) {
            continue;
        }

        ngx_dfp_results_url(&results->tasks, &task[i]->shown);

        found = task[i]->data;

        if (found && found->is) {
            ngx_dfp_results_url(&layers, &task[i]->shown);
        }
    }

    if (layers.n) {
        ngx_dfp_results_layers(&results->success, &instance->name,
                               &instance->address, &layers);
    }
}
