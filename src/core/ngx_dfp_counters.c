#include "ngx_dfp_counters.h"


#define NGX_DFP_MS  1000
#define NGX_DFP_S   1000000


static ngx_uint_t ngx_dfp_counters_alive(ngx_pid_t pid);


/* used before there is shared memory, and by a worker without a place in it */
static ngx_dfp_counters_t  ngx_dfp_counters_none;
static ngx_dfp_gauges_t    ngx_dfp_gauges_none;

ngx_dfp_counters_t *ngx_dfp_counters = &ngx_dfp_counters_none;
ngx_dfp_gauges_t *ngx_dfp_gauges = &ngx_dfp_gauges_none;


/* lua/common.lua has the same bounds */

static const uint64_t  ngx_dfp_duration_bounds[] = {
    (uint64_t) 100 * NGX_DFP_MS, (uint64_t) 500 * NGX_DFP_MS,
    (uint64_t) 1 * NGX_DFP_S, (uint64_t) 2 * NGX_DFP_S,
    (uint64_t) 5 * NGX_DFP_S, (uint64_t) 10 * NGX_DFP_S,
    (uint64_t) 30 * NGX_DFP_S, (uint64_t) 60 * NGX_DFP_S,
    (uint64_t) 120 * NGX_DFP_S, (uint64_t) 300 * NGX_DFP_S,
    (uint64_t) 600 * NGX_DFP_S, (uint64_t) 1200 * NGX_DFP_S,
    (uint64_t) 3600 * NGX_DFP_S, (uint64_t) 7200 * NGX_DFP_S,
    (uint64_t) 21600 * NGX_DFP_S
};

static const uint64_t  ngx_dfp_latency_bounds[] = {
    100, 250, 500,
    1 * NGX_DFP_MS, 2500, 5 * NGX_DFP_MS, 10 * NGX_DFP_MS, 25 * NGX_DFP_MS,
    50 * NGX_DFP_MS, 100 * NGX_DFP_MS, 250 * NGX_DFP_MS, 500 * NGX_DFP_MS,
    1 * NGX_DFP_S, 5 * NGX_DFP_S
};


#define ngx_dfp_buckets(bounds)                                               \
    { bounds, sizeof(bounds) / sizeof(bounds[0]) }

const ngx_dfp_buckets_t ngx_dfp_durations =
    ngx_dfp_buckets(ngx_dfp_duration_bounds);
const ngx_dfp_buckets_t ngx_dfp_latencies =
    ngx_dfp_buckets(ngx_dfp_latency_bounds);


/* The place of a worker that was killed is free. */

void
ngx_dfp_counters_init(ngx_dfp_counters_t *counters)
{
    ngx_uint_t         i;
    ngx_dfp_gauges_t  *worker;
    ngx_atomic_uint_t  pid;

    ngx_dfp_counters = counters;

    for (i = 0; i < NGX_DFP_WORKERS_MAX; i++) {
        worker = &counters->workers[i];
        pid = worker->pid;

        if ((pid == 0 || !ngx_dfp_counters_alive(pid))
            && ngx_atomic_cmp_set(&worker->pid, pid, ngx_pid))
        {
            worker->calls = 0;
            ngx_dfp_gauges = worker;
            return;
        }
    }
}


void
ngx_dfp_counters_done(void)
{
    ngx_dfp_gauges->calls = 0;
    ngx_dfp_gauges->pid = 0;

    ngx_dfp_gauges = &ngx_dfp_gauges_none;
}


static ngx_uint_t
ngx_dfp_counters_alive(ngx_pid_t pid)
{
    return pid == ngx_pid || kill(pid, 0) == 0 || ngx_errno != NGX_ESRCH;
}


ngx_uint_t
ngx_dfp_counters_calls(void)
{
    ngx_uint_t          i, calls;
    ngx_dfp_gauges_t   *worker;
    ngx_atomic_uint_t   pid;

    calls = 0;

    for (i = 0; i < NGX_DFP_WORKERS_MAX; i++) {
        worker = &ngx_dfp_counters->workers[i];
        pid = worker->pid;

        if (pid && ngx_dfp_counters_alive(pid)) {
            calls += worker->calls;
        }
    }

    return calls;
}


void
ngx_dfp_histogram_add(ngx_dfp_histogram_t *h, const ngx_dfp_buckets_t *buckets,
    uint64_t us)
{
    ngx_uint_t  i;

    for (i = 0; i < buckets->n && us > buckets->bounds[i]; i++) { /* void */ }

    ngx_dfp_count(&h->buckets[i < buckets->n ? i : NGX_DFP_BUCKETS_MAX], 1);
    ngx_dfp_count(&h->sum, us);
}


uint64_t
ngx_dfp_clock(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0) {
        return 0;
    }

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
