/*
 * Parsers of replies about tokens; see ngx_dfp_reply.h.
 */

#ifndef NGX_DFP_REPLY_TOKENS_H
#define NGX_DFP_REPLY_TOKENS_H


#include "ngx_dfp_reply.h"
#include "ngx_dfp_store_tokens.h"


/* Of token_create: id and created of a stored_token_t. NGX_DECLINED: the name
 * is taken. */
ngx_int_t ngx_dfp_reply_new_token(ngx_dfp_op_t *op, redisReply *reply);

/* Of token_find: a stored_token_t, but what is to be shown. NGX_DECLINED: there
 * is no such token. */
ngx_int_t ngx_dfp_reply_token(ngx_dfp_op_t *op, redisReply *reply);

/* Of token_change: a whole stored_token_t. NGX_DECLINED: there is none. */
ngx_int_t ngx_dfp_reply_shown_token(ngx_dfp_op_t *op, redisReply *reply);

/* Of token_list: a token_list_t. NGX_DECLINED: the script must be repeated. */
ngx_int_t ngx_dfp_reply_token_list(ngx_dfp_op_t *op, redisReply *reply);


#endif /* NGX_DFP_REPLY_TOKENS_H */
