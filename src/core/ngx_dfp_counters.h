/*
 * What the workers of a master count for dfpreheat_status, in shared memory:
 * nginx keeps it over a reload. Jobs are counted in Redis (lua/common.lua), by
 * the scripts that store and end them, so that none is counted twice or never.
 */

#ifndef NGX_DFP_COUNTERS_H
#define NGX_DFP_COUNTERS_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_DFP_BUCKETS_MAX  20     /* of a histogram */
#define NGX_DFP_WORKERS_MAX  512    /* of a master, with those that quit */


/* What has become of a task. */
typedef enum {
    NGX_DFP_TASKS_WARMED = 0,
    NGX_DFP_TASKS_CACHED,         /* it was there already */
    NGX_DFP_TASKS_FAILED,
    NGX_DFP_TASKS_SKIPPED,

    NGX_DFP_TASKS_RESULTS
} ngx_dfp_task_result_e;


/* Why something is tried again. */
typedef enum {
    NGX_DFP_RETRY_STATUS = 0,     /* the origin answered 408, 429 or 5xx */
    NGX_DFP_RETRY_CONNECTION,     /* no answer, or not all of it */
    NGX_DFP_RETRY_BUSY,           /* max_conns of the upstream */
    NGX_DFP_RETRY_AUTHORIZATION,  /* what was sent is refused now, or the token
                                     service failed */
    NGX_DFP_RETRY_CONTENT,        /* another size or digest */
    NGX_DFP_RETRY_CACHE,          /* the entry is old, an error, not readable */
    NGX_DFP_RETRY_EVICTED,        /* the entry was there and is not any more */
    NGX_DFP_RETRY_MEMORY,         /* no memory, or no thread */
    NGX_DFP_RETRY_PEER,           /* a peer of Dragonfly */
    NGX_DFP_RETRY_SCHEDULER,      /* a scheduler of Dragonfly */

    NGX_DFP_RETRY_REASONS
} ngx_dfp_retry_e;


/* How a try to deliver a webhook has ended. */
typedef enum {
    NGX_DFP_TRIES_DELIVERED = 0,
    NGX_DFP_TRIES_FAILED,

    NGX_DFP_TRIES_RESULTS
} ngx_dfp_try_result_e;


/* What has become of a push that a registry has told about. */
typedef enum {
    NGX_DFP_PUSHES_CREATED = 0,   /* a job, for each policy */
    NGX_DFP_PUSHES_REPEATED,      /* the job was there already */
    NGX_DFP_PUSHES_IGNORED,       /* an event that is no job */

    NGX_DFP_PUSHES_RESULTS
} ngx_dfp_push_result_e;


/* Why a request of the Open API was not authorized. */
typedef enum {
    NGX_DFP_TOKEN_MISSING = 0,    /* or malformed */
    NGX_DFP_TOKEN_UNKNOWN,
    NGX_DFP_TOKEN_INACTIVE,
    NGX_DFP_TOKEN_EXPIRED,
    NGX_DFP_TOKEN_SCOPE,
    NGX_DFP_TOKEN_ADMIN_KEY,

    NGX_DFP_TOKEN_FAILURES
} ngx_dfp_token_failure_e;


/* Times by their length, in microseconds. */
typedef struct {
    ngx_atomic_t  buckets[NGX_DFP_BUCKETS_MAX + 1];   /* the last one: longer
                                                         than all bounds */
    ngx_atomic_t  sum;
} ngx_dfp_histogram_t;


/* The upper bounds of its buckets, in microseconds. */
typedef struct {
    const uint64_t  *bounds;
    ngx_uint_t       n;         /* at most NGX_DFP_BUCKETS_MAX */
} ngx_dfp_buckets_t;


/* What only one worker changes: it is gone with it. */
typedef struct {
    ngx_atomic_t  pid;          /* 0: free */
    ngx_atomic_t  calls;        /* in flight */
} ngx_dfp_gauges_t;


typedef struct {
    ngx_atomic_t         tasks[NGX_DFP_TASKS_RESULTS];
    ngx_atomic_t         bytes[NGX_DFP_TASKS_RESULTS];
    ngx_atomic_t         retries[NGX_DFP_RETRY_REASONS];
    ngx_atomic_t         token_failures[NGX_DFP_TOKEN_FAILURES];
    ngx_atomic_t         hook_tries[NGX_DFP_TRIES_RESULTS];
    ngx_atomic_t         pushes[NGX_DFP_PUSHES_RESULTS];
    ngx_atomic_t         reconnects;
    ngx_dfp_histogram_t  runs;      /* from claim to end */
    ngx_dfp_histogram_t  redis;     /* from command to reply */
    ngx_dfp_gauges_t     workers[NGX_DFP_WORKERS_MAX];
} ngx_dfp_counters_t;


/* Of this worker; never NULL. */
extern ngx_dfp_counters_t       *ngx_dfp_counters;
extern ngx_dfp_gauges_t         *ngx_dfp_gauges;

extern const ngx_dfp_buckets_t   ngx_dfp_durations;     /* of jobs and runs */
extern const ngx_dfp_buckets_t   ngx_dfp_latencies;     /* of Redis */


/* This worker counts in COUNTERS from now on, until it calls _done(). */
void ngx_dfp_counters_init(ngx_dfp_counters_t *counters);
void ngx_dfp_counters_done(void);

/* Calls in flight of all workers that are alive. */
ngx_uint_t ngx_dfp_counters_calls(void);

void ngx_dfp_histogram_add(ngx_dfp_histogram_t *h,
    const ngx_dfp_buckets_t *buckets, uint64_t us);

/* A clock for differences, in microseconds. */
uint64_t ngx_dfp_clock(void);


static ngx_inline void
ngx_dfp_count(ngx_atomic_t *counter, ngx_atomic_uint_t n)
{
    (void) ngx_atomic_fetch_add(counter, n);
}


static ngx_inline void
ngx_dfp_count_retry(ngx_dfp_retry_e reason)
{
    ngx_dfp_count(&ngx_dfp_counters->retries[reason], 1);
}


static ngx_inline void
ngx_dfp_count_task(ngx_dfp_task_result_e result, off_t size)
{
    ngx_dfp_count(&ngx_dfp_counters->tasks[result], 1);
    ngx_dfp_count(&ngx_dfp_counters->bytes[result], ngx_max(size, 0));
}


#endif /* NGX_DFP_COUNTERS_H */
