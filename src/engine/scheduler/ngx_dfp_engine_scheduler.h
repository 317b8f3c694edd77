/*
 * The engine "scheduler" and its parts: engine_scheduler.c finds out who a job is
 * about and gives out the work, engine_scheduler_order.c has one URL preheated
 * and asks until it is where it should be.
 */

#ifndef NGX_DFP_ENGINE_SCHEDULER_H
#define NGX_DFP_ENGINE_SCHEDULER_H


#include "ngx_dfp_dragonfly.h"

#include "dfp_held.h"


/* The DATA of a run. */
typedef struct {
    ngx_dfp_run_t   *run;
    ngx_dfp_hosts_t  hosts;
    dfp_d7y_host_t  *host;        /* those it may be about */
    size_t           n;
    ngx_uint_t       needed;      /* of these */
    dfp_d7y_host_t  *unusable;    /* listed without an address,
                                     or a port */
    size_t           nunusable;
    dfp_job_t        job;         /* as the scheduler is told */
    dfp_mem_t        mem;
    ngx_dfp_list_t   success;
    ngx_uint_t       busy;        /* orders under way */
} ngx_dfp_orders_t;


/* The DATA of a task. */
typedef struct {
    ngx_dfp_orders_t  *orders;
    ngx_dfp_task_t    *task;
    ngx_dfp_ask_t      ask;
    ngx_pool_t        *pool;        /* of what is sent */
    dfp_str_t          preheat;
    dfp_str_t          stat;
    ngx_pool_t        *told;        /* pool of the last reply */
    dfp_held_t        *reply;
    ngx_event_t        again;
    ngx_msec_t         pause;       /* before that */
    ngx_msec_t         sent;        /* the preheat */
    ngx_uint_t         serial;      /* of the Authorization */
    ngx_uint_t         errors;      /* one after the other */
    ngx_uint_t         held;        /* pairs of layer and peer */
    ngx_uint_t         wanted;
    unsigned           probed:1;    /* its credentials are known */
    unsigned           busy:1;
} ngx_dfp_order_t;


extern ngx_dfp_engine_t  ngx_dfp_engine_scheduler;


/* The order of a task; NULL: no memory. */
ngx_dfp_order_t *ngx_dfp_order_get(ngx_dfp_task_t *task);

/* Sends it to the scheduler; the task has left the queue. */
void ngx_dfp_order_start(ngx_dfp_order_t *order);

/* Ends what is under way. */
void ngx_dfp_order_stop(ngx_dfp_order_t *order);


#endif /* NGX_DFP_ENGINE_SCHEDULER_H */
