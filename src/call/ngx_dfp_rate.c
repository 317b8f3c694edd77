#include "ngx_dfp_rate.h"
#include "ngx_dfp_watch.h"

#include "dfp_rate.h"


#define NGX_DFP_RATE_TICK   5       /* ms between two shares */
#define NGX_DFP_RATE_LATE   1000    /* ms by which a busy worker may be late
                                       without loss */
#define NGX_DFP_RATE_TURN   (64 * 1024)     /* bytes that a call reads before
                                               other events are processed */
#define NGX_DFP_RATE_PAUSE  (24 * 60 * 60 * 1000)   /* ms; a share ends it */

/* bytes a second that no connection has: nginx looks whether reading is delayed
 * only where there is a limit */
#define NGX_DFP_RATE_OPEN                                                     \
    ((size_t) (sizeof(size_t) > 4 ? INT64_C(1) << 40 : 0x7fffffff))

/* s by which the clock may be set back: nginx allows bytes by its time, which is not
 * monotonic */
#define NGX_DFP_RATE_SETBACK  (30 * 24 * 60 * 60)


/* Of a request that is limited, in its pool. */
typedef struct {
    ngx_http_request_t              *r;
    ngx_http_upstream_t             *upstream;
    ngx_http_upstream_handler_pt     read;     /* the upstream's */
    ngx_queue_t                      queue;    /* if it pauses, or waits */
    off_t                            counted;  /* bytes that it has read */
    off_t                            turn;     /* ... when its turn ends */
    int64_t                          credit;   /* bytes that it may read;
                                                  negative: it has read more */
    unsigned                         paused:1;
    unsigned                         waiting:1;     /* for its turn */
} ngx_dfp_flow_t;


/* Of the worker. */
typedef struct {
    dfp_rate_t   rate;      /* 0 bytes a second: no limit */
    ngx_queue_t  paused;
    ngx_uint_t   npaused;
    ngx_event_t  tick;
} ngx_dfp_limit_t;


/* Of the worker. */
typedef struct {
    ngx_queue_t  waiting;
    ngx_event_t  next;
} ngx_dfp_turns_t;


static void ngx_dfp_rate_bytes(ngx_http_request_t *r, u_char *data,
    size_t len);
static void ngx_dfp_rate_yield(ngx_dfp_flow_t *flow);
static void ngx_dfp_rate_next(ngx_event_t *ev);
static void ngx_dfp_rate_pass(void);
static void ngx_dfp_rate_pause(ngx_dfp_flow_t *flow);
static void ngx_dfp_rate_hold(ngx_dfp_flow_t *flow, ngx_msec_t time);
static void ngx_dfp_rate_read(ngx_http_request_t *r, ngx_http_upstream_t *u);
static void ngx_dfp_rate_tick(ngx_event_t *ev);
static void ngx_dfp_rate_resume(ngx_dfp_flow_t *flow);
static void ngx_dfp_rate_leave(ngx_dfp_flow_t *flow);
static void ngx_dfp_rate_end(ngx_http_request_t *r);
static void ngx_dfp_rate_cleanup(void *data);


static const ngx_dfp_watcher_t  ngx_dfp_rate_watcher = {
    ngx_dfp_rate_bytes,
    ngx_dfp_rate_end
};


static ngx_dfp_limit_t  ngx_dfp_limit;
static ngx_dfp_turns_t  ngx_dfp_turns;


void
ngx_dfp_rate_init(ngx_dfp_main_conf_t *conf, ngx_cycle_t *cycle)
{
    /* with a single process, calls may wait during a reload */

    if (ngx_dfp_turns.waiting.next == NULL) {
        ngx_queue_init(&ngx_dfp_turns.waiting);
        ngx_queue_init(&ngx_dfp_limit.paused);
    }

    ngx_dfp_turns.next.handler = ngx_dfp_rate_next;
    ngx_dfp_turns.next.log = cycle->log;

    if (conf->rate == 0) {
        return;
    }

    dfp_rate_init(&ngx_dfp_limit.rate, conf->rate, ngx_current_msec);

    ngx_dfp_limit.tick.handler = ngx_dfp_rate_tick;
    ngx_dfp_limit.tick.data = &ngx_dfp_limit;
    ngx_dfp_limit.tick.log = cycle->log;
    ngx_dfp_limit.tick.cancelable = 1;
}


ngx_int_t
ngx_dfp_rate_limit(ngx_http_request_t *r)
{
    ngx_dfp_flow_t  *flow;

    if (r->upstream == NULL || r->cached || !ngx_dfp_watch_possible(r)) {
        return NGX_DECLINED;
    }

    flow = ngx_dfp_context_get(r, ngx_dfp_rate_cleanup);

    if (flow == NULL) {
        flow = ngx_dfp_context_create(r, ngx_dfp_rate_cleanup,
                                      sizeof(ngx_dfp_flow_t));
        if (flow == NULL) {
            return NGX_ERROR;
        }
    }

    flow->upstream = r->upstream;

    if (ngx_dfp_watch(r, &ngx_dfp_rate_watcher) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_dfp_limit.rate.rate ? NGX_OK : NGX_DECLINED;
}


/* Called for each buffer that is full, while nginx reads. */

static void
ngx_dfp_rate_bytes(ngx_http_request_t *r, u_char *data, size_t len)
{
    off_t              n;
    ngx_dfp_flow_t    *flow;
    ngx_event_pipe_t  *p;

    flow = ngx_dfp_context_get(r, ngx_dfp_rate_cleanup);
    p = r->upstream->pipe;

    if (flow->read == NULL) {
        flow->read = r->upstream->read_event_handler;
        r->upstream->read_event_handler = ngx_dfp_rate_read;
    }

    if (p->limit_rate == 0) {
        p->limit_rate = NGX_DFP_RATE_OPEN;
        p->start_sec -= NGX_DFP_RATE_SETBACK;
    }

    n = p->read_length - flow->counted;

    flow->counted += n;

    if (ngx_dfp_limit.rate.rate) {
        flow->credit -= n;

        if (flow->credit <= 0) {
            ngx_dfp_rate_pause(flow);
            return;
        }
    }

    /* nginx reads as long as there is something: from a fast origin it would
     * read all of a layer before it turns to its clients */

    if (flow->counted >= flow->turn) {
        ngx_dfp_rate_yield(flow);
    }
}


/* An event of the connection itself would end this at once: what comes meanwhile
 * is left for the next turn. */

static void
ngx_dfp_rate_yield(ngx_dfp_flow_t *flow)
{
    flow->turn = flow->counted + NGX_DFP_RATE_TURN;
    flow->upstream->peer.connection->read->delayed = 1;

    if (!flow->waiting) {
        flow->waiting = 1;
        ngx_queue_insert_tail(&ngx_dfp_turns.waiting, &flow->queue);
    }

    ngx_post_event(&ngx_dfp_turns.next, &ngx_posted_next_events);
}


/* One call, before nginx looks for other events again. */

static void
ngx_dfp_rate_next(ngx_event_t *ev)
{
    ngx_queue_t       *q;
    ngx_dfp_flow_t    *flow;
    ngx_connection_t  *c;

    if (ngx_queue_empty(&ngx_dfp_turns.waiting)) {
        return;
    }

    q = ngx_queue_head(&ngx_dfp_turns.waiting);
    flow = ngx_queue_data(q, ngx_dfp_flow_t, queue);
    c = flow->upstream->peer.connection;

    ngx_dfp_rate_leave(flow);

    /* the upstream may have ended meanwhile */

    if (c && c->read->delayed) {
        c->read->timedout = 1;
        c->read->handler(c->read);
    }

    if (!ngx_queue_empty(&ngx_dfp_turns.waiting)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


/* What comes while nobody wants it is not saved. */

static void
ngx_dfp_rate_pass(void)
{
    dfp_rate_pass(&ngx_dfp_limit.rate, ngx_current_msec,
                  ngx_dfp_limit.npaused ? NGX_DFP_RATE_LATE
                                        : NGX_DFP_RATE_TICK);
}


static void
ngx_dfp_rate_pause(ngx_dfp_flow_t *flow)
{
    if (!flow->paused) {
        ngx_dfp_rate_leave(flow);

        if (ngx_dfp_limit.npaused == 0) {
            ngx_dfp_rate_pass();
            ngx_add_timer(&ngx_dfp_limit.tick, NGX_DFP_RATE_TICK);
        }

        flow->paused = 1;
        ngx_dfp_limit.npaused++;
        ngx_queue_insert_tail(&ngx_dfp_limit.paused, &flow->queue);
    }

    ngx_dfp_rate_hold(flow, NGX_DFP_RATE_PAUSE);
}


/* For TIME, as a limit of nginx's own (proxy_limit_rate) does; proxy_read_timeout
 * begins afterwards. */

static void
ngx_dfp_rate_hold(ngx_dfp_flow_t *flow, ngx_msec_t time)
{
    ngx_event_t  *rev;

    rev = flow->upstream->peer.connection->read;

    /* a timer is not moved if it is set for almost the same time */

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    rev->delayed = 1;
    ngx_add_timer(rev, time);
}


/* A pause by nginx's own limit has replaced this one, and ends. */

static void
ngx_dfp_rate_read(ngx_http_request_t *r, ngx_http_upstream_t *u)
{
    ngx_dfp_flow_t  *flow;

    flow = ngx_dfp_context_get(r, ngx_dfp_rate_cleanup);

    if (flow->paused && !u->peer.connection->read->delayed) {
        ngx_dfp_rate_hold(flow, NGX_DFP_RATE_PAUSE);
    }

    flow->read(r, u);
}


static void
ngx_dfp_rate_tick(ngx_event_t *ev)
{
    int64_t          share;
    ngx_queue_t     *q, *next;
    ngx_dfp_flow_t  *flow;

    if (ngx_dfp_limit.npaused == 0) {
        return;
    }

    ngx_dfp_rate_pass();

    share = dfp_rate_share(&ngx_dfp_limit.rate, ngx_dfp_limit.npaused);

    for (q = ngx_queue_head(&ngx_dfp_limit.paused);
         q != ngx_queue_sentinel(&ngx_dfp_limit.paused);
         q = next)
    {
        next = ngx_queue_next(q);
        flow = ngx_queue_data(q, ngx_dfp_flow_t, queue);

        flow->credit += share;

        if (flow->credit > 0) {
            ngx_dfp_rate_resume(flow);
        }
    }

    if (ngx_dfp_limit.npaused) {
        ngx_add_timer(ev, NGX_DFP_RATE_TICK);
    }
}


/* nginx reads on when the timer of the pause expires: at once. */

static void
ngx_dfp_rate_resume(ngx_dfp_flow_t *flow)
{
    ngx_connection_t  *c;

    ngx_dfp_rate_leave(flow);

    c = flow->upstream->peer.connection;

    /* the upstream may have ended in the pause */

    if (c && c->read->delayed) {
        flow->turn = flow->counted + NGX_DFP_RATE_TURN;
        ngx_dfp_rate_hold(flow, 0);
    }
}


static void
ngx_dfp_rate_leave(ngx_dfp_flow_t *flow)
{
    if (flow->paused) {
        flow->paused = 0;
        ngx_dfp_limit.npaused--;
        ngx_queue_remove(&flow->queue);
    }

    if (flow->waiting) {
        flow->waiting = 0;
        ngx_queue_remove(&flow->queue);
    }
}


/* The connection may be kept for other requests, which must not find it
 * delayed. */

static void
ngx_dfp_rate_end(ngx_http_request_t *r)
{
    ngx_event_t     *rev;
    ngx_dfp_flow_t  *flow;

    flow = ngx_dfp_context_get(r, ngx_dfp_rate_cleanup);
    rev = flow->upstream->peer.connection->read;

    if (rev->delayed) {
        rev->delayed = 0;
        rev->timedout = 0;

        if (rev->timer_set) {
            ngx_del_timer(rev);
        }

    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat rate: %O bytes were read, %L of its share are "
                   "left", flow->counted, flow->credit);

    ngx_dfp_rate_cleanup(flow);
}


static void
ngx_dfp_rate_cleanup(void *data)
{
    ngx_dfp_flow_t *flow = data;

    ngx_dfp_rate_leave(flow);

    dfp_rate_return(&ngx_dfp_limit.rate, flow->credit);
    flow->credit = 0;
}


ngx_msec_t
ngx_dfp_rate_wait(void)
{
    ngx_dfp_rate_pass();

    return dfp_rate_wait(&ngx_dfp_limit.rate);
}
