#include "ngx_dfp_run.h"


#define NGX_DFP_TROUBLE_POOL  4096


void
ngx_dfp_run_fail(ngx_dfp_run_t *run, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    static u_char  none[] = "no memory";

    run->stage.call = NULL;

    p = ngx_pnalloc(run->pool, NGX_DFP_REASON_MAX);

    if (p == NULL) {
        run->error.data = none;
        run->error.len = sizeof(none) - 1;
        return;
    }

    run->error.data = p;

    va_start(args, fmt);
    p = ngx_vslprintf(p, p + NGX_DFP_REASON_MAX, fmt, args);
    va_end(args);

    run->error.len = p - run->error.data;
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
ngx_dfp_run_pause(ngx_uint_t tries, ngx_msec_t base, ngx_msec_t max)
{
    ngx_msec_t  pause;

    pause = base << ngx_min(tries, 8);
    pause = ngx_min(pause, max);

    return pause / 2 + (ngx_msec_t) ngx_random() % pause;
}
