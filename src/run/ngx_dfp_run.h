/*
 * One run: an attempt of this worker at one part, from what was claimed to the
 * report of its end.
 */

#ifndef NGX_DFP_RUN_H
#define NGX_DFP_RUN_H


#include "ngx_dfp_engine.h"


/* Begins the run that was claimed into RUN (claim, conf, pool, log set), with
 * OVER called at its very end, after which it may be destroyed. */
void ngx_dfp_run_start(ngx_dfp_run_t *run, ngx_dfp_store_t *store,
    ngx_dfp_run_pt over);

/* Goes on to the next stage when this one has ended; safe at any time. QUIT:
 * the worker is to go, so the run is handed back as soon as its calls have
 * ended. */
void ngx_dfp_run_advance(ngx_dfp_run_t *run, ngx_uint_t quit);

/* The worker ends at once: hands the part back, without waiting for an answer,
 * and stops. */
void ngx_dfp_run_leave(ngx_dfp_run_t *run);

/* Ends everything of the run that may call back. */
void ngx_dfp_run_stop(ngx_dfp_run_t *run);

/* As JSON: the counts of tasks and bytes, in MEM, and the results so far, in the
 * run's pool. "": no memory, or (of results) there is nothing to tell. */
ngx_str_t ngx_dfp_run_progress(ngx_dfp_run_t *run, dfp_mem_t *mem);
ngx_str_t ngx_dfp_run_results(ngx_dfp_run_t *run);


#endif /* NGX_DFP_RUN_H */
