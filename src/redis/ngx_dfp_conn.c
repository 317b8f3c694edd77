#include "ngx_dfp_conn.h"


static void ngx_dfp_conn_connect(ngx_event_t *ev);
static ngx_int_t ngx_dfp_conn_attach(ngx_dfp_conn_t *conn,
    redisAsyncContext *ac);
static void ngx_dfp_conn_connected(const redisAsyncContext *ac, int status);
static void ngx_dfp_conn_again(ngx_dfp_conn_t *conn);
static void ngx_dfp_conn_timeout(ngx_event_t *ev);
static void ngx_dfp_conn_flush_handler(ngx_event_t *ev);
static void ngx_dfp_conn_read_handler(ngx_event_t *ev);
static void ngx_dfp_conn_write_handler(ngx_event_t *ev);
static void ngx_dfp_conn_add_read(void *data);
static void ngx_dfp_conn_del_read(void *data);
static void ngx_dfp_conn_add_write(void *data);
static void ngx_dfp_conn_del_write(void *data);
static void ngx_dfp_conn_cleanup(void *data);


void
ngx_dfp_conn_open(ngx_dfp_conn_t *conn)
{
    conn->backoff = NGX_DFP_REDIS_BACKOFF;

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

    int                    port;
    u_char                 text[NGX_SOCKADDR_STRLEN + 1];
    size_t                 len;
    redisAsyncContext     *ac;
    struct sockaddr       *sa;
    ngx_dfp_redis_addr_t  *addr;

    addr = conn->conf->addrs.elts;
    sa = addr[conn->server].sockaddr;

    if (sa->sa_family == AF_UNIX) {
        ac = redisAsyncConnectUnix(((struct sockaddr_un *) sa)->sun_path);

    } else {
        len = ngx_sock_ntop(sa, addr[conn->server].socklen, text,
                            NGX_SOCKADDR_STRLEN, 0);
        text[len] = '\0';
        port = ngx_inet_get_port(sa);

        /* ngx_sock_ntop() puts IPv6 into brackets, hiredis wants none */

        if (text[0] == '[') {
            text[len - 1] = '\0';
            ac = redisAsyncConnect((char *) text + 1, port);

        } else {
            ac = redisAsyncConnect((char *) text, port);
        }
    }

    if (ac == NULL) {
        ngx_log_error(NGX_LOG_ERR, conn->log, 0,
                      "dfpreheat: no memory to connect to redis");
        ngx_dfp_conn_again(conn);
        return;
    }

    if (ac->err) {
        ngx_dfp_conn_say(conn, NGX_LOG_ERR, "can't be connected to",
                         ac->errstr);
        redisAsyncFree(ac);
        ngx_dfp_conn_again(conn);
        return;
    }

    if (ngx_dfp_conn_attach(conn, ac) != NGX_OK) {
        redisAsyncFree(ac);
        ngx_dfp_conn_again(conn);
        return;
    }

    ngx_add_timer(&conn->timer, conn->conf->timeout);
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

    /* nginx tells idle connections, and nobody else, that it quits */
    c->idle = (conn->on_quit != NULL);

    conn->ac = ac;
    conn->c = c;

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
        ngx_dfp_conn_say(conn, NGX_LOG_ERR, "can't be connected to",
                         ac->errstr);
        conn->refused = NGX_DFP_NOT_REFUSED;
        return;
    }

    conn->connected = 1;
    conn->on_connect(conn);
}


void
ngx_dfp_conn_ready(ngx_dfp_conn_t *conn)
{
    ngx_del_timer(&conn->timer);

    conn->ready = 1;
    conn->refused = NGX_DFP_NOT_REFUSED;
    conn->on_ready(conn);
}


void
ngx_dfp_conn_good(ngx_dfp_conn_t *conn)
{
    conn->backoff = NGX_DFP_REDIS_BACKOFF;

    ngx_dfp_conn_say(conn, NGX_LOG_INFO, "is ready", "it answers");
}


void
ngx_dfp_conn_say(ngx_dfp_conn_t *conn, ngx_uint_t level, const char *what,
    const char *why)
{
    uint32_t               hash, *said;
    ngx_dfp_redis_addr_t  *addr;

    addr = conn->conf->addrs.elts;
    said = &conn->said[conn->server % NGX_DFP_REDIS_SAID];
    hash = ngx_crc32_long((u_char *) why, ngx_strlen(why));

    if (*said == hash) {
        return;
    }

    *said = hash;
    ngx_log_error(level, conn->log, 0, "dfpreheat: redis %V %s: %s",
                  &addr[conn->server].name, what, why);
}


void
ngx_dfp_conn_drop(ngx_dfp_conn_t *conn, const char *why)
{
    if (conn->ac == NULL || (conn->ac->c.flags & REDIS_FREEING)) {
        return;
    }

    if (why) {
        ngx_dfp_conn_say(conn, NGX_LOG_WARN, "is away", why);
    }

    conn->ready = 0;

    redisAsyncFree(conn->ac);
}


void
ngx_dfp_conn_refuse(ngx_dfp_conn_t *conn, ngx_dfp_refused_e refused,
    const char *why)
{
    ngx_dfp_conn_say(conn, NGX_LOG_ERR,
                     refused == NGX_DFP_REFUSED_SCHEMA
                     ? "has the data of another version of this "
                       "module, nothing is read or written"
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


ngx_uint_t
ngx_dfp_conn_away(redisReply *reply)
{
    size_t              len;
    ngx_uint_t          i;
    char                within[32];

    static const char  *codes[] = {
        "LOADING ", "READONLY ", "MASTERDOWN ", "BUSY ", "MISCONF ",
        "NOREPLICAS ", "OOM ", NULL
    };

    if (reply->type != REDIS_REPLY_ERROR) {
        return 0;
    }

    for (i = 0; codes[i]; i++) {
        len = ngx_strlen(codes[i]);

        if (ngx_strncmp(reply->str, codes[i], len) == 0) {
            return 1;
        }

        /* redis 6 and older quotes it: ERR Error running script ... -BUSY */

        within[0] = '-';
        ngx_memcpy(within + 1, codes[i], len + 1);

        if (strstr(reply->str, within)) {
            return 1;
        }
    }

    return 0;
}


ngx_dfp_refused_e
ngx_dfp_conn_refused(const char *text)
{
    if (ngx_strncmp(text, "DFPSCHEMA ", sizeof("DFPSCHEMA ") - 1) == 0) {
        return NGX_DFP_REFUSED_SCHEMA;
    }

    if (ngx_strncmp(text, "NOPERM", sizeof("NOPERM") - 1) == 0
        || ngx_strncmp(text, "NOAUTH", sizeof("NOAUTH") - 1) == 0
        || ngx_strncmp(text, "WRONGPASS", sizeof("WRONGPASS") - 1) == 0
        || strstr(text, "user executing the script can't"))
    {
        return NGX_DFP_REFUSED_RIGHTS;
    }

    return NGX_DFP_NOT_REFUSED;
}


/* The next address, after a pause that grows, and not in step with others. */

static void
ngx_dfp_conn_again(ngx_dfp_conn_t *conn)
{
    ngx_msec_t  pause;

    if (conn->closed) {
        return;
    }

    conn->server = (conn->server + 1) % conn->conf->addrs.nelts;

    pause = conn->backoff / 2 + (ngx_msec_t) ngx_random() % conn->backoff;
    conn->backoff = ngx_min(conn->backoff * 2, NGX_DFP_REDIS_BACKOFF_MAX);

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

    /* flushing: what can't be written now waits for the write event */

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


/*
 * Level-triggered: hiredis reads once per event.  See nginx's epoll module:
 * flags 0 leave EPOLLET off.
 */

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
 * All commands of one turn of the event loop go out in one write, at its end;
 * the write event is only for a socket that takes no more.
 */

static void
ngx_dfp_conn_add_write(void *data)
{
    ngx_dfp_conn_t *conn = data;

    if (conn->connected && !conn->flushing) {
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


/* hiredis calls this once for each context, whatever ended it. */

static void
ngx_dfp_conn_cleanup(void *data)
{
    ngx_dfp_conn_t *conn = data;

    ngx_connection_t   *c;
    ngx_dfp_refused_e   refused;

    if (conn->connected && conn->ac->err) {

        /* an error that nobody waits for ends a connection, too: what a
           subscription is refused with */

        refused = ngx_dfp_conn_refused(conn->ac->errstr);

        if (refused) {
            ngx_dfp_conn_say(conn, NGX_LOG_ERR,
                             "refuses this nginx",
                             conn->ac->errstr);
            conn->refused = refused;

        } else {
            ngx_dfp_conn_say(conn, NGX_LOG_WARN,
                             "has closed the connection",
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

    /* with accept_mutex both events of one poll are posted */

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
    conn->ready = 0;
    conn->connected = 0;

    ngx_dfp_conn_again(conn);
}
