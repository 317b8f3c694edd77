#include "ngx_http_dfpreheat_reply.h"


static ngx_int_t ngx_http_dfpreheat_parse_field(ngx_http_dfpreheat_op_t *op,
    const char *name, redisReply *value);
static ngx_int_t ngx_http_dfpreheat_parse_part_field(
    ngx_http_dfpreheat_op_t *op, const char *name, redisReply *value);
static ngx_int_t ngx_http_dfpreheat_parse_text(ngx_http_dfpreheat_op_t *op,
    redisReply *reply, ngx_str_t *text);
static ngx_int_t ngx_http_dfpreheat_parse_number(redisReply *reply,
    int64_t *number);


const char  *ngx_http_dfpreheat_job_fields[NGX_HTTP_DFPREHEAT_JOB_FIELDS] = {
    "parts", "uuid", "state", "type", "bio", "args", "created", "updated",
    "deadline", "timeout", "user_id", "c:1", "d:1", "t:1", "s:1", "g:1",
    "r:1", "e:1"
};


ngx_int_t
ngx_http_dfpreheat_parse_one(ngx_http_dfpreheat_op_t *op,
    redisReply *reply)
{
    int64_t  one;

    if (ngx_http_dfpreheat_parse_number(reply, &one) != NGX_OK) {
        return NGX_ERROR;
    }

    return one ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_dfpreheat_parse_created(ngx_http_dfpreheat_op_t *op,
    redisReply *reply)
{
    int64_t                    full;
    ngx_http_dfpreheat_job_t  *job = op->out;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return NGX_ERROR;
    }

    if (reply->element[0]->type == REDIS_REPLY_STRING
        && ngx_strcmp(reply->element[0]->str, "full") == 0)
    {
        if (ngx_http_dfpreheat_parse_number(reply->element[1], &full)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        job->full = full;
        return NGX_DECLINED;
    }

    if (ngx_http_dfpreheat_parse_number(reply->element[0], &job->id) != NGX_OK
        || ngx_http_dfpreheat_parse_number(reply->element[1], &job->created)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    job->updated = job->created;

    return NGX_OK;
}


ngx_int_t
ngx_http_dfpreheat_parse_claim(ngx_http_dfpreheat_op_t *op,
    redisReply *reply)
{
    u_char                      *last;
    int64_t                      next, left;
    redisReply                 **e;
    ngx_http_dfpreheat_claim_t  *claim = op->out;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1
        || ngx_http_dfpreheat_parse_number(reply->element[0], &next)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    claim->next = next;

    if (reply->elements == 1) {
        return NGX_DECLINED;
    }

    e = reply->element;

    if (reply->elements != 9
        || ngx_http_dfpreheat_parse_number(e[1], &claim->id) != NGX_OK
        || ngx_http_dfpreheat_parse_text(op, e[2], &claim->part) != NGX_OK
        || ngx_http_dfpreheat_parse_text(op, e[3], &claim->run) != NGX_OK
        || ngx_http_dfpreheat_parse_number(e[4], &claim->cluster) != NGX_OK
        || ngx_http_dfpreheat_parse_number(e[5], &left) != NGX_OK
        || ngx_http_dfpreheat_parse_text(op, e[6], &claim->uuid) != NGX_OK
        || ngx_http_dfpreheat_parse_text(op, e[7], &claim->args) != NGX_OK
        || ngx_http_dfpreheat_parse_text(op, e[8], &claim->sealed) != NGX_OK)
    {
        return NGX_ERROR;
    }

    claim->left = left > 0 ? left : 1;

    last = op->store->claim;
    op->store->claim_len = ngx_slprintf(last, last + sizeof(op->store->claim),
                                        "%L:%V %V", claim->id, &claim->part,
                                        &claim->run)
                           - last;

    return NGX_OK;
}


ngx_int_t
ngx_http_dfpreheat_parse_new_token(ngx_http_dfpreheat_op_t *op,
    redisReply *reply)
{
    ngx_http_dfpreheat_token_t  *token = op->out;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0) {
        return NGX_DECLINED;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || ngx_http_dfpreheat_parse_number(reply->element[0], &token->id)
           != NGX_OK
        || ngx_http_dfpreheat_parse_number(reply->element[1], &token->created)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_dfpreheat_parse_token(ngx_http_dfpreheat_op_t *op,
    redisReply *reply)
{
    int64_t                      scopes;
    redisReply                 **e;
    ngx_http_dfpreheat_token_t  *token = op->out;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0) {
        return NGX_DECLINED;
    }

    e = reply->element;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 6
        || ngx_http_dfpreheat_parse_number(e[0], &token->id) != NGX_OK
        || ngx_http_dfpreheat_parse_number(e[1], &scopes) != NGX_OK
        || e[2]->type != REDIS_REPLY_STRING
        || ngx_http_dfpreheat_parse_number(e[3], &token->expired_at) != NGX_OK
        || ngx_http_dfpreheat_parse_number(e[4], &token->user_id) != NGX_OK
        || ngx_http_dfpreheat_parse_number(e[5], &token->now) != NGX_OK)
    {
        return NGX_ERROR;
    }

    token->scopes = scopes;
    token->active = (ngx_strcmp(e[2]->str, "active") == 0);

    return NGX_OK;
}


/* Replies of HMGET name nothing: the order is the order of the fields. */

ngx_int_t
ngx_http_dfpreheat_parse_job(ngx_http_dfpreheat_op_t *op, redisReply *reply)
{
    size_t                     i;
    int64_t                    parts;
    ngx_http_dfpreheat_job_t  *job = op->out;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements != NGX_HTTP_DFPREHEAT_JOB_FIELDS)
    {
        return NGX_ERROR;
    }

    if (reply->element[0]->type == REDIS_REPLY_NIL) {
        return NGX_DECLINED;
    }

    if (ngx_http_dfpreheat_parse_number(reply->element[0], &parts) != NGX_OK) {
        return NGX_ERROR;
    }

    if (parts != 1) {
        return NGX_AGAIN;
    }

    job->nparts = 1;
    job->parts = ngx_pcalloc(op->pool, sizeof(ngx_http_dfpreheat_part_t));
    if (job->parts == NULL) {
        return NGX_ERROR;
    }

    for (i = 1; i < NGX_HTTP_DFPREHEAT_JOB_FIELDS; i++) {

        /* a part has no results before it has ended */

        if (reply->element[i]->type != REDIS_REPLY_NIL
            && ngx_http_dfpreheat_parse_field(op,
                                          ngx_http_dfpreheat_job_fields[i],
                                          reply->element[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_dfpreheat_parse_whole_job(ngx_http_dfpreheat_op_t *op,
    redisReply *reply)
{
    size_t                     i;
    int64_t                    parts;
    ngx_http_dfpreheat_job_t  *job = op->out;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2) {
        return NGX_ERROR;
    }

    if (reply->elements == 0) {
        return NGX_DECLINED;
    }

    /* the number of parts, so that those may come in any order */

    parts = 0;

    for (i = 0; i < reply->elements; i += 2) {
        if (reply->element[i]->type == REDIS_REPLY_STRING
            && ngx_strcmp(reply->element[i]->str, "parts") == 0
            && ngx_http_dfpreheat_parse_number(reply->element[i + 1], &parts)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (parts < 1 || parts > (int64_t) reply->elements) {
        return NGX_ERROR;
    }

    job->nparts = parts;
    job->parts = ngx_pcalloc(op->pool,
                             parts * sizeof(ngx_http_dfpreheat_part_t));
    if (job->parts == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < reply->elements; i += 2) {
        if (reply->element[i]->type != REDIS_REPLY_STRING
            || ngx_http_dfpreheat_parse_field(op, reply->element[i]->str,
                                              reply->element[i + 1])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_dfpreheat_parse_field(ngx_http_dfpreheat_op_t *op, const char *name,
    redisReply *value)
{
    ngx_uint_t                 i;
    ngx_http_dfpreheat_job_t  *job = op->out;

    static const struct {
        const char  *name;
        size_t       offset;
    } numbers[] = {
        { "created", offsetof(ngx_http_dfpreheat_job_t, created) },
        { "updated", offsetof(ngx_http_dfpreheat_job_t, updated) },
        { "deadline", offsetof(ngx_http_dfpreheat_job_t, deadline) },
        { "timeout", offsetof(ngx_http_dfpreheat_job_t, timeout) },
        { "user_id", offsetof(ngx_http_dfpreheat_job_t, user_id) },
        { NULL, 0 }
    }, texts[] = {
        { "uuid", offsetof(ngx_http_dfpreheat_job_t, uuid) },
        { "state", offsetof(ngx_http_dfpreheat_job_t, state) },
        { "type", offsetof(ngx_http_dfpreheat_job_t, type) },
        { "bio", offsetof(ngx_http_dfpreheat_job_t, bio) },
        { "args", offsetof(ngx_http_dfpreheat_job_t, args) },
        { NULL, 0 }
    };

    if (name[0] && name[1] == ':') {
        return ngx_http_dfpreheat_parse_part_field(op, name, value);
    }

    for (i = 0; numbers[i].name; i++) {
        if (ngx_strcmp(name, numbers[i].name) == 0) {
            return ngx_http_dfpreheat_parse_number(value,
                       (int64_t *) ((u_char *) job + numbers[i].offset));
        }
    }

    for (i = 0; texts[i].name; i++) {
        if (ngx_strcmp(name, texts[i].name) == 0) {
            return ngx_http_dfpreheat_parse_text(op, value,
                       (ngx_str_t *) ((u_char *) job + texts[i].offset));
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_dfpreheat_parse_part_field(ngx_http_dfpreheat_op_t *op,
    const char *name, redisReply *value)
{
    int64_t                     deaths;
    ngx_int_t                   n;
    ngx_http_dfpreheat_job_t   *job = op->out;
    ngx_http_dfpreheat_part_t  *part;

    n = ngx_atoi((u_char *) name + 2, ngx_strlen(name) - 2);
    if (n < 1 || (ngx_uint_t) n > job->nparts) {
        return NGX_ERROR;
    }

    part = &job->parts[n - 1];

    switch (name[0]) {

    case 'c':
        return ngx_http_dfpreheat_parse_number(value, &part->cluster);

    case 'd':
        if (ngx_http_dfpreheat_parse_number(value, &deaths) != NGX_OK) {
            return NGX_ERROR;
        }

        part->deaths = deaths;
        return NGX_OK;

    case 'q':
        return ngx_http_dfpreheat_parse_text(op, value, &part->queue);

    case 't':
        return ngx_http_dfpreheat_parse_text(op, value, &part->task_uuid);

    case 's':
        return ngx_http_dfpreheat_parse_text(op, value, &part->state);

    case 'g':
        return ngx_http_dfpreheat_parse_text(op, value, &part->progress);

    case 'r':
        return ngx_http_dfpreheat_parse_text(op, value, &part->results);

    case 'e':
        return ngx_http_dfpreheat_parse_text(op, value, &part->error);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_dfpreheat_parse_text(ngx_http_dfpreheat_op_t *op, redisReply *reply,
    ngx_str_t *text)
{
    u_char  number[NGX_INT64_LEN];

    if (reply->type == REDIS_REPLY_INTEGER) {
        text->len = ngx_sprintf(number, "%L", (int64_t) reply->integer)
                    - number;
        text->data = ngx_pnalloc(op->pool, text->len);

        if (text->data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(text->data, number, text->len);
        return NGX_OK;
    }

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


static ngx_int_t
ngx_http_dfpreheat_parse_number(redisReply *reply, int64_t *number)
{
    u_char     *p;
    size_t      len;
    ngx_uint_t  negative;

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
