#include "ngx_dfp_engine_scheduler.h"
#include "ngx_dfp_engine_tasks.h"


static ngx_int_t ngx_dfp_scheduler_start(ngx_dfp_run_t *run);
static ngx_int_t ngx_dfp_scheduler_platform(ngx_dfp_run_t *run,
    ngx_dfp_orders_t *orders);
static void ngx_dfp_scheduler_listed(ngx_dfp_hosts_t *hosts);
static void ngx_dfp_scheduler_too_few(ngx_dfp_orders_t *orders,
    dfp_scope_t *scope);
static ngx_int_t ngx_dfp_scheduler_choose(ngx_dfp_orders_t *orders,
    dfp_scope_t *scope);
static ngx_int_t ngx_dfp_scheduler_copy(ngx_dfp_orders_t *orders,
    dfp_d7y_host_t *host);
static ngx_int_t ngx_dfp_scheduler_call(ngx_dfp_run_t *run);
static ngx_int_t ngx_dfp_scheduler_probe(ngx_dfp_order_t *order);
static void ngx_dfp_scheduler_probed(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static void ngx_dfp_scheduler_overdue(ngx_dfp_run_t *run, ngx_uint_t held,
    ngx_uint_t wanted);
static ngx_int_t ngx_dfp_scheduler_check(ngx_dfp_run_t *run);
static void ngx_dfp_scheduler_stop(ngx_dfp_run_t *run);
static void ngx_dfp_scheduler_progress(ngx_dfp_run_t *run,
    ngx_dfp_progress_t *p);
static void ngx_dfp_scheduler_results(ngx_dfp_run_t *run,
    ngx_dfp_results_t *results);
static void ngx_dfp_scheduler_targets(ngx_dfp_orders_t *orders,
    ngx_dfp_results_t *results);


static ngx_str_t  ngx_dfp_unusable =
    ngx_string(NGX_DFP_UNUSABLE);


/* Hosts are listed, and nothing is ordered. Images are resolved here: a
 * scheduler resolves them only to preheat them. */
static ngx_dfp_engine_t  ngx_dfp_scheduler_dry = {
    ngx_string("dry run"),
    0,                                      /* caches */
    0,                                      /* looks */
    1,                                      /* dry */
    0,                                      /* resolves */
    1,                                      /* dragonfly */
    ngx_dfp_scheduler_start,
    ngx_dfp_scheduler_check,
    ngx_dfp_scheduler_stop,
    ngx_dfp_scheduler_progress,
    ngx_dfp_scheduler_results,
    NULL,                                   /* look */
    NULL,                                   /* dry_run */
    NULL                                    /* keep */
};


ngx_dfp_engine_t  ngx_dfp_engine_scheduler = {
    ngx_string("scheduler"),
    0,                                      /* caches */
    0,                                      /* looks */
    0,                                      /* dry */
    1,                                      /* resolves */
    1,                                      /* dragonfly */
    ngx_dfp_scheduler_start,
    ngx_dfp_scheduler_check,
    ngx_dfp_scheduler_stop,
    ngx_dfp_scheduler_progress,
    ngx_dfp_scheduler_results,
    &ngx_dfp_engine_tasks,                  /* look */
    &ngx_dfp_scheduler_dry,
    NULL                                    /* keep */
};


static ngx_int_t
ngx_dfp_scheduler_start(ngx_dfp_run_t *run)
{
    ngx_dfp_orders_t  *orders;

    orders = ngx_pcalloc(run->pool, sizeof(ngx_dfp_orders_t));
    if (orders == NULL) {
        return NGX_ERROR;
    }

    orders->run = run;
    orders->job = run->job;
    orders->mem = ngx_dfp_mem(run->pool);
    dfp_buf_init(&orders->success.json, &orders->mem, 1024, 0);
    dfp_buf_init(&orders->failure.json, &orders->mem, 1024, 0);
    orders->success.max = ngx_dfp_results_max(run);
    orders->failure.max = orders->success.max;

    run->data = orders;
    run->stage.answered = ngx_dfp_scheduler_probed;

    if (ngx_dfp_scheduler_platform(run, orders) != NGX_OK) {
        return NGX_OK;
    }

    orders->hosts.handler = ngx_dfp_scheduler_listed;
    orders->hosts.data = orders;
    orders->hosts.run = run;

    return run->left ? ngx_dfp_hosts_start(&orders->hosts) : NGX_OK;
}


/* A scheduler takes one platform; its default is linux/amd64. */

static ngx_int_t
ngx_dfp_scheduler_platform(ngx_dfp_run_t *run, ngx_dfp_orders_t *orders)
{
    dfp_oci_platforms_t  *platforms;

    if (run->job.type != DFP_JOB_IMAGE) {
        return NGX_OK;
    }

    platforms = &run->job.platforms;

    if (run->job.platform.len == 0) {
        platforms = &run->conf->platforms;
        orders->job.platform = ngx_dfp_dfp_str(run->conf->platform);
    }

    if (platforms->n == 1) {
        return NGX_OK;
    }

    ngx_dfp_run_fail(run, "args.platform \"%*s\": a scheduler supports one "
                     "platform only (engine=peers supports several)",
                     orders->job.platform.len,
                     orders->job.platform.data);
    return NGX_DECLINED;
}


static void
ngx_dfp_scheduler_listed(ngx_dfp_hosts_t *hosts)
{
    dfp_mem_t          mem;
    ngx_uint_t         chosen;
    dfp_scope_t        scope;
    ngx_dfp_run_t     *run;
    ngx_dfp_orders_t  *orders;

    orders = hosts->data;
    run = orders->run;
    mem = ngx_dfp_mem(hosts->pool);

    if (dfp_scope_pick(&mem, &run->job, hosts->list, hosts->n, &scope)
        != DFP_OK)
    {
        ngx_dfp_run_fail(run, "no memory");
        return;
    }

    chosen = scope.n + scope.nmissing + scope.nunusable;

    if (chosen == 0) {
        ngx_dfp_hosts_none(hosts);
        return;
    }

    if (ngx_dfp_scheduler_choose(orders, &scope) != NGX_OK) {
        ngx_dfp_run_fail(run, "no memory");
        return;
    }

    orders->needed = 1;

    if (run->job.scope != DFP_SCOPE_SINGLE_SEED_PEER) {
        orders->needed = ngx_dfp_dragonfly_needed(run, chosen,
                                                  scope.nunusable);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: of %ui peers, %uz can be called, and "
                   "%ui have to have each layer", run->claim.id, chosen,
                   scope.n, orders->needed);

    if (orders->needed > scope.n) {
        ngx_dfp_scheduler_too_few(orders, &scope);
        return;
    }

    if (run->engine->dry) {
        ngx_dfp_dragonfly_planned(run);
        return;
    }

    run->stage.call = ngx_dfp_scheduler_call;
}


static void
ngx_dfp_scheduler_too_few(ngx_dfp_orders_t *orders, dfp_scope_t *scope)
{
    ngx_str_t       who;
    ngx_dfp_run_t  *run;

    run = orders->run;

    if (scope->nmissing) {
        ngx_dfp_run_fail(run, "%*s: no peer has this address",
                         scope->missing[0].len,
                         scope->missing[0].data);
        return;
    }

    who = ngx_dfp_str(scope->unusable[0]->hostname);

    ngx_dfp_dragonfly_too_few(run, scope->n + scope->nunusable,
                              scope->nunusable, &who, &ngx_dfp_unusable);
}


/* With a count the scheduler chooses by itself: any host of the kind may be
 * one of them. A dry run tells those that were chosen. */

static ngx_int_t
ngx_dfp_scheduler_choose(ngx_dfp_orders_t *orders, dfp_scope_t *scope)
{
    size_t           i, n;
    unsigned         seed, picked;
    dfp_job_t       *job;
    dfp_d7y_host_t  *host;

    job = &orders->run->job;
    picked = (job->nips || orders->run->engine->dry);
    n = picked ? scope->n : orders->hosts.n;
    seed = (job->scope != DFP_SCOPE_ALL_PEERS);

    orders->n = 0;
    orders->nunusable = scope->nunusable;
    orders->host = ngx_palloc(orders->run->pool, (n + 1)
                                                 * sizeof(dfp_d7y_host_t));
    orders->unusable = ngx_palloc(orders->run->pool, (scope->nunusable + 1)
                                                    * sizeof(dfp_d7y_host_t));

    if (orders->host == NULL || orders->unusable == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        host = &orders->host[orders->n];
        *host = picked ? *scope->hosts[i] : orders->hosts.list[i];

        if (host->seed != seed) {
            continue;
        }

        if (ngx_dfp_scheduler_copy(orders, host) != NGX_OK) {
            return NGX_ERROR;
        }

        orders->n++;
    }

    for (i = 0; i < scope->nunusable; i++) {
        orders->unusable[i] = *scope->unusable[i];

        if (ngx_dfp_scheduler_copy(orders, &orders->unusable[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    dfp_held_sort(orders->host, orders->n);

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_scheduler_copy(ngx_dfp_orders_t *orders, dfp_d7y_host_t *host)
{
    dfp_mem_t  *mem;

    mem = &orders->mem;

    host->ip.data = dfp_strdup(mem, host->ip.data, host->ip.len);
    host->hostname.data = dfp_strdup(mem, host->hostname.data,
                                     host->hostname.len);

    return host->ip.data && host->hostname.data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_dfp_scheduler_call(ngx_dfp_run_t *run)
{
    ngx_uint_t         calls;
    ngx_queue_t       *q;
    ngx_dfp_task_t    *task;
    ngx_dfp_order_t   *order;
    ngx_dfp_orders_t  *orders;

    orders = run->data;
    calls = run->calls;

    while (!ngx_queue_empty(&run->ready)) {

        if (orders->busy >= (ngx_uint_t) run->job.concurrent_task_count) {
            return NGX_DECLINED;
        }

        q = ngx_queue_head(&run->ready);
        task = ngx_queue_data(q, ngx_dfp_task_t, queue);

        order = ngx_dfp_order_get(task);
        if (order == NULL) {
            return NGX_AGAIN;
        }

        if (ngx_dfp_task_grant_ready(task) != NGX_OK) {

            if (run->calls > calls) {
                return NGX_OK;
            }

            continue;
        }

        if (!order->probed) {
            return ngx_dfp_scheduler_probe(order);
        }

        ngx_queue_remove(&task->queue);

        order->busy = 1;
        orders->busy++;

        ngx_dfp_order_start(order);

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/*
 * A scheduler says OK to what the origin does not have, and then nothing. It
 * does not use the login of a Basic registry for blobs, and takes none for
 * files. One request shows whether the origin has it, and for which
 * Authorization.
 */

static ngx_int_t
ngx_dfp_scheduler_probe(ngx_dfp_order_t *order)
{
    ngx_int_t        rc;
    ngx_dfp_task_t  *task;

    task = order->task;

    rc = ngx_dfp_task_call(task->run, task->image ? NGX_DFP_CALL_READ
                                                  : NGX_DFP_CALL_PROBE);

    if (rc == NGX_OK && task->call) {
        order->busy = 1;
        order->orders->busy++;
    }

    return rc;
}


static void
ngx_dfp_scheduler_probed(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    ngx_dfp_order_ended(task->data);
    ngx_dfp_order_probed(task, call);
}


static ngx_int_t
ngx_dfp_scheduler_check(ngx_dfp_run_t *run)
{
    return run->nfailed ? NGX_DECLINED : NGX_OK;
}


static void
ngx_dfp_scheduler_stop(ngx_dfp_run_t *run)
{
    ngx_uint_t           i, held, wanted;
    ngx_dfp_task_t     **task;
    ngx_dfp_order_t     *order;
    ngx_dfp_orders_t    *orders;

    orders = run->data;

    if (orders == NULL) {
        return;
    }

    task = run->tasks.elts;
    held = 0;
    wanted = 0;

    for (i = 0; i < run->tasks.nelts; i++) {
        order = task[i]->data;

        if (order) {
            held += order->held;
            wanted += order->wanted;
        }
    }

    if (!run->ending) {
        ngx_dfp_scheduler_overdue(run, held, wanted);
    }

    ngx_dfp_hosts_stop(&orders->hosts);

    for (i = 0; i < run->tasks.nelts; i++) {
        if (task[i]->data) {
            ngx_dfp_order_stop(task[i]->data);
        }
    }
}


/* Says what the run waited for: a scheduler that hangs, or else what it has
 * reported, and what is wrong with an origin. */

static void
ngx_dfp_scheduler_overdue(ngx_dfp_run_t *run, ngx_uint_t held,
    ngx_uint_t wanted)
{
    ngx_str_t           text, *origin;
    ngx_uint_t          i;
    ngx_dfp_task_t    **task;
    ngx_dfp_order_t    *order;
    ngx_dfp_orders_t   *orders;
    u_char              buf[NGX_DFP_REASON_MAX];

    static ngx_str_t  none = ngx_null_string;
    static ngx_str_t  who = ngx_string("the scheduler");

    orders = run->data;
    task = run->tasks.elts;
    origin = &none;

    if (ngx_dfp_lister_overdue(&orders->hosts.lister) == NGX_OK) {
        return;
    }

    for (i = 0; i < run->tasks.nelts; i++) {
        order = task[i]->data;

        if (order == NULL) {
            continue;
        }

        if (ngx_dfp_ask_overdue(&order->ask, run) == NGX_OK) {
            return;
        }

        if (origin->len == 0) {
            origin = &order->origin;
        }
    }

    if (run->trouble.len || run->stage.call == NULL) {
        return;
    }

    text.data = buf;
    text.len = ngx_snprintf(buf, sizeof(buf),
        "it reports %ui of %ui expected copies on the peers%s%s%V",
                            held, wanted, wanted ? "" : " (and no layers)",
                            origin->len ? "; " : "", origin)
               - buf;

    ngx_dfp_run_trouble(run, NULL, &who, &text);
}


static void
ngx_dfp_scheduler_progress(ngx_dfp_run_t *run, ngx_dfp_progress_t *p)
{
    ngx_uint_t         i;
    ngx_dfp_task_t   **task;
    ngx_dfp_order_t   *order;

    task = run->tasks.elts;
    p->downloads = 1;

    for (i = 0; i < run->tasks.nelts; i++) {
        order = run->data ? task[i]->data : NULL;

        if (order) {
            p->downloads_done += order->held;
            p->downloads_total += order->wanted;
        }

        if (run->engine->dry && !task[i]->document) {
            p->bytes_total += ngx_max(task[i]->size, 0);
        }
    }
}


static void
ngx_dfp_scheduler_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    ngx_str_t            hostname, ip;
    ngx_uint_t           i;
    ngx_dfp_task_t     **task;
    ngx_dfp_order_t     *order;
    ngx_dfp_orders_t    *orders;

    orders = run->data;
    task = run->tasks.elts;

    if (orders) {
        results->success = orders->success;
        results->failure = orders->failure;

        for (i = 0; i < orders->nunusable; i++) {
            hostname = ngx_dfp_str(orders->unusable[i].hostname);
            ip = ngx_dfp_str(orders->unusable[i].ip);

            ngx_dfp_results_add(&results->unreachable, &hostname, &ip, NULL,
                                &ngx_dfp_unusable);
        }
    }

    for (i = 0; i < run->tasks.nelts; i++) {
        order = orders ? task[i]->data : NULL;

        if (!task[i]->failed || (order && order->listed)) {
            continue;
        }

        if (order == NULL
            || ngx_dfp_order_tell(order, &results->success, &results->failure)
               != NGX_OK)
        {
            ngx_dfp_results_task(results, task[i]);
        }
    }

    if (run->engine->dry) {
        ngx_dfp_dragonfly_tasks(run, results);
        ngx_dfp_scheduler_targets(orders, results);
    }
}


/* With a count, a percentage or one seed peer the scheduler chooses by itself:
 * nobody knows before. */

static void
ngx_dfp_scheduler_targets(ngx_dfp_orders_t *orders, ngx_dfp_results_t *results)
{
    size_t      i;
    dfp_job_t  *job;
    ngx_str_t   hostname, ip;

    if (orders == NULL) {
        return;
    }

    job = &orders->run->job;

    if (job->scope == DFP_SCOPE_SINGLE_SEED_PEER
        || (job->nips == 0 && (job->count || job->percentage)))
    {
        return;
    }

    for (i = 0; i < orders->n; i++) {
        hostname = ngx_dfp_str(orders->host[i].hostname);
        ip = ngx_dfp_str(orders->host[i].ip);

        ngx_dfp_results_target(results, &hostname, &ip, NGX_ERROR);
    }
}
