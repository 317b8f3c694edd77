/*
 * The background work of one worker process: claims parts, drives their runs
 * from claim to report, renews their leases, hands them back on quit.
 */

#ifndef NGX_HTTP_DFPREHEAT_RUNNER_H
#define NGX_HTTP_DFPREHEAT_RUNNER_H


#include "ngx_http_dfpreheat_engine.h"


/* For init_process and exit_process of a worker. */
ngx_int_t ngx_http_dfpreheat_runner_init(ngx_http_dfpreheat_main_conf_t *conf,
    ngx_cycle_t *cycle);
void ngx_http_dfpreheat_runner_done(void);

/* The store of this worker; NULL where dfpreheat is not in use. */
ngx_http_dfpreheat_store_t *ngx_http_dfpreheat_runner_store(void);


#endif /* NGX_HTTP_DFPREHEAT_RUNNER_H */
