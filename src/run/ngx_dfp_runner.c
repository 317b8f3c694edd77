#include "ngx_dfp_runner.h"
#include "ngx_dfp_beat.h"
#include "ngx_dfp_hooks.h"
#include "ngx_dfp_keep.h"
#include "ngx_dfp_run.h"
#include "ngx_dfp_subscription.h"
#include "ngx_dfp_turns.h"


#define NGX_DFP_RUN_POOL  4096
#define NGX_DFP_LATE      100    /* ms after a part is due */
#define NGX_DFP_STARVED   100    /* ms after no connection was free */


typedef struct {
    ngx_dfp_main_conf_t    *conf;
    ngx_dfp_store_t        *store;
    ngx_dfp_subscription_t  hints;
    ngx_log_t              *log;

    ngx_queue_t             runs;
    ngx_uint_t              nruns;
    ngx_dfp_turns_t         turns;

    ngx_event_t             dispatch;
    ngx_event_t             starved;
    ngx_event_t             claim;
    ngx_dfp_op_t            claim_op;
    ngx_dfp_look_t          found;     /* set by the reply of a claim */
    ngx_dfp_beat_t          beat;
    ngx_dfp_keep_t          keep;
    ngx_dfp_hooks_t         hooks;
    ngx_dfp_op_t            leave_op;

    unsigned                again:1;   /* claim once more */
    unsigned                quit:1;
} ngx_dfp_runner_t;


static void ngx_dfp_runner_hint(void *data);
static void ngx_dfp_runner_cancel(void *data, u_char *uuid);
static void ngx_dfp_runner_hooks(void *data);
static void ngx_dfp_runner_quit(void *data);
static void ngx_dfp_runner_leave(ngx_dfp_runner_t *runner);
static void ngx_dfp_runner_claim(ngx_dfp_runner_t *runner);
static ngx_uint_t ngx_dfp_runner_room(ngx_dfp_runner_t *runner, u_char *buf,
    ngx_str_t *without);
static void ngx_dfp_runner_claimed(void *data, ngx_int_t rc);
static ngx_int_t ngx_dfp_runner_start(ngx_dfp_runner_t *runner,
    ngx_dfp_claim_t *claim);
static ngx_int_t ngx_dfp_runner_keep(ngx_pool_t *pool, ngx_dfp_claim_t *claim);
static void ngx_dfp_runner_claim_timer(ngx_event_t *ev);
static void ngx_dfp_runner_wake(ngx_dfp_run_t *run);
static void ngx_dfp_runner_over(ngx_dfp_run_t *run);
static void ngx_dfp_runner_again(ngx_dfp_runner_t *runner);
static void ngx_dfp_runner_dispatch(ngx_event_t *ev);
static void ngx_dfp_runner_fill(ngx_dfp_runner_t *runner);
static void ngx_dfp_runner_starved(ngx_event_t *ev);
static void ngx_dfp_runner_left(void *data, ngx_int_t rc);


static ngx_dfp_runner_t  *ngx_dfp_runner;


ngx_int_t
ngx_dfp_runner_init(ngx_dfp_main_conf_t *conf, ngx_cycle_t *cycle)
{
    ngx_dfp_runner_t  *runner;

    runner = ngx_pcalloc(cycle->pool, sizeof(ngx_dfp_runner_t));
    if (runner == NULL) {
        return NGX_ERROR;
    }

    runner->conf = conf;
    runner->log = cycle->log;
    ngx_queue_init(&runner->runs);
    ngx_dfp_turns_init(&runner->turns);

    runner->dispatch.handler = ngx_dfp_runner_dispatch;
    runner->dispatch.data = runner;
    runner->dispatch.log = cycle->log;

    runner->starved.handler = ngx_dfp_runner_starved;
    runner->starved.data = runner;
    runner->starved.log = cycle->log;
    runner->starved.cancelable = 1;

    runner->claim.handler = ngx_dfp_runner_claim_timer;
    runner->claim.data = runner;
    runner->claim.log = cycle->log;
    runner->claim.cancelable = 1;

    runner->claim_op.handler = ngx_dfp_runner_claimed;
    runner->claim_op.data = runner;
    runner->claim_op.log = cycle->log;
    runner->claim_op.pool = cycle->pool;
    runner->claim_op.borrow = 1;

    runner->leave_op.handler = ngx_dfp_runner_left;
    runner->leave_op.data = runner;
    runner->leave_op.log = cycle->log;

    runner->store = ngx_dfp_store_worker();

    runner->hints.conf = conf;
    runner->hints.log = cycle->log;
    runner->hints.data = runner;
    runner->hints.on_wake = ngx_dfp_runner_hint;
    runner->hints.on_cancel = ngx_dfp_runner_cancel;
    runner->hints.on_hooks = ngx_dfp_runner_hooks;
    runner->hints.on_quit = ngx_dfp_runner_quit;

    ngx_dfp_subscription_open(&runner->hints);

    ngx_dfp_runner = runner;

    ngx_dfp_runner_claim(runner);

    if (ngx_worker == 0) {
        ngx_dfp_beat_start(&runner->beat, conf, cycle->log);
        ngx_dfp_hooks_start(&runner->hooks, conf, cycle->log);
        ngx_dfp_keep_start(&runner->keep, conf, cycle->log);
    }

    return NGX_OK;
}


void
ngx_dfp_runner_done(void)
{
    ngx_queue_t       *q;
    ngx_dfp_run_t     *run;
    ngx_dfp_runner_t  *runner;

    runner = ngx_dfp_runner;

    if (runner == NULL) {
        return;
    }

    ngx_dfp_runner = NULL;

    if (!runner->quit) {
        runner->quit = 1;
        ngx_dfp_runner_leave(runner);
    }

    while (!ngx_queue_empty(&runner->runs)) {
        q = ngx_queue_head(&runner->runs);
        run = ngx_queue_data(q, ngx_dfp_run_t, queue);

        ngx_dfp_run_leave(run);
        ngx_dfp_runner_over(run);
    }

    ngx_dfp_hooks_done(&runner->hooks);

    ngx_dfp_store_cancel(&runner->claim_op);
    ngx_dfp_store_cancel(&runner->leave_op);

    ngx_dfp_subscription_close(&runner->hints);
}


static void
ngx_dfp_runner_hint(void *data)
{
    ngx_dfp_runner_t *runner = data;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, runner->log, 0,
                   "dfpreheat: hint, there may be a part to claim");

    ngx_dfp_runner_claim(runner);
}


/* A worker may run several parts of a job. */

static void
ngx_dfp_runner_cancel(void *data, u_char *uuid)
{
    ngx_dfp_runner_t *runner = data;

    ngx_queue_t    *q, *next;
    ngx_dfp_run_t  *run;

    for (q = ngx_queue_head(&runner->runs);
         q != ngx_queue_sentinel(&runner->runs);
         q = next)
    {
        next = ngx_queue_next(q);
        run = ngx_queue_data(q, ngx_dfp_run_t, queue);

        if (run->claim.uuid.len == DFP_UUID_LEN
            && ngx_memcmp(run->claim.uuid.data, uuid, DFP_UUID_LEN) == 0)
        {
            ngx_dfp_run_cancel(run);
        }
    }
}


static void
ngx_dfp_runner_hooks(void *data)
{
    ngx_dfp_runner_t *runner = data;

    ngx_dfp_hooks_wake(&runner->hooks);
}


/* Starts no further call, and returns the parts to the queue. */

static void
ngx_dfp_runner_quit(void *data)
{
    ngx_dfp_runner_t *runner = data;

    if (!runner->quit) {
        runner->quit = 1;
        ngx_dfp_runner_leave(runner);
    }

    ngx_dfp_runner_again(runner);
}


/*
 * If no newer configuration has replaced this one, all of nginx quits, or if
 * that one has another name, this instance does: the next instance then need
 * not wait for the leases to run out, and no job chooses this one. Workers that
 * still look for parts revoke this, until they quit, too.
 */

static void
ngx_dfp_runner_leave(ngx_dfp_runner_t *runner)
{
    ngx_dfp_instance_t  *instance;

    instance = &runner->conf->instance;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, runner->log, 0,
                   "dfpreheat: the worker quits, %ui runs", runner->nruns);

    ngx_dfp_beat_stop(&runner->beat);
    ngx_dfp_keep_stop(&runner->keep);
    ngx_dfp_hooks_quit(&runner->hooks);

    if (instance->cycle == instance->shared->cycles
        || ngx_dfp_instance_name(instance) != instance->shared->name)
    {
        (void) ngx_dfp_store_leave(runner->store, &runner->leave_op);
    }
}


/* Claims some parts at a time, as long as there is room for their runs. */

static void
ngx_dfp_runner_claim(ngx_dfp_runner_t *runner)
{
    u_char      buf[NGX_DFP_TOKENS_LEN];
    ngx_str_t   without;
    ngx_uint_t  want;

    if (runner->claim_op.cmd) {
        runner->again = 1;
        return;
    }

    if (runner->quit || ngx_exiting || ngx_terminate) {
        return;
    }

    runner->again = 0;
    runner->found.n = 0;

    ngx_add_timer(&runner->claim, runner->conf->lease / 3);

    want = ngx_dfp_runner_room(runner, buf, &without);

    (void) ngx_dfp_store_look(runner->store, &runner->claim_op, want, &without,
                              &runner->found);
}


/* When the runs of some tokens take all of the room, there is as much again for
 * others, one run for each: their jobs need not wait until one of these has
 * ended. */

static ngx_uint_t
ngx_dfp_runner_room(ngx_dfp_runner_t *runner, u_char *buf, ngx_str_t *without)
{
    ngx_uint_t  most;

    most = runner->conf->worker_calls;

    if (runner->nruns < most) {
        ngx_str_set(without, "");
        return most - runner->nruns;
    }

    if (ngx_dfp_turns_tokens(&runner->turns, buf, without) != NGX_OK
        || runner->nruns >= 2 * most)
    {
        return 0;
    }

    return 2 * most - runner->nruns;
}


static void
ngx_dfp_runner_claimed(void *data, ngx_int_t rc)
{
    ngx_dfp_runner_t *runner = data;

    ngx_uint_t       i;
    ngx_dfp_look_t  *found;

    found = &runner->found;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, runner->log, 0,
                   "dfpreheat: claim: rc:%i, %ui parts, next:%i ms", rc,
                   rc == NGX_OK ? found->n : 0,
                   rc == NGX_OK ? found->next : -1);

    if (rc == NGX_OK) {
        for (i = 0; i < found->n; i++) {
            if (ngx_dfp_runner_start(runner, &found->claims[i]) != NGX_OK) {
                ngx_log_error(NGX_LOG_ERR, runner->log, 0,
                              "dfpreheat: not enough memory to run job %L, it "
                              "will be run when its lease has expired",
                              found->claims[i].id);
            }
        }
    }

    if (runner->again || (rc == NGX_OK && found->n)) {
        ngx_dfp_runner_claim(runner);
        return;
    }

    if (rc == NGX_OK && found->next != -1 && !runner->quit
        && (ngx_msec_t) found->next + NGX_DFP_LATE
           < runner->conf->lease / 3)
    {
        ngx_add_timer(&runner->claim, found->next + NGX_DFP_LATE);
    }
}


static ngx_int_t
ngx_dfp_runner_start(ngx_dfp_runner_t *runner, ngx_dfp_claim_t *claim)
{
    ngx_pool_t     *pool;
    ngx_dfp_run_t  *run;

    pool = ngx_create_pool(NGX_DFP_RUN_POOL, runner->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    run = ngx_pcalloc(pool, sizeof(ngx_dfp_run_t));

    if (run == NULL
        || ngx_dfp_runner_keep(pool, claim) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    run->pool = pool;
    run->claim = *claim;
    run->conf = runner->conf;
    run->log = *runner->log;
    run->runner = runner;
    run->wake = ngx_dfp_runner_wake;
    run->over = ngx_dfp_runner_over;

    if (ngx_dfp_turns_add(&runner->turns, run) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&runner->runs, &run->queue);
    runner->nruns++;

    ngx_log_debug6(NGX_LOG_DEBUG_HTTP, runner->log, 0,
                   "dfpreheat: job %L: claimed part %V as run %V, "
                   "cluster %L, %M ms left, %ui runs",
                   claim->id, &run->claim.part, &run->claim.run,
                   claim->cluster, claim->left, runner->nruns);

    ngx_dfp_run_start(run, runner->store);

    return NGX_OK;
}


/* Copies what the run needs of the reply, which is freed after the handler. */

static ngx_int_t
ngx_dfp_runner_keep(ngx_pool_t *pool, ngx_dfp_claim_t *claim)
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
ngx_dfp_runner_claim_timer(ngx_event_t *ev)
{
    ngx_dfp_runner_claim(ev->data);
}


static void
ngx_dfp_runner_wake(ngx_dfp_run_t *run)
{
    ngx_dfp_runner_t *runner = run->runner;

    if (!run->woken) {
        ngx_log_debug4(NGX_LOG_DEBUG_HTTP, runner->log, 0,
                       "dfpreheat: job %L: wake, stage \"%s\", %ui calls, "
                       "%ui tasks left", run->claim.id,
                       run->stage.name ? run->stage.name : "start",
                       run->calls, run->left);
    }

    run->woken = 1;

    ngx_dfp_runner_again(runner);
}


static void
ngx_dfp_runner_over(ngx_dfp_run_t *run)
{
    ngx_uint_t         full;
    ngx_dfp_runner_t  *runner;

    runner = run->runner;
    full = (runner->nruns >= runner->conf->worker_calls);

    ngx_queue_remove(&run->queue);
    runner->nruns--;

    ngx_dfp_turns_remove(run);
    ngx_destroy_pool(run->pool);

    if (full) {
        ngx_dfp_runner_claim(runner);
    }

    if (!runner->quit) {
        ngx_dfp_runner_again(runner);
    }
}


/* Dispatches once in a turn of the event loop. */

static void
ngx_dfp_runner_again(ngx_dfp_runner_t *runner)
{
    if (!runner->dispatch.posted) {
        ngx_post_event(&runner->dispatch, &ngx_posted_next_events);
    }
}


/* Runs continue here only. */

static void
ngx_dfp_runner_dispatch(ngx_event_t *ev)
{
    ngx_dfp_runner_t *runner = ev->data;

    ngx_queue_t    *q, *next;
    ngx_dfp_run_t  *run;

    if (ngx_exiting && !runner->quit) {
        runner->quit = 1;
        ngx_dfp_runner_leave(runner);
    }

    for (q = ngx_queue_head(&runner->runs);
         q != ngx_queue_sentinel(&runner->runs);
         q = next)
    {
        next = ngx_queue_next(q);
        run = ngx_queue_data(q, ngx_dfp_run_t, queue);

        if (run->woken || runner->quit) {
            run->woken = 0;
            ngx_dfp_run_advance(run, runner->quit);
        }
    }

    if (!runner->quit) {
        ngx_dfp_runner_fill(runner);
    }
}


/* Runs start calls in turn, until the limit of the worker is reached or no run
 * has a call to start. */

static void
ngx_dfp_runner_fill(ngx_dfp_runner_t *runner)
{
    ngx_int_t       rc;
    ngx_uint_t      calls, started;
    ngx_queue_t    *q;
    ngx_dfp_run_t  *run;

    calls = 0;

    for (q = ngx_queue_head(&runner->runs);
         q != ngx_queue_sentinel(&runner->runs);
         q = ngx_queue_next(q))
    {
        run = ngx_queue_data(q, ngx_dfp_run_t, queue);
        calls += run->calls;
    }

    for (started = 0; calls < runner->conf->worker_calls; started++) {

        if (started == NGX_DFP_STARTS) {
            ngx_dfp_runner_again(runner);
            return;
        }

        rc = ngx_dfp_turns_call(&runner->turns, &run);

        if (rc == NGX_AGAIN) {
            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, runner->log, 0,
                           "dfpreheat: job %L: no connection or no memory is "
                           "free for a call, again in %d ms", run->claim.id,
                           NGX_DFP_STARVED);

            ngx_add_timer(&runner->starved, NGX_DFP_STARVED);
        }

        if (rc != NGX_OK) {
            return;
        }

        calls++;
    }
}


static void
ngx_dfp_runner_starved(ngx_event_t *ev)
{
    ngx_dfp_runner_t *runner = ev->data;

    ngx_dfp_runner_again(runner);
}


static void
ngx_dfp_runner_left(void *data, ngx_int_t rc)
{
    /* on an error the next instance waits for the leases to run out */
}
