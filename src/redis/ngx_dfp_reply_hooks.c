#include "ngx_dfp_reply_hooks.h"


#define NGX_DFP_REPLY_HOOKS     2    /* elements before the first webhook */
#define NGX_DFP_REPLY_DUE       5    /* of one that is due */
#define NGX_DFP_REPLY_GIVEN_UP  4    /* of one that was given up */


static ngx_int_t ngx_dfp_reply_due(ngx_dfp_op_t *op, redisReply **e,
    ngx_dfp_due_t *due);
static ngx_int_t ngx_dfp_reply_given_up(ngx_dfp_op_t *op, redisReply **e,
    ngx_dfp_given_up_t *given_up);


ngx_int_t
ngx_dfp_reply_hook_look(ngx_dfp_op_t *op, redisReply *reply)
{
    int64_t               next, due;
    redisReply          **e, **last;
    ngx_dfp_hook_look_t  *look = op->out;

    look->n = 0;
    look->ngiven_up = 0;
    e = reply->element;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements < NGX_DFP_REPLY_HOOKS
        || ngx_dfp_reply_number(op, e[0], &next) != NGX_OK
        || ngx_dfp_reply_number(op, e[1], &due) != NGX_OK
        || due < 0 || due > NGX_DFP_HOOKS_MAX)
    {
        return NGX_ERROR;
    }

    last = e + reply->elements;
    e += NGX_DFP_REPLY_HOOKS;

    if (last - e < due * NGX_DFP_REPLY_DUE
        || (last - e - due * NGX_DFP_REPLY_DUE) % NGX_DFP_REPLY_GIVEN_UP
        || (last - e - due * NGX_DFP_REPLY_DUE) / NGX_DFP_REPLY_GIVEN_UP
           > NGX_DFP_HOOKS_MAX)
    {
        return NGX_ERROR;
    }

    look->next = next;

    for ( /* void */ ; (int64_t) look->n < due; e += NGX_DFP_REPLY_DUE) {
        if (ngx_dfp_reply_due(op, e, &look->due[look->n]) != NGX_OK) {
            return NGX_ERROR;
        }

        look->n++;
    }

    for ( /* void */ ; e < last; e += NGX_DFP_REPLY_GIVEN_UP) {
        if (ngx_dfp_reply_given_up(op, e, &look->given_up[look->ngiven_up])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        look->ngiven_up++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_reply_due(ngx_dfp_op_t *op, redisReply **e, ngx_dfp_due_t *due)
{
    if (ngx_dfp_reply_number(op, e[0], &due->id) != NGX_OK
        || ngx_dfp_reply_text(op, e[1], &due->uuid) != NGX_OK
        || ngx_dfp_reply_number(op, e[2], &due->tries) != NGX_OK
        || ngx_dfp_reply_text(op, e[3], &due->url) != NGX_OK
        || ngx_dfp_reply_text(op, e[4], &due->key) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_reply_given_up(ngx_dfp_op_t *op, redisReply **e,
    ngx_dfp_given_up_t *given_up)
{
    if (ngx_dfp_reply_number(op, e[0], &given_up->id) != NGX_OK
        || ngx_dfp_reply_number(op, e[1], &given_up->tries) != NGX_OK
        || ngx_dfp_reply_text(op, e[2], &given_up->url) != NGX_OK
        || ngx_dfp_reply_text(op, e[3], &given_up->error) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_reply_hook_claim(ngx_dfp_op_t *op, redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    if (reply->elements == 0) {
        return NGX_DECLINED;
    }

    return ngx_dfp_reply_text(op, reply->element[0], op->out);
}


ngx_int_t
ngx_dfp_reply_hook_end(ngx_dfp_op_t *op, redisReply *reply)
{
    int64_t      n;
    ngx_uint_t  *given_up = op->out;

    if (ngx_dfp_reply_number(op, reply, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    *given_up = (n == 2);

    return n ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_dfp_reply_webhook(ngx_dfp_op_t *op, redisReply *reply, void *out)
{
    u_char                 *p, *last;
    ngx_str_t               text, word[4];
    ngx_uint_t              i;
    ngx_dfp_stored_hook_t  *hook = out;

    if (ngx_dfp_reply_text(op, reply, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    last = text.data + text.len;

    for (i = 0; i < 4; i++) {
        p = ngx_strlchr(text.data, last, ' ');

        if (p == NULL) {
            p = last;
        }

        word[i].data = text.data;
        word[i].len = p - text.data;
        text.data = p + (p < last);
    }

    hook->state = word[0];
    hook->tries = ngx_atoof(word[1].data, word[1].len);
    hook->updated = ngx_atoof(word[2].data, word[2].len);
    hook->url = word[3];
    hook->error.data = text.data;
    hook->error.len = last - text.data;

    return hook->tries < 0 || hook->updated < 0 ? NGX_ERROR : NGX_OK;
}
