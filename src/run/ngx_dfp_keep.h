/*
 * Jobs with keep_until: one worker of this nginx has looks at them started when they
 * are due. Each is a run (ngx_dfp_engine_keep.c), claimed as a part of a job is.
 */

#ifndef NGX_DFP_KEEP_H
#define NGX_DFP_KEEP_H


#include "ngx_dfp_store.h"


#define NGX_DFP_KEEP_BUSY  1000    /* ms until more are started, while some are
                                      under way */


typedef struct {
    ngx_dfp_main_conf_t  *conf;
    ngx_dfp_store_t      *store;
    ngx_log_t            *log;
    ngx_event_t           timer;
    ngx_dfp_op_t          op;
    ngx_dfp_keeping_t     kept;       /* set by the reply */
} ngx_dfp_keep_t;


/* Starts the looks that are due, and goes on with it. KEEP is zeroed, and lives until
 * it is stopped. */
void ngx_dfp_keep_start(ngx_dfp_keep_t *keep, ngx_dfp_main_conf_t *conf,
    ngx_log_t *log);

/* Starts no more looks. Safe when it was not started, or is stopped. */
void ngx_dfp_keep_stop(ngx_dfp_keep_t *keep);


#endif /* NGX_DFP_KEEP_H */
