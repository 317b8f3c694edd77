/*
 * How an operation of the store sends its script. Only files that define
 * operations include this.
 */

#ifndef NGX_DFP_STORE_SCRIPT_H
#define NGX_DFP_STORE_SCRIPT_H


#include "ngx_dfp_store.h"


#define NGX_DFP_ARGS_MAX  24     /* of a script, without clusters */


/* The arguments of a script, and the text of those that are numbers. */
typedef struct {
    ngx_str_t   argv[NGX_DFP_ARGS_MAX];
    u_char      numbers[NGX_DFP_ARGS_MAX][NGX_INT64_LEN];
    ngx_uint_t  n;
} ngx_dfp_store_args_t;


/* The first argument is the prefix; scripts of a run have their CLAIM next,
 * which is NULL for others. */
void ngx_dfp_store_args_init(ngx_dfp_store_args_t *args, ngx_dfp_store_t *store,
    ngx_dfp_claim_t *claim);

/* Adds an argument. TEXT must live until the script has been sent. */
void ngx_dfp_store_arg(ngx_dfp_store_args_t *args, ngx_str_t *text);
void ngx_dfp_store_arg_number(ngx_dfp_store_args_t *args, int64_t number);

/* Sends the script KIND with the usual time-out; its reply is parsed into OUT.
 * NGX_ERROR: as of operations. */
ngx_int_t ngx_dfp_store_script(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_dfp_store_args_t *args, void *out);


#endif /* NGX_DFP_STORE_SCRIPT_H */
