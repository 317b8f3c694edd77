/*
 * What is in Redis, as typed operations.
 *
 * An operation lives in the caller's ngx_dfp_op_t, one at a time;
 * its handler is called once, unless it was cancelled before. RC:
 *     NGX_OK        done
 *     NGX_DECLINED  not there, not free, not this run's: as the operation says
 *     NGX_ABORT     Redis was away for the whole time, or refuses this nginx;
 *                   nothing is known
 *     NGX_ERROR     an answer that makes no sense, or no memory; it is logged
 * Start functions return NGX_OK, or NGX_ERROR (no memory, the queue is full, or
 * Redis refuses this nginx), and then the handler is not called.
 */

#ifndef NGX_DFP_STORE_H
#define NGX_DFP_STORE_H


#include "ngx_dfp_redis.h"


#define NGX_DFP_REDIS_WAIT   25000    /* ms, for a reply; Harbor waits 30 s */
#define NGX_DFP_FINISH_WAIT  300000   /* ms, to store the end of a run */
#define NGX_DFP_LOOK_MAX     100      /* overdue jobs that a look ends */
#define NGX_DFP_CLAIMS_MAX   16       /* parts that a look claims */


typedef enum {
    NGX_DFP_STORE_CREATE = 0,
    NGX_DFP_STORE_LOOK,
    NGX_DFP_STORE_REPORT,
    NGX_DFP_STORE_FINISH,
    NGX_DFP_STORE_REQUEUE,
    NGX_DFP_STORE_SETTLE,
    NGX_DFP_STORE_TOKEN_CREATE,
    NGX_DFP_STORE_TOKEN_FIND,
    NGX_DFP_STORE_INSTANCE,
    NGX_DFP_STORE_LEAVE,

    /* plain commands */
    NGX_DFP_STORE_GET,
    NGX_DFP_STORE_GET_WHOLE,

    NGX_DFP_STORE_KINDS
} ngx_dfp_store_kind_e;


typedef struct {
    ngx_dfp_redis_t       redis;
    ngx_dfp_main_conf_t  *conf;
    ngx_dfp_redis_kind_t  kinds[NGX_DFP_STORE_KINDS];

    /* who looks, so that no claim is lost with its answer */
    u_char                worker[DFP_UUID_LEN + 1];
    int64_t               looks;
    int64_t               answered;  /* the last of these */

    int64_t               first;     /* time of the first sign of
                                        life; 0: none so far */
} ngx_dfp_store_t;


typedef struct ngx_dfp_op_s  ngx_dfp_op_t;

typedef void (*ngx_dfp_op_pt)(void *data, ngx_int_t rc);

struct ngx_dfp_op_s {
    ngx_dfp_redis_cmd_t  *cmd;      /* NULL: none under way */
    ngx_dfp_store_t      *store;
    ngx_dfp_op_pt         handler;
    void                 *data;
    ngx_msec_t            deadline; /* in ngx_current_msec; 0: each
                                       operation has its own */
    ngx_log_t            *log;
    ngx_pool_t           *pool;     /* of what OUT points to */
    ngx_int_t           (*parse)(ngx_dfp_op_t *op, redisReply *reply);
    void                 *out;

    /* OUT's strings are those of the reply: good within the handler only */
    unsigned              borrow:1;
};


typedef struct {
    int64_t    cluster;
    ngx_str_t  queue;
    ngx_str_t  task_uuid;
    ngx_str_t  state;
    ngx_str_t  progress; /* JSON, or "" */
    ngx_str_t  results;  /* JSON, elements of results */
    ngx_str_t  error;
    int64_t    deaths;   /* runs whose lease ran out */
} ngx_dfp_part_t;


/* A job as it is stored. Times are milliseconds since 1970. */
typedef struct {
    int64_t          id;
    int64_t          created;
    int64_t          updated;
    int64_t          deadline;
    int64_t          timeout;  /* ms */
    ngx_str_t        uuid;
    ngx_str_t        state;
    ngx_str_t        about;    /* JSON, members of a job that
                                  stay as they were posted */
    ngx_str_t        args;     /* JSON, redacted */
    ngx_str_t        sealed;
    ngx_uint_t       configured;
    ngx_dfp_part_t  *parts;
    ngx_uint_t       nparts;
    ngx_uint_t       full;     /* unfinished jobs, when
                                  create was declined */
} ngx_dfp_stored_job_t;


/* A part that was claimed. */
typedef struct {
    int64_t     id;
    ngx_str_t   part;
    ngx_str_t   run;      /* attempt number: the fence */
    int64_t     cluster;
    ngx_msec_t  left;     /* until the deadline */
    ngx_str_t   uuid;
    ngx_str_t   args;     /* "" where it is sealed */
    ngx_str_t   sealed;
    unsigned    configured:1;  /* may use credentials of
                                  the configuration */
} ngx_dfp_claim_t;


typedef struct {
    ngx_dfp_claim_t  claims[NGX_DFP_CLAIMS_MAX];
    ngx_uint_t       n;
    ngx_int_t        next;     /* ms until something is due;
                                  -1: nothing */
} ngx_dfp_look_t;


/* Another nginx under the same name; nothing in it where there is none. */
typedef struct {
    ngx_str_t  name;
    ngx_str_t  address;
    ngx_str_t  host;
    ngx_str_t  pid;
} ngx_dfp_other_t;


typedef struct {
    int64_t     id;
    int64_t     created;
    int64_t     user_id;
    int64_t     expired_at;
    int64_t     now;
    ngx_uint_t  scopes;   /* DFP_TOKEN_ scopes */
    unsigned    active:1;
} ngx_dfp_token_t;


/* Creates the store of this worker process and starts to connect to Redis.
 * CONF must live as long as the worker. NGX_ERROR: no memory, or no random
 * numbers. */
ngx_int_t ngx_dfp_store_init(ngx_dfp_main_conf_t *conf, ngx_cycle_t *cycle);

/* Sends what can be sent at once and closes the connection; the handlers of all
 * other operations get NGX_ABORT. Safe when there is no store. */
void ngx_dfp_store_done(void);

/* The store of this worker; NULL where Redis is not configured. */
ngx_dfp_store_t *ngx_dfp_store_worker(void);

/* Why nothing can be had of Redis now, for clients. */
const char *ngx_dfp_store_unavailable(ngx_dfp_store_t *store);

/* Its handler will not be called. Safe when nothing is under way. */
void ngx_dfp_store_cancel(ngx_dfp_op_t *op);

/* Stores JOB (uuid, about, args, sealed, configured, timeout, parts with
 * cluster, queue and task_uuid) and fills in id, created and updated; the same
 * uuid is stored once. NGX_DECLINED: too many unfinished jobs, JOB->full. */
ngx_int_t ngx_dfp_store_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job);

/* Reads the job JOB->id. NGX_DECLINED: there is none. */
ngx_int_t ngx_dfp_store_get(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job);

/* Ends the job if its time is over: NGX_OK; NGX_DECLINED: it is not. */
ngx_int_t ngx_dfp_store_settle(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    int64_t id);

/* Settles what is overdue, takes back what died, takes over what an nginx of
 * this name that is gone has left, and claims up to WANT parts of its queue. It
 * is sent once: what was claimed by a look whose answer was lost comes with the
 * answer of one of the next. */
ngx_int_t ngx_dfp_store_look(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_uint_t want, ngx_dfp_look_t *look);

/* These three: NGX_DECLINED: the part is not this run's any more. */
ngx_int_t ngx_dfp_store_report(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim, ngx_str_t *progress);
ngx_int_t ngx_dfp_store_finish(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim, ngx_uint_t success, ngx_str_t *error,
    ngx_str_t *results, ngx_str_t *progress);
ngx_int_t ngx_dfp_store_requeue(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim);

/* Fills in TOKEN's id and created. NGX_DECLINED: the name is taken. */
ngx_int_t ngx_dfp_store_token_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, dfp_token_t *request, ngx_dfp_token_t *token);

/* NGX_DECLINED: there is no such token. */
ngx_int_t ngx_dfp_store_token_find(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, ngx_dfp_token_t *token);

/* Says that this instance lives, and fills in OTHER. */
ngx_int_t ngx_dfp_store_instance(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *clusters, ngx_dfp_other_t *other);

/* Says that it does not any more. */
ngx_int_t ngx_dfp_store_leave(ngx_dfp_store_t *store, ngx_dfp_op_t *op);


#endif /* NGX_DFP_STORE_H */
