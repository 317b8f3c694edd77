/*
 * Commands to Redis: a queue that outlives the connection, a deadline for
 * each command, scripts by their hash.
 */

#ifndef NGX_DFP_REDIS_H
#define NGX_DFP_REDIS_H


#include "ngx_dfp_setup.h"


#define NGX_DFP_REDIS_WAITING  10000    /* queued commands of clients */


typedef struct ngx_dfp_redis_s      ngx_dfp_redis_t;
typedef struct ngx_dfp_redis_cmd_s  ngx_dfp_redis_cmd_t;


/*
 * Called once for each command, unless it was cancelled. REPLY is NULL when
 * Redis was away for the whole of the command's time (or, for a command that
 * must not be sent twice, when the connection was lost) or refuses this nginx;
 * it dies with the call. An error reply that means either is never seen here.
 */
typedef void (*ngx_dfp_redis_pt)(void *data, redisReply *reply);


typedef struct {
    ngx_str_t  text;
    u_char     sha1[40];
} ngx_dfp_script_t;


struct ngx_dfp_redis_cmd_s {
    ngx_queue_t        queue;     /* while it waits */
    ngx_event_t        timer;
    ngx_dfp_redis_t   *redis;
    ngx_dfp_redis_pt   handler;   /* NULL: cancelled */
    void              *data;
    ngx_dfp_script_t  *script;    /* NULL: a plain command */
    ngx_uint_t         argc;
    u_char            *args;      /* argc arguments as RESP */
    size_t             len;
    unsigned           once:1;
    unsigned           own:1;
    unsigned           sent:1;
    unsigned           waits:1;
};


struct ngx_dfp_redis_s {
    ngx_dfp_conn_t  conn;
    ngx_queue_t     waiting;
    ngx_uint_t      nwaiting;  /* of these, clients' */
    ngx_uint_t      nsent;
    ngx_event_t     stall;     /* no reply for too long */
};


/* A connection for commands. CHECK is the script of conn.h. LOG must live as
 * long as the worker. */
void ngx_dfp_redis_init(ngx_dfp_redis_t *redis, ngx_dfp_redis_conf_t *conf,
    ngx_str_t *check, ngx_log_t *log);

/* Writes what can be written at once, and closes it; commands that wait are
 * answered NULL. */
void ngx_dfp_redis_done(ngx_dfp_redis_t *redis);

/* Computes the script's hash. TEXT must stay. */
void ngx_dfp_redis_script(ngx_dfp_script_t *script, ngx_str_t *text);

/* It is not sent again after a lost connection. */
#define NGX_DFP_REDIS_ONCE  1

/* The worker's own, and no client's: there are few of them, so they wait
 * however many others do, and also while Redis refuses this nginx. */
#define NGX_DFP_REDIS_OWN   2

/*
 * Sends SCRIPT with ARGV (or, where SCRIPT is NULL, the plain command ARGV),
 * now or as soon as Redis is there, and again after a lost connection. Gives up
 * after TIMEOUT milliseconds. The arguments are copied. NULL when there is no
 * memory, too many commands wait, or Redis refuses this nginx; then HANDLER is
 * not called. The result is valid until HANDLER is called.
 */
ngx_dfp_redis_cmd_t *ngx_dfp_redis_send(ngx_dfp_redis_t *redis,
    ngx_dfp_script_t *script, ngx_str_t *argv, ngx_uint_t argc,
    ngx_msec_t timeout, ngx_uint_t flags, ngx_dfp_redis_pt handler,
    void *data);

/* Nobody waits for the reply any more. A command that was not sent yet is
 * not sent. */
void ngx_dfp_redis_cancel(ngx_dfp_redis_cmd_t *cmd);


#endif /* NGX_DFP_REDIS_H */
