/*
 * The rehearsal, args.verify: what was warmed is requested as containerd does
 * it, through a real connection to the front (dfpreheat_verify), and each
 * answer has to come from the cache. A task ends with the first that does not:
 * that request has stored it, so what follows would be a hit.
 */

#ifndef NGX_DFP_VERIFY_H
#define NGX_DFP_VERIFY_H


#include "ngx_dfp_results.h"


#define NGX_DFP_VERIFY_ASKS  2     /* requests of a task */


typedef enum {
    NGX_DFP_VERIFY_HEAD = 0,
    NGX_DFP_VERIFY_GET,
    NGX_DFP_VERIFY_FIRST,        /* byte */
    NGX_DFP_VERIFY_LAST
} ngx_dfp_ask_kind_e;


/* A request and its answer. */
typedef struct {
    ngx_dfp_ask_kind_e  kind;
    ngx_uint_t          status;      /* 0: none */
    ngx_uint_t          cache;       /* NGX_HTTP_CACHE_HIT and so on; 0: none */
    unsigned            known:1;     /* this nginx has answered */
    unsigned            asked:1;
    unsigned            hit:1;       /* it is what a client should get */
} ngx_dfp_ask_t;


/* All memory is of the run's pool. */
struct ngx_dfp_verify_s {
    ngx_dfp_front_t  *front;
    ngx_dfp_ask_t     asks[NGX_DFP_VERIFY_ASKS];
    ngx_uint_t        n;
    ngx_uint_t        next;
};


/* Starts the stage, whose NEXT is set: all tasks that are done are requested.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_verify_start(ngx_dfp_run_t *run);

/* Adds what was found, if there was a rehearsal. */
void ngx_dfp_verify_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results);


#endif /* NGX_DFP_VERIFY_H */
