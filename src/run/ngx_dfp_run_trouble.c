#include "ngx_dfp_task.h"


#define NGX_DFP_TROUBLE_POOL  4096


void
ngx_dfp_run_fail(ngx_dfp_run_t *run, const char *fmt, ...)
{
    va_list  args;

    run->stage.call = NULL;

    va_start(args, fmt);
    run->error = ngx_dfp_run_text(run, fmt, args);
    va_end(args);

    if (run->error.data == NULL) {
        ngx_str_set(&run->error, "no memory");
    }
}


ngx_str_t
ngx_dfp_run_text(ngx_dfp_run_t *run, const char *fmt, va_list args)
{
    u_char     *last;
    ngx_str_t   text;

    ngx_str_null(&text);

    text.data = ngx_pnalloc(run->pool, NGX_DFP_REASON_MAX);

    if (text.data) {
        last = ngx_vslprintf(text.data, text.data + NGX_DFP_REASON_MAX, fmt,
                             args);
        text.len = last - text.data;
    }

    return text;
}


void
ngx_dfp_run_trouble(ngx_dfp_run_t *run, ngx_array_t *secrets, ngx_str_t *who,
    ngx_str_t *text)
{
    u_char      *p, *last;
    ngx_str_t    masked;
    ngx_pool_t  *pool;

    p = run->trouble.data;

    if (p == NULL) {
        p = ngx_pnalloc(run->pool, NGX_DFP_REASON_MAX);
        if (p == NULL) {
            return;
        }

        run->trouble.data = p;
    }

    /* the run's pool would grow: this may go on for an hour */

    pool = ngx_create_pool(NGX_DFP_TROUBLE_POOL, &run->log);
    if (pool == NULL) {
        return;
    }

    masked = ngx_dfp_secrets_mask(secrets ? secrets : &run->secrets,
                                  pool, *text);

    last = p + NGX_DFP_REASON_MAX;
    run->trouble.len = ngx_slprintf(p, last, "%V: %V", who, &masked) - p;

    ngx_destroy_pool(pool);

    ngx_log_error(NGX_LOG_WARN, &run->log, 0, "dfpreheat: %V", &run->trouble);
}


ngx_msec_t
ngx_dfp_run_left(ngx_dfp_run_t *run)
{
    ngx_msec_int_t  left;

    left = run->started + run->claim.left - ngx_current_msec;

    return ngx_max(left, 1);
}


ngx_msec_t
ngx_dfp_run_patience(ngx_dfp_run_t *run)
{
    ngx_msec_t  most;

    most = run->conf->task_timeout;

    return run->job.action == DFP_JOB_KEEP
           ? ngx_min(most, ngx_dfp_run_left(run) / 2 + 1) : most;
}


/* Clients show this line only, so it contains the first failure. */

void
ngx_dfp_run_fail_tasks(ngx_dfp_run_t *run)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; !task[i]->failed; i++) { /* void */ }

    ngx_dfp_run_fail(run, "%ui of %ui tasks failed; %V: %V",
                     run->nfailed, run->tasks.nelts,
                     &task[i]->shown, &task[i]->reason);
}
