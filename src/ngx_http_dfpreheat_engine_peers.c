#include "ngx_http_dfpreheat_engine_peers.h"


#define NGX_HTTP_DFPREHEAT_HOSTS_POOL  16384


static ngx_int_t ngx_http_dfpreheat_peers_start(ngx_http_dfpreheat_run_t *run);
static void ngx_http_dfpreheat_peers_ask(ngx_event_t *ev);
static int ngx_http_dfpreheat_peers_listed(ngx_http_dfpreheat_grpc_t *grpc,
    dfp_str_t message, dfp_err_t *err);
static void ngx_http_dfpreheat_peers_asked(ngx_http_dfpreheat_ask_t *ask,
    ngx_http_dfpreheat_grpc_t *grpc);
static void ngx_http_dfpreheat_peers_begin(ngx_http_dfpreheat_peers_t *peers);
static void ngx_http_dfpreheat_peers_none(ngx_http_dfpreheat_peers_t *peers);
static ngx_int_t ngx_http_dfpreheat_peers_next(ngx_http_dfpreheat_run_t *run);
static void ngx_http_dfpreheat_peers_probed(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call);
static void ngx_http_dfpreheat_peers_stop(ngx_http_dfpreheat_run_t *run);


ngx_http_dfpreheat_engine_t  ngx_http_dfpreheat_engine_peers = {
    ngx_string("peers"),
    0,                                      /* caches */
    0,                                      /* resolves */
    1,                                      /* dragonfly */
    ngx_http_dfpreheat_peers_start,
    ngx_http_dfpreheat_peers_check,
    ngx_http_dfpreheat_peers_stop,
    ngx_http_dfpreheat_peers_progress,
    ngx_http_dfpreheat_peers_results
};


static ngx_int_t
ngx_http_dfpreheat_peers_start(ngx_http_dfpreheat_run_t *run)
{
    dfp_mem_t                    mem;
    ngx_http_dfpreheat_peers_t  *peers;

    peers = ngx_pcalloc(run->pool, sizeof(ngx_http_dfpreheat_peers_t));
    if (peers == NULL) {
        return NGX_ERROR;
    }

    peers->run = run;
    peers->single = (run->job.scope == DFP_SCOPE_SINGLE_SEED_PEER);
    peers->since = ngx_current_msec;
    ngx_queue_init(&peers->downloads);

    mem = ngx_http_dfpreheat_mem(run->pool);

    if (ngx_array_init(&peers->absent, run->pool, 4,
                       sizeof(ngx_http_dfpreheat_absent_t))
        != NGX_OK
        || ngx_array_init(&peers->failures, run->pool, 16,
                          sizeof(ngx_http_dfpreheat_failure_t))
           != NGX_OK
        || dfp_d7y_list_hosts(&mem, &peers->ask.frame) != DFP_OK)
    {
        return NGX_ERROR;
    }

    run->data = peers;
    run->next = NULL;
    run->width = NGX_MAX_INT32_VALUE;

    peers->ask.handler = ngx_http_dfpreheat_peers_asked;
    peers->ask.data = peers;
    peers->ask.run = run;
    peers->ask.method = DFP_D7Y_LIST_HOSTS;
    peers->ask.message = ngx_http_dfpreheat_peers_listed;

    peers->look.handler = ngx_http_dfpreheat_peers_ask;
    peers->look.data = peers;
    peers->look.log = &run->log;

    if (run->left) {
        ngx_http_dfpreheat_ask_start(&peers->ask);
    }

    return NGX_OK;
}


void
ngx_http_dfpreheat_peers_look(ngx_http_dfpreheat_peers_t *peers,
    ngx_msec_t when)
{
    if (!peers->look.timer_set) {
        ngx_add_timer(&peers->look, when);
    }
}


static void
ngx_http_dfpreheat_peers_ask(ngx_event_t *ev)
{
    ngx_http_dfpreheat_peers_t *peers = ev->data;

    /* one that is under way may have left before what made us look */

    ngx_http_dfpreheat_ask_stop(&peers->ask);
    ngx_http_dfpreheat_ask_start(&peers->ask);
}


/* In a pool of its own: what is chosen is copied. */

static int
ngx_http_dfpreheat_peers_listed(ngx_http_dfpreheat_grpc_t *grpc,
    dfp_str_t message, dfp_err_t *err)
{
    dfp_mem_t                    mem;
    ngx_http_dfpreheat_ask_t    *ask;
    ngx_http_dfpreheat_peers_t  *peers;

    ask = grpc->data;
    peers = ask->data;

    if (peers->pool) {
        ngx_destroy_pool(peers->pool);
    }

    peers->hosts = NULL;
    peers->nhosts = 0;

    peers->pool = ngx_create_pool(NGX_HTTP_DFPREHEAT_HOSTS_POOL, grpc->log);
    if (peers->pool == NULL) {
        return DFP_ERROR;
    }

    mem = ngx_http_dfpreheat_mem(peers->pool);

    return dfp_d7y_hosts_parse(&mem, message, &peers->hosts, &peers->nhosts,
                               err);
}


static void
ngx_http_dfpreheat_peers_asked(ngx_http_dfpreheat_ask_t *ask,
    ngx_http_dfpreheat_grpc_t *grpc)
{
    ngx_http_dfpreheat_run_t    *run;
    ngx_http_dfpreheat_peers_t  *peers;

    peers = ask->data;
    run = peers->run;

    if (grpc->status != DFP_GRPC_OK) {
        ngx_http_dfpreheat_run_fail(run, "%V answered ListHosts: %V",
                                    &grpc->server->name, &grpc->text);

    } else if (peers->chosen) {
        ngx_http_dfpreheat_peers_compare(peers);

    } else {
        ngx_http_dfpreheat_peers_begin(peers);
    }

    if (peers->pool) {
        ngx_destroy_pool(peers->pool);
        peers->pool = NULL;
    }
}


static void
ngx_http_dfpreheat_peers_begin(ngx_http_dfpreheat_peers_t *peers)
{
    ngx_http_dfpreheat_run_t  *run;

    run = peers->run;

    if (ngx_http_dfpreheat_peers_choose(peers) != NGX_OK) {
        ngx_http_dfpreheat_run_fail(run, "no memory");
        return;
    }

    if (peers->n == 0 && peers->absent.nelts == 0) {
        ngx_http_dfpreheat_peers_none(peers);
        return;
    }

    peers->chosen = 1;

    ngx_log_error(NGX_LOG_INFO, &run->log, 0,
                  "dfpreheat: of %uz hosts %ui peers were chosen (%s)",
                  peers->nhosts, peers->n,
                  dfp_job_scope_name(run->job.scope));

    if (peers->n == 0) {

        /* who was meant is not there: nothing can be done for any task */

        (void) ngx_http_dfpreheat_peers_check(run);
        return;
    }

    run->next = ngx_http_dfpreheat_peers_next;
}


static void
ngx_http_dfpreheat_peers_none(ngx_http_dfpreheat_peers_t *peers)
{
    ngx_http_dfpreheat_run_t  *run;

    static ngx_str_t  who = ngx_string("the scheduler");
    static ngx_str_t  no_peer = ngx_string("it lists no peer");
    static ngx_str_t  no_seed = ngx_string("it lists no seed peer");

    run = peers->run;

    ngx_http_dfpreheat_run_trouble(run, &who,
                                   run->job.scope == DFP_SCOPE_ALL_PEERS
                                   ? &no_peer : &no_seed);

    if (ngx_current_msec - peers->since >= NGX_HTTP_DFPREHEAT_NO_PEERS_WAIT) {
        ngx_http_dfpreheat_run_fail(run, "%V", &run->trouble);
        return;
    }

    ngx_http_dfpreheat_peers_look(peers, NGX_HTTP_DFPREHEAT_NO_PEERS_PAUSE);
}


static ngx_int_t
ngx_http_dfpreheat_peers_next(ngx_http_dfpreheat_run_t *run)
{
    ngx_int_t                        rc;
    ngx_uint_t                       calls;
    ngx_queue_t                     *q;
    ngx_http_dfpreheat_task_t       *task;
    ngx_http_dfpreheat_peers_t      *peers;
    ngx_http_dfpreheat_downloads_t  *d;

    peers = run->data;
    calls = run->calls;

    while (!ngx_queue_empty(&run->ready)) {

        q = ngx_queue_head(&run->ready);
        task = ngx_queue_data(q, ngx_http_dfpreheat_task_t, queue);

        d = ngx_http_dfpreheat_peers_open(task);
        if (d == NULL) {
            return NGX_AGAIN;
        }

        if (d->active == 0
            && peers->busy >= (ngx_uint_t) run->job.concurrent_task_count)
        {
            return NGX_DECLINED;
        }

        if (ngx_http_dfpreheat_grant_ready(task) != NGX_OK) {

            if (run->calls > calls) {
                return NGX_OK;
            }

            continue;
        }

        if (d->probe) {
            d->queued = 0;
            return ngx_http_dfpreheat_task_call(run, 1,
                                              ngx_http_dfpreheat_peers_probed);
        }

        rc = ngx_http_dfpreheat_download_start(d);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_DECLINED;
}


ngx_http_dfpreheat_downloads_t *
ngx_http_dfpreheat_peers_open(ngx_http_dfpreheat_task_t *task)
{
    ngx_uint_t                       i;
    ngx_http_dfpreheat_run_t        *run;
    ngx_http_dfpreheat_peers_t      *peers;
    ngx_http_dfpreheat_downloads_t  *d;

    if (task->data) {
        return task->data;
    }

    run = task->run;
    peers = run->data;

    d = ngx_pcalloc(run->pool, sizeof(ngx_http_dfpreheat_downloads_t));
    if (d == NULL) {
        return NULL;
    }

    d->pairs = ngx_pcalloc(run->pool, peers->n);
    if (d->pairs == NULL) {
        return NULL;
    }

    d->task = task;
    d->queued = 1;
    d->left = peers->n;

    if (peers->single) {
        d->left = 1;

        if (ngx_http_dfpreheat_peers_seeds(d) != NGX_OK) {
            return NULL;
        }

    } else {

        /* so that not all of them begin with the same peer */

        d->at = peers->opened * 7919 % peers->n;

        for (i = 0; i < peers->n; i++) {
            if (peers->peer[i].state == NGX_HTTP_DFPREHEAT_PEER_GONE) {
                d->pairs[i] = NGX_HTTP_DFPREHEAT_PAIR_GONE;
                d->left--;
            }
        }
    }

    peers->opened++;
    task->data = d;

    return d;
}


void
ngx_http_dfpreheat_peers_queue(ngx_http_dfpreheat_downloads_t *d)
{
    ngx_queue_t                *ready;
    ngx_http_dfpreheat_task_t  *task;

    task = d->task;
    ready = &task->run->ready;

    if (d->queued || d->ended || task->failed || task->call
        || (d->left == d->active && !d->probe))
    {
        return;
    }

    d->queued = 1;

    /* what has begun goes on before others begin */

    if (d->active || d->probe) {
        ngx_queue_insert_head(ready, &task->queue);

    } else {
        ngx_queue_insert_tail(ready, &task->queue);
    }
}


void
ngx_http_dfpreheat_peers_settle(ngx_http_dfpreheat_downloads_t *d)
{
    ngx_http_dfpreheat_task_t  *task;

    task = d->task;

    if (d->left || d->ended || task->failed) {
        return;
    }

    d->ended = 1;

    if (d->pool) {
        ngx_destroy_pool(d->pool);
        d->pool = NULL;
    }

    if (task->retry.timer_set) {
        ngx_del_timer(&task->retry);

    } else if (d->queued) {
        ngx_queue_remove(&task->queue);
    }

    d->queued = 0;

    if (d->reason.len) {
        ngx_http_dfpreheat_task_failed(task, "%V", &d->reason);

    } else if (d->done == 0) {
        ngx_http_dfpreheat_task_failed(task, "none of the peers that should "
                                       "have it could be reached");

    } else {
        ngx_http_dfpreheat_task_done(task);
    }
}


/*
 * A peer was refused by the origin. Asked by this nginx, it may tell what it wants
 * to see; where it lets this nginx in, what the peer was told stands.
 */

static void
ngx_http_dfpreheat_peers_probed(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call)
{
    ngx_http_dfpreheat_downloads_t  *d;

    d = task->data;
    d->probe = 0;

    if (call->result == NGX_HTTP_DFPREHEAT_CALL_OK
        && call->status == NGX_HTTP_UNAUTHORIZED)
    {
        ngx_http_dfpreheat_grant_refused(task, call);
        d->queued = !task->failed;
        return;
    }

    task->refused = NGX_HTTP_DFPREHEAT_REFUSALS_MAX;

    ngx_http_dfpreheat_peers_queue(d);
}


static void
ngx_http_dfpreheat_peers_stop(ngx_http_dfpreheat_run_t *run)
{
    ngx_uint_t                       i;
    ngx_http_dfpreheat_task_t      **task;
    ngx_http_dfpreheat_peers_t      *peers;
    ngx_http_dfpreheat_downloads_t  *d;

    peers = run->data;

    if (peers == NULL) {
        return;
    }

    ngx_http_dfpreheat_ask_stop(&peers->ask);
    ngx_http_dfpreheat_downloads_stop(peers);

    if (peers->look.timer_set) {
        ngx_del_timer(&peers->look);
    }

    if (peers->pool) {
        ngx_destroy_pool(peers->pool);
        peers->pool = NULL;
    }

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
