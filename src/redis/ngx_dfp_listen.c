#include "ngx_dfp_listen.h"


#define NGX_DFP_LISTEN_POOL  4096

#define ngx_dfp_listen_passed(since, ms)                                      \
    ((ngx_msec_int_t) (ngx_current_msec - (since)) >= (ngx_msec_int_t) (ms))


typedef struct {
    ngx_dfp_store_t            *store;
    ngx_dfp_listen_handlers_t  *handlers;
    ngx_dfp_op_t                op;        /* one at a time */
    ngx_event_t                 timer;
    ngx_dfp_job_list_t          list;
    dfp_changes_t               changes;
    dfp_change_t                room[NGX_DFP_LISTEN_JOBS];
    dfp_change_t                taken[NGX_DFP_LISTEN_READ];    /* being read */
    ngx_uint_t                  ntaken;
    ngx_uint_t                  left;      /* of this round of reads */
    ngx_uint_t                  downs;     /* when Redis was told */
    ngx_msec_t                  told;      /* when Redis was told, for READY */
    ngx_msec_t                  telling;   /* when it was sent */
    ngx_msec_t                  soon;      /* the last round */
    ngx_msec_t                  whole;     /* the last one with progress */
    ngx_msec_t                  down;      /* since when READY is not set */
    int64_t                     since;     /* of Redis; 0: unknown */
    int64_t                     heard;     /* in the reply */
    unsigned                    ready:1;   /* all is heard */
    unsigned                    missed:1;  /* changes, before READY */
    unsigned                    full:1;    /* too many jobs have changed */
    unsigned                    urgent:1;  /* this round is without progress */
} ngx_dfp_listen_t;


static void ngx_dfp_listen_gap(ngx_dfp_listen_t *listen);
static void ngx_dfp_listen_forget(ngx_dfp_listen_t *listen);
static void ngx_dfp_listen_timer(ngx_event_t *ev);
static void ngx_dfp_listen_step(ngx_dfp_listen_t *listen);
static void ngx_dfp_listen_wait(ngx_dfp_listen_t *listen);
static void ngx_dfp_listen_tell(ngx_dfp_listen_t *listen);
static void ngx_dfp_listen_told(void *data, ngx_int_t rc);
static ngx_uint_t ngx_dfp_listen_due(ngx_dfp_listen_t *listen);
static void ngx_dfp_listen_read(ngx_dfp_listen_t *listen);
static void ngx_dfp_listen_got(void *data, ngx_int_t rc);
static void ngx_dfp_listen_failed(ngx_dfp_listen_t *listen);


/* Of this worker; NULL: nobody listens. */
static ngx_dfp_listen_t  *ngx_dfp_listen;

/* Whether messages can come, and how often they could not any more. */
static ngx_uint_t  ngx_dfp_listen_up;
static ngx_uint_t  ngx_dfp_listen_downs;


ngx_int_t
ngx_dfp_listen_open(ngx_dfp_store_t *store, ngx_dfp_listen_handlers_t *handlers)
{
    ngx_log_t         *log;
    ngx_dfp_listen_t  *listen;

    log = ngx_cycle->log;

    listen = ngx_calloc(sizeof(ngx_dfp_listen_t), log);
    if (listen == NULL) {
        return NGX_ERROR;
    }

    listen->store = store;
    listen->handlers = handlers;
    listen->down = ngx_current_msec;
    listen->soon = ngx_current_msec - NGX_DFP_LISTEN_SOON;
    listen->whole = ngx_current_msec - NGX_DFP_LISTEN_PROGRESS;
    listen->op.data = listen;
    listen->op.log = log;
    listen->op.borrow = 1;

    listen->timer.handler = ngx_dfp_listen_timer;
    listen->timer.data = listen;
    listen->timer.log = log;
    listen->timer.cancelable = 1;

    dfp_changes_init(&listen->changes, listen->room, NGX_DFP_LISTEN_JOBS);

    ngx_dfp_listen = listen;
    ngx_dfp_listen_step(listen);

    return NGX_OK;
}


void
ngx_dfp_listen_close(void)
{
    ngx_dfp_listen_t  *listen;

    listen = ngx_dfp_listen;

    if (listen == NULL) {
        return;
    }

    ngx_dfp_listen = NULL;

    ngx_dfp_store_cancel(&listen->op);

    if (listen->timer.timer_set) {
        ngx_del_timer(&listen->timer);
    }

    if (listen->op.pool) {
        ngx_destroy_pool(listen->op.pool);
    }

    ngx_free(listen);
}


ngx_uint_t
ngx_dfp_listen_ready(void)
{
    ngx_dfp_listen_t  *listen;

    listen = ngx_dfp_listen;

    return listen && listen->ready
           && !ngx_dfp_listen_passed(listen->told, NGX_DFP_LISTEN_TIME);
}


void
ngx_dfp_listen_changed(int64_t id, ngx_uint_t what)
{
    ngx_dfp_listen_t  *listen;

    listen = ngx_dfp_listen;

    /* what was changed before Redis was told is in the list of jobs then */

    if (listen == NULL || !listen->ready || listen->full) {
        return;
    }

    if (dfp_changes_add(&listen->changes, id, what) != DFP_OK) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, listen->op.log, 0,
                       "dfpreheat listen: more than %d jobs have changed",
                       NGX_DFP_LISTEN_JOBS);
        listen->full = 1;
    }

    if (listen->op.cmd == NULL) {
        ngx_dfp_listen_wait(listen);
    }
}


void
ngx_dfp_listen_channel(ngx_uint_t up)
{
    ngx_uint_t  was;

    was = ngx_dfp_listen_up;
    ngx_dfp_listen_up = up;

    if (was == up) {
        return;
    }

    ngx_dfp_listen_downs += !up;

    if (ngx_dfp_listen) {

        if (!up) {
            ngx_dfp_listen_gap(ngx_dfp_listen);
        }

        ngx_dfp_listen_step(ngx_dfp_listen);
    }
}


void
ngx_dfp_listen_quit(void)
{
    if (ngx_dfp_listen) {
        ngx_dfp_listen->handlers->on_quit();
    }
}


/* Messages are missed from now on, or have been. */

static void
ngx_dfp_listen_gap(ngx_dfp_listen_t *listen)
{
    if (listen->ready) {
        listen->ready = 0;
        listen->missed = 1;
        listen->down = ngx_current_msec;
    }

    ngx_dfp_listen_forget(listen);
}


static void
ngx_dfp_listen_forget(ngx_dfp_listen_t *listen)
{
    listen->full = 0;
    listen->left = 0;
    dfp_changes_init(&listen->changes, listen->room, NGX_DFP_LISTEN_JOBS);
}


static void
ngx_dfp_listen_timer(ngx_event_t *ev)
{
    ngx_dfp_listen_step(ev->data);
}


static void
ngx_dfp_listen_step(ngx_dfp_listen_t *listen)
{
    if (listen->op.cmd) {
        return;
    }

    if (listen->ready
        && ngx_dfp_listen_passed(listen->told, NGX_DFP_LISTEN_TIME))
    {
        ngx_dfp_listen_gap(listen);
    }

    if (!listen->ready
        && ngx_dfp_listen_passed(listen->down, NGX_DFP_LISTEN_LOST))
    {
        listen->down = ngx_current_msec;
        listen->handlers->on_lost();
    }

    if (ngx_dfp_listen_up
        && (!listen->ready
            || ngx_dfp_listen_passed(listen->told, NGX_DFP_LISTEN_RENEW)))
    {
        ngx_dfp_listen_tell(listen);

    } else if (ngx_dfp_listen_due(listen)) {
        ngx_dfp_listen_read(listen);

    } else {
        ngx_dfp_listen_wait(listen);
    }
}


static void
ngx_dfp_listen_wait(ngx_dfp_listen_t *listen)
{
    ngx_msec_int_t  pause, left;

    if (!listen->ready) {
        ngx_add_timer(&listen->timer, NGX_DFP_LISTEN_RETRY);
        return;
    }

    pause = listen->told + NGX_DFP_LISTEN_RENEW - ngx_current_msec;

    if (listen->changes.urgent) {
        left = listen->soon + NGX_DFP_LISTEN_SOON - ngx_current_msec;
        pause = ngx_min(pause, left);
    }

    if (listen->changes.n || listen->full) {
        left = listen->whole + NGX_DFP_LISTEN_PROGRESS - ngx_current_msec;
        pause = ngx_min(pause, left);
    }

    ngx_add_timer(&listen->timer, ngx_max(pause, 1));
}


static void
ngx_dfp_listen_tell(ngx_dfp_listen_t *listen)
{
    listen->op.handler = ngx_dfp_listen_told;
    listen->telling = ngx_current_msec;
    listen->downs = ngx_dfp_listen_downs;

    if (ngx_dfp_store_listen(listen->store, &listen->op, NGX_DFP_LISTEN_TIME,
                             &listen->heard)
        != NGX_OK)
    {
        ngx_dfp_listen_failed(listen);
    }
}


static void
ngx_dfp_listen_told(void *data, ngx_int_t rc)
{
    ngx_dfp_listen_t *listen = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, listen->op.log, 0,
                   "dfpreheat listen: redis is told, rc %i, since %L", rc,
                   listen->heard);

    if (rc != NGX_OK || listen->downs != ngx_dfp_listen_downs) {
        ngx_dfp_listen_failed(listen);
        return;
    }

    /* Redis has lost it, or has not been told in time */

    if (listen->since && listen->since != listen->heard) {
        ngx_dfp_listen_gap(listen);
        listen->missed = 1;
    }

    listen->since = listen->heard;
    listen->told = listen->telling;
    listen->ready = 1;

    if (listen->missed) {
        listen->missed = 0;
        listen->handlers->on_reset();
    }

    listen->handlers->on_ready();

    ngx_dfp_listen_step(listen);
}


/* Whether it is time for a read, which begins a round or goes on with one. What
 * comes during a round is left to the next. */

static ngx_uint_t
ngx_dfp_listen_due(ngx_dfp_listen_t *listen)
{
    if (!listen->ready) {
        return 0;
    }

    if (listen->left) {
        return 1;
    }

    if ((listen->changes.n || listen->full)
        && ngx_dfp_listen_passed(listen->whole, NGX_DFP_LISTEN_PROGRESS))
    {
        listen->urgent = 0;
        listen->left = listen->changes.n;
        listen->whole = ngx_current_msec;
        listen->soon = ngx_current_msec;
        return 1;
    }

    if (listen->changes.urgent
        && ngx_dfp_listen_passed(listen->soon, NGX_DFP_LISTEN_SOON))
    {
        listen->urgent = 1;
        listen->left = listen->changes.urgent;
        listen->soon = ngx_current_msec;
        return 1;
    }

    return 0;
}


static void
ngx_dfp_listen_read(ngx_dfp_listen_t *listen)
{
    u_char      *p;
    ngx_str_t    ids;
    ngx_uint_t   i;
    u_char       buf[NGX_DFP_LISTEN_READ * (NGX_INT64_LEN + 2)];

    if (listen->full) {
        ngx_dfp_listen_forget(listen);
        listen->handlers->on_reset();
        ngx_dfp_listen_wait(listen);
        return;
    }

    listen->ntaken = dfp_changes_take(&listen->changes, listen->taken,
                                      ngx_min(listen->left,
                                              NGX_DFP_LISTEN_READ),
                                      listen->urgent);
    listen->left -= listen->ntaken;

    p = buf;

    for (i = 0; i < listen->ntaken; i++) {
        p = ngx_sprintf(p, "%s%L ",
                        listen->taken[i].what & DFP_CHANGE_CREATED ? "+" : "",
                        listen->taken[i].id);
    }

    ids.data = buf;
    ids.len = p - buf;

    listen->op.handler = ngx_dfp_listen_got;
    listen->op.pool = ngx_create_pool(NGX_DFP_LISTEN_POOL, listen->op.log);

    if (listen->op.pool == NULL
        || ngx_dfp_store_changed(listen->store, &listen->op, &ids,
                                 NGX_DFP_LISTEN_PARTS, NGX_DFP_LISTEN_ARGS,
                                 &listen->list)
           != NGX_OK)
    {
        ngx_dfp_listen_failed(listen);
    }
}


static void
ngx_dfp_listen_got(void *data, ngx_int_t rc)
{
    ngx_dfp_listen_t *listen = data;

    ngx_uint_t  i, looked;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, listen->op.log, 0,
                   "dfpreheat listen: jobs that have changed: %ui, read: %ui, "
                   "rc %i", listen->ntaken, rc == NGX_OK ? listen->list.n : 0,
                   rc);

    if (rc != NGX_OK) {
        ngx_dfp_listen_failed(listen);
        return;
    }

    /* otherwise it will be told that it has missed something */

    if (listen->ready) {
        looked = ngx_min(listen->list.total, listen->ntaken);

        listen->handlers->on_changed(listen->taken, looked, &listen->list);

        for (i = looked; i < listen->ntaken; i++) {
            ngx_dfp_listen_changed(listen->taken[i].id, listen->taken[i].what);
        }
    }

    ngx_destroy_pool(listen->op.pool);
    listen->op.pool = NULL;

    ngx_dfp_listen_step(listen);
}


/* Redis is unavailable, or memory has ended. */

static void
ngx_dfp_listen_failed(ngx_dfp_listen_t *listen)
{
    if (listen->op.pool) {
        ngx_destroy_pool(listen->op.pool);
        listen->op.pool = NULL;
    }

    ngx_dfp_listen_gap(listen);
    ngx_dfp_listen_wait(listen);
}
