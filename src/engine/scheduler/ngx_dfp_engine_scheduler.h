/*
 * The engine "scheduler": engine_scheduler.c lists the hosts, chooses those
 * that a job is about, and starts the orders; engine_scheduler_origin.c asks
 * the origin of a task; engine_scheduler_order.c has a scheduler preheat one
 * task and asks it until the peers have it; engine_scheduler_told.c tells
 * which peers have it.
 */

#ifndef NGX_DFP_ENGINE_SCHEDULER_H
#define NGX_DFP_ENGINE_SCHEDULER_H


#include "ngx_dfp_dragonfly.h"

#include "dfp_held.h"


/* The DATA of a run. */
typedef struct {
    ngx_dfp_run_t   *run;
    ngx_dfp_hosts_t  hosts;
    dfp_d7y_host_t  *host;        /* that the job may be about */
    size_t           n;
    ngx_uint_t       needed;      /* of them for each layer */
    dfp_d7y_host_t  *unusable;    /* listed without an address, or
                                     without a port */
    size_t           nunusable;
    dfp_job_t        job;         /* as the scheduler is told */
    dfp_mem_t        mem;         /* of the run's pool */
    ngx_dfp_list_t   success;
    ngx_dfp_list_t   failure;     /* of failed orders */
    ngx_uint_t       busy;        /* active orders */
} ngx_dfp_orders_t;


/* The DATA of a task. */
typedef struct {
    ngx_dfp_orders_t  *orders;
    ngx_dfp_task_t    *task;
    ngx_dfp_ask_t      ask;
    ngx_pool_t        *pool;        /* of the messages; NULL: none */
    dfp_str_t          preheat;
    dfp_str_t          stat;
    ngx_pool_t        *told;        /* of the reply that comes in;
                                       NULL: none */
    dfp_held_t        *reply;
    ngx_pool_t        *last;        /* of the last complete one */
    dfp_held_t        *known;
    ngx_event_t        again;
    ngx_msec_t         pause;       /* until the next stat */
    ngx_msec_t         sent;        /* when the preheat was sent; 0:
                                       it was not */
    ngx_uint_t         serial;      /* of the Authorization sent */
    ngx_uint_t         errors;      /* of stats, in a row */
    ngx_uint_t         held;        /* pairs of layer and peer */
    ngx_uint_t         wanted;      /* such pairs */
    ngx_msec_t         asked;       /* when the origin was, or HELD has
                                       changed */
    ngx_msec_t         patience;    /* until the origin is asked again */
    ngx_str_t          origin;      /* what is wrong with it since it was
                                       asked first; "": nothing */
    unsigned           probed:1;    /* the origin was asked */
    unsigned           accepted:1;  /* and has it, or leads to it */
    unsigned           listed:1;    /* it has failed, and is in the lists */
    unsigned           busy:1;      /* active */
} ngx_dfp_order_t;


extern ngx_dfp_engine_t  ngx_dfp_engine_scheduler;


/* Returns the order of a task, in the run's pool. NULL: no memory. */
ngx_dfp_order_t *ngx_dfp_order_get(ngx_dfp_task_t *task);

/* Sends it to a scheduler; the task must have left the queue. It ends in
 * ngx_dfp_task_done() or _failed(), or the task is queued again. */
void ngx_dfp_order_start(ngx_dfp_order_t *order);

/* Takes the origin's answer to a call. */
void ngx_dfp_order_probed(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* Whether the origin is to be asked again. */
ngx_uint_t ngx_dfp_order_silent(ngx_dfp_order_t *order);

/* Adds each peer that has a layer to SUCCESS, by the last complete reply, and
 * with FAILURE each other one to that, with the reason of the task. NGX_DECLINED:
 * there is no such reply. */
ngx_int_t ngx_dfp_order_tell(ngx_dfp_order_t *order, ngx_dfp_list_t *success,
    ngx_dfp_list_t *failure);

/* The calls of an order have ended: another one may start. */
void ngx_dfp_order_ended(ngx_dfp_order_t *order);

/* Ends its calls and timers; safe at any time. */
void ngx_dfp_order_stop(ngx_dfp_order_t *order);

/* Destroys *POOL, if there is one. */
void ngx_dfp_order_forget(ngx_pool_t **pool);


#endif /* NGX_DFP_ENGINE_SCHEDULER_H */
