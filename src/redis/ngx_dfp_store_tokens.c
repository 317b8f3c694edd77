#include "ngx_dfp_store_tokens.h"
#include "ngx_dfp_store_args.h"


static void ngx_dfp_store_token_field(ngx_dfp_store_args_t *args,
    const char *name);


static ngx_str_t  ngx_dfp_store_token_states[] = {
    ngx_string(""),
    ngx_string("active"),
    ngx_string("inactive")
};


ngx_int_t
ngx_dfp_store_token_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, dfp_token_t *request, ngx_dfp_stored_token_t *token)
{
    ngx_str_t             name, bio;
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


ngx_int_t
ngx_dfp_store_token_list(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_token_list_t *list)
{
    ngx_str_t             any;
    ngx_dfp_store_args_t  args;

    ngx_str_null(&any);

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, list->before);
    ngx_dfp_store_arg_number(&args, list->size);
    ngx_dfp_store_arg(&args, &ngx_dfp_store_token_states[list->state]);

    if (list->user_id) {
        ngx_dfp_store_arg_number(&args, list->user_id);

    } else {
        ngx_dfp_store_arg(&args, &any);
    }

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_TOKEN_LIST, &args,
                                list);
}


ngx_int_t
ngx_dfp_store_token_change(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    dfp_token_change_t *change, ngx_dfp_stored_token_t *token)
{
    ngx_str_t             bio;
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, token->id);

    if (change && change->bio_given) {
        bio = ngx_dfp_str(change->bio);
        ngx_dfp_store_token_field(&args, "bio");
        ngx_dfp_store_arg(&args, &bio);
    }

    if (change && change->scopes) {
        ngx_dfp_store_token_field(&args, "scopes");
        ngx_dfp_store_arg_number(&args, change->scopes);
    }

    if (change && change->state) {
        ngx_dfp_store_token_field(&args, "state");
        ngx_dfp_store_arg(&args, &ngx_dfp_store_token_states[change->state]);
    }

    if (change && change->expiry_given) {
        ngx_dfp_store_token_field(&args, "expired_at");
        ngx_dfp_store_arg_number(&args, change->expired_at);
    }

    if (change && change->user_id) {
        ngx_dfp_store_token_field(&args, "user_id");
        ngx_dfp_store_arg_number(&args, change->user_id);
    }

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_TOKEN_CHANGE, &args,
                                token);
}


static void
ngx_dfp_store_token_field(ngx_dfp_store_args_t *args, const char *name)
{
    ngx_str_t  text;

    text.data = (u_char *) name;
    text.len = ngx_strlen(name);

    ngx_dfp_store_arg(args, &text);
}


ngx_int_t
ngx_dfp_store_token_delete(ngx_dfp_store_t *store, ngx_dfp_op_t *op, int64_t id,
    ngx_str_t *uuid)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, id);
    ngx_dfp_store_arg(&args, uuid);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_TOKEN_DELETE, &args,
                                NULL);
}
