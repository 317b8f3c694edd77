#include "ngx_dfp_engine_cache.h"


static void ngx_dfp_engine_cache_results(ngx_dfp_run_t *run,
    ngx_dfp_results_t *results);


ngx_dfp_engine_t  ngx_dfp_engine_cache = {
    ngx_string("cache"),
    1,                                      /* caches */
    0,                                      /* looks */
    0,                                      /* dry */
    0,                                      /* resolves */
    0,                                      /* dragonfly */
    ngx_dfp_engine_warm_start,
    ngx_dfp_engine_warm_check,
    NULL,
    ngx_dfp_engine_warm_progress,
    ngx_dfp_engine_cache_results,
    &ngx_dfp_engine_look,
    &ngx_dfp_engine_dry,
    &ngx_dfp_engine_keep
};


static void
ngx_dfp_engine_cache_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        if (!task[i]->skipped) {
            ngx_dfp_results_task(results, task[i]);
        }
    }
}
