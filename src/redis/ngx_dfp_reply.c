#include "ngx_dfp_reply.h"


#define NGX_DFP_REPLY_CLAIM  12    /* elements of one claim of a look */
#define NGX_DFP_REPLY_BEAT   5     /* the first elements of a heartbeat */
#define NGX_DFP_REPLY_MEMBER 3     /* elements of one member */
#define NGX_DFP_REPLY_LOGGED 64    /* damaged jobs and tokens that are not logged
                                      again */


static ngx_int_t ngx_dfp_reply_claim(ngx_dfp_op_t *op, redisReply **e,
    ngx_dfp_claim_t *claim);
static ngx_int_t ngx_dfp_reply_token_id(ngx_dfp_op_t *op, redisReply *reply,
    int64_t *id);


ngx_int_t
ngx_dfp_reply_one(ngx_dfp_op_t *op, redisReply *reply)
{
    int64_t  one;

    if (ngx_dfp_reply_number(op, reply, &one) != NGX_OK) {
        return NGX_ERROR;
    }

    return one ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_dfp_reply_peers(ngx_dfp_op_t *op, redisReply *reply)
{
    return ngx_dfp_reply_text(op, reply, op->out);
}


/* Each page of a list would log it again. */

void
ngx_dfp_reply_left_out(ngx_dfp_op_t *op, const char *what, int64_t id)
{
    ngx_uint_t  i;

    static struct {
        const char  *what;
        int64_t      id;
    } logged[NGX_DFP_REPLY_LOGGED];

    static ngx_uint_t  next;

    for (i = 0; i < NGX_DFP_REPLY_LOGGED; i++) {
        if (logged[i].what == what && logged[i].id == id) {
            return;
        }
    }

    i = next++ % NGX_DFP_REPLY_LOGGED;
    logged[i].what = what;
    logged[i].id = id;

    ngx_log_error(NGX_LOG_ERR, op->log, 0,
                  "dfpreheat: %s %L is damaged in Redis: lists are without it",
                  what, id);
}


/* The id is not used again, even if Redis loses the job. */

void
ngx_dfp_reply_seen(ngx_dfp_op_t *op, int64_t id)
{
    ngx_atomic_t       *newest;
    ngx_atomic_uint_t   old;

    newest = &op->store->conf->instance.shared->newest;

    do {
        old = *newest;
    } while (old < (ngx_atomic_uint_t) id
             && !ngx_atomic_cmp_set(newest, old, id));
}


ngx_int_t
ngx_dfp_reply_look(ngx_dfp_op_t *op, redisReply *reply)
{
    int64_t          next;
    redisReply     **e, **last;
    ngx_dfp_look_t  *look = op->out;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1
        || (reply->elements - 1) % NGX_DFP_REPLY_CLAIM
        || (reply->elements - 1) / NGX_DFP_REPLY_CLAIM
           > NGX_DFP_CLAIMS_MAX
        || ngx_dfp_reply_number(op, reply->element[0], &next)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    op->store->answered = op->store->looks;
    look->next = next;

    last = reply->element + reply->elements;

    for (e = reply->element + 1; e < last;
         e += NGX_DFP_REPLY_CLAIM)
    {
        if (ngx_dfp_reply_claim(op, e, &look->claims[look->n]) != NGX_OK) {
            return NGX_ERROR;
        }

        look->n++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_reply_claim(ngx_dfp_op_t *op, redisReply **e, ngx_dfp_claim_t *claim)
{
    int64_t         left, configured, parts;
    ngx_str_t       look;
    ngx_dfp_part_t  part;

    if (ngx_dfp_reply_number(op, e[0], &claim->id) != NGX_OK
        || ngx_dfp_reply_text(op, e[1], &claim->part) != NGX_OK
        || ngx_dfp_reply_text(op, e[2], &claim->run) != NGX_OK
        || ngx_dfp_reply_cluster(op, e[3], &part) != NGX_OK
        || ngx_dfp_reply_number(op, e[4], &left) != NGX_OK
        || ngx_dfp_reply_text(op, e[5], &claim->uuid) != NGX_OK
        || ngx_dfp_reply_text(op, e[6], &claim->args) != NGX_OK
        || ngx_dfp_reply_text(op, e[7], &claim->sealed) != NGX_OK
        || ngx_dfp_reply_number(op, e[8], &configured) != NGX_OK
        || ngx_dfp_reply_token_id(op, e[9], &claim->token) != NGX_OK
        || ngx_dfp_reply_number(op, e[10], &parts) != NGX_OK
        || ngx_dfp_reply_text(op, e[11], &look) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_dfp_reply_seen(op, claim->id);

    claim->cluster = part.cluster;
    claim->left = left > 0 ? left : 1;
    claim->configured = (configured == 1);
    claim->parts = parts > 0 ? parts : 1;
    claim->look = (look.len != 0);

    return NGX_OK;
}


ngx_int_t
ngx_dfp_reply_kept(ngx_dfp_op_t *op, redisReply *reply)
{
    ngx_dfp_keeping_t  *kept = op->out;

    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
           && ngx_dfp_reply_number(op, reply->element[0], &kept->next) == NGX_OK
           && ngx_dfp_reply_number(op, reply->element[1], &kept->looks)
              == NGX_OK
           ? NGX_OK : NGX_ERROR;
}


/* Jobs of older releases have no token. */

static ngx_int_t
ngx_dfp_reply_token_id(ngx_dfp_op_t *op, redisReply *reply, int64_t *id)
{
    *id = 0;

    return reply->type == REDIS_REPLY_STRING && reply->len == 0
           ? NGX_OK : ngx_dfp_reply_number(op, reply, id);
}


ngx_int_t
ngx_dfp_reply_instance(ngx_dfp_op_t *op, redisReply *reply)
{
    int64_t              now;
    redisReply         **e, **last;
    ngx_dfp_member_t    *member;
    ngx_dfp_others_t    *others = op->out;
    ngx_dfp_namesake_t  *namesake;

    others->n = 0;
    namesake = &others->namesake;
    e = reply->element;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements < NGX_DFP_REPLY_BEAT
        || (reply->elements - NGX_DFP_REPLY_BEAT) % NGX_DFP_REPLY_MEMBER
        || (reply->elements - NGX_DFP_REPLY_BEAT) / NGX_DFP_REPLY_MEMBER
           > NGX_DFP_OTHERS_MAX
        || ngx_dfp_reply_number(op, e[0], &now) != NGX_OK
        || ngx_dfp_reply_text(op, e[1], &namesake->name) != NGX_OK
        || ngx_dfp_reply_text(op, e[2], &namesake->address) != NGX_OK
        || ngx_dfp_reply_text(op, e[3], &namesake->host) != NGX_OK
        || ngx_dfp_reply_text(op, e[4], &namesake->pid) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (op->store->first == 0) {
        op->store->first = now;
    }

    last = e + reply->elements;

    for (e += NGX_DFP_REPLY_BEAT; e < last; e += NGX_DFP_REPLY_MEMBER) {
        member = &others->members[others->n++];

        if (ngx_dfp_reply_text(op, e[0], &member->queue) != NGX_OK
            || ngx_dfp_reply_text(op, e[1], &member->who) != NGX_OK
            || ngx_dfp_reply_text(op, e[2], &member->definitions) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The cluster of a part and its task_uuid: "1 01234567-...". */

ngx_int_t
ngx_dfp_reply_cluster(ngx_dfp_op_t *op, redisReply *reply, void *out)
{
    u_char          *blank;
    ngx_str_t       *uuid;
    ngx_dfp_part_t  *part = out;

    uuid = &part->task_uuid;

    if (ngx_dfp_reply_text(op, reply, uuid) != NGX_OK) {
        return NGX_ERROR;
    }

    blank = ngx_strlchr(uuid->data, uuid->data + uuid->len, ' ');
    if (blank == NULL) {
        return NGX_ERROR;
    }

    part->cluster = ngx_atoof(uuid->data, blank - uuid->data);

    uuid->len -= blank + 1 - uuid->data;
    uuid->data = blank + 1;

    return part->cluster == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_dfp_reply_text(ngx_dfp_op_t *op, redisReply *reply, void *out)
{
    ngx_str_t  *text = out;

    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    text->len = reply->len;

    if (op->borrow) {
        text->data = (u_char *) reply->str;
        return NGX_OK;
    }

    text->data = ngx_pnalloc(op->pool, reply->len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text->data, reply->str, reply->len);

    return NGX_OK;
}


ngx_int_t
ngx_dfp_reply_number(ngx_dfp_op_t *op, redisReply *reply, void *out)
{
    u_char      *p;
    size_t       len;
    int64_t     *number = out;
    ngx_uint_t   negative;

    if (reply->type == REDIS_REPLY_INTEGER) {
        *number = reply->integer;
        return NGX_OK;
    }

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0) {
        return NGX_ERROR;
    }

    p = (u_char *) reply->str;
    len = reply->len;
    negative = (*p == '-');

    *number = ngx_atoof(p + negative, len - negative);
    if (*number == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (negative) {
        *number = - *number;
    }

    return NGX_OK;
}
