#include "ngx_dfp_store_args.h"
#include "ngx_dfp_store_hooks.h"


ngx_int_t
ngx_dfp_store_hook_look(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_uint_t skip, ngx_dfp_hook_look_t *look)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, skip);
    ngx_dfp_store_arg_number(&args, NGX_DFP_HOOKS_MAX);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_HOOK_LOOK, &args,
                                look);
}


ngx_int_t
ngx_dfp_store_hook_claim(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_due_t *due, ngx_msec_t lease, ngx_str_t *sealed)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, due->id);
    ngx_dfp_store_arg(&args, &due->uuid);
    ngx_dfp_store_arg_number(&args, due->tries);
    ngx_dfp_store_arg_number(&args, lease);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_HOOK_CLAIM, &args,
                                sealed);
}


ngx_int_t
ngx_dfp_store_hook_end(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_due_t *due, ngx_dfp_hook_outcome_e outcome, ngx_msec_t pause,
    ngx_str_t *error, ngx_uint_t *given_up)
{
    ngx_dfp_store_args_t  args;

    /* in the order of ngx_dfp_hook_outcome_e */

    static ngx_str_t  outcomes[] = {
        ngx_string("delivered"),
        ngx_string("failed"),
        ngx_string("returned")
    };

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, due->id);
    ngx_dfp_store_arg(&args, &due->uuid);
    ngx_dfp_store_arg_number(&args, due->tries);
    ngx_dfp_store_arg(&args, &outcomes[outcome]);
    ngx_dfp_store_arg_number(&args, pause);
    ngx_dfp_store_arg(&args, error);

    op->out = given_up;

    return ngx_dfp_store_start(store, op, NGX_DFP_STORE_HOOK_END, args.argv,
                               args.n, NGX_DFP_FINISH_WAIT);
}
