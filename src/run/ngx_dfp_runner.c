#include "ngx_dfp_runner.h"
#include "ngx_dfp_run.h"
#include "ngx_dfp_subscription.h"


#define NGX_DFP_RUN_POOL     4096
#define NGX_DFP_LATE         100    /* ms: after what is due */
#define NGX_DFP_STARVED      100    /* ms: no connection was free */
#define NGX_DFP_STARTS       16     /* calls in one turn of the event
                                       loop: clients have theirs */


typedef struct {
    ngx_dfp_main_conf_t    *conf;
    ngx_dfp_store_t        *store;
    ngx_dfp_subscription_t  hints;
    ngx_log_t              *log;

    ngx_queue_t             runs;
    ngx_uint_t              nruns;

    ngx_event_t             dispatch;
    ngx_event_t             starved;
    ngx_event_t             look;
    ngx_dfp_op_t            look_op;
    ngx_dfp_look_t          found;     /* what a look fills in */
    ngx_event_t             beat;
    ngx_dfp_op_t            beat_op;
    ngx_dfp_other_t         other;     /* what a beat fills in */
    ngx_dfp_op_t            leave_op;

    unsigned                again:1;   /* look once more */
    unsigned                quit:1;
    unsigned                shared:1;  /* another nginx has its name */
} ngx_dfp_worker_t;


static void ngx_dfp_worker_hint(void *data);
static void ngx_dfp_worker_quit(void *data);
static void ngx_dfp_worker_leave(ngx_dfp_worker_t *worker);
static void ngx_dfp_worker_look(ngx_dfp_worker_t *worker);
static void ngx_dfp_worker_looked(void *data, ngx_int_t rc);
static ngx_int_t ngx_dfp_worker_claimed(ngx_dfp_worker_t *worker,
    ngx_dfp_claim_t *claim);
static ngx_int_t ngx_dfp_worker_keep(ngx_pool_t *pool, ngx_dfp_claim_t *claim);
static void ngx_dfp_worker_look_timer(ngx_event_t *ev);
static void ngx_dfp_worker_wake(ngx_dfp_run_t *run);
static void ngx_dfp_worker_over(ngx_dfp_run_t *run);
static void ngx_dfp_worker_again(ngx_dfp_worker_t *worker);
static void ngx_dfp_worker_dispatch(ngx_event_t *ev);
static void ngx_dfp_worker_fill(ngx_dfp_worker_t *worker);
static void ngx_dfp_worker_starved(ngx_event_t *ev);
static void ngx_dfp_worker_beat(ngx_event_t *ev);
static void ngx_dfp_worker_alive(void *data, ngx_int_t rc);
static void ngx_dfp_worker_left(void *data, ngx_int_t rc);


static ngx_dfp_worker_t  *ngx_dfp_worker;


ngx_int_t
ngx_dfp_runner_init(ngx_dfp_main_conf_t *conf, ngx_cycle_t *cycle)
{
    ngx_dfp_worker_t  *worker;

    worker = ngx_pcalloc(cycle->pool, sizeof(ngx_dfp_worker_t));
    if (worker == NULL) {
        return NGX_ERROR;
    }

    worker->conf = conf;
    worker->log = cycle->log;
    ngx_queue_init(&worker->runs);

    worker->dispatch.handler = ngx_dfp_worker_dispatch;
    worker->dispatch.data = worker;
    worker->dispatch.log = cycle->log;

    worker->starved.handler = ngx_dfp_worker_starved;
    worker->starved.data = worker;
    worker->starved.log = cycle->log;
    worker->starved.cancelable = 1;

    worker->look.handler = ngx_dfp_worker_look_timer;
    worker->look.data = worker;
    worker->look.log = cycle->log;
    worker->look.cancelable = 1;

    worker->look_op.handler = ngx_dfp_worker_looked;
    worker->look_op.data = worker;
    worker->look_op.log = cycle->log;
    worker->look_op.pool = cycle->pool;
    worker->look_op.borrow = 1;

    worker->beat.handler = ngx_dfp_worker_beat;
    worker->beat.data = worker;
    worker->beat.log = cycle->log;
    worker->beat.cancelable = 1;

    worker->beat_op.handler = ngx_dfp_worker_alive;
    worker->beat_op.data = worker;
    worker->beat_op.log = cycle->log;
    worker->beat_op.borrow = 1;

    worker->leave_op.handler = ngx_dfp_worker_left;
    worker->leave_op.data = worker;
    worker->leave_op.log = cycle->log;

    worker->store = ngx_dfp_store_worker();

    worker->hints.conf = conf;
    worker->hints.log = cycle->log;
    worker->hints.data = worker;
    worker->hints.on_wake = ngx_dfp_worker_hint;
    worker->hints.on_quit = ngx_dfp_worker_quit;

    ngx_dfp_subscription_open(&worker->hints);

    ngx_dfp_worker = worker;

    ngx_dfp_worker_look(worker);

    if (ngx_worker == 0) {
        ngx_dfp_worker_beat(&worker->beat);
    }

    return NGX_OK;
}


void
ngx_dfp_runner_done(void)
{
    ngx_queue_t       *q;
    ngx_dfp_run_t     *run;
    ngx_dfp_worker_t  *worker;

    worker = ngx_dfp_worker;

    if (worker == NULL) {
        return;
    }

    ngx_dfp_worker = NULL;

    if (!worker->quit) {
        worker->quit = 1;
        ngx_dfp_worker_leave(worker);
    }

    while (!ngx_queue_empty(&worker->runs)) {
        q = ngx_queue_head(&worker->runs);
        run = ngx_queue_data(q, ngx_dfp_run_t, queue);

        ngx_dfp_run_leave(run);
        ngx_dfp_worker_over(run);
    }

    ngx_dfp_store_cancel(&worker->look_op);
    ngx_dfp_store_cancel(&worker->beat_op);
    ngx_dfp_store_cancel(&worker->leave_op);

    ngx_dfp_subscription_close(&worker->hints);
}


static void
ngx_dfp_worker_hint(void *data)
{
    ngx_dfp_worker_t *worker = data;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, worker->log, 0,
                   "dfpreheat: hint, there may be a part to claim");

    ngx_dfp_worker_look(worker);
}


/* Starts no further call, and returns the parts to the queue. */

static void
ngx_dfp_worker_quit(void *data)
{
    ngx_dfp_worker_t *worker = data;

    if (!worker->quit) {
        worker->quit = 1;
        ngx_dfp_worker_leave(worker);
    }

    ngx_dfp_worker_again(worker);
}


/*
 * If no newer configuration has replaced this one, all of nginx quits: the
 * next instance then need not wait for the leases to run out. Workers that
 * still look for parts revoke this, until they quit, too.
 */

static void
ngx_dfp_worker_leave(ngx_dfp_worker_t *worker)
{
    ngx_dfp_instance_t  *instance;

    instance = &worker->conf->instance;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, worker->log, 0,
                   "dfpreheat: the worker quits, %ui runs", worker->nruns);

    if (instance->cycle == instance->shared->cycles) {
        (void) ngx_dfp_store_leave(worker->store, &worker->leave_op);
    }
}


/* Claims some parts at a time, as long as there is room for their runs. */

static void
ngx_dfp_worker_look(ngx_dfp_worker_t *worker)
{
    if (worker->look_op.cmd) {
        worker->again = 1;
        return;
    }

    if (worker->quit || ngx_exiting || ngx_terminate) {
        return;
    }

    worker->again = 0;
    worker->found.n = 0;

    ngx_add_timer(&worker->look, worker->conf->lease / 3);

    (void) ngx_dfp_store_look(worker->store, &worker->look_op,
                              worker->conf->worker_calls
                              - worker->nruns, &worker->found);
}


static void
ngx_dfp_worker_looked(void *data, ngx_int_t rc)
{
    ngx_dfp_worker_t *worker = data;

    ngx_uint_t       i;
    ngx_dfp_look_t  *found;

    found = &worker->found;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, worker->log, 0,
                   "dfpreheat: claim: rc:%i, %ui parts, next:%i ms", rc,
                   rc == NGX_OK ? found->n : 0,
                   rc == NGX_OK ? found->next : -1);

    if (rc == NGX_OK) {
        for (i = 0; i < found->n; i++) {
            if (ngx_dfp_worker_claimed(worker, &found->claims[i]) != NGX_OK) {
                ngx_log_error(NGX_LOG_ERR, worker->log, 0,
                              "dfpreheat: no memory to run job %L, it will be "
                              "run when its lease is over",
                              found->claims[i].id);
            }
        }
    }

    if (worker->again || (rc == NGX_OK && found->n)) {
        ngx_dfp_worker_look(worker);
        return;
    }

    if (rc == NGX_OK && found->next != -1 && !worker->quit
        && (ngx_msec_t) found->next + NGX_DFP_LATE
           < worker->conf->lease / 3)
    {
        ngx_add_timer(&worker->look, found->next + NGX_DFP_LATE);
    }
}


static ngx_int_t
ngx_dfp_worker_claimed(ngx_dfp_worker_t *worker, ngx_dfp_claim_t *claim)
{
    ngx_pool_t     *pool;
    ngx_dfp_run_t  *run;

    pool = ngx_create_pool(NGX_DFP_RUN_POOL, worker->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    run = ngx_pcalloc(pool, sizeof(ngx_dfp_run_t));

    if (run == NULL
        || ngx_dfp_worker_keep(pool, claim) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    run->pool = pool;
    run->claim = *claim;
    run->conf = worker->conf;
    run->log = *worker->log;
    run->worker = worker;
    run->wake = ngx_dfp_worker_wake;
    run->over = ngx_dfp_worker_over;

    ngx_queue_insert_tail(&worker->runs, &run->queue);
    worker->nruns++;

    ngx_log_debug6(NGX_LOG_DEBUG_HTTP, worker->log, 0,
                   "dfpreheat: job %L: claimed part %V as run %V, "
                   "cluster %L, %M ms left, %ui runs",
                   claim->id, &run->claim.part, &run->claim.run,
                   claim->cluster, claim->left, worker->nruns);

    ngx_dfp_run_start(run, worker->store);

    return NGX_OK;
}


/* Copies what the run needs of the reply, which is freed after the handler. */

static ngx_int_t
ngx_dfp_worker_keep(ngx_pool_t *pool, ngx_dfp_claim_t *claim)
{
    ngx_uint_t   i;
    ngx_str_t   *text[] = { &claim->part, &claim->run, &claim->uuid,
                            &claim->args, &claim->sealed };

    for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        text[i]->data = ngx_pstrdup(pool, text[i]);

        if (text[i]->data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_dfp_worker_look_timer(ngx_event_t *ev)
{
    ngx_dfp_worker_look(ev->data);
}


static void
ngx_dfp_worker_wake(ngx_dfp_run_t *run)
{
    ngx_dfp_worker_t *worker = run->worker;

    if (!run->woken) {
        ngx_log_debug4(NGX_LOG_DEBUG_HTTP, worker->log, 0,
                       "dfpreheat: job %L: wake, stage \"%s\", %ui calls, "
                       "%ui tasks left", run->claim.id,
                       run->stage.name ? run->stage.name : "start",
                       run->calls, run->left);
    }

    run->woken = 1;

    ngx_dfp_worker_again(worker);
}


static void
ngx_dfp_worker_over(ngx_dfp_run_t *run)
{
    ngx_uint_t         full;
    ngx_dfp_worker_t  *worker;

    worker = run->worker;
    full = (worker->nruns == worker->conf->worker_calls);

    ngx_queue_remove(&run->queue);
    worker->nruns--;

    ngx_destroy_pool(run->pool);

    if (full) {
        ngx_dfp_worker_look(worker);
    }

    if (!worker->quit) {
        ngx_dfp_worker_again(worker);
    }
}


/* Dispatches once in a turn of the event loop. */

static void
ngx_dfp_worker_again(ngx_dfp_worker_t *worker)
{
    if (!worker->dispatch.posted) {
        ngx_post_event(&worker->dispatch, &ngx_posted_next_events);
    }
}


/* Runs continue here only. */

static void
ngx_dfp_worker_dispatch(ngx_event_t *ev)
{
    ngx_dfp_worker_t *worker = ev->data;

    ngx_queue_t    *q, *next;
    ngx_dfp_run_t  *run;

    if (ngx_exiting && !worker->quit) {
        worker->quit = 1;
        ngx_dfp_worker_leave(worker);
    }

    for (q = ngx_queue_head(&worker->runs);
         q != ngx_queue_sentinel(&worker->runs);
         q = next)
    {
        next = ngx_queue_next(q);
        run = ngx_queue_data(q, ngx_dfp_run_t, queue);

        if (run->woken || worker->quit) {
            run->woken = 0;
            ngx_dfp_run_advance(run, worker->quit);
        }
    }

    if (!worker->quit) {
        ngx_dfp_worker_fill(worker);
    }
}


/* Each run starts a call in turn, until the limit of the worker is reached or
 * no run has a call to start. */

static void
ngx_dfp_worker_fill(ngx_dfp_worker_t *worker)
{
    ngx_int_t       rc;
    ngx_uint_t      calls, idle, started;
    ngx_queue_t    *q;
    ngx_dfp_run_t  *run;

    calls = 0;
    started = 0;

    for (q = ngx_queue_head(&worker->runs);
         q != ngx_queue_sentinel(&worker->runs);
         q = ngx_queue_next(q))
    {
        run = ngx_queue_data(q, ngx_dfp_run_t, queue);
        calls += run->calls;
    }

    idle = 0;

    while (calls < worker->conf->worker_calls && idle < worker->nruns) {

        q = ngx_queue_head(&worker->runs);
        run = ngx_queue_data(q, ngx_dfp_run_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&worker->runs, q);

        rc = NGX_DECLINED;

        if (run->stage.call && run->calls < run->width) {
            rc = run->stage.call(run);
        }

        if (rc == NGX_AGAIN) {
            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, worker->log, 0,
                           "dfpreheat: job %L: no connection or no memory is "
                           "free for a call, again in %d ms", run->claim.id,
                           NGX_DFP_STARVED);

            ngx_add_timer(&worker->starved, NGX_DFP_STARVED);
            return;
        }

        if (rc == NGX_OK) {
            calls++;
            idle = 0;

            if (++started == NGX_DFP_STARTS) {
                ngx_dfp_worker_again(worker);
                return;
            }

        } else {
            idle++;
        }
    }
}


static void
ngx_dfp_worker_starved(ngx_event_t *ev)
{
    ngx_dfp_worker_t *worker = ev->data;

    ngx_dfp_worker_again(worker);
}


/* One worker reports for all of them that the instance is alive. */

static void
ngx_dfp_worker_beat(ngx_event_t *ev)
{
    ngx_dfp_worker_t *worker = ev->data;

    u_char                         *p;
    ngx_str_t                       list;
    ngx_uint_t                      i;
    u_char                          buf[NGX_DFP_CLUSTERS_MAX
                                        * NGX_INT64_LEN];
    ngx_dfp_cluster_t   *cluster;

    if (worker->quit || ngx_exiting) {
        return;
    }

    ngx_add_timer(&worker->beat, worker->conf->lease / 2);

    if (worker->beat_op.cmd) {
        return;
    }

    cluster = worker->conf->clusters.elts;
    p = buf;

    for (i = 0; i < worker->conf->clusters.nelts; i++) {
        p = ngx_sprintf(p, i ? ",%L" : "%L", cluster[i].id);
    }

    list.data = buf;
    list.len = p - buf;

    (void) ngx_dfp_store_instance(worker->store, &worker->beat_op,
                                  &list, &worker->other);
}


/* An error does not matter: the next beat repeats it. */

static void
ngx_dfp_worker_alive(void *data, ngx_int_t rc)
{
    ngx_dfp_worker_t *worker = data;

    ngx_uint_t           is;
    ngx_dfp_other_t     *other;
    ngx_dfp_instance_t  *instance;

    if (rc != NGX_OK) {
        return;
    }

    other = &worker->other;
    instance = &worker->conf->instance;
    is = (other->name.len != 0);

    if (is && !worker->shared) {
        ngx_log_error(NGX_LOG_ERR, worker->log, 0,
                      "dfpreheat: another nginx runs as instance \"%V\": pid "
                      "%V on %V, address %V; each one runs its own jobs, and "
                      "what one leaves behind when it ends is lost while there "
                      "are more: give each a dfpreheat_instance of its own",
                      &instance->id, &other->pid, &other->host,
                      &other->address);
    }

    if (!is && worker->shared) {
        ngx_log_error(NGX_LOG_NOTICE, worker->log, 0,
                      "dfpreheat: no other nginx runs as instance \"%V\" any "
                      "more", &instance->id);
    }

    worker->shared = is;
}


static void
ngx_dfp_worker_left(void *data, ngx_int_t rc)
{
    /* on an error the next instance waits for the leases to run out */
}
