/*
 * Commands to Redis: a queue that outlives the connection, a time-out of its
 * own for each command, and scripts, which are sent by their hash.
 */

#ifndef NGX_DFP_REDIS_H
#define NGX_DFP_REDIS_H


#include "ngx_dfp_conn.h"


#define NGX_DFP_REDIS_WAITING  10000    /* queued commands of clients */


typedef struct ngx_dfp_redis_s      ngx_dfp_redis_t;
typedef struct ngx_dfp_redis_cmd_s  ngx_dfp_redis_cmd_t;


/*
 * Called once for each command, unless it was cancelled. REPLY is NULL when
 * Redis was unavailable for the whole of the command's time (or, for a
 * command that is sent once, when the connection was lost) or refuses this
 * nginx; it is freed after the call. An error reply that means either is
 * never passed.
 */
typedef void (*ngx_dfp_redis_pt)(void *data, redisReply *reply);


/* A script, or a plain command. */
typedef struct {
    const char  *name;       /* in the debug log */
    ngx_str_t    script;     /* "": a plain command */
    u_char       sha1[40];   /* of the script */

    /* not sent again after a lost connection */
    unsigned     once:1;

    /* the worker's own, and no client's: there are few of these, so they are
       queued however many others are, and while Redis refuses this nginx */
    unsigned     internal:1;
} ngx_dfp_redis_kind_t;


/* A command under way. All of it is private. */
struct ngx_dfp_redis_cmd_s {
    ngx_queue_t            queue;     /* while it is queued */
    ngx_event_t            timer;
    ngx_dfp_redis_t       *redis;
    ngx_dfp_redis_kind_t  *kind;
    ngx_dfp_redis_pt       handler;   /* NULL: cancelled */
    void                  *data;
    ngx_msec_t             start;
    uint64_t               written;   /* by ngx_dfp_clock() */
    ngx_uint_t             argc;
    u_char                *args;      /* argc arguments as RESP */
    size_t                 len;
    unsigned               sent:1;
    unsigned               queued:1;
};


/* The connection for commands. All but the key and the refusal of conn is
 * private. */
struct ngx_dfp_redis_s {
    ngx_dfp_conn_t  conn;
    ngx_str_t       key;       /* of all scripts, KEYS[1] */
    ngx_queue_t     waiting;
    ngx_uint_t      nwaiting;  /* of these, clients' */
    ngx_uint_t      nsent;
    ngx_event_t     stall;     /* no reply for too long */
};


/* Opens a connection for commands. CHECK is the script of conn.h. REDIS is
 * zeroed but for its key; it, CONF and LOG must live as long as the worker. */
void ngx_dfp_redis_init(ngx_dfp_redis_t *redis, ngx_dfp_redis_conf_t *conf,
    ngx_str_t *check, ngx_log_t *log);

/* Writes what can be written at once, and closes the connection; the handlers
 * of all commands get NULL. */
void ngx_dfp_redis_done(ngx_dfp_redis_t *redis);

/* Makes KIND a script. TEXT must live as long as KIND. */
void ngx_dfp_redis_script(ngx_dfp_redis_kind_t *kind, ngx_str_t *text);

/*
 * Sends a command of KIND with ARGV, now or as soon as Redis is available,
 * and again after a lost connection. ARGV has the arguments of a script after
 * its key; of a plain command it has the command, too. They are copied. Gives
 * up after TIMEOUT ms.
 *
 * NULL: no memory, too many commands are queued, or Redis refuses this nginx;
 * then HANDLER is not called. Otherwise the result is valid until HANDLER is
 * called, which does not happen before this has returned.
 */
ngx_dfp_redis_cmd_t *ngx_dfp_redis_send(ngx_dfp_redis_t *redis,
    ngx_dfp_redis_kind_t *kind, ngx_str_t *argv, ngx_uint_t argc,
    ngx_msec_t timeout, ngx_dfp_redis_pt handler, void *data);

/* The handler is not called any more. A command that was not sent yet is not
 * sent; CMD must not be used any more. */
void ngx_dfp_redis_cancel(ngx_dfp_redis_cmd_t *cmd);


#endif /* NGX_DFP_REDIS_H */
