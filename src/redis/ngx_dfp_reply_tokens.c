#include "ngx_dfp_reply_tokens.h"


ngx_int_t
ngx_dfp_reply_new_token(ngx_dfp_op_t *op, redisReply *reply)
{
    ngx_dfp_stored_token_t  *token = op->out;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0) {
        return NGX_DECLINED;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || ngx_dfp_reply_number(op, reply->element[0], &token->id)
           != NGX_OK
        || ngx_dfp_reply_number(op, reply->element[1], &token->created)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_reply_token(ngx_dfp_op_t *op, redisReply *reply)
{
    int64_t                   scopes;
    redisReply              **e;
    ngx_dfp_stored_token_t  *token = op->out;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0) {
        return NGX_DECLINED;
    }

    e = reply->element;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 6
        || ngx_dfp_reply_number(op, e[0], &token->id) != NGX_OK
        || ngx_dfp_reply_number(op, e[1], &scopes) != NGX_OK
        || e[2]->type != REDIS_REPLY_STRING
        || ngx_dfp_reply_number(op, e[3], &token->expired_at) != NGX_OK
        || ngx_dfp_reply_number(op, e[4], &token->user_id) != NGX_OK
        || ngx_dfp_reply_number(op, e[5], &token->now) != NGX_OK)
    {
        return NGX_ERROR;
    }

    token->scopes = scopes;
    token->active = (ngx_strcmp(e[2]->str, "active") == 0);

    return NGX_OK;
}
