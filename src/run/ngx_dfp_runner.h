/*
 * The background work of one worker process: claims parts, drives their runs
 * from claim to report, renews their leases, hands them back on quit.
 */

#ifndef NGX_DFP_RUNNER_H
#define NGX_DFP_RUNNER_H


#include "ngx_dfp_store.h"


/* For init_process and exit_process of a worker. */
ngx_int_t ngx_dfp_runner_init(ngx_dfp_main_conf_t *conf, ngx_cycle_t *cycle);
void ngx_dfp_runner_done(void);

/* The store of this worker; NULL where dfpreheat is not in use. */
ngx_dfp_store_t *ngx_dfp_runner_store(void);


#endif /* NGX_DFP_RUNNER_H */
