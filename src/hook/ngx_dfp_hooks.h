/*
 * The webhooks that one worker of each nginx delivers.
 */

#ifndef NGX_DFP_HOOKS_H
#define NGX_DFP_HOOKS_H


#include "ngx_dfp_store_hooks.h"


#define NGX_DFP_HOOKS_AT_ONCE  16     /* tries of this nginx, and ... */
#define NGX_DFP_HOOKS_ORIGIN   4      /* ... those of one origin, which may hang */
#define NGX_DFP_HOOKS_LATE     100    /* ms after a webhook is due */


/* All functions are safe if it was not started, or if it is zeroed. */
typedef struct {
    ngx_dfp_main_conf_t  *conf;
    ngx_dfp_store_t      *store;
    ngx_log_t            *log;

    ngx_event_t           timer;
    ngx_dfp_op_t          op;
    ngx_dfp_hook_look_t   found;     /* set by the reply of a look */
    ngx_uint_t            skip;      /* webhooks that are due, but cannot be tried
                                        here now */
    ngx_queue_t           tries;
    ngx_uint_t            ntries;

    unsigned              started:1;
    unsigned              again:1;   /* look once more */
    unsigned              quit:1;
} ngx_dfp_hooks_t;


/* Starts to look for webhooks that are due. HOOKS is zeroed, and must live until
 * ngx_dfp_hooks_done(). */
void ngx_dfp_hooks_start(ngx_dfp_hooks_t *hooks, ngx_dfp_main_conf_t *conf,
    ngx_log_t *log);

/* A webhook may be due. */
void ngx_dfp_hooks_wake(ngx_dfp_hooks_t *hooks);

/* The worker quits: no further try is started. */
void ngx_dfp_hooks_quit(ngx_dfp_hooks_t *hooks);

/* The worker ends at once. */
void ngx_dfp_hooks_done(ngx_dfp_hooks_t *hooks);


#endif /* NGX_DFP_HOOKS_H */
