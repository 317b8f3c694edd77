#include "ngx_dfp_engine_cache.h"
#include "ngx_dfp_image.h"


#define ngx_dfp_engine_warm_packed(task)                                      \
    ((task)->packed ? " (compressed by the origin, although that was not "    \
                      "asked for: Content-Encoding)" : "")


static ngx_int_t ngx_dfp_engine_warm_call(ngx_dfp_run_t *run);
static ngx_uint_t ngx_dfp_engine_warm_other_size(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static void ngx_dfp_engine_warm_digest(ngx_dfp_task_t *task);
static void ngx_dfp_engine_warm_checked(void *data, ngx_int_t rc);
static ngx_int_t ngx_dfp_engine_warm_look(ngx_dfp_task_t *task);
static ngx_int_t ngx_dfp_engine_warm_looked(ngx_dfp_run_t *run);


ngx_int_t
ngx_dfp_engine_warm_start(ngx_dfp_run_t *run)
{
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_dfp_stored_t  *stored;
    ngx_dfp_task_t   **task;

    stored = ngx_pcalloc(run->pool, sizeof(ngx_dfp_stored_t));

    if (stored == NULL
        || ngx_array_init(&stored->shares, run->pool, 2,
                          sizeof(ngx_dfp_share_t *))
           != NGX_OK
        || ngx_array_init(&stored->gone, run->pool, 16,
                          sizeof(ngx_dfp_task_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&stored->kept, &stored->sentinel,
                    ngx_str_rbtree_insert_value);

    run->data = stored;
    run->stage.call = ngx_dfp_engine_warm_call;
    run->stage.answered = ngx_dfp_engine_warm_answered;

    rc = ngx_dfp_room_planned(run);

    /* manifests that were read are in the cache already */

    task = run->tasks.elts;

    for (i = 0; rc == NGX_OK && i < run->tasks.nelts; i++) {
        if (task[i]->done) {
            rc = ngx_dfp_room_taken(task[i]);
        }
    }

    /* without enough room the run has failed already */

    return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_dfp_engine_warm_call(ngx_dfp_run_t *run)
{
    return ngx_dfp_task_call(run, NGX_DFP_CALL_WARM);
}


void
ngx_dfp_engine_warm_answered(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    if (ngx_dfp_task_trouble(task, call) == NGX_OK) {
        return;
    }

    task->packed = call->answer.packed;

    if (ngx_dfp_engine_warm_other_size(task, call)) {
        return;
    }

    task->entry = call->answer.entry;
    task->size = call->answer.entry.size;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": %O bytes in the cache "
                   "\"%V\"", task->run->claim.id, &task->shown, task->size,
                   &task->entry.cache->shm_zone->shm.name);

    switch (ngx_dfp_room_taken(task)) {

    case NGX_OK:
        ngx_dfp_engine_warm_digest(task);
        break;

    case NGX_ERROR:
        ngx_dfp_task_again(task, NGX_DFP_RETRY_MEMORY, 0, "no memory");
        break;

    default: /* NGX_DECLINED: the run has failed, and the task with it */
        break;
    }
}


/* An entry of the wrong size is deleted, whatever the cause; the next try asks
 * the origin. */

static ngx_uint_t
ngx_dfp_engine_warm_other_size(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    u_char  reason[NGX_DFP_REASON_MAX];

    if (!task->sized || call->answer.entry.size == task->size) {
        return 0;
    }

    ngx_dfp_cache_drop(&call->answer.entry, &task->run->log);
    task->refresh = 1;

    ngx_snprintf(reason, sizeof(reason),
        "its size is %O bytes%s, but the %s says %O%Z",
        call->answer.entry.size,
                 ngx_dfp_engine_warm_packed(task),
                 task->image ? "manifest" : "job", task->size);

    ngx_dfp_task_again(task, NGX_DFP_RETRY_CONTENT, 0, (char *) reason);

    return 1;
}


static void
ngx_dfp_engine_warm_digest(ngx_dfp_task_t *task)
{
    ngx_str_t  *digest;

    digest = ngx_dfp_image_expected(task);

    if (digest == NULL) {
        ngx_dfp_task_done(task);
        return;
    }

    task->check = ngx_dfp_digest_start(task->run->conf, &task->entry,
                                       digest, ngx_dfp_engine_warm_checked,
                                       task);
    if (task->check == NULL) {
        ngx_dfp_task_again(task, NGX_DFP_RETRY_MEMORY, 0,
                           "not enough memory or threads to check its digest");
    }
}


/* A wrong entry is deleted: clients would get it. */

static void
ngx_dfp_engine_warm_checked(void *data, ngx_int_t rc)
{
    ngx_dfp_task_t *task = data;

    u_char  reason[NGX_DFP_REASON_MAX];

    task->check = NULL;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": digest checked: rc:%i",
                   task->run->claim.id, &task->shown, rc);

    if (rc == NGX_OK) {
        ngx_dfp_task_done(task);

    } else if (rc == NGX_DECLINED && task->digest.len == 0) {
        ngx_dfp_task_failed(task, "the tag was changed while the job ran");

    } else if (rc == NGX_DECLINED) {
        ngx_dfp_cache_drop(&task->entry, &task->run->log);
        task->refresh = 1;

        ngx_snprintf(reason, sizeof(reason),
            "its content does not match its digest: it was altered in "
            "transit%s, or in the cache%Z", ngx_dfp_engine_warm_packed(task));
        ngx_dfp_task_again(task, NGX_DFP_RETRY_CONTENT, 0, (char *) reason);

    } else {
        task->refresh = 1;
        ngx_dfp_task_again(task, NGX_DFP_RETRY_CACHE, 0,
                           "its cache file could not be read");
    }

    task->run->wake(task->run);
}


/*
 * The cache may have evicted the first layers while the last ones were fetched
 * (max_size). Those are fetched once more, until the tries are used up; then
 * all entries are looked up again. Some are looked up in each turn of the
 * event loop.
 */

ngx_int_t
ngx_dfp_engine_warm_check(ngx_dfp_run_t *run)
{
    ngx_uint_t         i, last;
    ngx_dfp_stored_t  *stored;
    ngx_dfp_task_t   **task, **gone;

    stored = run->data;
    task = run->tasks.elts;
    last = ngx_min(stored->next + NGX_DFP_LOOKS, run->tasks.nelts);

    for (i = stored->next; i < last; i++) {

        if (!task[i]->done
            || ngx_dfp_engine_warm_look(task[i]) != NGX_DECLINED)
        {
            continue;
        }

        gone = ngx_array_push(&stored->gone);
        if (gone == NULL) {
            ngx_dfp_run_fail(run, "no memory");
            return NGX_DECLINED;
        }

        *gone = task[i];
    }

    stored->next = last;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: %ui of %ui tasks looked up in the "
                   "cache, %ui are gone", run->claim.id, last,
                   run->tasks.nelts, stored->gone.nelts);

    if (last < run->tasks.nelts) {
        run->wake(run);
        return NGX_AGAIN;
    }

    return ngx_dfp_engine_warm_looked(run);
}


/* NGX_DECLINED: the entry is gone; NGX_AGAIN: its digest is checked. A client
 * may have revalidated the manifest of a tag, so it may be another one. */

static ngx_int_t
ngx_dfp_engine_warm_look(ngx_dfp_task_t *task)
{
    ngx_int_t   rc;
    ngx_log_t  *log;

    log = &task->run->log;

    if (task->image == NULL || task->digest.len) {
        return ngx_dfp_cache_holds(&task->entry, log)
               ? NGX_OK : NGX_DECLINED;
    }

    rc = ngx_dfp_cache_holds_tag(&task->entry, log);

    if (rc == NGX_AGAIN) {
        ngx_dfp_task_reopened(task);
        task->size = task->entry.size;
        ngx_dfp_engine_warm_digest(task);
    }

    return rc;
}


static ngx_int_t
ngx_dfp_engine_warm_looked(ngx_dfp_run_t *run)
{
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_dfp_stored_t  *stored;
    ngx_dfp_task_t   **gone;

    stored = run->data;

    if (run->nfailed && stored->gone.nelts == 0) {
        return NGX_DECLINED;
    }

    rc = ngx_dfp_room_left(run);

    /* the digest of a tag's manifest may be checked again */

    if (stored->gone.nelts == 0 && (rc != NGX_OK || run->left == 0)) {
        return rc;
    }

    gone = stored->gone.elts;

    for (i = 0; i < stored->gone.nelts; i++) {
        if (rc == NGX_OK) {
            ngx_dfp_task_lost(gone[i], "it was cached and has been removed "
                              "since: max_size or its time of "
                              "validity may be too small");

        } else {
            ngx_dfp_task_failed(gone[i], "%V", &run->error);
        }
    }

    if (rc != NGX_OK) {
        return rc;
    }

    stored->gone.nelts = 0;
    stored->next = 0;

    return NGX_AGAIN;
}


void
ngx_dfp_engine_warm_progress(ngx_dfp_run_t *run, ngx_dfp_progress_t *p)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;
    p->bytes_done = run->bytes;

    for (i = 0; i < run->tasks.nelts; i++) {
        p->bytes_total += ngx_max(task[i]->size, 0);

        if (task[i]->call) {
            p->bytes_done += ngx_dfp_call_bytes(task[i]->call);
        }
    }
}


ngx_int_t
ngx_dfp_engine_warm_find(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_dfp_held_t    held;
    ngx_dfp_entry_t  *place;

    place = call->answer.places;

    for (i = 0; i < call->answer.nplaces; i++) {

        rc = ngx_dfp_cache_look(&place[i], &task->run->log, &held);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc != NGX_OK || held.valid < ngx_time() || held.varies) {
            continue;
        }

        if (task->size != -1 && task->size != held.size) {
            return NGX_DECLINED;
        }

        task->size = held.size;
        task->entry = place[i];
        task->entry.start = held.start;
        task->entry.size = held.size;

        return NGX_OK;
    }

    return NGX_DECLINED;
}
