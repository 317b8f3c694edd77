#include "ngx_dfp_conn.h"


static void ngx_dfp_conn_set_state(ngx_dfp_conn_t *conn,
    ngx_dfp_conn_state_e state);
static void ngx_dfp_conn_connect(ngx_event_t *ev);
static redisAsyncContext *ngx_dfp_conn_start(ngx_dfp_redis_addr_t *addr);
static ngx_int_t ngx_dfp_conn_attach(ngx_dfp_conn_t *conn,
    redisAsyncContext *ac);
static void ngx_dfp_conn_connected(const redisAsyncContext *ac, int status);
static void ngx_dfp_conn_reconnect(ngx_dfp_conn_t *conn);
static void ngx_dfp_conn_timeout(ngx_event_t *ev);
static void ngx_dfp_conn_flush_handler(ngx_event_t *ev);
static void ngx_dfp_conn_read_handler(ngx_event_t *ev);
static void ngx_dfp_conn_write_handler(ngx_event_t *ev);
static void ngx_dfp_conn_add_read(void *data);
static void ngx_dfp_conn_del_read(void *data);
static void ngx_dfp_conn_add_write(void *data);
static void ngx_dfp_conn_del_write(void *data);
static void ngx_dfp_conn_cleanup(void *data);


#if (NGX_DEBUG)

/* In the order of ngx_dfp_conn_state_e. */

static const char  *ngx_dfp_conn_states[] = {
    "down", "connecting", "setting up", "ready", "closing"
};

#endif


static void
ngx_dfp_conn_set_state(ngx_dfp_conn_t *conn, ngx_dfp_conn_state_e state)
{
    ngx_log_debug4(NGX_LOG_DEBUG_CORE, conn->log, 0,
                   "dfpreheat redis: connection for %s to %V: %s, was %s",
                   conn->name, ngx_dfp_conn_addr(conn),
                   ngx_dfp_conn_states[state],
                   ngx_dfp_conn_states[conn->state]);

    if (ngx_dfp_conn_is_ready(conn)) {
        conn->lost = ngx_current_msec;
    }

    conn->state = state;
}


void
ngx_dfp_conn_open(ngx_dfp_conn_t *conn)
{
    conn->backoff = NGX_DFP_REDIS_BACKOFF;
    conn->lost = ngx_current_msec;

    conn->reconnect.handler = ngx_dfp_conn_connect;
    conn->reconnect.data = conn;
    conn->reconnect.log = conn->log;
    conn->reconnect.cancelable = 1;

    conn->timer.handler = ngx_dfp_conn_timeout;
    conn->timer.data = conn;
    conn->timer.log = conn->log;
    conn->timer.cancelable = 1;

    conn->flush.handler = ngx_dfp_conn_flush_handler;
    conn->flush.data = conn;
    conn->flush.log = conn->log;

    ngx_dfp_conn_connect(&conn->reconnect);
}


static void
ngx_dfp_conn_connect(ngx_event_t *ev)
{
    ngx_dfp_conn_t *conn = ev->data;

    redisAsyncContext     *ac;
    ngx_dfp_redis_addr_t  *addr;

    addr = conn->conf->addrs.elts;
    ac = ngx_dfp_conn_start(&addr[conn->server]);

    if (ac == NULL) {
        ngx_log_error(NGX_LOG_ERR, conn->log, 0,
                      "dfpreheat: no memory to connect to redis");
        ngx_dfp_conn_reconnect(conn);
        return;
    }

    if (ac->err) {
        ngx_dfp_conn_log(conn, NGX_LOG_ERR, "could not be connected to",
                         ac->errstr);
        redisAsyncFree(ac);
        ngx_dfp_conn_reconnect(conn);
        return;
    }

    if (ngx_dfp_conn_attach(conn, ac) != NGX_OK) {
        redisAsyncFree(ac);
        ngx_dfp_conn_reconnect(conn);
        return;
    }

    ngx_add_timer(&conn->timer, conn->conf->timeout);
}


/* NULL: no memory. The address is numeric: a name would block on DNS. */

static redisAsyncContext *
ngx_dfp_conn_start(ngx_dfp_redis_addr_t *addr)
{
    int               port;
    u_char            text[NGX_SOCKADDR_STRLEN + 1];
    size_t            len;
    struct sockaddr  *sa;

    sa = addr->sockaddr;

    if (sa->sa_family == AF_UNIX) {
        return redisAsyncConnectUnix(((struct sockaddr_un *) sa)->sun_path);
    }

    len = ngx_sock_ntop(sa, addr->socklen, text, NGX_SOCKADDR_STRLEN, 0);
    text[len] = '\0';
    port = ngx_inet_get_port(sa);

    /* ngx_sock_ntop() puts IPv6 into brackets, hiredis wants none */

    if (text[0] == '[') {
        text[len - 1] = '\0';
        return redisAsyncConnect((char *) text + 1, port);
    }

    return redisAsyncConnect((char *) text, port);
}


static ngx_int_t
ngx_dfp_conn_attach(ngx_dfp_conn_t *conn, redisAsyncContext *ac)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(ac->c.fd, conn->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->data = conn;
    c->log = conn->log;
    c->read->log = conn->log;
    c->write->log = conn->log;
    c->read->handler = ngx_dfp_conn_read_handler;
    c->write->handler = ngx_dfp_conn_write_handler;

    /* nginx only tells idle connections that the worker quits */
    c->idle = (conn->on_quit != NULL);

    conn->ac = ac;
    conn->c = c;

    ngx_dfp_conn_set_state(conn, NGX_DFP_CONN_CONNECTING);

    ac->data = conn;
    ac->ev.data = conn;
    ac->ev.addRead = ngx_dfp_conn_add_read;
    ac->ev.delRead = ngx_dfp_conn_del_read;
    ac->ev.addWrite = ngx_dfp_conn_add_write;
    ac->ev.delWrite = ngx_dfp_conn_del_write;
    ac->ev.cleanup = ngx_dfp_conn_cleanup;

    redisAsyncSetConnectCallback(ac, ngx_dfp_conn_connected);

    return NGX_OK;
}


static void
ngx_dfp_conn_connected(const redisAsyncContext *ac, int status)
{
    ngx_dfp_conn_t *conn = ac->data;

    if (status != REDIS_OK) {
        ngx_dfp_conn_log(conn, NGX_LOG_ERR, "could not be connected to",
                         ac->errstr);
        conn->refused = NGX_DFP_NOT_REFUSED;
        return;
    }

    ngx_dfp_conn_set_state(conn, NGX_DFP_CONN_SETTING_UP);
    conn->on_connect(conn);
}


void
ngx_dfp_conn_ready(ngx_dfp_conn_t *conn)
{
    ngx_del_timer(&conn->timer);

    if (conn->connected) {
        ngx_dfp_count(&ngx_dfp_counters->reconnects, 1);
    }

    conn->connected = 1;

    ngx_dfp_conn_set_state(conn, NGX_DFP_CONN_READY);
    conn->refused = NGX_DFP_NOT_REFUSED;
    conn->on_ready(conn);
}


void
ngx_dfp_conn_lost(ngx_dfp_conn_t *conn)
{
    if (conn->state != NGX_DFP_CONN_CLOSING) {
        ngx_dfp_conn_set_state(conn, NGX_DFP_CONN_CLOSING);
    }
}


void
ngx_dfp_conn_succeeded(ngx_dfp_conn_t *conn)
{
    conn->backoff = NGX_DFP_REDIS_BACKOFF;

    ngx_dfp_conn_log(conn, NGX_LOG_INFO, "is ready", "it answers");
}


void
ngx_dfp_conn_log(ngx_dfp_conn_t *conn, ngx_uint_t level, const char *what,
    const char *why)
{
    uint32_t  hash, *logged;

    logged = &conn->logged[conn->server % NGX_DFP_REDIS_LOGGED];
    hash = ngx_crc32_long((u_char *) why, ngx_strlen(why));

    if (*logged == hash) {
        return;
    }

    *logged = hash;
    ngx_log_error(level, conn->log, 0, "dfpreheat: redis %V %s: %s",
                  ngx_dfp_conn_addr(conn), what, why);
}


void
ngx_dfp_conn_drop(ngx_dfp_conn_t *conn, const char *why)
{
    if (conn->ac == NULL || (conn->ac->c.flags & REDIS_FREEING)) {
        return;
    }

    if (why) {
        ngx_dfp_conn_log(conn, NGX_LOG_WARN, "is unavailable", why);
    }

    ngx_dfp_conn_lost(conn);

    redisAsyncFree(conn->ac);
}


void
ngx_dfp_conn_refuse(ngx_dfp_conn_t *conn, ngx_dfp_refused_e refused,
    const char *why)
{
    ngx_dfp_conn_log(conn, NGX_LOG_ERR,
                     refused == NGX_DFP_REFUSED_SCHEMA
                     ? "contains data of another version of this module, "
                       "nothing is read or written"
                     : "refuses this nginx", why);

    conn->refused = refused;

    ngx_dfp_conn_drop(conn, NULL);

    if (conn->on_refused) {
        conn->on_refused(conn);
    }
}


void
ngx_dfp_conn_close(ngx_dfp_conn_t *conn)
{
    conn->closed = 1;

    if (conn->reconnect.timer_set) {
        ngx_del_timer(&conn->reconnect);
    }

    ngx_dfp_conn_drop(conn, NULL);
}


/* The next address, after a pause that grows and is partly random. */

static void
ngx_dfp_conn_reconnect(ngx_dfp_conn_t *conn)
{
    ngx_msec_t  pause;

    if (conn->closed) {
        return;
    }

    conn->server = (conn->server + 1) % conn->conf->addrs.nelts;

    pause = conn->backoff / 2 + (ngx_msec_t) ngx_random() % conn->backoff;
    conn->backoff = ngx_min(conn->backoff * 2, NGX_DFP_REDIS_BACKOFF_MAX);

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, conn->log, 0,
                   "dfpreheat redis: connection for %s to %V: next attempt in "
                   "%M ms", conn->name, ngx_dfp_conn_addr(conn), pause);

    ngx_add_timer(&conn->reconnect, pause);
}


static void
ngx_dfp_conn_timeout(ngx_event_t *ev)
{
    ngx_dfp_conn_t *conn = ev->data;

    ngx_dfp_conn_drop(conn, "it did not answer in time");
}


static void
ngx_dfp_conn_flush_handler(ngx_event_t *ev)
{
    ngx_dfp_conn_t *conn = ev->data;

    /* flushing: ngx_dfp_conn_add_write() waits for the write event */

    conn->flushing = 1;
    redisAsyncHandleWrite(conn->ac);
    conn->flushing = 0;
}


void
ngx_dfp_conn_flush(ngx_dfp_conn_t *conn)
{
    if (conn->flush.posted) {
        ngx_delete_posted_event(&conn->flush);
        ngx_dfp_conn_flush_handler(&conn->flush);
    }
}


static void
ngx_dfp_conn_read_handler(ngx_event_t *ev)
{
    ngx_connection_t *c = ev->data;

    ngx_dfp_conn_t *conn = c->data;

    if (c->close) {
        c->close = 0;

        if (conn->on_quit) {
            conn->on_quit(conn);

        } else {
            ngx_dfp_conn_drop(conn, "worker_shutdown_timeout");
        }

        return;
    }

    redisAsyncHandleRead(conn->ac);
}


static void
ngx_dfp_conn_write_handler(ngx_event_t *ev)
{
    ngx_connection_t *c = ev->data;

    ngx_dfp_conn_t *conn = c->data;

    ngx_dfp_conn_flush_handler(&conn->flush);
}


/* Level-triggered, because hiredis reads once per event. */

static void
ngx_dfp_conn_add_read(void *data)
{
    ngx_dfp_conn_t *conn = data;

    if (!conn->c->read->active) {
        (void) ngx_add_event(conn->c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);
    }
}


static void
ngx_dfp_conn_del_read(void *data)
{
    ngx_dfp_conn_t *conn = data;

    if (conn->c->read->active) {
        (void) ngx_del_event(conn->c->read, NGX_READ_EVENT, 0);
    }
}


/*
 * All commands of one turn of the event loop are written at once, at its end.
 * The write event is only used while connecting and when the socket is full. /
 */

static void
ngx_dfp_conn_add_write(void *data)
{
    ngx_dfp_conn_t *conn = data;

    if (conn->state >= NGX_DFP_CONN_SETTING_UP && !conn->flushing) {
        if (!conn->flush.posted) {
            ngx_post_event(&conn->flush, &ngx_posted_events);
        }

        return;
    }

    if (!conn->c->write->active) {
        (void) ngx_add_event(conn->c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    }
}


static void
ngx_dfp_conn_del_write(void *data)
{
    ngx_dfp_conn_t *conn = data;

    if (conn->c->write->active) {
        (void) ngx_del_event(conn->c->write, NGX_WRITE_EVENT, 0);
    }
}


/* hiredis calls this once for each context, however it ended. */

static void
ngx_dfp_conn_cleanup(void *data)
{
    ngx_dfp_conn_t *conn = data;

    ngx_connection_t   *c;
    ngx_dfp_refused_e   refused;

    if (conn->state != NGX_DFP_CONN_CONNECTING && conn->ac->err) {

        /* hiredis also ends a connection for an error reply that belongs to no
           command, such as the refusal of a subscription */

        refused = ngx_dfp_error_refused(conn->ac->errstr);

        if (refused) {
            ngx_dfp_conn_log(conn, NGX_LOG_ERR,
                             "refuses this nginx",
                             conn->ac->errstr);
            conn->refused = refused;

        } else {
            ngx_dfp_conn_log(conn, NGX_LOG_WARN,
                             "closed the connection",
                             conn->ac->errstr);
        }
    }

    c = conn->c;

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (conn->flush.posted) {
        ngx_delete_posted_event(&conn->flush);
    }

    ngx_dfp_conn_del_read(conn);
    ngx_dfp_conn_del_write(conn);

    /* with accept_mutex both events may have been posted */

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    conn->ac = NULL;
    conn->c = NULL;

    ngx_dfp_conn_set_state(conn, NGX_DFP_CONN_DOWN);

    ngx_dfp_conn_reconnect(conn);
}
