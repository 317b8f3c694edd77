/*
 * Parsers of replies about webhooks; see ngx_dfp_reply.h.
 */

#ifndef NGX_DFP_REPLY_HOOKS_H
#define NGX_DFP_REPLY_HOOKS_H


#include "ngx_dfp_reply.h"
#include "ngx_dfp_store_hooks.h"


/* Of hook_look: a hook_look_t. */
ngx_int_t ngx_dfp_reply_hook_look(ngx_dfp_op_t *op, redisReply *reply);

/* Of hook_claim: the webhook, an ngx_str_t. NGX_DECLINED: it is not due any
 * more. */
ngx_int_t ngx_dfp_reply_hook_claim(ngx_dfp_op_t *op, redisReply *reply);

/* Of hook_end: whether the webhook is given up. NGX_DECLINED: the try does not
 * count any more. */
ngx_int_t ngx_dfp_reply_hook_end(ngx_dfp_op_t *op, redisReply *reply);


#endif /* NGX_DFP_REPLY_HOOKS_H */
