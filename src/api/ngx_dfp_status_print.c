#include "ngx_dfp_status_print.h"


/* docs/metrics.md has a table of the metrics, and what their labels mean. */

typedef struct {
    const char  *name;
    const char  *type;
    const char  *help;
} ngx_dfp_metric_t;


static void ngx_dfp_status_worker(dfp_buf_t *b);
static void ngx_dfp_status_stored(dfp_buf_t *b,
    ngx_dfp_stored_status_t *stored);
static void ngx_dfp_status_ended(dfp_buf_t *b,
    ngx_dfp_stored_status_t *stored);
static void ngx_dfp_status_age(dfp_buf_t *b, const ngx_dfp_metric_t *metric,
    int64_t ms);
static void ngx_dfp_status_states(dfp_buf_t *b,
    const ngx_dfp_metric_t *metric, int64_t success, int64_t failure);
static void ngx_dfp_status_one(dfp_buf_t *b, const ngx_dfp_metric_t *metric,
    int64_t n);
static void ngx_dfp_status_labels(dfp_buf_t *b, const ngx_dfp_metric_t *metric,
    const char *label, const char *const *values, ngx_atomic_t *counters);
static void ngx_dfp_status_histogram(dfp_buf_t *b,
    const ngx_dfp_metric_t *metric, const ngx_dfp_buckets_t *buckets,
    const ngx_dfp_histogram_t *h);
static void ngx_dfp_status_bucket(dfp_buf_t *b,
    const ngx_dfp_metric_t *metric, const char *le, int64_t n);
static void ngx_dfp_status_head(dfp_buf_t *b, const ngx_dfp_metric_t *metric);
static char *ngx_dfp_status_decimal(char *buf, uint64_t n, uint64_t unit);


static const ngx_dfp_metric_t  ngx_dfp_redis_up = {
    "dfpreheat_redis_up", "gauge",
    "Whether Redis has answered this request."
};

static const ngx_dfp_metric_t  ngx_dfp_redis_reconnects = {
    "dfpreheat_redis_reconnects_total", "counter",
    "Connections to Redis that replaced a lost one."
};

static const ngx_dfp_metric_t  ngx_dfp_redis_latency = {
    "dfpreheat_redis_latency_seconds", "histogram",
    "Time from a command to the reply of Redis."
};

static const ngx_dfp_metric_t  ngx_dfp_jobs_accepted = {
    "dfpreheat_jobs_accepted_total", "counter",
    "Jobs that were posted to this nginx and stored."
};

static const ngx_dfp_metric_t  ngx_dfp_jobs_ended = {
    "dfpreheat_jobs_ended_total", "counter",
    "Jobs that this nginx has ended, once for each of their clusters."
};

static const ngx_dfp_metric_t  ngx_dfp_jobs_deleted = {
    "dfpreheat_jobs_deleted_total", "counter",
    "Jobs that this nginx has deleted before their end."
};

static const ngx_dfp_metric_t  ngx_dfp_job_duration = {
    "dfpreheat_job_duration_seconds", "histogram",
    "Time from the POST of a job to its end, of jobs that this nginx has "
    "ended."
};

static const ngx_dfp_metric_t  ngx_dfp_parts_waiting = {
    "dfpreheat_parts_waiting", "gauge",
    "Parts of jobs in the queue of this nginx."
};

static const ngx_dfp_metric_t  ngx_dfp_parts_running = {
    "dfpreheat_parts_running", "gauge",
    "Parts of jobs that workers of this nginx run."
};

static const ngx_dfp_metric_t  ngx_dfp_oldest = {
    "dfpreheat_oldest_waiting_part_age_seconds", "gauge",
    "Time since the POST of the oldest of the parts that are next, 0 if the "
    "queue is empty."
};

static const ngx_dfp_metric_t  ngx_dfp_run_duration = {
    "dfpreheat_run_duration_seconds", "histogram",
    "Time from the claim of a part by a worker to the end of its run."
};

static const ngx_dfp_metric_t  ngx_dfp_tasks = {
    "dfpreheat_tasks_total", "counter",
    "URLs of runs that have ended, by what has become of them."
};

static const ngx_dfp_metric_t  ngx_dfp_bytes = {
    "dfpreheat_bytes_total", "counter",
    "Bytes of these URLs, as far as they are known."
};

static const ngx_dfp_metric_t  ngx_dfp_calls = {
    "dfpreheat_calls_in_flight", "gauge",
    "Requests for jobs that wait for an answer."
};

static const ngx_dfp_metric_t  ngx_dfp_retries = {
    "dfpreheat_retries_total", "counter",
    "Requests for jobs that are made again, by what went wrong."
};

static const ngx_dfp_metric_t  ngx_dfp_token_failures = {
    "dfpreheat_token_failures_total", "counter",
    "Requests of the Open API that were not authorized."
};

static const ngx_dfp_metric_t  ngx_dfp_pushes = {
    "dfpreheat_pushes_total", "counter",
    "Pushes that registries have told about, by what has become of them."
};

static const ngx_dfp_metric_t  ngx_dfp_hook_tries = {
    "dfpreheat_webhook_attempts_total", "counter",
    "Attempts of this nginx to deliver a webhook."
};

static const ngx_dfp_metric_t  ngx_dfp_hooks_ended = {
    "dfpreheat_webhooks_ended_total", "counter",
    "Webhooks that this nginx has delivered, or given up."
};

static const ngx_dfp_metric_t  ngx_dfp_hooks_waiting = {
    "dfpreheat_webhooks_waiting", "gauge",
    "Webhooks of ended jobs that are to be delivered, by any nginx."
};

static const ngx_dfp_metric_t  ngx_dfp_oldest_hook = {
    "dfpreheat_oldest_waiting_webhook_age_seconds", "gauge",
    "Time since the end of the oldest job of the webhooks that are due first, "
    "0 if there is none."
};


/* In the order of the enums of ngx_dfp_counters.h. */

static const char *const  ngx_dfp_task_results[] = {
    "warmed", "cached", "failed", "skipped", NULL
};

static const char *const  ngx_dfp_retry_reasons[] = {
    "status", "connection", "busy", "authorization", "content", "cache",
    "evicted", "memory", "peer", "scheduler", NULL
};

static const char *const  ngx_dfp_failure_reasons[] = {
    "missing", "unknown", "inactive", "expired", "scope", "admin_key", NULL
};

static const char *const  ngx_dfp_push_results[] = {
    "created", "repeated", "ignored", NULL
};

static const char *const  ngx_dfp_try_results[] = {
    "delivered", "failed", NULL
};


void
ngx_dfp_status_print(dfp_buf_t *b, ngx_dfp_stored_status_t *stored)
{
    ngx_dfp_status_one(b, &ngx_dfp_redis_up, stored != NULL);

    if (stored) {
        ngx_dfp_status_stored(b, stored);
    }

    ngx_dfp_status_worker(b);
}


/* What is in shared memory. */

static void
ngx_dfp_status_worker(dfp_buf_t *b)
{
    ngx_dfp_counters_t  *counters;

    counters = ngx_dfp_counters;

    ngx_dfp_status_histogram(b, &ngx_dfp_run_duration, &ngx_dfp_durations,
                             &counters->runs);
    ngx_dfp_status_labels(b, &ngx_dfp_tasks, "result", ngx_dfp_task_results,
                          counters->tasks);
    ngx_dfp_status_labels(b, &ngx_dfp_bytes, "result", ngx_dfp_task_results,
                          counters->bytes);
    ngx_dfp_status_one(b, &ngx_dfp_calls, ngx_dfp_counters_calls());
    ngx_dfp_status_labels(b, &ngx_dfp_retries, "reason", ngx_dfp_retry_reasons,
                          counters->retries);
    ngx_dfp_status_labels(b, &ngx_dfp_token_failures, "reason",
                          ngx_dfp_failure_reasons, counters->token_failures);
    ngx_dfp_status_labels(b, &ngx_dfp_pushes, "result", ngx_dfp_push_results,
                          counters->pushes);
    ngx_dfp_status_labels(b, &ngx_dfp_hook_tries, "result",
                          ngx_dfp_try_results, counters->hook_tries);
    ngx_dfp_status_one(b, &ngx_dfp_redis_reconnects, counters->reconnects);
    ngx_dfp_status_histogram(b, &ngx_dfp_redis_latency, &ngx_dfp_latencies,
                             &counters->redis);
}


static void
ngx_dfp_status_stored(dfp_buf_t *b, ngx_dfp_stored_status_t *stored)
{
    ngx_uint_t           i;
    ngx_dfp_histogram_t  took;

    ngx_dfp_status_one(b, &ngx_dfp_jobs_accepted, stored->accepted);
    ngx_dfp_status_ended(b, stored);
    ngx_dfp_status_one(b, &ngx_dfp_jobs_deleted, stored->deleted);

    for (i = 0; i <= NGX_DFP_BUCKETS_MAX; i++) {
        took.buckets[i] = stored->took[i];
    }

    took.sum = stored->took_ms * 1000;

    ngx_dfp_status_histogram(b, &ngx_dfp_job_duration, &ngx_dfp_durations,
                             &took);

    ngx_dfp_status_one(b, &ngx_dfp_parts_waiting, stored->waiting);
    ngx_dfp_status_one(b, &ngx_dfp_parts_running, stored->running);

    ngx_dfp_status_age(b, &ngx_dfp_oldest, stored->oldest);

    ngx_dfp_status_states(b, &ngx_dfp_hooks_ended, stored->delivered,
                          stored->given_up);
    ngx_dfp_status_one(b, &ngx_dfp_hooks_waiting, stored->hooks);
    ngx_dfp_status_age(b, &ngx_dfp_oldest_hook, stored->hooks_oldest);
}


static void
ngx_dfp_status_age(dfp_buf_t *b, const ngx_dfp_metric_t *metric, int64_t ms)
{
    char  age[NGX_INT64_LEN + 8];

    ngx_dfp_status_head(b, metric);
    dfp_buf_cstr(b, metric->name);
    dfp_buf_cstr(b, " ");
    dfp_buf_cstr(b, ngx_dfp_status_decimal(age, ngx_max(ms, 0), 1000));
    dfp_buf_cstr(b, "\n");
}


static void
ngx_dfp_status_states(dfp_buf_t *b, const ngx_dfp_metric_t *metric,
    int64_t success, int64_t failure)
{
    ngx_dfp_status_head(b, metric);
    dfp_buf_cstr(b, metric->name);
    dfp_buf_cstr(b, "{state=\"SUCCESS\"} ");
    dfp_buf_int(b, success);
    dfp_buf_cstr(b, "\n");
    dfp_buf_cstr(b, metric->name);
    dfp_buf_cstr(b, "{state=\"FAILURE\"} ");
    dfp_buf_int(b, failure);
    dfp_buf_cstr(b, "\n");
}


static void
ngx_dfp_status_ended(dfp_buf_t *b, ngx_dfp_stored_status_t *stored)
{
    ngx_uint_t        i, k;
    ngx_dfp_ended_t  *ended;

    static const char *const  states[] = { "SUCCESS", "FAILURE" };

    ngx_dfp_status_head(b, &ngx_dfp_jobs_ended);

    for (i = 0; i < stored->n; i++) {
        ended = &stored->ended[i];

        for (k = 0; k < 2; k++) {
            dfp_buf_cstr(b, ngx_dfp_jobs_ended.name);
            dfp_buf_cstr(b, "{cluster=\"");
            dfp_buf_int(b, ended->id);
            dfp_buf_cstr(b, "\",state=\"");
            dfp_buf_cstr(b, states[k]);
            dfp_buf_cstr(b, "\"} ");
            dfp_buf_int(b, k == 0 ? ended->success : ended->failure);
            dfp_buf_cstr(b, "\n");
        }
    }
}


static void
ngx_dfp_status_one(dfp_buf_t *b, const ngx_dfp_metric_t *metric, int64_t n)
{
    ngx_dfp_status_head(b, metric);
    dfp_buf_cstr(b, metric->name);
    dfp_buf_cstr(b, " ");
    dfp_buf_int(b, n);
    dfp_buf_cstr(b, "\n");
}


/* One counter for each of VALUES, which end with NULL. */

static void
ngx_dfp_status_labels(dfp_buf_t *b, const ngx_dfp_metric_t *metric,
    const char *label, const char *const *values, ngx_atomic_t *counters)
{
    ngx_uint_t  i;

    ngx_dfp_status_head(b, metric);

    for (i = 0; values[i]; i++) {
        dfp_buf_cstr(b, metric->name);
        dfp_buf_cstr(b, "{");
        dfp_buf_cstr(b, label);
        dfp_buf_cstr(b, "=\"");
        dfp_buf_cstr(b, values[i]);
        dfp_buf_cstr(b, "\"} ");
        dfp_buf_int(b, counters[i]);
        dfp_buf_cstr(b, "\n");
    }
}


/* In the text each bucket contains those before it, and the last one is also
 * the count: it must not change in between. */

static void
ngx_dfp_status_histogram(dfp_buf_t *b, const ngx_dfp_metric_t *metric,
    const ngx_dfp_buckets_t *buckets, const ngx_dfp_histogram_t *h)
{
    char        text[NGX_INT64_LEN + 8];
    int64_t     n;
    ngx_uint_t  i;

    ngx_dfp_status_head(b, metric);

    n = 0;

    for (i = 0; i < buckets->n; i++) {
        n += h->buckets[i];
        ngx_dfp_status_bucket(b, metric,
            ngx_dfp_status_decimal(text, buckets->bounds[i], 1000000), n);
    }

    n += h->buckets[NGX_DFP_BUCKETS_MAX];
    ngx_dfp_status_bucket(b, metric, "+Inf", n);

    dfp_buf_cstr(b, metric->name);
    dfp_buf_cstr(b, "_sum ");
    dfp_buf_cstr(b, ngx_dfp_status_decimal(text, h->sum, 1000000));
    dfp_buf_cstr(b, "\n");
    dfp_buf_cstr(b, metric->name);
    dfp_buf_cstr(b, "_count ");
    dfp_buf_int(b, n);
    dfp_buf_cstr(b, "\n");
}


static void
ngx_dfp_status_bucket(dfp_buf_t *b, const ngx_dfp_metric_t *metric,
    const char *le, int64_t n)
{
    dfp_buf_cstr(b, metric->name);
    dfp_buf_cstr(b, "_bucket{le=\"");
    dfp_buf_cstr(b, le);
    dfp_buf_cstr(b, "\"} ");
    dfp_buf_int(b, n);
    dfp_buf_cstr(b, "\n");
}


static void
ngx_dfp_status_head(dfp_buf_t *b, const ngx_dfp_metric_t *metric)
{
    dfp_buf_cstr(b, "# HELP ");
    dfp_buf_cstr(b, metric->name);
    dfp_buf_cstr(b, " ");
    dfp_buf_cstr(b, metric->help);
    dfp_buf_cstr(b, "\n# TYPE ");
    dfp_buf_cstr(b, metric->name);
    dfp_buf_cstr(b, " ");
    dfp_buf_cstr(b, metric->type);
    dfp_buf_cstr(b, "\n");
}


/* N of UNIT (a power of ten) in decimal, without zeros at the end; returns
 * BUF. */

static char *
ngx_dfp_status_decimal(char *buf, uint64_t n, uint64_t unit)
{
    u_char    *p;
    uint64_t   rest;

    p = ngx_sprintf((u_char *) buf, "%uL", n / unit);
    rest = n % unit;

    if (rest) {
        *p++ = '.';
    }

    while (rest) {
        unit /= 10;
        *p++ = '0' + rest / unit;
        rest %= unit;
    }

    *p = '\0';

    return buf;
}
