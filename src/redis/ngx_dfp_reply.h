/*
 * Replies of Redis, which may be anything, to what the store's operations
 * fill in. Each is an op's parse: NGX_OK, NGX_DECLINED, or NGX_ERROR for a
 * reply of another form than the script's.
 */

#ifndef NGX_DFP_REPLY_H
#define NGX_DFP_REPLY_H


#include "ngx_dfp_store.h"


/* 1: NGX_OK, 0: NGX_DECLINED. */
ngx_int_t ngx_dfp_reply_one(ngx_dfp_op_t *op, redisReply *reply);

ngx_int_t ngx_dfp_reply_created(ngx_dfp_op_t *op, redisReply *reply);
ngx_int_t ngx_dfp_reply_look(ngx_dfp_op_t *op, redisReply *reply);

ngx_int_t ngx_dfp_reply_instance(ngx_dfp_op_t *op, redisReply *reply);

/* The fields of a job with one part, for HMGET, and what becomes of them. */

#define NGX_DFP_JOB_FIELDS  13

typedef struct {
    ngx_str_t    name;
    ngx_int_t  (*parse)(ngx_dfp_op_t *op, redisReply *value, void *out);
    size_t       offset;     /* of OUT, in a job_t or, if PART, a part_t */
    unsigned     part:1;
} ngx_dfp_field_t;

extern ngx_dfp_field_t  ngx_dfp_reply_fields[];

/* Of HMGET. NGX_AGAIN: the job has more parts. */
ngx_int_t ngx_dfp_reply_job(ngx_dfp_op_t *op, redisReply *reply);

/* Of HGETALL. */
ngx_int_t ngx_dfp_reply_whole_job(ngx_dfp_op_t *op, redisReply *reply);

ngx_int_t ngx_dfp_reply_token(ngx_dfp_op_t *op, redisReply *reply);
ngx_int_t ngx_dfp_reply_new_token(ngx_dfp_op_t *op, redisReply *reply);


#endif /* NGX_DFP_REPLY_H */
