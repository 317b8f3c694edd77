#include "ngx_dfp_engine.h"


static time_t ngx_dfp_task_posted(ngx_dfp_run_t *run);


void
ngx_dfp_task_fresh(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    ngx_dfp_run_t  *run;

    run = task->run;

    /* only the registry knows what else refers to an image by now */

    if (call->listed) {
        call->refresh = !call->offline;
        return;
    }

    /* what is in the cache is what is asked for */

    if (run->engine->looks && !run->engine->dry) {
        call->refresh = task->refresh;
        return;
    }

    /* what clients would get is enough: nginx revalidates what has expired */

    if (run->job.action == DFP_JOB_KEEP) {
        call->refresh = task->refresh;
        return;
    }

    /* only the registry knows the manifest of a tag, and who may have it */

    call->refresh = (task->document && task->digest.len == 0)
                    || call->mode == NGX_DFP_CALL_PROBE
                    || run->engine->resolves || run->engine->dry
                    || task->refresh
                    || run->job.refresh;

    /* the blobs of an image are named by their digest; a file may change */

    if (call->store && !call->refresh && task->image == NULL) {
        call->since = ngx_dfp_task_posted(run);
    }
}


/*
 * When the job was posted, by the clock of this machine. An entry of that very
 * second may be older than the job: it is fetched again, but not by a later
 * run of the job, which finds what the first one has stored.
 */

static time_t
ngx_dfp_task_posted(ngx_dfp_run_t *run)
{
    time_t     posted;
    int64_t    ago;
    ngx_int_t  number;

    ago = run->job.timeout / 1000000 - (int64_t) run->claim.left
          + (int64_t) (ngx_current_msec - run->started);

    posted = ngx_time() - (time_t) (ngx_max(ago, 0) / 1000);
    number = ngx_atoi(run->claim.run.data, run->claim.run.len);

    return (number > 1) ? posted - 2 : posted + 1;
}
