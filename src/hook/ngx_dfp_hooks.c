#include "ngx_dfp_hooks.h"
#include "ngx_dfp_hook.h"


static void ngx_dfp_hooks_timer(ngx_event_t *ev);
static void ngx_dfp_hooks_look(ngx_dfp_hooks_t *hooks);
static void ngx_dfp_hooks_looked(void *data, ngx_int_t rc);
static ngx_uint_t ngx_dfp_hooks_try(ngx_dfp_hooks_t *hooks);
static ngx_uint_t ngx_dfp_hooks_room(ngx_dfp_hooks_t *hooks,
    ngx_dfp_due_t *due, ngx_str_t *origin);
static void ngx_dfp_hooks_over(ngx_dfp_hook_t *hook);


void
ngx_dfp_hooks_start(ngx_dfp_hooks_t *hooks, ngx_dfp_main_conf_t *conf,
    ngx_log_t *log)
{
    hooks->conf = conf;
    hooks->store = ngx_dfp_store_worker();
    hooks->log = log;
    hooks->started = 1;

    ngx_queue_init(&hooks->tries);

    hooks->timer.handler = ngx_dfp_hooks_timer;
    hooks->timer.data = hooks;
    hooks->timer.log = log;
    hooks->timer.cancelable = 1;

    hooks->op.handler = ngx_dfp_hooks_looked;
    hooks->op.data = hooks;
    hooks->op.log = log;
    hooks->op.borrow = 1;

    ngx_dfp_hooks_look(hooks);
}


void
ngx_dfp_hooks_wake(ngx_dfp_hooks_t *hooks)
{
    if (hooks->started) {
        ngx_dfp_hooks_look(hooks);
    }
}


static void
ngx_dfp_hooks_timer(ngx_event_t *ev)
{
    ngx_dfp_hooks_look(ev->data);
}


static void
ngx_dfp_hooks_look(ngx_dfp_hooks_t *hooks)
{
    if (hooks->op.cmd) {
        hooks->again = 1;
        return;
    }

    if (hooks->quit || ngx_exiting || ngx_terminate) {
        return;
    }

    hooks->again = 0;

    ngx_add_timer(&hooks->timer, hooks->conf->lease / 3);

    (void) ngx_dfp_store_hook_look(hooks->store, &hooks->op, hooks->skip,
                                   &hooks->found);
}


/*
 * The oldest come first. If there are more than one look shows, and none of them
 * can be tried here now, the next look goes on behind them: they must not hide the
 * rest until other nginx have delivered them, or their receiver answers.
 */

static void
ngx_dfp_hooks_looked(void *data, ngx_int_t rc)
{
    ngx_dfp_hooks_t *hooks = data;

    ngx_uint_t            i, started;
    ngx_dfp_hook_look_t  *found;

    found = &hooks->found;

    if (rc != NGX_OK) {
        return;
    }

    for (i = 0; i < found->ngiven_up; i++) {
        ngx_dfp_hook_log_given_up(hooks->log, &found->given_up[i]);
    }

    started = found->n ? ngx_dfp_hooks_try(hooks) : 0;

    if (found->n + found->ngiven_up == NGX_DFP_HOOKS_MAX && !started
        && hooks->ntries < NGX_DFP_HOOKS_AT_ONCE)
    {
        hooks->skip += found->n;
        hooks->again = 1;

    } else {
        hooks->skip = 0;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, hooks->log, 0,
                   "dfpreheat hook: %ui are due, %ui tries started, %ui under "
                   "way, next:%i ms", found->n, started, hooks->ntries,
                   found->next);

    if (hooks->again) {
        ngx_dfp_hooks_look(hooks);
        return;
    }

    if (found->next != -1 && !hooks->quit
        && (ngx_msec_t) found->next + NGX_DFP_HOOKS_LATE
           < hooks->conf->lease / 3)
    {
        ngx_add_timer(&hooks->timer, found->next + NGX_DFP_HOOKS_LATE);
    }
}


/* Starts tries as long as there is room. Returns how many. */

static ngx_uint_t
ngx_dfp_hooks_try(ngx_dfp_hooks_t *hooks)
{
    ngx_str_t        origin;
    ngx_pool_t      *pool;
    ngx_uint_t       i, started;
    ngx_dfp_due_t   *due;
    ngx_dfp_hook_t  *hook;

    started = 0;

    pool = ngx_create_pool(NGX_DFP_HOOK_POOL, hooks->log);
    if (pool == NULL) {
        return 0;
    }

    for (i = 0; i < hooks->found.n; i++) {
        due = &hooks->found.due[i];

        if (hooks->quit || hooks->ntries == NGX_DFP_HOOKS_AT_ONCE) {
            break;
        }

        if (!ngx_dfp_hook_possible(hooks->conf, due, pool, &origin)) {
            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, hooks->log, 0,
                           "dfpreheat hook: job %L: no location for \"%V\", or "
                           "no key for it", due->id, &due->url);
            continue;
        }

        if (!ngx_dfp_hooks_room(hooks, due, &origin)) {
            continue;
        }

        hook = ngx_dfp_hook_start(hooks->conf, hooks->log, due);

        if (hook) {
            hook->data = hooks;
            hook->over = ngx_dfp_hooks_over;

            ngx_queue_insert_tail(&hooks->tries, &hook->queue);
            hooks->ntries++;
            started++;
        }
    }

    ngx_destroy_pool(pool);

    return started;
}


/* Whether DUE is not being tried already, and may be, beside other tries of its
 * ORIGIN. */

static ngx_uint_t
ngx_dfp_hooks_room(ngx_dfp_hooks_t *hooks, ngx_dfp_due_t *due,
    ngx_str_t *origin)
{
    ngx_str_t       *url;
    ngx_uint_t       n;
    ngx_queue_t     *q;
    ngx_dfp_hook_t  *hook;

    n = 0;

    for (q = ngx_queue_head(&hooks->tries);
         q != ngx_queue_sentinel(&hooks->tries);
         q = ngx_queue_next(q))
    {
        hook = ngx_queue_data(q, ngx_dfp_hook_t, queue);
        url = &hook->due.url;

        if (hook->due.id == due->id) {
            return 0;
        }

        /* a path follows */

        if (url->len > origin->len && url->data[origin->len] == '/'
            && ngx_memcmp(url->data, origin->data, origin->len) == 0)
        {
            n++;
        }
    }

    return n < NGX_DFP_HOOKS_ORIGIN;
}


/* Others may have found no room. */

static void
ngx_dfp_hooks_over(ngx_dfp_hook_t *hook)
{
    ngx_dfp_hooks_t *hooks = hook->data;

    ngx_queue_remove(&hook->queue);
    hooks->ntries--;

    ngx_dfp_hooks_look(hooks);
}


void
ngx_dfp_hooks_quit(ngx_dfp_hooks_t *hooks)
{
    if (!hooks->started) {
        return;
    }

    hooks->quit = 1;

    if (hooks->timer.timer_set) {
        ngx_del_timer(&hooks->timer);
    }

    ngx_dfp_store_cancel(&hooks->op);
}


void
ngx_dfp_hooks_done(ngx_dfp_hooks_t *hooks)
{
    ngx_queue_t     *q;
    ngx_dfp_hook_t  *hook;

    if (!hooks->started) {
        return;
    }

    ngx_dfp_hooks_quit(hooks);

    while (!ngx_queue_empty(&hooks->tries)) {
        q = ngx_queue_head(&hooks->tries);
        hook = ngx_queue_data(q, ngx_dfp_hook_t, queue);

        ngx_queue_remove(q);
        ngx_dfp_hook_leave(hook);
    }
}
