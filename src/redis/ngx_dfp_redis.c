#include "ngx_dfp_redis.h"
#include "ngx_dfp_setup.h"

#include "dfp_hash.h"
#include "dfp_hex.h"


#define NGX_DFP_REDIS_HEAD  4    /* elements before the arguments of a script */


static void ngx_dfp_redis_ready(ngx_dfp_conn_t *conn);
static void ngx_dfp_redis_refused(ngx_dfp_conn_t *conn);
static void ngx_dfp_redis_debug(ngx_dfp_redis_cmd_t *cmd, redisReply *reply);
static ngx_uint_t ngx_dfp_redis_unusable(ngx_dfp_redis_t *redis,
    redisReply *reply);
static u_char *ngx_dfp_redis_arg(u_char *p, ngx_str_t *arg);
static ngx_int_t ngx_dfp_redis_write(ngx_dfp_redis_cmd_t *cmd,
    ngx_uint_t whole);
static ngx_uint_t ngx_dfp_redis_head(ngx_dfp_redis_cmd_t *cmd,
    ngx_uint_t whole, ngx_str_t *head);
static void ngx_dfp_redis_queue(ngx_dfp_redis_cmd_t *cmd);
static void ngx_dfp_redis_reply(redisAsyncContext *ac, void *reply,
    void *data);
static void ngx_dfp_redis_lost(ngx_dfp_redis_cmd_t *cmd);
static void ngx_dfp_redis_finish(ngx_dfp_redis_cmd_t *cmd, redisReply *reply);
static void ngx_dfp_redis_timeout(ngx_event_t *ev);
static void ngx_dfp_redis_stalled(ngx_event_t *ev);


void
ngx_dfp_redis_init(ngx_dfp_redis_t *redis, ngx_dfp_redis_conf_t *conf,
    ngx_str_t *check, ngx_log_t *log)
{
    ngx_queue_init(&redis->waiting);

    redis->stall.handler = ngx_dfp_redis_stalled;
    redis->stall.data = redis;
    redis->stall.log = log;
    redis->stall.cancelable = 1;

    redis->conn.name = "commands";
    redis->conn.conf = conf;
    redis->conn.log = log;
    redis->conn.data = redis;
    redis->conn.check = *check;
    redis->conn.on_connect = ngx_dfp_setup;
    redis->conn.on_ready = ngx_dfp_redis_ready;
    redis->conn.on_refused = ngx_dfp_redis_refused;

    ngx_dfp_conn_open(&redis->conn);
}


void
ngx_dfp_redis_done(ngx_dfp_redis_t *redis)
{
    ngx_queue_t          *q;
    ngx_dfp_redis_cmd_t  *cmd;

    ngx_dfp_conn_flush(&redis->conn);
    ngx_dfp_conn_close(&redis->conn);

    if (redis->stall.timer_set) {
        ngx_del_timer(&redis->stall);
    }

    while (!ngx_queue_empty(&redis->waiting)) {
        q = ngx_queue_head(&redis->waiting);
        cmd = ngx_queue_data(q, ngx_dfp_redis_cmd_t, queue);
        ngx_dfp_redis_finish(cmd, NULL);
    }
}


void
ngx_dfp_redis_script(ngx_dfp_redis_kind_t *kind, ngx_str_t *text)
{
    u_char  hash[DFP_SHA1_LEN];

    kind->script = *text;

    (void) dfp_hash(DFP_SHA1, ngx_dfp_dfp_str(*text), hash);
    (void) dfp_hex_print(hash, DFP_SHA1_LEN, (char *) kind->sha1);
}


ngx_dfp_redis_cmd_t *
ngx_dfp_redis_send(ngx_dfp_redis_t *redis, ngx_dfp_redis_kind_t *kind,
    ngx_str_t *argv, ngx_uint_t argc, ngx_msec_t timeout,
    ngx_dfp_redis_pt handler, void *data)
{
    u_char               *p;
    size_t                size;
    ngx_uint_t            i;
    ngx_dfp_redis_cmd_t  *cmd;

    if (!ngx_dfp_conn_is_ready(&redis->conn) && !kind->internal
        && (redis->nwaiting >= NGX_DFP_REDIS_WAITING
            || redis->conn.refused))
    {
        ngx_log_debug3(NGX_LOG_DEBUG_CORE, redis->conn.log, 0,
                       "dfpreheat redis: %s is not queued: %s, %ui are queued",
                       kind->name, redis->conn.refused ? "redis refuses"
                                                       : "queue is full",
                       redis->nwaiting);
        return NULL;
    }

    size = 0;

    for (i = 0; i < argc; i++) {
        size += sizeof("$\r\n\r\n") - 1 + NGX_SIZE_T_LEN + argv[i].len;
    }

    cmd = ngx_alloc(sizeof(ngx_dfp_redis_cmd_t) + size, redis->conn.log);
    if (cmd == NULL) {
        return NULL;
    }

    ngx_memzero(cmd, sizeof(ngx_dfp_redis_cmd_t));

    cmd->redis = redis;
    cmd->kind = kind;
    cmd->start = ngx_current_msec;
    cmd->argc = argc;
    cmd->handler = handler;
    cmd->data = data;
    cmd->args = (u_char *) (cmd + 1);

    p = cmd->args;

    for (i = 0; i < argc; i++) {
        p = ngx_dfp_redis_arg(p, &argv[i]);
    }

    cmd->len = p - cmd->args;

    cmd->timer.handler = ngx_dfp_redis_timeout;
    cmd->timer.data = cmd;
    cmd->timer.log = redis->conn.log;

    ngx_add_timer(&cmd->timer, timeout);

    if (!ngx_dfp_conn_is_ready(&redis->conn)) {
        ngx_dfp_redis_queue(cmd);
        return cmd;
    }

    /* a process that ends at once has no time to handle a NOSCRIPT */

    if (ngx_dfp_redis_write(cmd, ngx_terminate || ngx_quit) != NGX_OK) {
        ngx_del_timer(&cmd->timer);
        ngx_free(cmd);
        return NULL;
    }

    return cmd;
}


void
ngx_dfp_redis_cancel(ngx_dfp_redis_cmd_t *cmd)
{
    cmd->handler = NULL;

    if (cmd->timer.timer_set) {
        ngx_del_timer(&cmd->timer);
    }

    if (!cmd->sent) {
        ngx_dfp_redis_finish(cmd, NULL);
    }
}


static u_char *
ngx_dfp_redis_arg(u_char *p, ngx_str_t *arg)
{
    *p++ = '$';

    if (arg->len < 10) {
        *p++ = '0' + arg->len;      /* most arguments */

    } else {
        p = ngx_sprintf(p, "%uz", arg->len);
    }

    *p++ = CR;
    *p++ = LF;

    if (arg->len) {
        p = ngx_cpymem(p, arg->data, arg->len);
    }

    *p++ = CR;
    *p++ = LF;

    return p;
}


/* WHOLE: the text of the script, for a Redis that does not know its hash. */

static ngx_int_t
ngx_dfp_redis_write(ngx_dfp_redis_cmd_t *cmd, ngx_uint_t whole)
{
    int               rc;
    u_char           *buf, *p;
    size_t            size;
    ngx_str_t         head[NGX_DFP_REDIS_HEAD];
    ngx_uint_t        i, n;
    ngx_dfp_redis_t  *redis;

    redis = cmd->redis;

    n = ngx_dfp_redis_head(cmd, whole, head);
    size = sizeof("*\r\n") - 1 + NGX_SIZE_T_LEN + cmd->len;

    for (i = 0; i < n; i++) {
        size += sizeof("$\r\n\r\n") - 1 + NGX_SIZE_T_LEN + head[i].len;
    }

    buf = ngx_alloc(size, redis->conn.log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(buf, "*%ui\r\n", n + cmd->argc);

    for (i = 0; i < n; i++) {
        p = ngx_dfp_redis_arg(p, &head[i]);
    }

    p = ngx_cpymem(p, cmd->args, cmd->len);

    rc = redisAsyncFormattedCommand(redis->conn.ac, ngx_dfp_redis_reply, cmd,
                                    (char *) buf, p - buf);
    ngx_free(buf);

    if (rc != REDIS_OK) {
        return NGX_ERROR;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, redis->conn.log, 0,
                   "dfpreheat redis: %s is sent%s, %ui under way",
                   cmd->kind->name, whole ? " with its text" : "",
                   redis->nsent + 1);

    cmd->sent = 1;
    cmd->written = ngx_dfp_clock();
    cmd->timer.cancelable = 0;

    if (redis->nsent++ == 0) {
        ngx_add_timer(&redis->stall, redis->conn.conf->timeout);
    }

    return NGX_OK;
}


/* What is before the arguments; returns how many elements. Of all the keys only
 * one is told: Redis Cluster would need the others. */

static ngx_uint_t
ngx_dfp_redis_head(ngx_dfp_redis_cmd_t *cmd, ngx_uint_t whole, ngx_str_t *head)
{
    if (cmd->kind->script.len == 0) {
        return 0;
    }

    if (whole) {
        ngx_str_set(&head[0], "EVAL");
        head[1] = cmd->kind->script;

    } else {
        ngx_str_set(&head[0], "EVALSHA");
        head[1].data = cmd->kind->sha1;
        head[1].len = sizeof(cmd->kind->sha1);
    }

    ngx_str_set(&head[2], "1");
    head[3] = cmd->redis->key;

    return NGX_DFP_REDIS_HEAD;
}


static void
ngx_dfp_redis_queue(ngx_dfp_redis_cmd_t *cmd)
{
    ngx_log_debug1(NGX_LOG_DEBUG_CORE, cmd->redis->conn.log, 0,
                   "dfpreheat redis: %s waits for the connection",
                   cmd->kind->name);

    cmd->queued = 1;

    /* a worker that quits does not wait for what is sent once */
    cmd->timer.cancelable = cmd->kind->once;

    cmd->redis->nwaiting += !cmd->kind->internal;
    ngx_queue_insert_tail(&cmd->redis->waiting, &cmd->queue);
}


static void
ngx_dfp_redis_ready(ngx_dfp_conn_t *conn)
{
    ngx_dfp_redis_t *redis = conn->data;

    ngx_queue_t          *q;
    ngx_dfp_redis_cmd_t  *cmd;

    while (!ngx_queue_empty(&redis->waiting)) {

        q = ngx_queue_head(&redis->waiting);
        cmd = ngx_queue_data(q, ngx_dfp_redis_cmd_t, queue);

        if (ngx_dfp_redis_write(cmd, 0) != NGX_OK) {
            ngx_dfp_conn_drop(conn, "no memory for a command");
            return;
        }

        ngx_queue_remove(q);
        cmd->queued = 0;
        redis->nwaiting -= !cmd->kind->internal;
    }
}


/* Clients get an error at once; internal commands stay queued. */

static void
ngx_dfp_redis_refused(ngx_dfp_conn_t *conn)
{
    ngx_dfp_redis_t *redis = conn->data;

    ngx_queue_t          *q;
    ngx_dfp_redis_cmd_t  *cmd;

    /* starts again after each one, because a handler may end others */

    q = ngx_queue_head(&redis->waiting);

    while (q != ngx_queue_sentinel(&redis->waiting)) {

        cmd = ngx_queue_data(q, ngx_dfp_redis_cmd_t, queue);
        q = ngx_queue_next(q);

        if (!cmd->kind->internal) {
            ngx_dfp_redis_finish(cmd, NULL);
            q = ngx_queue_head(&redis->waiting);
        }
    }
}


static void
ngx_dfp_redis_reply(redisAsyncContext *ac, void *reply, void *data)
{
    ngx_dfp_redis_cmd_t *cmd = data;

    redisReply       *r = reply;
    ngx_dfp_redis_t  *redis;

    redis = cmd->redis;
    redis->nsent--;

    if (r == NULL) {
        ngx_dfp_conn_lost(&redis->conn);
        ngx_dfp_redis_lost(cmd);
        return;
    }

    if (redis->nsent) {
        ngx_add_timer(&redis->stall, redis->conn.conf->timeout);

    } else if (redis->stall.timer_set) {
        ngx_del_timer(&redis->stall);
    }

    ngx_dfp_histogram_add(&ngx_dfp_counters->redis, &ngx_dfp_latencies,
                          ngx_dfp_clock() - cmd->written);
    ngx_dfp_redis_debug(cmd, r);

    if (ngx_dfp_redis_unusable(redis, r)) {
        ngx_dfp_redis_lost(cmd);
        return;
    }

    ngx_dfp_conn_succeeded(&redis->conn);

    if (r->type == REDIS_REPLY_ERROR && cmd->handler
        && cmd->kind->script.len
        && ngx_strncmp(r->str, "NOSCRIPT", sizeof("NOSCRIPT") - 1) == 0
        && ngx_dfp_redis_write(cmd, 1) == NGX_OK)
    {
        return;
    }

    ngx_dfp_redis_finish(cmd, r);
}


/* Of an error only the code is shown: its text may repeat arguments. */

static void
ngx_dfp_redis_debug(ngx_dfp_redis_cmd_t *cmd, redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_log_debug4(NGX_LOG_DEBUG_CORE, cmd->redis->conn.log, 0,
                       "dfpreheat redis: %s has error %*s after %M ms",
                       cmd->kind->name, strcspn(reply->str, " "), reply->str,
                       ngx_current_msec - cmd->start);
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, cmd->redis->conn.log, 0,
                   "dfpreheat redis: %s has a reply after %M ms",
                   cmd->kind->name, ngx_current_msec - cmd->start);
}


static ngx_uint_t
ngx_dfp_redis_unusable(ngx_dfp_redis_t *redis, redisReply *reply)
{
    ngx_dfp_refused_e  refused;

    if (reply->type != REDIS_REPLY_ERROR) {
        return 0;
    }

    refused = ngx_dfp_error_refused(reply->str);

    if (refused) {
        ngx_dfp_conn_refuse(&redis->conn, refused, reply->str);
        return 1;
    }

    if (ngx_dfp_error_unavailable(reply->str)) {
        ngx_dfp_conn_drop(&redis->conn, reply->str);
        return 1;
    }

    return 0;
}


static void
ngx_dfp_redis_lost(ngx_dfp_redis_cmd_t *cmd)
{
    ngx_log_debug2(NGX_LOG_DEBUG_CORE, cmd->redis->conn.log, 0,
                   "dfpreheat redis: %s has lost its connection after %M ms",
                   cmd->kind->name, ngx_current_msec - cmd->start);

    cmd->sent = 0;

    if (cmd->handler == NULL || cmd->kind->once || cmd->redis->conn.closed
        || (cmd->redis->conn.refused && !cmd->kind->internal))
    {
        ngx_dfp_redis_finish(cmd, NULL);
        return;
    }

    ngx_dfp_redis_queue(cmd);
}


static void
ngx_dfp_redis_finish(ngx_dfp_redis_cmd_t *cmd, redisReply *reply)
{
    if (cmd->timer.timer_set) {
        ngx_del_timer(&cmd->timer);
    }

    if (cmd->queued) {
        ngx_queue_remove(&cmd->queue);
        cmd->redis->nwaiting -= !cmd->kind->internal;
    }

    if (cmd->handler) {
        cmd->handler(cmd->data, reply);
    }

    ngx_free(cmd);
}


/* A command that was sent is kept until hiredis has its reply. */

static void
ngx_dfp_redis_timeout(ngx_event_t *ev)
{
    ngx_dfp_redis_cmd_t *cmd = ev->data;

    void              *data;
    ngx_dfp_redis_pt   handler;

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, cmd->redis->conn.log, 0,
                   "dfpreheat redis: %s has timed out after %M ms",
                   cmd->kind->name, ngx_current_msec - cmd->start);

    if (!cmd->sent) {
        ngx_dfp_redis_finish(cmd, NULL);
        return;
    }

    handler = cmd->handler;
    data = cmd->data;
    cmd->handler = NULL;

    handler(data, NULL);
}


static void
ngx_dfp_redis_stalled(ngx_event_t *ev)
{
    ngx_dfp_redis_t *redis = ev->data;

    if (redis->nsent) {
        ngx_dfp_conn_drop(&redis->conn, "no reply in time");
    }
}
