#include "ngx_dfp_reply.h"


#define NGX_DFP_REPLY_STATUS  5    /* elements before the counts */


static void ngx_dfp_reply_clusters(ngx_dfp_op_t *op,
    ngx_dfp_stored_status_t *status);
static void ngx_dfp_reply_count(ngx_dfp_stored_status_t *status,
    ngx_str_t *name, int64_t n);
static void ngx_dfp_reply_took(ngx_dfp_stored_status_t *status,
    ngx_str_t *bound, int64_t n);
static void ngx_dfp_reply_ended(ngx_dfp_stored_status_t *status,
    int64_t cluster, ngx_str_t *state, int64_t n);
static ngx_uint_t ngx_dfp_reply_is(ngx_str_t *text, const char *word);


ngx_int_t
ngx_dfp_reply_status(ngx_dfp_op_t *op, redisReply *reply)
{
    size_t                    i;
    int64_t                   n;
    ngx_str_t                 name;
    redisReply              **e;
    ngx_dfp_stored_status_t  *status = op->out;

    e = reply->element;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements < NGX_DFP_REPLY_STATUS
        || (reply->elements - NGX_DFP_REPLY_STATUS) % 2
        || ngx_dfp_reply_number(op, e[0], &status->waiting) != NGX_OK
        || ngx_dfp_reply_number(op, e[1], &status->running) != NGX_OK
        || ngx_dfp_reply_number(op, e[2], &status->oldest) != NGX_OK
        || ngx_dfp_reply_number(op, e[3], &status->hooks) != NGX_OK
        || ngx_dfp_reply_number(op, e[4], &status->hooks_oldest) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_dfp_reply_clusters(op, status);

    for (i = NGX_DFP_REPLY_STATUS; i < reply->elements; i += 2) {

        if (e[i]->type != REDIS_REPLY_STRING
            || ngx_dfp_reply_number(op, e[i + 1], &n) != NGX_OK)
        {
            return NGX_ERROR;
        }

        name.data = (u_char *) e[i]->str;
        name.len = e[i]->len;

        ngx_dfp_reply_count(status, &name, n);
    }

    return NGX_OK;
}


/* A row for each one that is configured, also if no job has ended yet. */

static void
ngx_dfp_reply_clusters(ngx_dfp_op_t *op, ngx_dfp_stored_status_t *status)
{
    ngx_uint_t          i;
    ngx_array_t        *clusters;
    ngx_dfp_cluster_t  *cluster;

    clusters = &op->store->conf->clusters;
    cluster = clusters->elts;

    for (i = 0; i < clusters->nelts; i++) {
        status->ended[i].id = cluster[i].id;
    }

    status->n = clusters->nelts;
}


/* Counts that are unknown here are ignored. */

static void
ngx_dfp_reply_count(ngx_dfp_stored_status_t *status, ngx_str_t *name,
    int64_t n)
{
    off_t       cluster;
    u_char     *colon;
    ngx_str_t   rest;

    if (ngx_dfp_reply_is(name, "accepted")) {
        status->accepted = n;
        return;
    }

    if (ngx_dfp_reply_is(name, "deleted")) {
        status->deleted = n;
        return;
    }

    if (ngx_dfp_reply_is(name, "ms")) {
        status->took_ms = n;
        return;
    }

    if (ngx_dfp_reply_is(name, "hook:SUCCESS")) {
        status->delivered = n;
        return;
    }

    if (ngx_dfp_reply_is(name, "hook:FAILURE")) {
        status->given_up = n;
        return;
    }

    colon = ngx_strlchr(name->data, name->data + name->len, ':');
    if (colon == NULL) {
        return;
    }

    rest.data = colon + 1;
    rest.len = name->data + name->len - rest.data;

    if (ngx_strncmp(name->data, "le:", 3) == 0) {
        ngx_dfp_reply_took(status, &rest, n);
        return;
    }

    cluster = ngx_atoof(name->data, colon - name->data);

    if (cluster != NGX_ERROR) {
        ngx_dfp_reply_ended(status, cluster, &rest, n);
    }
}


/* An unknown bound, of another release, counts as the next greater one. */

static void
ngx_dfp_reply_took(ngx_dfp_stored_status_t *status, ngx_str_t *bound,
    int64_t n)
{
    off_t       ms;
    ngx_uint_t  i;

    i = NGX_DFP_BUCKETS_MAX;
    ms = ngx_atoof(bound->data, bound->len);

    if (ms != NGX_ERROR) {
        for (i = 0; i < ngx_dfp_durations.n; i++) {
            if (ngx_dfp_durations.bounds[i] >= (uint64_t) ms * 1000) {
                break;
            }
        }

        if (i == ngx_dfp_durations.n) {
            i = NGX_DFP_BUCKETS_MAX;
        }
    }

    status->took[i] += n;
}


static void
ngx_dfp_reply_ended(ngx_dfp_stored_status_t *status, int64_t cluster,
    ngx_str_t *state, int64_t n)
{
    ngx_uint_t        i;
    ngx_dfp_ended_t  *ended;

    ended = status->ended;

    for (i = 0; i < status->n && ended[i].id != cluster; i++) { /* void */ }

    if (i == NGX_DFP_ENDED_MAX) {
        return;
    }

    if (i == status->n) {
        ended[i].id = cluster;
        status->n++;
    }

    if (ngx_dfp_reply_is(state, "SUCCESS")) {
        ended[i].success = n;

    } else if (ngx_dfp_reply_is(state, "FAILURE")) {
        ended[i].failure = n;
    }
}


static ngx_uint_t
ngx_dfp_reply_is(ngx_str_t *text, const char *word)
{
    return text->len == ngx_strlen(word)
           && ngx_memcmp(text->data, word, text->len) == 0;
}
