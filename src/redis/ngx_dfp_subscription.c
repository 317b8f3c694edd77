#include "ngx_dfp_subscription.h"
#include "ngx_dfp_follow.h"
#include "ngx_dfp_listen.h"
#include "ngx_dfp_token_cache.h"


static void ngx_dfp_subscription_ready(ngx_dfp_conn_t *conn);
static void ngx_dfp_subscription_ask(ngx_dfp_subscription_t *sub);
static void ngx_dfp_subscription_message(ngx_dfp_subscription_t *sub,
    u_char *text, size_t len);
static int64_t ngx_dfp_subscription_id(u_char *text, size_t len,
    ngx_str_t *name);
static void ngx_dfp_subscription_event(redisAsyncContext *ac, void *reply,
    void *data);
static void ngx_dfp_subscription_probe(ngx_event_t *ev);
static void ngx_dfp_subscription_quit(ngx_dfp_conn_t *conn);
static void ngx_dfp_subscription_new(int64_t id);
static void ngx_dfp_subscription_progress(int64_t id);
static void ngx_dfp_subscription_end(int64_t id);
static void ngx_dfp_subscription_deleted(int64_t id);


/* Messages about a job or a token, which end with its id. */

static struct {
    ngx_str_t    name;
    const char  *what;
    const char  *happened;
    void       (*handler)(int64_t id);
} ngx_dfp_subscription_kinds[] = {
    { ngx_string("new "), "job", "is new", ngx_dfp_subscription_new },
    { ngx_string("progress "), "job", "has progress",
      ngx_dfp_subscription_progress },
    { ngx_string("job "), "job", "has ended", ngx_dfp_subscription_end },
    { ngx_string("deleted "), "job", "was deleted",
      ngx_dfp_subscription_deleted },
    { ngx_string("token "), "token", "was changed", ngx_dfp_token_cache_drop },
    { ngx_null_string, NULL, NULL, NULL }
};


void
ngx_dfp_subscription_open(ngx_dfp_subscription_t *sub)
{
    sub->probe.handler = ngx_dfp_subscription_probe;
    sub->probe.data = sub;
    sub->probe.log = sub->log;
    sub->probe.cancelable = 1;

    sub->conn.name = "the subscription";
    sub->conn.conf = &sub->conf->redis;
    sub->conn.log = sub->log;
    sub->conn.data = sub;
    sub->conn.on_connect = ngx_dfp_setup;
    sub->conn.on_ready = ngx_dfp_subscription_ready;
    sub->conn.on_quit = ngx_dfp_subscription_quit;
    sub->conn.warned = 1;

    ngx_dfp_conn_open(&sub->conn);
}


void
ngx_dfp_subscription_close(ngx_dfp_subscription_t *sub)
{
    if (sub->probe.timer_set) {
        ngx_del_timer(&sub->probe);
    }

    ngx_dfp_conn_close(&sub->conn);
}


static void
ngx_dfp_subscription_ready(ngx_dfp_conn_t *conn)
{
    ngx_dfp_subscription_t *sub = conn->data;

    ngx_dfp_subscription_ask(sub);

    /* messages may have been missed */
    sub->on_wake(sub->data);
}


static void
ngx_dfp_subscription_ask(ngx_dfp_subscription_t *sub)
{
    ngx_str_t  *prefix;

    prefix = &sub->conf->redis.prefix;

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, sub->log, 0,
                   "dfpreheat redis: SUBSCRIBE %Vwake", prefix);

    sub->asked = 1;
    ngx_add_timer(&sub->probe, sub->conf->redis.timeout);

    /* without memory there is no reply, and the timer tries again */

    (void) redisAsyncCommand(sub->conn.ac,
                             ngx_dfp_subscription_event, sub,
                             "SUBSCRIBE %bwake", prefix->data, prefix->len);
}


/* ["subscribe", channel, n] or ["message", channel, text] */

static void
ngx_dfp_subscription_event(redisAsyncContext *ac, void *reply, void *data)
{
    ngx_dfp_subscription_t *sub = data;

    redisReply  *r = reply;

    /* the connection is closed */

    if (r == NULL) {
        sub->up = 0;
        ngx_dfp_follow_channel(0);
        ngx_dfp_listen_channel(0);
        return;
    }

    if (r->type != REDIS_REPLY_ARRAY || r->elements != 3
        || (ac->c.flags & REDIS_FREEING))
    {
        return;
    }

    if (r->element[2]->type == REDIS_REPLY_INTEGER) {
        ngx_log_debug0(NGX_LOG_DEBUG_CORE, sub->log, 0,
                       "dfpreheat redis: subscribed");

        sub->asked = 0;
        ngx_add_timer(&sub->probe, sub->conf->lease / 3);
        ngx_dfp_conn_succeeded(&sub->conn);
        ngx_dfp_follow_channel(1);
        ngx_dfp_listen_channel(1);

        /* messages may have been missed, once a connection */

        if (!sub->up) {
            sub->up = 1;
            ngx_dfp_token_cache_drop(0);
        }

        return;
    }

    if (r->element[2]->type == REDIS_REPLY_STRING) {
        ngx_dfp_subscription_message(sub, (u_char *) r->element[2]->str,
                                     r->element[2]->len);
    }
}


/* A queue, "hooks", "cancel UUID", or a name and an ID; others are of newer
 * releases. */

static void
ngx_dfp_subscription_message(ngx_dfp_subscription_t *sub, u_char *text,
    size_t len)
{
    int64_t     id;
    ngx_str_t  *queue;
    ngx_uint_t  i;

    static ngx_str_t  hooks = ngx_string("hooks");
    static ngx_str_t  cancel = ngx_string("cancel ");

    queue = &sub->conf->instance.queue;

    if (len == queue->len && ngx_memcmp(text, queue->data, len) == 0) {
        ngx_log_debug1(NGX_LOG_DEBUG_CORE, sub->log, 0,
                       "dfpreheat redis: wake-up for %V", queue);
        sub->on_wake(sub->data);
        return;
    }

    if (len == cancel.len + DFP_UUID_LEN
        && ngx_memcmp(text, cancel.data, cancel.len) == 0)
    {
        sub->on_cancel(sub->data, text + cancel.len);
        return;
    }

    if (len == hooks.len && ngx_memcmp(text, hooks.data, len) == 0) {
        sub->on_hooks(sub->data);
        return;
    }

    for (i = 0; ngx_dfp_subscription_kinds[i].name.len; i++) {

        id = ngx_dfp_subscription_id(text, len,
                                     &ngx_dfp_subscription_kinds[i].name);

        if (id > 0) {
            ngx_log_debug3(NGX_LOG_DEBUG_CORE, sub->log, 0,
                           "dfpreheat redis: %s %L %s",
                           ngx_dfp_subscription_kinds[i].what, id,
                           ngx_dfp_subscription_kinds[i].happened);
            ngx_dfp_subscription_kinds[i].handler(id);
            return;
        }
    }
}


static void
ngx_dfp_subscription_new(int64_t id)
{
    ngx_dfp_listen_changed(id, DFP_CHANGE_CREATED);
}


static void
ngx_dfp_subscription_progress(int64_t id)
{
    ngx_dfp_follow_progress(id);
    ngx_dfp_listen_changed(id, DFP_CHANGE_PROGRESS);
}


static void
ngx_dfp_subscription_end(int64_t id)
{
    ngx_dfp_follow_wake(id);
    ngx_dfp_listen_changed(id, DFP_CHANGE_END);
}


static void
ngx_dfp_subscription_deleted(int64_t id)
{
    ngx_dfp_listen_changed(id, DFP_CHANGE_DELETED);
}


/* The number after NAME; not positive: it is another message. */

static int64_t
ngx_dfp_subscription_id(u_char *text, size_t len, ngx_str_t *name)
{
    if (len <= name->len || ngx_memcmp(text, name->data, name->len) != 0) {
        return 0;
    }

    return ngx_atoof(text + name->len, len - name->len);
}


static void
ngx_dfp_subscription_probe(ngx_event_t *ev)
{
    ngx_dfp_subscription_t *sub = ev->data;

    if (!ngx_dfp_conn_is_ready(&sub->conn)) {
        return;
    }

    if (sub->asked) {
        ngx_dfp_conn_drop(&sub->conn, "its subscription timed out");
        return;
    }

    ngx_dfp_subscription_ask(sub);
}


static void
ngx_dfp_subscription_quit(ngx_dfp_conn_t *conn)
{
    ngx_dfp_subscription_t *sub = conn->data;

    ngx_dfp_subscription_close(sub);
    ngx_dfp_follow_quit();
    ngx_dfp_listen_quit();
    sub->on_quit(sub->data);
}
