/*
 * Parsers of replies, which come from another process and may be anything.
 * Each is the "parse" of an operation: it fills in op->out and returns NGX_OK
 * or NGX_DECLINED, or NGX_ERROR for a reply that the script cannot have sent,
 * or without memory.
 */

#ifndef NGX_DFP_REPLY_H
#define NGX_DFP_REPLY_H


#include "ngx_dfp_store.h"


#define NGX_DFP_REPLY_FIELDS  18    /* of a job with one part */

/* A field of a job in Redis, and where its value is stored. */
typedef struct {
    ngx_str_t    name;
    ngx_int_t  (*parse)(ngx_dfp_op_t *op, redisReply *value, void *out);
    size_t       offset;     /* of OUT, in a stored_job_t or a part_t */
    unsigned     part:1;     /* in a part_t */
} ngx_dfp_reply_field_t;

/* The arguments of HMGET, in the order that ngx_dfp_reply_job() expects. */
extern ngx_dfp_reply_field_t  ngx_dfp_reply_fields[];


/* 1: NGX_OK, 0: NGX_DECLINED. */
ngx_int_t ngx_dfp_reply_one(ngx_dfp_op_t *op, redisReply *reply);

/* Of create: id and created of a stored_job_t. NGX_DECLINED: the queue is
 * full, or the job has too many parts. */
ngx_int_t ngx_dfp_reply_created(ngx_dfp_op_t *op, redisReply *reply);

/* Of look: a look_t. */
ngx_int_t ngx_dfp_reply_look(ngx_dfp_op_t *op, redisReply *reply);

/* Of keep: a keeping_t. */
ngx_int_t ngx_dfp_reply_kept(ngx_dfp_op_t *op, redisReply *reply);

/* Of instance: an others_t. */
ngx_int_t ngx_dfp_reply_instance(ngx_dfp_op_t *op, redisReply *reply);

/* Of members: a stored_members_t. */
ngx_int_t ngx_dfp_reply_members(ngx_dfp_op_t *op, redisReply *reply);

/* Of HMGET: a stored_job_t with one part. NGX_DECLINED: there is no such job;
 * NGX_AGAIN: it has more parts, or is kept. */
ngx_int_t ngx_dfp_reply_job(ngx_dfp_op_t *op, redisReply *reply);

/* Of HGETALL: a stored_job_t with all of its parts. NGX_DECLINED: as above. */
ngx_int_t ngx_dfp_reply_whole_job(ngx_dfp_op_t *op, redisReply *reply);

/* Of list and changed: a job_list_t, without jobs that are damaged. */
ngx_int_t ngx_dfp_reply_list(ngx_dfp_op_t *op, redisReply *reply);

/* Of task_find: an ngx_str_t. NGX_DECLINED: there is no such job. */
ngx_int_t ngx_dfp_reply_found(ngx_dfp_op_t *op, redisReply *reply);

/* Of patch: whether the job was changed meanwhile. NGX_DECLINED: there is no
 * such job. */
ngx_int_t ngx_dfp_reply_patched(ngx_dfp_op_t *op, redisReply *reply);

/* Of listen: an int64_t. NGX_DECLINED: it is 0. */
ngx_int_t ngx_dfp_reply_since(ngx_dfp_op_t *op, redisReply *reply);

/* Of peers: an ngx_str_t. */
ngx_int_t ngx_dfp_reply_peers(ngx_dfp_op_t *op, redisReply *reply);

/* Of status: a stored_status_t. */
ngx_int_t ngx_dfp_reply_status(ngx_dfp_op_t *op, redisReply *reply);


/* Parts of replies, which several parsers read; OUT is an ngx_str_t, an int64_t,
 * and an ngx_dfp_part_t. */
ngx_int_t ngx_dfp_reply_text(ngx_dfp_op_t *op, redisReply *reply, void *out);
ngx_int_t ngx_dfp_reply_number(ngx_dfp_op_t *op, redisReply *reply, void *out);

/* The cluster of a part and its task_uuid: "1 01234567-...". */
ngx_int_t ngx_dfp_reply_cluster(ngx_dfp_op_t *op, redisReply *reply, void *out);

/* The delivery of a webhook, "STATE TRIES UPDATED URL ERROR": a stored_hook_t. */
ngx_int_t ngx_dfp_reply_webhook(ngx_dfp_op_t *op, redisReply *reply, void *out);

/* Logs, once for each, that a job or a token, WHAT, a literal, is damaged and
 * left out of lists. */
void ngx_dfp_reply_left_out(ngx_dfp_op_t *op, const char *what, int64_t id);

/* The ID is not used again, even if Redis loses the job. */
void ngx_dfp_reply_seen(ngx_dfp_op_t *op, int64_t id);


#endif /* NGX_DFP_REPLY_H */
