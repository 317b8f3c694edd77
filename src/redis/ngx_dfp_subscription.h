/*
 * The subscription of a worker: messages that a part has been queued, that a
 * webhook is due, that a job was deleted, that a job has ended for which a
 * request waits (ngx_dfp_follow.h), and what has happened to jobs while somebody
 * listens to all of them (ngx_dfp_listen.h). A lost message only delays the part, the
 * webhook or the request until the next look, and the end of a run until its next
 * report. A connection that died unnoticed is found by subscribing again from time
 * to time, which Redis answers.
 */

#ifndef NGX_DFP_SUBSCRIPTION_H
#define NGX_DFP_SUBSCRIPTION_H


#include "ngx_dfp_setup.h"


typedef struct ngx_dfp_subscription_s  ngx_dfp_subscription_t;

typedef void (*ngx_dfp_subscription_pt)(void *data);

struct ngx_dfp_subscription_s {

    /* set by the owner, the rest zeroed */

    ngx_dfp_main_conf_t     *conf;
    ngx_log_t               *log;
    void                    *data;

    /* a part has been queued for this nginx, or may have been while there was
       no connection */
    ngx_dfp_subscription_pt  on_wake;

    /* the job with this UUID was deleted */
    void                   (*on_cancel)(void *data, u_char *uuid);

    /* a webhook is due */
    ngx_dfp_subscription_pt  on_hooks;

    /* nginx has told the worker to quit */
    ngx_dfp_subscription_pt  on_quit;

    /* private */

    ngx_dfp_conn_t           conn;
    ngx_event_t              probe;
    unsigned                 asked:1;   /* SUBSCRIBE has no reply yet */
    unsigned                 up:1;      /* messages can come */
};


/* Connects and subscribes. SUB must live until it is closed. */
void ngx_dfp_subscription_open(ngx_dfp_subscription_t *sub);

/* Closes the connection; no handler is called any more. */
void ngx_dfp_subscription_close(ngx_dfp_subscription_t *sub);


#endif /* NGX_DFP_SUBSCRIPTION_H */
