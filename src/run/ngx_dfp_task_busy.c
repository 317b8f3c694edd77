#include "ngx_dfp_engine.h"


#define NGX_DFP_BUSY_WAIT  500   /* ms */
#define NGX_DFP_STEADY     16    /* answers, after which one call more
                                    may be under way */


/* The call has not reached the origin: tries and time are not used up. */

void
ngx_dfp_task_busy(ngx_dfp_task_t *task)
{
    ngx_str_t       text;
    ngx_dfp_run_t  *run;

    run = task->run;

    /* the width of other engines is for calls to peers */

    if (run->engine->caches) {
        run->width = ngx_max(run->calls, 1);
        run->steady = 0;
    }

    run->held = ngx_current_msec + NGX_DFP_BUSY_WAIT;

    task->deadline = 0;

    ngx_str_set(&text, "its upstream has as many connections as max_conns "
                "allows");
    ngx_dfp_run_trouble(run, NULL, &task->shown, &text);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: task \"%V\": busy, retry in %d ms, "
                   "at most %ui calls", run->claim.id, &task->shown,
                   NGX_DFP_BUSY_WAIT, run->width);

    ngx_dfp_count_retry(NGX_DFP_RETRY_BUSY);

    ngx_add_timer(&task->retry, NGX_DFP_BUSY_WAIT);
}


ngx_uint_t
ngx_dfp_task_held(ngx_dfp_run_t *run)
{
    return (ngx_msec_int_t) (run->held - ngx_current_msec) > 0;
}


void
ngx_dfp_task_steady(ngx_dfp_run_t *run)
{
    run->held = ngx_current_msec;

    if (run->width < (ngx_uint_t) run->job.concurrent_task_count
        && ++run->steady == NGX_DFP_STEADY)
    {
        run->width++;
        run->steady = 0;
    }
}
