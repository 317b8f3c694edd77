#include "ngx_dfp_engine.h"


void
ngx_dfp_run_count(ngx_dfp_run_t *run, ngx_msec_t elapsed)
{
    ngx_uint_t        i, caches, kept;
    ngx_dfp_task_t  **task;

    /* of a look at a kept job, only what it has fetched counts; other actions warm
       nothing */

    kept = (run->job.action == DFP_JOB_KEEP);

    if (run->job.action != DFP_JOB_PREHEAT && !kept) {
        return;
    }

    if (!kept) {
        ngx_dfp_histogram_add(&ngx_dfp_counters->runs, &ngx_dfp_durations,
                              (uint64_t) elapsed * 1000);
    }

    /* what other engines read from the cache is warmed elsewhere */

    caches = run->engine && run->engine->caches;
    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (kept && (!task[i]->done || task[i]->cached)) {
            continue;
        }

        if (task[i]->done) {
            ngx_dfp_count_task(caches && task[i]->cached
                               ? NGX_DFP_TASKS_CACHED : NGX_DFP_TASKS_WARMED,
                               task[i]->size);

        } else {
            ngx_dfp_count_task(task[i]->skipped ? NGX_DFP_TASKS_SKIPPED
                                                : NGX_DFP_TASKS_FAILED,
                               task[i]->size);
        }
    }
}
