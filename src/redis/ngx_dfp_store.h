/*
 * What is in Redis, as typed operations. lua/common.lua describes the layout.
 *
 * An operation is in the caller's ngx_dfp_op_t, one at a time. Its handler is
 * called once, unless it was cancelled before, with RC:
 *
 *     NGX_OK        done
 *     NGX_DECLINED  not found, not free, not this run's, as the operation says
 *     NGX_ABORT     Redis was unavailable for the whole time, or refuses this
 *                   nginx; whether the operation took effect is unknown
 *     NGX_ERROR     an unexpected reply, or no memory; it is logged
 *
 * Functions that start an operation return NGX_OK, or NGX_ERROR (no memory, the
 * queue is full, or Redis refuses this nginx), and then the handler is not
 * called. Arguments are copied, except for what is filled in, which must live
 * until the handler is called.
 */

#ifndef NGX_DFP_STORE_H
#define NGX_DFP_STORE_H


#include "ngx_dfp_redis.h"


#define NGX_DFP_REDIS_WAIT   25000    /* ms, for a reply; Harbor waits 30 s */
#define NGX_DFP_FINISH_WAIT  300000   /* ms, to store the end of a run */
#define NGX_DFP_LOOK_MAX     100      /* overdue jobs that a look ends */
#define NGX_DFP_LIST_BYTES   16777216 /* of jobs that are listed in full */
#define NGX_DFP_CLAIMS_MAX   16       /* parts that a look claims */
#define NGX_DFP_LOOKS_MAX    4        /* looks of an nginx at kept jobs, at once */
#define NGX_DFP_OTHERS_MAX   10       /* nginx with other definitions */
#define NGX_DFP_STATUS_WAIT  2000     /* ms, for the metrics */
#define NGX_DFP_PEERS_WAIT   5000     /* ms, for the peers of a cluster */
#define NGX_DFP_ENDED_MAX    (2 * NGX_DFP_CLUSTERS_MAX)    /* clusters in the
                                         metrics, with removed ones */


typedef enum {
    NGX_DFP_STORE_CREATE = 0,
    NGX_DFP_STORE_LOOK,
    NGX_DFP_STORE_REPORT,
    NGX_DFP_STORE_FINISH,
    NGX_DFP_STORE_REQUEUE,
    NGX_DFP_STORE_SETTLE,
    NGX_DFP_STORE_WAIT,
    NGX_DFP_STORE_LIST,
    NGX_DFP_STORE_PATCH,
    NGX_DFP_STORE_DELETE,
    NGX_DFP_STORE_TOKEN_CREATE,
    NGX_DFP_STORE_TOKEN_FIND,
    NGX_DFP_STORE_TOKEN_LIST,
    NGX_DFP_STORE_TOKEN_CHANGE,
    NGX_DFP_STORE_TOKEN_DELETE,
    NGX_DFP_STORE_INSTANCE,
    NGX_DFP_STORE_LEAVE,
    NGX_DFP_STORE_HOOK_LOOK,
    NGX_DFP_STORE_HOOK_CLAIM,
    NGX_DFP_STORE_HOOK_END,
    NGX_DFP_STORE_MEMBERS,
    NGX_DFP_STORE_STATUS,
    NGX_DFP_STORE_LISTEN,
    NGX_DFP_STORE_CHANGED,
    NGX_DFP_STORE_TASK_FIND,
    NGX_DFP_STORE_PEERS,
    NGX_DFP_STORE_KEEP,

    /* plain commands */
    NGX_DFP_STORE_GET,
    NGX_DFP_STORE_GET_WHOLE,

    NGX_DFP_STORE_KINDS
} ngx_dfp_store_kind_e;


typedef struct {
    ngx_dfp_redis_t       redis;
    ngx_dfp_main_conf_t  *conf;
    ngx_dfp_redis_kind_t  kinds[NGX_DFP_STORE_KINDS];

    /* names this worker in looks, so that a claim whose reply was lost is
       returned again */
    u_char                worker[DFP_UUID_LEN + 1];
    int64_t               looks;     /* sent */
    int64_t               answered;  /* number of the last one with a reply */

    int64_t               first;     /* time of the first heartbeat, by Redis's
                                        clock; 0: none so far */
} ngx_dfp_store_t;


typedef struct ngx_dfp_op_s  ngx_dfp_op_t;

typedef void (*ngx_dfp_op_pt)(void *data, ngx_int_t rc);

struct ngx_dfp_op_s {

    /* set by the owner, the rest zeroed */

    ngx_dfp_op_pt         handler;
    void                 *data;
    ngx_msec_t            deadline; /* in ngx_current_msec; 0: each operation
                                       has a time-out of its own */
    ngx_log_t            *log;
    ngx_pool_t           *pool;     /* of strings that are filled in */

    /* strings that are filled in are those of the reply, which is freed when
       the handler has returned */
    unsigned              borrow:1;

    /* private, but for whether cmd is NULL: no operation is under way */

    ngx_dfp_redis_cmd_t  *cmd;
    ngx_dfp_store_t      *store;
    ngx_int_t           (*parse)(ngx_dfp_op_t *op, redisReply *reply);
    ngx_int_t           (*again)(ngx_dfp_op_t *op);  /* after NGX_AGAIN */
    void                 *out;
};


typedef struct {
    int64_t    cluster;
    ngx_str_t  task_uuid;
    ngx_str_t  state;
    ngx_str_t  progress;       /* JSON, or "" */
    ngx_str_t  results;        /* JSON, elements of results */
    ngx_str_t  error;
    ngx_str_t  who;            /* "ADDRESS NAME" of the only nginx that can run
                                  it; "": any can */
    ngx_str_t  cluster_state;  /* of the job state, if the part is its first;
                                  "": not all parts have ended, or there is one
                                  only */
    int64_t    away;           /* 1: it failed because that nginx was away */
    int64_t    lost_attempts;  /* runs whose lease expired */
} ngx_dfp_part_t;


/* The looks of one instance at a kept job. */
typedef struct {
    ngx_dfp_part_t  part;      /* its cluster, error and who */
    ngx_str_t       state;     /* of the last one; "": none has ended */
    int64_t         checked;   /* when that has ended, ms since 1970 */
    int64_t         warmed;    /* tasks that it has warmed */
} ngx_dfp_stored_look_t;


/* Which nginx get a part of a job, and how many of them are enough. */
typedef struct {
    ngx_str_t   selector;      /* selects one of several, always the same */
    ngx_str_t   addresses;     /* wanted, joined by blanks; "": any */
    ngx_uint_t  count;         /* 0: not given; so below */
    ngx_uint_t  percentage;
    ngx_uint_t  unreachable;   /* that are tolerated */
    ngx_uint_t  share;         /* ... as per cent */
    ngx_uint_t  threshold;     /* per cent that must succeed */
} ngx_dfp_choice_t;


/* One cluster of a new job. */
typedef struct {
    int64_t      id;
    ngx_str_t    task_uuid;
    const char  *mode;         /* of create.lua */
} ngx_dfp_job_cluster_t;


/* The delivery of a job's webhook. */
typedef struct {
    ngx_str_t    state;        /* "": the job has none */
    int64_t      tries;
    int64_t      updated;
    ngx_str_t    url;          /* without secrets */
    ngx_str_t    error;        /* of the last try */
} ngx_dfp_stored_hook_t;


/* A job as it is in Redis. Times are milliseconds since 1970. */
typedef struct {
    int64_t          id;
    int64_t          created;
    int64_t          updated;
    int64_t          deadline;
    int64_t          timeout;     /* ms */
    ngx_str_t        uuid;
    ngx_str_t        state;
    ngx_str_t        about;       /* JSON, members that PATCH may change */
    ngx_str_t        args;        /* JSON, without secrets */
    ngx_str_t        sealed;      /* args with secrets; "": there are none */
    ngx_uint_t       configured;  /* may use dfpreheat_credentials */
    ngx_dfp_part_t  *parts;       /* those of one cluster together */
    ngx_uint_t       nparts;
    ngx_dfp_stored_look_t  *looks;    /* NULL: it is not kept, and never was */
    ngx_uint_t       nlooks;
    ngx_dfp_stored_hook_t  webhook;
    int64_t          owner;       /* id of the only token that may see it; 0:
                                     any may */

    /* of a new one */
    int64_t                    token;     /* its id: tokens take turns */
    time_t                     keep;      /* s, after its end; 0: the configured
                                             time */
    int64_t                    keep_until;    /* 0: it is not to be kept */
    ngx_array_t                clusters;  /* job_cluster_t */
    ngx_dfp_choice_t           choice;
    ngx_str_t                  user;      /* user_id; "": it is not listed */
    ngx_str_t                  once;      /* hash of its Idempotency-Key; "":
                                             there is none */
    ngx_str_t                  body_hash;
    ngx_str_t                  kind;      /* type of a listed job; "": preheat */
    ngx_str_t                  task;      /* that it preheats, by which it is
                                             found; "": none */
    ngx_str_t                  hook;      /* webhook, sealed; "": there is none */
    ngx_uint_t                 full;      /* unfinished jobs, if too many */
    ngx_uint_t                 excess;    /* parts, if too many */
    ngx_uint_t                 kept;      /* kept jobs, if too many */
    ngx_uint_t                 most;      /* the limit of these two */
    ngx_uint_t                 repeated;  /* the key belongs to this job */
    ngx_uint_t                 other;     /* ... and to another body */
} ngx_dfp_stored_job_t;


/* A page of the list of jobs, the newest first. */
typedef struct {
    ngx_uint_t             page;      /* from 1 on */
    ngx_uint_t             per_page;
    ngx_str_t              state;     /* "": any; so below */
    ngx_str_t              user;
    ngx_str_t              type;
    ngx_uint_t             none;      /* the filters exclude all jobs */

    /* filled in */
    ngx_dfp_stored_job_t  *jobs;
    ngx_uint_t             n;
    ngx_uint_t             total;
    ngx_uint_t             skipped;   /* older ones that were not looked at: both
                                         filters are given */
} ngx_dfp_job_list_t;


/* A part that was claimed. */
typedef struct {
    int64_t     id;            /* of the job */
    ngx_str_t   part;          /* its number */
    ngx_str_t   run;           /* number of the attempt */
    int64_t     cluster;
    ngx_msec_t  left;          /* until the deadline */
    ngx_str_t   uuid;          /* of the job */
    ngx_str_t   args;          /* JSON; "": sealed */
    ngx_str_t   sealed;
    int64_t     token;         /* 0: unknown */
    ngx_uint_t  parts;         /* of the job */
    unsigned    configured:1;  /* as above */
    unsigned    look:1;        /* not a part, but a look at a kept job */
} ngx_dfp_claim_t;


typedef struct {
    ngx_dfp_claim_t  claims[NGX_DFP_CLAIMS_MAX];
    ngx_uint_t       n;
    ngx_int_t        next;     /* ms until the next deadline or end of a lease;
                                  -1: there is none */
} ngx_dfp_look_t;


/* What this nginx has to do for kept jobs. */
typedef struct {
    int64_t  next;             /* ms until its next look is due; -1: none is */
    int64_t  looks;            /* under way */
} ngx_dfp_keeping_t;


/* Another nginx with the name of this instance; without a name: none. */
typedef struct {
    ngx_str_t  name;
    ngx_str_t  address;
    ngx_str_t  host;
    ngx_str_t  pid;
} ngx_dfp_namesake_t;


/* A running nginx whose definitions are not those of this one. */
typedef struct {
    ngx_str_t  queue;
    ngx_str_t  who;            /* "ADDRESS NAME" */
    ngx_str_t  definitions;    /* of dfp_definition_differs() */
} ngx_dfp_member_t;


typedef struct {
    ngx_dfp_namesake_t  namesake;
    ngx_dfp_member_t    members[NGX_DFP_OTHERS_MAX];
    ngx_uint_t          n;
} ngx_dfp_others_t;


/* An nginx that is a member of clusters, or was one. Times are milliseconds since
 * 1970. */
typedef struct {
    ngx_str_t   id;
    ngx_str_t   name;
    ngx_str_t   address;
    ngx_str_t   clusters;      /* "1,2" */
    ngx_str_t   definitions;   /* of dfp_definition_differs() */
    int64_t     running;       /* 1: it is running */
    int64_t     since;         /* when it is */
    int64_t     seen;          /* its last heartbeat */
    int64_t     parts_waiting; /* in its queue, of all clusters */
    int64_t     parts_running;
    int64_t     oldest;        /* ms, age of one of those that wait; -1: none */
} ngx_dfp_stored_member_t;


typedef struct {
    ngx_dfp_stored_member_t  *members;    /* by name */
    ngx_uint_t                n;
} ngx_dfp_stored_members_t;


/* The jobs for one cluster that this nginx has ended, by their state. */
typedef struct {
    int64_t  id;
    int64_t  success;
    int64_t  failure;
} ngx_dfp_ended_t;


/* What Redis tells for the metrics of this nginx. */
typedef struct {
    int64_t          waiting;  /* parts in its queue */
    int64_t          running;
    int64_t          oldest;   /* ms, age of one of those that wait; 0: none */
    int64_t          hooks;    /* that are to be delivered, by any nginx */
    int64_t          hooks_oldest;    /* ms since the end of the job of one of
                                  these; 0: none */
    int64_t          delivered;    /* webhooks that it has delivered */
    int64_t          given_up;     /* ... and given up */
    int64_t          accepted; /* jobs that it has stored */
    int64_t          deleted;  /* before their end */
    int64_t          took[NGX_DFP_BUCKETS_MAX + 1];    /* jobs that it has
                                  ended, as in ngx_dfp_histogram_t */
    int64_t          took_ms;
    ngx_dfp_ended_t  ended[NGX_DFP_ENDED_MAX];
    ngx_uint_t       n;        /* of these */
} ngx_dfp_stored_status_t;


/* Creates the store of this worker process and starts to connect to Redis.
 * CONF must live as long as the worker. NGX_ERROR: no memory, or no random
 * numbers. */
ngx_int_t ngx_dfp_store_init(ngx_dfp_main_conf_t *conf, ngx_cycle_t *cycle);

/* Sends what can be sent at once and closes the connection; the handlers of
 * all other operations get NGX_ABORT. Safe when there is no store. */
void ngx_dfp_store_done(void);

/* The store of this worker; NULL where Redis is not configured. */
ngx_dfp_store_t *ngx_dfp_store_worker(void);

/* Why Redis cannot be used now, a constant for clients. */
const char *ngx_dfp_store_unavailable(ngx_dfp_store_t *store);

/* For how many ms Redis has been unavailable to this worker. */
ngx_msec_t ngx_dfp_store_down(ngx_dfp_store_t *store);

/* The handler of OP is not called any more. Safe when nothing is under way.
 * Must be called before OP or its pool is freed. */
void ngx_dfp_store_cancel(ngx_dfp_op_t *op);

/* Stores JOB (uuid, about, args, sealed, configured, timeout and what is of a
 * new one), once for each uuid. Fills in id, created and updated.
 * NGX_DECLINED: there are too many unfinished jobs, JOB->full, or kept ones,
 * JOB->kept, or the job has too many parts, JOB->excess; or its Idempotency-Key belongs to the job id
 * already, JOB->repeated, or to another body, JOB->other. */
ngx_int_t ngx_dfp_store_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job);

/* Reads the job JOB->id into JOB. NGX_DECLINED: there is none. */
ngx_int_t ngx_dfp_store_get(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job);

/* Reads a page of the list into LIST. */
ngx_int_t ngx_dfp_store_list(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_job_list_t *list);

/* Replaces what the job tells about itself, BEFORE, by ABOUT, and lists it for
 * USER. Sets *CHANGED if it was not BEFORE any more. NGX_DECLINED: there is no
 * such job. */
ngx_int_t ngx_dfp_store_patch(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    int64_t id, ngx_str_t *before, ngx_str_t *about, int64_t user,
    ngx_uint_t *changed);

/* Deletes the job, which TOKEN, an id, may see; whoever runs it stops. UUID is one
 * of the request, which may be sent again. NGX_DECLINED: there is no such job. */
ngx_int_t ngx_dfp_store_delete(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    int64_t id, ngx_str_t *uuid, int64_t token);

/* Ends the job if its deadline has passed. NGX_DECLINED: it has not. */
ngx_int_t ngx_dfp_store_settle(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    int64_t id);

/* From now on a message tells the end of the job (ngx_dfp_follow.h), and for
 * WATCH ms its progress, too. NGX_DECLINED: it has ended, or does not exist. */
ngx_int_t ngx_dfp_store_wait(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    int64_t id, ngx_msec_t watch);

/* For TIME ms messages tell of all listed jobs (ngx_dfp_listen.h). Sets *SINCE to
 * the time since when they have without a gap. NGX_DECLINED: this nginx may not
 * send messages. It is not sent again. */
ngx_int_t ngx_dfp_store_listen(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_msec_t time, int64_t *since);

/* Reads what is shown of the jobs with these IDS ("1 +2"; "+": a new one) into
 * LIST, without results; its total is how many were looked at, as they have PARTS at
 * most, but for the first one. New ones have args of BYTES in all. It is not sent
 * again. */
ngx_int_t ngx_dfp_store_changed(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *ids, ngx_uint_t parts, size_t bytes, ngx_dfp_job_list_t *list);

/* Finds the newest job that was stored with TASK, and sets ARGS, its args as they
 * are stored. NGX_DECLINED: there is none. */
ngx_int_t ngx_dfp_store_task_find(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *task, ngx_str_t *args);

/* Ends overdue jobs and the parts of nginx that are away, requeues parts whose
 * lease has expired, takes over the queues of this instance whose nginx is
 * gone, and claims up to WANT parts of this nginx's queue into LOOK; WITHOUT:
 * none of these tokens (" 1 2 "), and one of each other token; "": any. It is
 * not sent again; the claims of a look whose reply was lost are returned by a
 * later one. */
ngx_int_t ngx_dfp_store_look(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_uint_t want, ngx_str_t *without, ngx_dfp_look_t *look);

/* In the next three NGX_DECLINED means that the part does not belong to the
 * run of CLAIM any more. */

/* Stores PROGRESS, JSON, and renews the lease. */
ngx_int_t ngx_dfp_store_report(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim, ngx_str_t *progress);

/* Ends the part, and the job with its last part. */
ngx_int_t ngx_dfp_store_finish(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim, ngx_uint_t success, ngx_str_t *error,
    ngx_str_t *results, ngx_str_t *progress);

/* Returns the part to its queue; the attempt is not counted. */
ngx_int_t ngx_dfp_store_requeue(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim);

/* Stores TEXT, unless it is "", as the peers of CLUSTER for an hour, and fills in
 * KNOWN: those that were stored before. */
ngx_int_t ngx_dfp_store_peers(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    int64_t cluster, ngx_str_t *text, ngx_str_t *known);

/* Starts looks of this nginx at the kept jobs of its clusters, and fills in KEPT. It
 * is not sent again. NGX_DECLINED: no cluster has a cache. */
ngx_int_t ngx_dfp_store_keep(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_keeping_t *kept);

/* Sends the heartbeat of this nginx, with its clusters, and fills in OTHERS. */
ngx_int_t ngx_dfp_store_instance(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_others_t *others);

/* Tells that this nginx stops, so that others may take over its queue at
 * once. */
ngx_int_t ngx_dfp_store_leave(ngx_dfp_store_t *store, ngx_dfp_op_t *op);

/* Reads all members of clusters into MEMBERS. */
ngx_int_t ngx_dfp_store_members(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_members_t *members);

/* Reads what the metrics show into STATUS. Its ENDED has a row for each cluster
 * that is configured, and is filled up with others. */
ngx_int_t ngx_dfp_store_status(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_status_t *status);


#endif /* NGX_DFP_STORE_H */
