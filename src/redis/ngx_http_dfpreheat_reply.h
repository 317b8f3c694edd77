/*
 * Replies of Redis, which may be anything, to what the store's operations
 * fill in. Each is an op's parse: NGX_OK, NGX_DECLINED, or NGX_ERROR for a
 * reply of another form than the script's.
 */

#ifndef NGX_HTTP_DFPREHEAT_REPLY_H
#define NGX_HTTP_DFPREHEAT_REPLY_H


#include "ngx_http_dfpreheat_store.h"


/* 1: NGX_OK, 0: NGX_DECLINED. */
ngx_int_t ngx_http_dfpreheat_parse_one(ngx_http_dfpreheat_op_t *op,
    redisReply *reply);

ngx_int_t ngx_http_dfpreheat_parse_created(ngx_http_dfpreheat_op_t *op,
    redisReply *reply);
ngx_int_t ngx_http_dfpreheat_parse_look(ngx_http_dfpreheat_op_t *op,
    redisReply *reply);

ngx_int_t ngx_http_dfpreheat_parse_instance(ngx_http_dfpreheat_op_t *op,
    redisReply *reply);

/* The fields of a job with one part, for HMGET, and what becomes of them. */

#define NGX_HTTP_DFPREHEAT_JOB_FIELDS  13

typedef struct {
    ngx_str_t       name;
    ngx_int_t     (*parse)(ngx_http_dfpreheat_op_t *op, redisReply *value,
                           void *out);
    size_t          offset;     /* of OUT, in a job_t or, if PART, a part_t */
    unsigned        part:1;
} ngx_http_dfpreheat_field_t;

extern ngx_http_dfpreheat_field_t  ngx_http_dfpreheat_job_fields[];

/* Of HMGET. NGX_AGAIN: the job has more parts. */
ngx_int_t ngx_http_dfpreheat_parse_job(ngx_http_dfpreheat_op_t *op,
    redisReply *reply);

/* Of HGETALL. */
ngx_int_t ngx_http_dfpreheat_parse_whole_job(ngx_http_dfpreheat_op_t *op,
    redisReply *reply);

ngx_int_t ngx_http_dfpreheat_parse_token(ngx_http_dfpreheat_op_t *op,
    redisReply *reply);
ngx_int_t ngx_http_dfpreheat_parse_new_token(
    ngx_http_dfpreheat_op_t *op, redisReply *reply);


#endif /* NGX_HTTP_DFPREHEAT_REPLY_H */
