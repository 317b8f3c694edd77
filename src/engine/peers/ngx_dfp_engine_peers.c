#include "ngx_dfp_engine_peers.h"
#include "ngx_dfp_engine_tasks.h"


static ngx_int_t ngx_dfp_peers_start(ngx_dfp_run_t *run);
static void ngx_dfp_peers_listed(ngx_dfp_hosts_t *hosts);
static void ngx_dfp_peers_begin(ngx_dfp_peers_t *peers);
static ngx_int_t ngx_dfp_peers_call(ngx_dfp_run_t *run);
static void ngx_dfp_peers_probed(ngx_dfp_task_t *task, ngx_dfp_call_t *call);
static void ngx_dfp_peers_stop(ngx_dfp_run_t *run);


/* Peers are chosen, and no peer is called. */
static ngx_dfp_engine_t  ngx_dfp_peers_dry = {
    ngx_string("dry run"),
    0,                                      /* caches */
    0,                                      /* looks */
    1,                                      /* dry */
    0,                                      /* resolves */
    1,                                      /* dragonfly */
    ngx_dfp_peers_start,
    ngx_dfp_peers_results_check,
    ngx_dfp_peers_stop,
    ngx_dfp_peers_results_progress,
    ngx_dfp_peers_results_planned,
    NULL,                                   /* look */
    NULL,                                   /* dry_run */
    NULL                                    /* keep */
};


ngx_dfp_engine_t  ngx_dfp_engine_peers = {
    ngx_string("peers"),
    0,                                      /* caches */
    0,                                      /* looks */
    0,                                      /* dry */
    0,                                      /* resolves */
    1,                                      /* dragonfly */
    ngx_dfp_peers_start,
    ngx_dfp_peers_results_check,
    ngx_dfp_peers_stop,
    ngx_dfp_peers_results_progress,
    ngx_dfp_peers_results,
    &ngx_dfp_engine_tasks,                  /* look */
    &ngx_dfp_peers_dry,
    NULL                                    /* keep */
};


static ngx_int_t
ngx_dfp_peers_start(ngx_dfp_run_t *run)
{
    ngx_dfp_peers_t  *peers;

    peers = ngx_pcalloc(run->pool, sizeof(ngx_dfp_peers_t));
    if (peers == NULL) {
        return NGX_ERROR;
    }

    peers->run = run;
    peers->single = (run->job.scope == DFP_SCOPE_SINGLE_SEED_PEER);
    peers->hosts.handler = ngx_dfp_peers_listed;
    peers->hosts.data = peers;
    peers->hosts.run = run;
    ngx_queue_init(&peers->downloads);
    ngx_dfp_silence_init(peers);

    if (ngx_array_init(&peers->absent, run->pool, 4,
                       sizeof(ngx_dfp_absent_t))
        != NGX_OK
        || ngx_array_init(&peers->failures, run->pool, 16,
                          sizeof(ngx_dfp_failure_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    run->data = peers;
    run->stage.answered = ngx_dfp_peers_probed;
    run->width = NGX_MAX_INT32_VALUE;

    return run->left ? ngx_dfp_hosts_start(&peers->hosts) : NGX_OK;
}


static void
ngx_dfp_peers_listed(ngx_dfp_hosts_t *hosts)
{
    ngx_dfp_peers_t *peers = hosts->data;

    if (hosts->known) {
        ngx_dfp_peer_compare(peers);

    } else {
        ngx_dfp_peers_begin(peers);
    }
}


static void
ngx_dfp_peers_begin(ngx_dfp_peers_t *peers)
{
    ngx_dfp_run_t  *run;

    run = peers->run;

    if (ngx_dfp_peers_choose(peers) != NGX_OK) {
        ngx_dfp_run_fail(run, "no memory");
        return;
    }

    if (peers->n == 0 && peers->absent.nelts == 0) {
        ngx_dfp_hosts_none(&peers->hosts);
        return;
    }

    if (peers->n * run->left > NGX_DFP_DOWNLOADS_MAX) {
        ngx_dfp_run_fail(run, "%ui tasks on %ui peers exceed the limit of %d "
                         "downloads", run->left, peers->n,
                         NGX_DFP_DOWNLOADS_MAX);
        return;
    }

    peers->hosts.known = 1;

    ngx_log_error(NGX_LOG_INFO, &run->log, 0,
                  "dfpreheat: %uz hosts listed, %ui peers chosen (%s)",
                  peers->hosts.n, peers->n,
                  dfp_job_scope_name(run->job.scope));

    if (peers->n == 0) {

        /* the peers that were named are not listed: no task can be done */

        (void) ngx_dfp_peers_results_check(run);
        return;
    }

    if (run->engine->dry) {
        ngx_dfp_dragonfly_planned(run);
        return;
    }

    run->stage.call = ngx_dfp_peers_call;
}


static ngx_int_t
ngx_dfp_peers_call(ngx_dfp_run_t *run)
{
    ngx_int_t             rc;
    ngx_uint_t            calls;
    ngx_queue_t          *q;
    ngx_dfp_task_t       *task;
    ngx_dfp_peers_t      *peers;
    ngx_dfp_downloads_t  *d;

    peers = run->data;
    calls = run->calls;

    while (!ngx_queue_empty(&run->ready)) {

        q = ngx_queue_head(&run->ready);
        task = ngx_queue_data(q, ngx_dfp_task_t, queue);

        d = ngx_dfp_peers_task_open(task);
        if (d == NULL) {
            return NGX_AGAIN;
        }

        if (d->left == 0) {

            /* all of its peers are gone already */

            ngx_queue_remove(&task->queue);
            d->queued = 0;

            ngx_dfp_peers_task_settle(d);
            continue;
        }

        if (d->live == 0
            && peers->busy >= (ngx_uint_t) run->job.concurrent_task_count)
        {
            return NGX_DECLINED;
        }

        if (ngx_dfp_task_grant_ready(task) != NGX_OK) {

            if (run->calls > calls) {
                return NGX_OK;
            }

            continue;
        }

        if (d->probe) {
            rc = ngx_dfp_task_call(run, NGX_DFP_CALL_PROBE);
            d->queued = (rc != NGX_OK);
            return rc;
        }

        rc = ngx_dfp_download_start(d);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_DECLINED;
}


/*
 * The origin has refused a peer. This nginx requests the same, to get a
 * challenge; if it is not refused, the peer's error is final. For the target
 * of a redirect nothing can be sent by a peer.
 */

static void
ngx_dfp_peers_probed(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    dfp_err_t             why;
    ngx_dfp_downloads_t  *d;

    d = task->data;
    d->probe = 0;

    /* the downloads have their own time; all peers may have gone meanwhile */

    task->deadline = 0;

    if (d->ended) {
        return;
    }

    if (call->answer.result == NGX_DFP_CALL_OK
        && call->answer.status == NGX_HTTP_UNAUTHORIZED && !call->answer.led)
    {
        ngx_dfp_task_grant_refused(task, call);
        d->queued = !task->failed;
        return;
    }

    if (ngx_dfp_task_grant_forbidden(task, call) == NGX_OK) {
        d->queued = 1;
        return;
    }

    if (!call->answer.too_big
        && ngx_dfp_answer_verdict(call, &why) == NGX_AGAIN)
    {
        d->probe = 1;
        ngx_dfp_task_again(task, ngx_dfp_answer_retry(call),
                           call->answer.retry_after, why.text);
        d->queued = !task->failed;
        return;
    }

    task->refused = NGX_DFP_REFUSALS_MAX;

    ngx_dfp_peers_task_queue(d);
}


static void
ngx_dfp_peers_stop(ngx_dfp_run_t *run)
{
    ngx_uint_t            i;
    ngx_dfp_task_t      **task;
    ngx_dfp_peers_t      *peers;
    ngx_dfp_downloads_t  *d;

    peers = run->data;

    if (peers == NULL) {
        return;
    }

    if (!run->ending && !peers->hosts.known) {
        (void) ngx_dfp_lister_overdue(&peers->hosts.lister);
    }

    ngx_dfp_hosts_stop(&peers->hosts);
    ngx_dfp_download_stop(peers);
    ngx_dfp_silence_stop(peers);

    for (i = 0; i < peers->n; i++) {
        if (peers->peer[i].resume.timer_set) {
            ngx_del_timer(&peers->peer[i].resume);
        }
    }

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        d = task[i]->data;

        if (d && d->pool) {
            ngx_destroy_pool(d->pool);
            d->pool = NULL;
        }

        if (d) {
            d->queued = 0;
        }
    }
}
