#include "ngx_dfp_store_args.h"


ngx_int_t
ngx_dfp_store_token_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, dfp_token_t *request, ngx_dfp_stored_token_t *token)
{
    ngx_str_t       name, bio;
    ngx_dfp_store_args_t  args;

    name = ngx_dfp_str(request->name);
    bio = ngx_dfp_str(request->bio);

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, hash);
    ngx_dfp_store_arg(&args, &name);
    ngx_dfp_store_arg(&args, &bio);
    ngx_dfp_store_arg_number(&args, request->scopes);
    ngx_dfp_store_arg_number(&args, request->expired_at);
    ngx_dfp_store_arg_number(&args, request->user_id);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_TOKEN_CREATE, &args,
                                token);
}


ngx_int_t
ngx_dfp_store_token_find(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, ngx_dfp_stored_token_t *token)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, hash);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_TOKEN_FIND, &args,
                                token);
}
