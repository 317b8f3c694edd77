/*
 * One connection to Redis on nginx's event loop, by hiredis' asynchronous
 * API. It connects, is set up by its owner's on_connect, and connects again
 * after a loss, to the next address.
 */

#ifndef NGX_DFP_CONN_H
#define NGX_DFP_CONN_H


#include "ngx_dfp_error.h"

#include <hiredis/async.h>


#define NGX_DFP_REDIS_BACKOFF      50      /* ms, doubled up to ... */
#define NGX_DFP_REDIS_BACKOFF_MAX  1000    /* ms */
#define NGX_DFP_REDIS_LOGGED       16      /* addresses */


typedef struct ngx_dfp_conn_s  ngx_dfp_conn_t;

typedef void (*ngx_dfp_conn_pt)(ngx_dfp_conn_t *conn);


/* It changes in one place, ngx_dfp_conn_set_state(). */
typedef enum {
    NGX_DFP_CONN_DOWN = 0,       /* no connection; "reconnect" may be running */
    NGX_DFP_CONN_CONNECTING,
    NGX_DFP_CONN_SETTING_UP,     /* connected; "timer" is running */
    NGX_DFP_CONN_READY,
    NGX_DFP_CONN_CLOSING         /* hiredis ends pending commands */
} ngx_dfp_conn_state_e;


struct ngx_dfp_conn_s {

    /* set by the owner, the rest zeroed */

    const char            *name;     /* what it is for, in the debug log */
    ngx_dfp_redis_conf_t  *conf;
    ngx_log_t             *log;
    void                  *data;
    ngx_str_t              check;    /* a script that returns what the user may
                                        not do; "": none */

    /* called each time it is connected, to set it up: ngx_dfp_setup() */
    ngx_dfp_conn_pt        on_connect;

    /* called each time it becomes ready; it may send at once */
    ngx_dfp_conn_pt        on_ready;

    /* called when Redis refuses this nginx; NULL: not needed */
    ngx_dfp_conn_pt        on_refused;

    /* called when nginx tells the worker to quit; NULL: not needed */
    ngx_dfp_conn_pt        on_quit;

    unsigned               warned:1; /* settings of Redis are not warned of */

    /* for all files of this folder to read */

    ngx_dfp_conn_state_e   state;
    ngx_dfp_refused_e      refused;
    redisAsyncContext     *ac;       /* NULL: NGX_DFP_CONN_DOWN */
    ngx_uint_t             server;   /* index of the address */
    ngx_msec_t             lost;     /* when it was ready last, or opened, in
                                        ngx_current_msec */
    unsigned               closed:1; /* for good */

    /* private */

    ngx_connection_t      *c;
    ngx_event_t            reconnect;
    ngx_event_t            timer;    /* connect and set up */
    ngx_event_t            flush;
    ngx_msec_t             backoff;
    unsigned               flushing:1;
    unsigned               connected:1;  /* it has been ready before */

    /* a hash of what was logged last about each address, so that a trouble is
       logged when it begins and not at each attempt */
    uint32_t               logged[NGX_DFP_REDIS_LOGGED];
};


/* Whether commands may be sent. */
#define ngx_dfp_conn_is_ready(conn)                                           \
    ((conn)->state == NGX_DFP_CONN_READY)


/* The address in use, as it was configured. */

static ngx_inline ngx_str_t *
ngx_dfp_conn_addr(ngx_dfp_conn_t *conn)
{
    ngx_dfp_redis_addr_t  *addr;

    addr = conn->conf->addrs.elts;

    return &addr[conn->server].name;
}


/* Starts to connect. */
void ngx_dfp_conn_open(ngx_dfp_conn_t *conn);

/* Closes it for good. Pending callbacks get a NULL reply. */
void ngx_dfp_conn_close(ngx_dfp_conn_t *conn);

/* Called by the set-up: it may be used from now on. */
void ngx_dfp_conn_ready(ngx_dfp_conn_t *conn);

/* Called for each reply that is no error: the pause before the next attempt is
 * short again, and the next trouble is logged. */
void ngx_dfp_conn_succeeded(ngx_dfp_conn_t *conn);

/* Called for the first NULL reply: hiredis is closing the connection, and
 * nothing must be sent any more. Safe to call again. */
void ngx_dfp_conn_lost(ngx_dfp_conn_t *conn);

/* Drops the connection, logs WHY unless it is NULL, and connects again. Safe
 * in a hiredis callback, and when it is dropped already. Pending callbacks
 * get a NULL reply. */
void ngx_dfp_conn_drop(ngx_dfp_conn_t *conn, const char *why);

/* The same, where an operator has to change something: WHY is logged as an
 * error, and on_refused is called. */
void ngx_dfp_conn_refuse(ngx_dfp_conn_t *conn, ngx_dfp_refused_e refused,
    const char *why);

/* Logs "redis ADDRESS WHAT: WHY", unless the same was logged last for it. */
void ngx_dfp_conn_log(ngx_dfp_conn_t *conn, ngx_uint_t level, const char *what,
    const char *why);

/* Writes at once what would be written at the end of this turn of the event
 * loop. */
void ngx_dfp_conn_flush(ngx_dfp_conn_t *conn);


#endif /* NGX_DFP_CONN_H */
