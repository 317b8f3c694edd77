#include "ngx_dfp_reply.h"


#define NGX_DFP_REPLY_KNOWN  11    /* elements of a member that is listed */


static ngx_int_t ngx_dfp_reply_known(ngx_dfp_op_t *op, redisReply *reply,
    ngx_dfp_stored_member_t *member);


ngx_int_t
ngx_dfp_reply_members(ngx_dfp_op_t *op, redisReply *reply)
{
    size_t                     i;
    ngx_dfp_stored_members_t  *members = op->out;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    members->n = reply->elements;
    members->members = ngx_pcalloc(op->pool,
                                   (members->n + 1)
                                   * sizeof(ngx_dfp_stored_member_t));
    if (members->members == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < reply->elements; i++) {
        if (ngx_dfp_reply_known(op, reply->element[i], &members->members[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_reply_known(ngx_dfp_op_t *op, redisReply *reply,
    ngx_dfp_stored_member_t *member)
{
    redisReply  **e;

    e = reply->element;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements != NGX_DFP_REPLY_KNOWN
        || ngx_dfp_reply_text(op, e[0], &member->id) != NGX_OK
        || ngx_dfp_reply_text(op, e[1], &member->name) != NGX_OK
        || ngx_dfp_reply_text(op, e[2], &member->address) != NGX_OK
        || ngx_dfp_reply_text(op, e[3], &member->clusters) != NGX_OK
        || ngx_dfp_reply_text(op, e[4], &member->definitions) != NGX_OK
        || ngx_dfp_reply_number(op, e[5], &member->running) != NGX_OK
        || ngx_dfp_reply_number(op, e[6], &member->since) != NGX_OK
        || ngx_dfp_reply_number(op, e[7], &member->seen) != NGX_OK
        || ngx_dfp_reply_number(op, e[8], &member->parts_waiting) != NGX_OK
        || ngx_dfp_reply_number(op, e[9], &member->parts_running) != NGX_OK
        || ngx_dfp_reply_number(op, e[10], &member->oldest) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
