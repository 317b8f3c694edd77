/*
 * One connection to Redis on nginx's event loop, by hiredis' asynchronous
 * API: connects, authenticates, selects the database, looks whether this
 * Redis may be used, and connects again after a loss, to the next address.
 */

#ifndef NGX_HTTP_DFPREHEAT_CONN_H
#define NGX_HTTP_DFPREHEAT_CONN_H


#include "ngx_http_dfpreheat_types.h"

#include <hiredis/async.h>


typedef struct ngx_http_dfpreheat_conn_s  ngx_http_dfpreheat_conn_t;

typedef void (*ngx_http_dfpreheat_conn_pt)(ngx_http_dfpreheat_conn_t *conn);


struct ngx_http_dfpreheat_conn_s {
    ngx_http_dfpreheat_redis_conf_t  *conf;
    ngx_log_t                        *log;
    void                             *data;

    /* called each time the connection may be used; it may send at once */
    ngx_http_dfpreheat_conn_pt        on_ready;

    /* called once worker's quit is seen; NULL: not asked for */
    ngx_http_dfpreheat_conn_pt        on_quit;

    redisAsyncContext                *ac;       /* NULL: not connected */
    ngx_connection_t                 *c;
    ngx_event_t                       reconnect;
    ngx_event_t                       timer;    /* connect and set up */
    ngx_event_t                       flush;
    ngx_uint_t                        server;
    ngx_msec_t                        backoff;

    unsigned                          ready:1;
    unsigned                          connected:1;
    unsigned                          flushing:1;
    unsigned                          closed:1;
    unsigned                          reported:1;
};


/* conf, log, data and the handlers are set by the caller; starts to connect. */
void ngx_http_dfpreheat_conn_open(ngx_http_dfpreheat_conn_t *conn);

/* Drops the connection, with WHY in the log, and connects again. Safe in a
 * hiredis callback. Pending callbacks get a NULL reply. */
void ngx_http_dfpreheat_conn_drop(ngx_http_dfpreheat_conn_t *conn,
    const char *why);

/* Writes now what would be written at the end of this turn of the loop. */
void ngx_http_dfpreheat_conn_flush(ngx_http_dfpreheat_conn_t *conn);

/* Closes for good. */
void ngx_http_dfpreheat_conn_close(ngx_http_dfpreheat_conn_t *conn);

/* Whether an error reply means that this Redis can't be used now: LOADING,
 * READONLY, MASTERDOWN, BUSY, MISCONF, NOREPLICAS, OOM, also from within a
 * script. The owner takes backoff back to NGX_HTTP_DFPREHEAT_REDIS_BACKOFF when
 * a command has gone well. */
ngx_uint_t ngx_http_dfpreheat_conn_away(redisReply *reply);


#endif /* NGX_HTTP_DFPREHEAT_CONN_H */
