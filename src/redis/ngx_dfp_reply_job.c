#include "ngx_dfp_reply.h"

#include "dfp_text.h"


#define NGX_DFP_REPLY_COUNTS  2    /* the first fields: how many others there
                                      are */


static ngx_int_t ngx_dfp_reply_hash(ngx_dfp_op_t *op, redisReply *reply,
    ngx_dfp_stored_job_t *job);
static void ngx_dfp_reply_damaged(ngx_dfp_op_t *op, redisReply *reply);
static ngx_int_t ngx_dfp_reply_parts(ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job, int64_t n);
static ngx_int_t ngx_dfp_reply_looks(ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job, int64_t n);
static ngx_int_t ngx_dfp_reply_states(ngx_dfp_stored_job_t *job);
static ngx_int_t ngx_dfp_reply_named(ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job, redisReply *name, redisReply *value);
static ngx_int_t ngx_dfp_reply_field(ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job, ngx_dfp_part_t *part,
    ngx_dfp_reply_field_t *field, redisReply *value);
static ngx_int_t ngx_dfp_reply_looked(ngx_dfp_op_t *op, redisReply *value,
    ngx_dfp_stored_look_t *look);


#define ngx_dfp_reply_job_field(name, kind, member)                           \
    { ngx_string(name), ngx_dfp_reply_ ## kind,                               \
      offsetof(ngx_dfp_stored_job_t, member), 0 }

#define ngx_dfp_reply_part_field(name, kind, member)                          \
    { ngx_string(name ":1"), ngx_dfp_reply_ ## kind,                          \
      offsetof(ngx_dfp_part_t, member), 1 }


ngx_dfp_reply_field_t  ngx_dfp_reply_fields[NGX_DFP_REPLY_FIELDS] = {
    { ngx_string("parts"), NULL, 0, 0 },
    { ngx_string("looks"), NULL, 0, 0 },
    ngx_dfp_reply_job_field("uuid", text, uuid),
    ngx_dfp_reply_job_field("state", text, state),
    ngx_dfp_reply_job_field("about", text, about),
    ngx_dfp_reply_job_field("args", text, args),
    ngx_dfp_reply_job_field("created", number, created),
    ngx_dfp_reply_job_field("updated", number, updated),
    ngx_dfp_reply_job_field("deadline", number, deadline),
    ngx_dfp_reply_job_field("webhook", webhook, webhook),
    ngx_dfp_reply_job_field("owner", number, owner),
    { ngx_string("c:1"), ngx_dfp_reply_cluster, 0, 1 },
    ngx_dfp_reply_part_field("d", number, lost_attempts),
    ngx_dfp_reply_part_field("g", text, progress),
    ngx_dfp_reply_part_field("r", text, results),
    ngx_dfp_reply_part_field("e", text, error),
    ngx_dfp_reply_part_field("h", text, who),
    ngx_dfp_reply_part_field("u", number, away)
};


static ngx_uint_t
ngx_dfp_reply_is(redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STRING
           && ngx_strcmp(reply->str, text) == 0;
}


ngx_int_t
ngx_dfp_reply_created(ngx_dfp_op_t *op, redisReply *reply)
{
    int64_t                n, most;
    redisReply           **e;
    ngx_dfp_stored_job_t  *job = op->out;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        return NGX_ERROR;
    }

    e = reply->element;

    if (ngx_dfp_reply_is(e[0], "full")) {
        if (ngx_dfp_reply_number(op, e[1], &n) != NGX_OK) {
            return NGX_ERROR;
        }

        job->full = n;
        return NGX_DECLINED;
    }

    if (ngx_dfp_reply_is(e[0], "parts") || ngx_dfp_reply_is(e[0], "kept")) {
        if (reply->elements != 3
            || ngx_dfp_reply_number(op, e[1], &n) != NGX_OK
            || ngx_dfp_reply_number(op, e[2], &most) != NGX_OK)
        {
            return NGX_ERROR;
        }

        *(e[0]->str[0] == 'k' ? &job->kept : &job->excess) = n;
        job->most = most;
        return NGX_DECLINED;
    }

    if (ngx_dfp_reply_is(e[0], "once")) {
        job->repeated = 1;

        return ngx_dfp_reply_number(op, e[1], &job->id) == NGX_OK
               ? NGX_DECLINED : NGX_ERROR;
    }

    if (ngx_dfp_reply_is(e[0], "other")) {
        job->other = 1;
        return NGX_DECLINED;
    }

    if (ngx_dfp_reply_number(op, e[0], &job->id) != NGX_OK
        || ngx_dfp_reply_number(op, e[1], &job->created) != NGX_OK
        || job->id < 1)
    {
        return NGX_ERROR;
    }

    job->updated = job->created;
    ngx_dfp_reply_seen(op, job->id);

    return NGX_OK;
}


/* Replies of HMGET have no names, only the order of ngx_dfp_reply_fields. */

ngx_int_t
ngx_dfp_reply_job(ngx_dfp_op_t *op, redisReply *reply)
{
    size_t                  i;
    int64_t                 parts;
    redisReply            **e;
    ngx_dfp_stored_job_t   *job = op->out;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements != NGX_DFP_REPLY_FIELDS)
    {
        return NGX_ERROR;
    }

    e = reply->element;

    if (e[0]->type == REDIS_REPLY_NIL) {
        return NGX_DECLINED;
    }

    if (ngx_dfp_reply_number(op, e[0], &parts) != NGX_OK) {
        return NGX_ERROR;
    }

    if (parts != 1 || e[1]->type != REDIS_REPLY_NIL) {
        return NGX_AGAIN;
    }

    if (ngx_dfp_reply_parts(op, job, parts) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = NGX_DFP_REPLY_COUNTS; i < NGX_DFP_REPLY_FIELDS; i++) {

        /* nil: a part has no results before it has ended */

        if (e[i]->type != REDIS_REPLY_NIL
            && ngx_dfp_reply_field(op, job, job->parts,
                                   &ngx_dfp_reply_fields[i], e[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    job->parts->state = job->state;

    return ngx_dfp_reply_states(job);
}


ngx_int_t
ngx_dfp_reply_whole_job(ngx_dfp_op_t *op, redisReply *reply)
{
    ngx_int_t  rc;

    rc = ngx_dfp_reply_hash(op, reply, op->out);

    return rc == NGX_ABORT ? NGX_ERROR : rc;
}


/* A job with all of its fields. NGX_ERROR: they are damaged; NGX_ABORT: no
 * memory. */

static ngx_int_t
ngx_dfp_reply_hash(ngx_dfp_op_t *op, redisReply *reply,
    ngx_dfp_stored_job_t *job)
{
    size_t       i;
    int64_t      parts, looks;
    redisReply **e;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2) {
        return NGX_ERROR;
    }

    if (reply->elements == 0) {
        return NGX_DECLINED;
    }

    /* the number of parts first: the fields may be in any order; 0: in a list,
       of a job that is not shown in full */

    parts = -1;
    looks = -1;
    e = reply->element;

    for (i = 0; i < reply->elements; i += 2) {
        if ((ngx_dfp_reply_is(e[i], "parts")
             && ngx_dfp_reply_number(op, e[i + 1], &parts) != NGX_OK)
            || (ngx_dfp_reply_is(e[i], "looks")
                && ngx_dfp_reply_number(op, e[i + 1], &looks) != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    if (parts < 0 || parts > (int64_t) reply->elements
        || looks > (int64_t) reply->elements)
    {
        return NGX_ERROR;
    }

    if (ngx_dfp_reply_parts(op, job, parts) != NGX_OK
        || ngx_dfp_reply_looks(op, job, looks) != NGX_OK)
    {
        return NGX_ABORT;
    }

    for (i = 0; i < reply->elements; i += 2) {
        if (e[i]->type != REDIS_REPLY_STRING
            || ngx_dfp_reply_named(op, job, e[i], e[i + 1]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_dfp_reply_states(job);
}


/* Of the jobs in a list those that are damaged are left out. */

ngx_int_t
ngx_dfp_reply_list(ngx_dfp_op_t *op, redisReply *reply)
{
    size_t               i, n;
    int64_t              total, skipped;
    ngx_int_t            rc;
    redisReply         **e;
    ngx_dfp_job_list_t  *list = op->out;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        return NGX_ERROR;
    }

    e = reply->element;

    if (ngx_dfp_reply_number(op, e[0], &total) != NGX_OK
        || ngx_dfp_reply_number(op, e[1], &skipped) != NGX_OK)
    {
        return NGX_ERROR;
    }

    list->total = total;
    list->skipped = skipped;
    list->n = 0;
    n = reply->elements - 2;

    list->jobs = ngx_pcalloc(op->pool, (n + 1) * sizeof(ngx_dfp_stored_job_t));
    if (list->jobs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        rc = ngx_dfp_reply_hash(op, e[2 + i], &list->jobs[list->n]);

        if (rc == NGX_OK) {
            list->n++;
            continue;
        }

        if (rc == NGX_ABORT) {
            return NGX_ERROR;
        }

        ngx_dfp_reply_damaged(op, e[2 + i]);
        ngx_memzero(&list->jobs[list->n], sizeof(ngx_dfp_stored_job_t));
    }

    return NGX_OK;
}


static void
ngx_dfp_reply_damaged(ngx_dfp_op_t *op, redisReply *reply)
{
    size_t        i;
    int64_t       id;
    redisReply  **e;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return;
    }

    e = reply->element;

    for (i = 0; i + 1 < reply->elements; i += 2) {
        if (e[i]->type == REDIS_REPLY_STRING
            && ngx_strcmp(e[i]->str, "id") == 0
            && ngx_dfp_reply_number(op, e[i + 1], &id) == NGX_OK)
        {
            ngx_dfp_reply_left_out(op, "job", id);
        }
    }
}


ngx_int_t
ngx_dfp_reply_patched(ngx_dfp_op_t *op, redisReply *reply)
{
    int64_t      n;
    ngx_uint_t  *changed = op->out;

    if (ngx_dfp_reply_number(op, reply, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    *changed = (n == 2);

    return n ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_dfp_reply_since(ngx_dfp_op_t *op, redisReply *reply)
{
    int64_t  *since = op->out;

    if (ngx_dfp_reply_number(op, reply, since) != NGX_OK) {
        return NGX_ERROR;
    }

    return *since ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_dfp_reply_parts(ngx_dfp_op_t *op, ngx_dfp_stored_job_t *job, int64_t n)
{
    job->nparts = n;
    job->parts = ngx_pcalloc(op->pool, n * sizeof(ngx_dfp_part_t));

    return job->parts ? NGX_OK : NGX_ERROR;
}


/* N is -1 of a job that is not kept. */

static ngx_int_t
ngx_dfp_reply_looks(ngx_dfp_op_t *op, ngx_dfp_stored_job_t *job, int64_t n)
{
    if (n < 0) {
        return NGX_OK;
    }

    job->nlooks = n;
    job->looks = ngx_pcalloc(op->pool, (n + 1) * sizeof(ngx_dfp_stored_look_t));

    return job->looks ? NGX_OK : NGX_ERROR;
}


/* Others look at the first letter of a state. */

static ngx_int_t
ngx_dfp_reply_states(ngx_dfp_stored_job_t *job)
{
    ngx_uint_t  i;

    for (i = 0; i < job->nparts; i++) {
        if (job->parts[i].state.len == 0) {
            return NGX_ERROR;
        }
    }

    return job->state.len ? NGX_OK : NGX_ERROR;
}


/* Fields that are unknown here are ignored. */

static ngx_int_t
ngx_dfp_reply_named(ngx_dfp_op_t *op, ngx_dfp_stored_job_t *job,
    redisReply *name, redisReply *value)
{
    ngx_int_t               n;
    ngx_uint_t              i;
    ngx_dfp_part_t         *part;
    ngx_dfp_reply_field_t  *field;
    ngx_dfp_stored_look_t  *look;

    part = job->parts;
    look = NULL;

    if (name->len > 2 && name->str[1] == ':') {
        n = ngx_atoi((u_char *) name->str + 2, name->len - 2);

        if (n < 1 || (ngx_uint_t) n > job->nparts + job->nlooks) {
            return NGX_ERROR;
        }

        if ((ngx_uint_t) n > job->nparts) {
            look = &job->looks[n - 1 - job->nparts];
        }

        part = look ? &look->part : &job->parts[n - 1];
    }

    for (i = NGX_DFP_REPLY_COUNTS; i < NGX_DFP_REPLY_FIELDS; i++) {
        field = &ngx_dfp_reply_fields[i];

        if (field->part
            ? name->len > 2 && ngx_strncmp(field->name.data, name->str, 2) == 0
            : field->name.len == name->len
              && ngx_strncmp(field->name.data, name->str, name->len) == 0)
        {
            return ngx_dfp_reply_field(op, job, part, field, value);
        }
    }

    if (name->len > 2 && ngx_strncmp(name->str, "s:", 2) == 0) {
        return ngx_dfp_reply_text(op, value, &part->state);
    }

    if (name->len > 2 && ngx_strncmp(name->str, "z:", 2) == 0) {
        return ngx_dfp_reply_text(op, value, &part->cluster_state);
    }

    if (look && ngx_strncmp(name->str, "l:", 2) == 0) {
        return ngx_dfp_reply_looked(op, value, look);
    }

    /* in lists, where the id is not known before */

    if (name->len == 2 && ngx_strncmp(name->str, "id", 2) == 0) {
        return ngx_dfp_reply_number(op, value, &job->id);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_reply_field(ngx_dfp_op_t *op, ngx_dfp_stored_job_t *job,
    ngx_dfp_part_t *part, ngx_dfp_reply_field_t *field, redisReply *value)
{
    u_char  *base;

    base = field->part ? (u_char *) part : (u_char *) job;

    return field->parse(op, value, base + field->offset);
}


/* "STATE TIME WARMED" */

static ngx_int_t
ngx_dfp_reply_looked(ngx_dfp_op_t *op, redisReply *value,
    ngx_dfp_stored_look_t *look)
{
    ngx_str_t    text;
    dfp_str_t    word[3];
    ngx_uint_t   i;
    const char  *p, *last;

    if (ngx_dfp_reply_text(op, value, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    p = (char *) text.data;
    last = p + text.len;

    for (i = 0; i < 3; i++) {
        word[i] = dfp_str_until(&p, last, " ");
        p += (p < last);
    }

    look->state = ngx_dfp_str(word[0]);
    look->checked = ngx_atoof((u_char *) word[1].data, word[1].len);
    look->warmed = ngx_atoof((u_char *) word[2].data, word[2].len);

    return look->state.len && look->checked != NGX_ERROR
           && look->warmed != NGX_ERROR ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_dfp_reply_found(ngx_dfp_op_t *op, redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    if (reply->elements != 2) {
        return NGX_DECLINED;
    }

    return ngx_dfp_reply_text(op, reply->element[1], op->out);
}
