/*
 * One connection to Redis on nginx's event loop, by hiredis' asynchronous
 * API: connects, has itself set up, and connects again after a loss, to the
 * next address.
 */

#ifndef NGX_DFP_CONN_H
#define NGX_DFP_CONN_H


#include "ngx_dfp_types.h"

#include <hiredis/async.h>


#define NGX_DFP_REDIS_BACKOFF      50      /* ms, doubled up to ... */
#define NGX_DFP_REDIS_BACKOFF_MAX  1000    /* ms */
#define NGX_DFP_REDIS_SAID         16      /* addresses */


typedef struct ngx_dfp_conn_s  ngx_dfp_conn_t;

typedef void (*ngx_dfp_conn_pt)(ngx_dfp_conn_t *conn);


/* Why Redis, which is there, is not used. */
typedef enum {
    NGX_DFP_NOT_REFUSED = 0,
    NGX_DFP_REFUSED_RIGHTS,      /* of the user */
    NGX_DFP_REFUSED_SCHEMA       /* another version of the data */
} ngx_dfp_refused_e;


struct ngx_dfp_conn_s {
    ngx_dfp_redis_conf_t  *conf;
    ngx_log_t             *log;
    void                  *data;
    ngx_str_t              check;    /* a script that says what the
                                        user may not do; "": none */

    /* called each time the connection may be used; it may send at once */
    ngx_dfp_conn_pt        on_ready;

    /* called when it is refused: what waits for it waits in vain */
    ngx_dfp_conn_pt        on_refused;

    /* called once worker's quit is seen; NULL: not asked for */
    ngx_dfp_conn_pt        on_quit;

    /* called each time it is connected, to set it up: _set_up() of setup.h */
    ngx_dfp_conn_pt        on_connect;

    redisAsyncContext     *ac;       /* NULL: not connected */
    ngx_connection_t      *c;
    ngx_event_t            reconnect;
    ngx_event_t            timer;    /* connect and set up */
    ngx_event_t            flush;
    ngx_uint_t             server;
    ngx_msec_t             backoff;
    ngx_dfp_refused_e      refused;

    /* of what was logged last about each address: a hash, so that a state is
       logged when it begins and not at each try */
    uint32_t               said[NGX_DFP_REDIS_SAID];

    unsigned               ready:1;
    unsigned               connected:1;
    unsigned               flushing:1;
    unsigned               closed:1;
    unsigned               reported:1;
};


/* conf, log, data and the handlers are set by the caller; starts to connect. */
void ngx_dfp_conn_open(ngx_dfp_conn_t *conn);

/* It has been set up: calls on_ready. */
void ngx_dfp_conn_ready(ngx_dfp_conn_t *conn);

/* A command has gone well: pauses are short again, and what goes wrong from
 * now on is logged. */
void ngx_dfp_conn_good(ngx_dfp_conn_t *conn);

/* Logs "redis ADDRESS WHAT: WHY", once while the same is wrong with it. */
void ngx_dfp_conn_say(ngx_dfp_conn_t *conn, ngx_uint_t level, const char *what,
    const char *why);

/* Drops the connection, with WHY in the log, and connects again. Safe in a
 * hiredis callback. Pending callbacks get a NULL reply. */
void ngx_dfp_conn_drop(ngx_dfp_conn_t *conn, const char *why);

/* The same, for what an operator has to change: WHY is logged as an error, and
 * on_refused is called. */
void ngx_dfp_conn_refuse(ngx_dfp_conn_t *conn, ngx_dfp_refused_e refused,
    const char *why);

/* Writes now what would be written at the end of this turn of the loop. */
void ngx_dfp_conn_flush(ngx_dfp_conn_t *conn);

/* Closes for good. */
void ngx_dfp_conn_close(ngx_dfp_conn_t *conn);

/* Whether an error reply means that this Redis can't be used now: LOADING,
 * READONLY, MASTERDOWN, BUSY, MISCONF, NOREPLICAS, OOM, also from within a
 * script. */
ngx_uint_t ngx_dfp_conn_away(redisReply *reply);

/* Whether an error's text means that Redis refuses this user or this module:
 * NOPERM, NOAUTH, WRONGPASS, and the same from within a script, or DFPSCHEMA of
 * our own scripts. */
ngx_dfp_refused_e ngx_dfp_conn_refused(const char *text);


#endif /* NGX_DFP_CONN_H */
