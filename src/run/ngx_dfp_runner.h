/*
 * The background work of one worker process: it claims parts, lets each run
 * make its calls in turn, and returns the parts to the queue when it quits.
 */

#ifndef NGX_DFP_RUNNER_H
#define NGX_DFP_RUNNER_H


#include "ngx_dfp_store.h"


#define NGX_DFP_STARTS  16     /* calls started in one turn of the
                                  event loop, for clients' sake */


/* Starts the runner of a worker, in init_process. NGX_ERROR: no memory, or the
 * store cannot be initialized; it is logged. */
ngx_int_t ngx_dfp_runner_init(ngx_dfp_main_conf_t *conf, ngx_cycle_t *cycle);

/* Ends all runs at once, in exit_process. */
void ngx_dfp_runner_done(void);


#endif /* NGX_DFP_RUNNER_H */
