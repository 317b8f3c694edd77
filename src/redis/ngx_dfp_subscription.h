/*
 * The subscription of one worker: hints that a part waits in a queue. Nothing
 * depends on them but how soon the part is run. A connection that died without
 * a word is found by subscribing again from time to time, which Redis answers.
 */

#ifndef NGX_DFP_SUBSCRIPTION_H
#define NGX_DFP_SUBSCRIPTION_H


#include "ngx_dfp_setup.h"


typedef struct ngx_dfp_subscription_s
                                             ngx_dfp_subscription_t;

typedef void (*ngx_dfp_subscription_pt)(void *data);

struct ngx_dfp_subscription_s {
    ngx_dfp_main_conf_t     *conf;
    ngx_log_t               *log;
    void                    *data;

    /* a part waits in this instance's queue, or one may have done so unheard */
    ngx_dfp_subscription_pt  hint;

    /* nginx has told the worker to quit */
    ngx_dfp_subscription_pt  quit;

    ngx_dfp_conn_t           conn;
    ngx_event_t              probe;
    unsigned                 asked:1;   /* no answer yet */
};


/* conf, log, data and the handlers are set by the caller. */
void ngx_dfp_subscription_open(ngx_dfp_subscription_t *sub);

/* No handler is called any more. */
void ngx_dfp_subscription_close(ngx_dfp_subscription_t *sub);


#endif /* NGX_DFP_SUBSCRIPTION_H */
