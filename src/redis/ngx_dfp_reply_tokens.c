#include "ngx_dfp_reply_tokens.h"


#define NGX_DFP_REPLY_TOKEN       6     /* elements of token_find */
#define NGX_DFP_REPLY_SHOWN       10    /* of a token that is to be shown */
#define NGX_DFP_REPLY_TOKEN_LIST  2     /* before the tokens of a list */


static ngx_int_t ngx_dfp_reply_rights(ngx_dfp_op_t *op,
    ngx_dfp_stored_token_t *token, redisReply **e);
static ngx_int_t ngx_dfp_reply_shown(ngx_dfp_op_t *op,
    ngx_dfp_stored_token_t *token, redisReply **e);


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
    redisReply              **e;
    ngx_dfp_stored_token_t   *token = op->out;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0) {
        return NGX_DECLINED;
    }

    e = reply->element;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements != NGX_DFP_REPLY_TOKEN
        || ngx_dfp_reply_number(op, e[0], &token->id) != NGX_OK
        || ngx_dfp_reply_text(op, e[5], &token->name) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_reply_rights(op, token, e + 1);
}


/* Scopes, state, expired_at and user_id. */

static ngx_int_t
ngx_dfp_reply_rights(ngx_dfp_op_t *op, ngx_dfp_stored_token_t *token,
    redisReply **e)
{
    int64_t  scopes;

    if (ngx_dfp_reply_number(op, e[0], &scopes) != NGX_OK
        || e[1]->type != REDIS_REPLY_STRING
        || ngx_dfp_reply_number(op, e[2], &token->expired_at) != NGX_OK
        || ngx_dfp_reply_number(op, e[3], &token->user_id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    token->scopes = scopes;
    token->active = (ngx_strcmp(e[1]->str, "active") == 0);

    return NGX_OK;
}


ngx_int_t
ngx_dfp_reply_shown_token(ngx_dfp_op_t *op, redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0) {
        return NGX_DECLINED;
    }

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements != NGX_DFP_REPLY_SHOWN)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_reply_shown(op, op->out, reply->element);
}


/* A token that was never changed, or never used, has no time of that. */

static ngx_int_t
ngx_dfp_reply_shown(ngx_dfp_op_t *op, ngx_dfp_stored_token_t *token,
    redisReply **e)
{
    if (ngx_dfp_reply_number(op, e[0], &token->id) != NGX_OK
        || ngx_dfp_reply_text(op, e[1], &token->name) != NGX_OK
        || ngx_dfp_reply_text(op, e[2], &token->bio) != NGX_OK
        || ngx_dfp_reply_rights(op, token, e + 3) != NGX_OK
        || ngx_dfp_reply_number(op, e[7], &token->created) != NGX_OK)
    {
        return NGX_ERROR;
    }

    token->updated = token->created;
    token->used = 0;

    if (e[8]->type != REDIS_REPLY_NIL
        && ngx_dfp_reply_number(op, e[8], &token->updated) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (e[9]->type != REDIS_REPLY_NIL
        && ngx_dfp_reply_number(op, e[9], &token->used) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* The reply is borrowed, so a token is refused only if it is damaged. */

ngx_int_t
ngx_dfp_reply_token_list(ngx_dfp_op_t *op, redisReply *reply)
{
    size_t                  i, n;
    int64_t                 left, id;
    redisReply            **e;
    ngx_dfp_token_list_t   *list = op->out;

    e = reply->element;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements < NGX_DFP_REPLY_TOKEN_LIST
        || (reply->elements - NGX_DFP_REPLY_TOKEN_LIST) % NGX_DFP_REPLY_SHOWN
        || ngx_dfp_reply_number(op, e[0], &left) != NGX_OK
        || ngx_dfp_reply_number(op, e[1], &list->total) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (left > 0) {
        return NGX_DECLINED;
    }

    n = (reply->elements - NGX_DFP_REPLY_TOKEN_LIST) / NGX_DFP_REPLY_SHOWN;
    e += NGX_DFP_REPLY_TOKEN_LIST;

    if ((int64_t) n > list->size) {
        return NGX_ERROR;
    }

    list->n = 0;
    list->tokens = ngx_pcalloc(op->pool,
                               (n + 1) * sizeof(ngx_dfp_stored_token_t));
    if (list->tokens == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++, e += NGX_DFP_REPLY_SHOWN) {

        if (ngx_dfp_reply_shown(op, &list->tokens[list->n], e) == NGX_OK) {
            list->n++;

        } else if (ngx_dfp_reply_number(op, e[0], &id) == NGX_OK) {
            ngx_dfp_reply_left_out(op, "token", id);
        }
    }

    return NGX_OK;
}
