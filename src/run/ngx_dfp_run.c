#include "ngx_dfp_engine.h"
#include "ngx_dfp_image.h"


static u_char *ngx_dfp_run_log_error(ngx_log_t *log, u_char *buf, size_t len);
static ngx_int_t ngx_dfp_run_prepare(ngx_dfp_run_t *run);
static ngx_dfp_engine_t *ngx_dfp_run_engine(ngx_dfp_run_t *run);
static void ngx_dfp_run_resolve(ngx_dfp_run_t *run);
static ngx_int_t ngx_dfp_run_files(ngx_dfp_run_t *run);
static void ngx_dfp_run_resolved(ngx_dfp_run_t *run);
static void ngx_dfp_run_warm(ngx_dfp_run_t *run);
static void ngx_dfp_run_check(ngx_dfp_run_t *run);
static void ngx_dfp_run_report(ngx_dfp_run_t *run);
static void ngx_dfp_run_store(ngx_dfp_run_t *run);
static void ngx_dfp_run_store_again(ngx_dfp_run_t *run);
static void ngx_dfp_run_reported(void *data, ngx_int_t rc);
static void ngx_dfp_run_back(ngx_dfp_run_t *run);
static void ngx_dfp_run_given_back(void *data, ngx_int_t rc);
static void ngx_dfp_run_over(ngx_dfp_run_t *run);
static void ngx_dfp_run_stop(ngx_dfp_run_t *run);
static void ngx_dfp_run_tick(ngx_event_t *ev);
static void ngx_dfp_run_renewed(void *data, ngx_int_t rc);
static void ngx_dfp_run_deadline(ngx_event_t *ev);
static void ngx_dfp_run_error(ngx_dfp_run_t *run);


void
ngx_dfp_run_start(ngx_dfp_run_t *run, ngx_dfp_store_t *store)
{
    run->store = store;
    run->started = ngx_current_msec;
    run->reported = ngx_current_msec;

    run->log.handler = ngx_dfp_run_log_error;
    run->log.data = run;
    run->log.action = NULL;

    run->op.log = &run->log;
    run->op.pool = run->pool;
    run->op.data = run;

    run->tick.handler = ngx_dfp_run_tick;
    run->tick.data = run;
    run->tick.log = &run->log;

    /* this timer also keeps a worker that quits until the run has ended */

    run->deadline.handler = ngx_dfp_run_deadline;
    run->deadline.data = run;
    run->deadline.log = &run->log;

    ngx_add_timer(&run->deadline, run->claim.left);
    ngx_add_timer(&run->tick, ngx_min(NGX_DFP_PROGRESS_INTERVAL,
                                      run->conf->lease / 3));

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: run %V starts", run->claim.id,
                   &run->claim.run);

    if (ngx_dfp_tasks_init(run) != NGX_OK
        || ngx_dfp_run_prepare(run) != NGX_OK)
    {
        ngx_dfp_run_fail(run, "no memory");
    }

    if (run->error.len == 0) {
        ngx_dfp_run_resolve(run);
    }

    run->wake(run);
}


static u_char *
ngx_dfp_run_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    ngx_dfp_run_t *run = log->data;

    return ngx_snprintf(buf, len, ", job: %L, cluster: %L", run->claim.id,
                        run->claim.cluster);
}


/* Prepare: the claim is unsealed and parsed. */

static ngx_int_t
ngx_dfp_run_prepare(ngx_dfp_run_t *run)
{
    dfp_rc_t            rc;
    dfp_str_t           args;
    dfp_mem_t           mem;
    dfp_err_t           err;
    ngx_uint_t          i;
    ngx_dfp_cluster_t  *cluster;

    cluster = run->conf->clusters.elts;

    for (i = 0; i < run->conf->clusters.nelts; i++) {
        if (cluster[i].id == run->claim.cluster) {
            run->cluster = &cluster[i];
        }
    }

    if (run->cluster == NULL) {
        ngx_dfp_run_fail(run, "cluster %L is no longer configured",
                         run->claim.cluster);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, &run->log, 0,
                  "dfpreheat: run %V starts in cluster \"%V\"",
                  &run->claim.run, &run->cluster->name);

    mem = ngx_dfp_mem(run->pool);
    args = ngx_dfp_dfp_str(run->claim.args);
    rc = DFP_OK;

    if (run->claim.sealed.len) {
        rc = dfp_unseal(&mem, &run->conf->keys,
                        ngx_dfp_dfp_str(run->claim.uuid),
                        ngx_dfp_dfp_str(run->claim.sealed), &args, &err);
    }

    if (rc == DFP_OK) {
        rc = dfp_job_parse_args(&mem, args, &run->job, &err);
    }

    if (rc == DFP_INVALID) {
        ngx_dfp_run_fail(run, "%s", err.text);
        return NGX_OK;
    }

    if (rc != DFP_OK) {
        return NGX_ERROR;
    }

    if (run->claim.look) {
        run->job.action = DFP_JOB_KEEP;
    }

    run->engine = ngx_dfp_run_engine(run);

    if (run->engine == NULL) {
        ngx_dfp_run_fail(run, "cluster %L has no cache", run->cluster->id);
        return NGX_OK;
    }

    run->width = run->job.concurrent_task_count;

    if (run->job.scope == DFP_SCOPE_DEFAULT) {
        run->job.scope = run->cluster->scope;
    }

    return ngx_dfp_secrets_job(&run->secrets, &run->job);
}


static ngx_dfp_engine_t *
ngx_dfp_run_engine(ngx_dfp_run_t *run)
{
    switch (run->job.action) {

    case DFP_JOB_PREHEAT:
        return run->cluster->engine;

    case DFP_JOB_DRY:
        return run->cluster->engine->dry_run;

    case DFP_JOB_KEEP:
        return run->cluster->engine->keep;

    default: /* what is there is looked up, or removed */
        return run->cluster->engine->look;
    }
}


/* Resolve: the job becomes tasks. Only images whose manifests are read here
 * take time; files are ready at once. */

static void
ngx_dfp_run_resolve(ngx_dfp_run_t *run)
{
    ngx_int_t   rc;
    ngx_uint_t  read;

    run->stage.name = "resolve";
    run->stage.call = ngx_dfp_image_call;
    run->stage.answered = ngx_dfp_image_answered;
    run->stage.left = &run->manifests;
    run->stage.next = ngx_dfp_run_resolved;

    read = (run->job.type == DFP_JOB_IMAGE && !run->engine->resolves);

    if (dfp_job_of_task(run->job.action)
        && (run->engine->dragonfly || run->job.url.len == 0))
    {
        /* peers are asked by its id, and no origin is */

        read = 0;
        rc = NGX_OK;

    } else {
        rc = (run->job.type == DFP_JOB_IMAGE) ? ngx_dfp_image_tasks(run, read)
                                              : ngx_dfp_run_files(run);
    }

    if (rc != NGX_OK) {
        ngx_dfp_run_fail(run, "no memory");
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: resolve: %ui tasks, %ui manifests to "
                   "read", run->claim.id, run->tasks.nelts, run->manifests);

    if (!read) {
        ngx_dfp_run_warm(run);
    }
}


static ngx_int_t
ngx_dfp_run_files(ngx_dfp_run_t *run)
{
    size_t           i, n;
    dfp_mem_t        mem;
    dfp_err_t        err;
    dfp_str_t       *urls;
    dfp_url_t        url;
    ngx_dfp_task_t  *task;

    mem = ngx_dfp_mem(run->pool);

    if (dfp_job_urls(&mem, &run->job, &urls, &n) != DFP_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (dfp_url_parse(&mem, urls[i], "args.url", &url, &err) != DFP_OK) {
            return NGX_ERROR;
        }

        task = ngx_dfp_task_add(run, &url, NULL, 0);
        if (task == NULL) {
            return NGX_ERROR;
        }

        /* a job with one of these has one URL */

        task->digest = ngx_dfp_str(run->job.digest);

        if (run->job.size) {
            task->size = run->job.size;
            task->sized = 1;
        }
    }

    return NGX_OK;
}


static void
ngx_dfp_run_resolved(ngx_dfp_run_t *run)
{
    ngx_dfp_image_check(run);
    ngx_dfp_run_warm(run);
}


/* Warm: the engine has each task fetched. */

static void
ngx_dfp_run_warm(ngx_dfp_run_t *run)
{
    run->stage.name = "warm";
    run->stage.call = NULL;
    run->stage.left = &run->left;
    run->stage.next = ngx_dfp_run_check;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: warm: engine %V, %ui of %ui tasks left",
                   run->claim.id, &run->engine->name, run->left,
                   run->tasks.nelts);

    if (run->engine->start(run) != NGX_OK) {
        ngx_dfp_run_fail(run, "no memory");
    }

    /* there may be no task left */
    run->wake(run);
}


/* Check: the engine looks whether everything is in its place; it may return to
 * warm. */

static void
ngx_dfp_run_check(ngx_dfp_run_t *run)
{
    ngx_int_t  rc;

    rc = run->engine->check(run);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: check: rc:%i, %ui tasks failed, "
                   "%ui left", run->claim.id, rc, run->nfailed, run->left);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc == NGX_DECLINED && run->error.len == 0) {
        ngx_dfp_run_error(run);
    }

    ngx_dfp_run_report(run);
}


/* Report: the end of a run, in Redis and in the log. */

static void
ngx_dfp_run_report(ngx_dfp_run_t *run)
{
    dfp_mem_t   mem;
    ngx_msec_t  elapsed;

    run->ending = 1;
    run->stage.name = "report";
    run->stage.call = NULL;

    ngx_dfp_store_cancel(&run->op);

    mem = ngx_dfp_mem(run->pool);
    run->results = ngx_dfp_run_results(run);
    run->counts = ngx_dfp_run_progress(run, &mem);
    run->reported = ngx_current_msec;

    elapsed = ngx_current_msec - run->started;

    ngx_dfp_run_count(run, elapsed);

    ngx_log_error(NGX_LOG_INFO, &run->log, 0,
                  "dfpreheat: run %V ends in cluster \"%V\": %s, %ui tasks, "
                  "%ui failed, %O bytes, %M.%03M s%s%V",
                  &run->claim.run,
                  run->cluster ? &run->cluster->name : &run->claim.run,
                  run->error.len ? "FAILURE" : "SUCCESS", run->tasks.nelts,
                  run->nfailed, run->bytes, elapsed / 1000, elapsed % 1000,
                  run->error.len ? ": " : "", &run->error);

    ngx_dfp_run_store(run);
}


/* The run never ends in here: callers still use it. */

static void
ngx_dfp_run_store(ngx_dfp_run_t *run)
{
    ngx_int_t  rc;

    run->op.handler = ngx_dfp_run_reported;

    rc = ngx_dfp_store_finish(run->store, &run->op, &run->claim,
                              run->error.len == 0, &run->error,
                              &run->results, &run->counts);

    run->unstored = (rc != NGX_OK);

    ngx_log_debug6(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: report: rc:%i, end of run %V as %s, "
                   "%uz bytes of results, counts %V", run->claim.id, rc,
                   &run->claim.run,
                   run->error.len ? "FAILURE" : "SUCCESS", run->results.len,
                   &run->counts);
}


/* There was no memory to send the end. */

static void
ngx_dfp_run_store_again(ngx_dfp_run_t *run)
{
    if (ngx_current_msec - run->reported < NGX_DFP_FINISH_WAIT) {
        ngx_dfp_run_store(run);
        return;
    }

    ngx_dfp_run_reported(run, NGX_ERROR);
}


static void
ngx_dfp_run_reported(void *data, ngx_int_t rc)
{
    ngx_dfp_run_t *run = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: end stored: rc:%i", run->claim.id, rc);

    if (rc == NGX_ABORT || rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, &run->log, 0,
                      "dfpreheat: the result of the run could not be stored, "
                      "it will be run again");
    }

    ngx_dfp_run_over(run);
}


/* The worker quits: others continue with the part, and the attempt is not
 * counted. */

static void
ngx_dfp_run_back(ngx_dfp_run_t *run)
{
    run->ending = 1;

    ngx_dfp_store_cancel(&run->op);

    ngx_log_error(NGX_LOG_INFO, &run->log, 0,
                  "dfpreheat: run %V is returned to the queue: the worker is "
                  "exiting",
                  &run->claim.run);

    run->op.handler = ngx_dfp_run_given_back;

    if (ngx_dfp_store_requeue(run->store, &run->op, &run->claim) != NGX_OK) {
        ngx_dfp_run_given_back(run, NGX_ERROR);
    }
}


static void
ngx_dfp_run_given_back(void *data, ngx_int_t rc)
{
    ngx_dfp_run_t *run = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: returned to the queue: rc:%i",
                   run->claim.id, rc);

    ngx_dfp_run_over(run);
}


static void
ngx_dfp_run_over(ngx_dfp_run_t *run)
{
    ngx_dfp_run_stop(run);
    run->over(run);
}


void
ngx_dfp_run_advance(ngx_dfp_run_t *run, ngx_uint_t quit)
{
    if (run->ending || run->calls) {
        return;
    }

    if (run->error.len) {
        ngx_dfp_run_report(run);
        return;
    }

    /*
     * a complete run may as well be reported; but a reload may have given the
     * location another cache than the one that was warmed
     */

    if (*run->stage.left == 0 && !(quit && run->engine->caches)) {
        run->stage.next(run);
    }

    if (quit && !run->ending) {
        ngx_dfp_run_back(run);
    }
}


void
ngx_dfp_run_leave(ngx_dfp_run_t *run)
{
    if (!run->ending) {
        ngx_dfp_store_cancel(&run->op);
        (void) ngx_dfp_store_requeue(run->store, &run->op, &run->claim);
    }

    ngx_dfp_run_stop(run);
}


/* Ends everything of the run that may call back; safe at any time. */

static void
ngx_dfp_run_stop(ngx_dfp_run_t *run)
{
    run->ending = 1;
    run->stage.call = NULL;

    if (run->tick.timer_set) {
        ngx_del_timer(&run->tick);
    }

    if (run->deadline.timer_set) {
        ngx_del_timer(&run->deadline);
    }

    ngx_dfp_store_cancel(&run->op);
    ngx_dfp_tasks_stop(run);
}


/* Reports progress, if there is any, and renews the lease in time. */

static void
ngx_dfp_run_tick(ngx_event_t *ev)
{
    ngx_dfp_run_t *run = ev->data;

    dfp_mem_t    mem;
    ngx_str_t    progress;
    ngx_pool_t  *pool;

    run->changed |= (run->calls != 0);

    /* the subscription, which usually tells so, may be disconnected */

    if (ngx_exiting) {
        run->wake(run);
    }

    ngx_add_timer(&run->tick, ngx_min(NGX_DFP_PROGRESS_INTERVAL,
                                      run->conf->lease / 3));

    if (run->unstored) {
        ngx_dfp_run_store_again(run);
        return;
    }

    if (run->ending || run->op.cmd
        || (!run->changed
            && ngx_current_msec - run->reported < run->conf->lease / 3))
    {
        return;
    }

    pool = ngx_create_pool(512, &run->log);
    if (pool == NULL) {
        return;
    }

    mem = ngx_dfp_mem(pool);
    progress = ngx_dfp_run_progress(run, &mem);

    run->op.handler = ngx_dfp_run_renewed;

    if (ngx_dfp_store_report(run->store, &run->op, &run->claim,
                             &progress)
        == NGX_OK)
    {
        run->changed = 0;
        run->reported = ngx_current_msec;

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                       "dfpreheat: job %L: progress %V", run->claim.id,
                       &progress);
    }

    ngx_destroy_pool(pool);
}


static void
ngx_dfp_run_renewed(void *data, ngx_int_t rc)
{
    ngx_dfp_run_t *run = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: progress stored: rc:%i", run->claim.id,
                   rc);

    if (rc != NGX_DECLINED) {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, &run->log, 0,
                  "dfpreheat: run %V stops: its part has ended or belongs to "
                  "another run", &run->claim.run);

    ngx_dfp_run_over(run);
}


void
ngx_dfp_run_cancel(ngx_dfp_run_t *run)
{
    ngx_log_error(NGX_LOG_INFO, &run->log, 0,
                  "dfpreheat: run %V stops: its job was deleted",
                  &run->claim.run);

    ngx_dfp_run_over(run);
}


static void
ngx_dfp_run_deadline(ngx_event_t *ev)
{
    ngx_dfp_run_t *run = ev->data;

    static ngx_str_t  why = ngx_string("the timeout of the job has passed");

    if (run->ending) {
        return;
    }

    ngx_dfp_tasks_fail(run, &why);

    ngx_dfp_run_fail(run, "the timeout of the job (%L s) has passed: %ui of "
                     "%ui tasks were not done%s%V",
                     run->job.timeout / 1000000000, run->nfailed,
                     run->tasks.nelts, run->trouble.len ? "; " : "",
                     &run->trouble);
    run->wake(run);
}


/* Clients show this line only, so it contains the first failure. */

static void
ngx_dfp_run_error(ngx_dfp_run_t *run)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; !task[i]->failed; i++) { /* void */ }

    ngx_dfp_run_fail(run, "%ui of %ui tasks failed; %V: %V",
                     run->nfailed, run->tasks.nelts,
                     &task[i]->shown, &task[i]->reason);
}
