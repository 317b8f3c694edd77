/*
 * Between the files of the store: how an operation is sent. ngx_dfp_store.c has
 * the connection and the kinds of operations; ngx_dfp_store_jobs.c,
 * ngx_dfp_store_runs.c, ngx_dfp_store_hooks.c and ngx_dfp_store_tokens.c have
 * the operations.
 */

#ifndef NGX_DFP_STORE_ARGS_H
#define NGX_DFP_STORE_ARGS_H


#include "ngx_dfp_store.h"


#define NGX_DFP_ARGS_MAX  32     /* of a script, without clusters */


typedef struct {
    ngx_str_t   argv[NGX_DFP_ARGS_MAX];
    u_char      numbers[NGX_DFP_ARGS_MAX][NGX_INT64_LEN];
    ngx_uint_t  n;
} ngx_dfp_store_args_t;


/* The first argument is the prefix; scripts of a run have their CLAIM next.
 * NULL: there is none. */
void ngx_dfp_store_args_init(ngx_dfp_store_args_t *args, ngx_dfp_store_t *store,
    ngx_dfp_claim_t *claim);

/* Adds an argument. TEXT must live until the script is sent. */
void ngx_dfp_store_arg(ngx_dfp_store_args_t *args, ngx_str_t *text);
void ngx_dfp_store_arg_number(ngx_dfp_store_args_t *args, int64_t number);

/* Sends a command, or a script with ARGV, for OP. TIMEOUT in ms, unless OP has a
 * deadline. NGX_ERROR: as the operations of the store. */
ngx_int_t ngx_dfp_store_start(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_str_t *argv, ngx_uint_t argc,
    ngx_msec_t timeout);

/* Likewise a script with ARGS and the usual timeout; OUT is what its reply is
 * parsed into. */
ngx_int_t ngx_dfp_store_script(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_dfp_store_args_t *args, void *out);


#endif /* NGX_DFP_STORE_ARGS_H */
