/*
 * A cluster of Dragonfly, and what both of its engines need: dragonfly.c says
 * what Dragonfly is told about a task, and how many peers are enough;
 * dragonfly_hosts.c lists the hosts of a run; dragonfly_whole.c finds out
 * whether a list is whole; dragonfly_list.c has the lists that runs share;
 * dragonfly_server.c makes an address out of a host; dragonfly_ask.c calls a
 * scheduler.
 */

#ifndef NGX_DFP_DRAGONFLY_H
#define NGX_DFP_DRAGONFLY_H


#include "ngx_dfp_engine.h"
#include "ngx_dfp_grpc.h"

#include "dfp_d7y.h"
#include "dfp_doubts.h"
#include "dfp_known.h"
#include "dfp_scope.h"


#define NGX_DFP_SCHEDULER_WAIT  30000     /* ms for a scheduler's reply */
#define NGX_DFP_REPLY_MAX       67108864  /* bytes of it */
#define NGX_DFP_LISTED_FRESH    1000      /* ms that a list of hosts is used */


/* Why a peer that was never called is unreachable. */
#define NGX_DFP_UNUSABLE                                                      \
    "the scheduler lists it without an address or a port"


/* Why one is, that the scheduler did not list. */
#define NGX_DFP_UNLISTED                                                      \
    "it answers, but the scheduler did not list it (dfpreheat_settle)"

#define NGX_DFP_WHOLE_MAX       64        /* peers that are asked whether they
                                             live, at once and for one list */


typedef struct ngx_dfp_listed_s  ngx_dfp_listed_t;
typedef struct ngx_dfp_lister_s  ngx_dfp_lister_t;


/* The parameters of dfpreheat_cluster. */
struct ngx_dfp_dragonfly_s {
    ngx_array_t         schedulers;  /* server_t */
    ngx_uint_t          last;        /* index of the scheduler that this
                                        worker was answered by last */
    dfp_doubts_t        doubts;      /* peers that did not answer this
                                        worker */
    ngx_array_t         map;         /* ngx_keyval_t: an origin, and how
                                        Dragonfly's clients call it */
    ngx_str_t           via;         /* location=, "@name" */
    ngx_str_t           peers_via;
    ngx_dfp_binding_t  *location;        /* the same locations */
    ngx_dfp_binding_t  *peers_location;
    unsigned            peers_tls:1;
    unsigned            blob_digest:1;   /* task ids are by digest */

    /* of this worker */

    ngx_dfp_lister_t   *leader;      /* whose call is the last one; NULL: none
                                        is active */
    ngx_dfp_listed_t   *listed;      /* NULL: there is none that is fresh */
    ngx_event_t         old;
};


/*
 * Sets what Dragonfly is told about TASK: its URL, as Dragonfly's clients call
 * it (map=), and the headers that its origin requires. In POOL, and parts of
 * it in the run's. NGX_ERROR: no memory.
 */
ngx_int_t ngx_dfp_dragonfly_request(ngx_dfp_task_t *task, ngx_pool_t *pool,
    dfp_d7y_request_t *request);

/* Sets ID to the id of TASK, in POOL; to its URL if dfdaemon has no id for it,
 * since it refuses the URL. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_dragonfly_task_id(ngx_dfp_task_t *task, ngx_pool_t *pool,
    dfp_str_t *id);

/* The same of a job about a task. */
ngx_int_t ngx_dfp_dragonfly_job_id(ngx_dfp_run_t *run, ngx_pool_t *pool,
    dfp_str_t *id);

/* The reverse of map=: sets URL to what the job calls the URL TOLD of a scheduler,
 * which belongs to the image TASK. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_dragonfly_posted(ngx_dfp_task_t *task, ngx_pool_t *pool,
    dfp_str_t told, dfp_str_t *url);

/* Returns how many of the N peers that a job is about must have all of it, if
 * so many of them are unreachable. */
ngx_uint_t ngx_dfp_dragonfly_needed(ngx_dfp_run_t *run, ngx_uint_t n,
    ngx_uint_t unreachable);

/* Fails the run because too many peers are unreachable: WHO is the first of
 * them, WHY its error. */
void ngx_dfp_dragonfly_too_few(ngx_dfp_run_t *run, ngx_uint_t n,
    ngx_uint_t unreachable, ngx_str_t *who, ngx_str_t *why);


/* For a dry run whose peers are chosen: the tasks that are left end, and nobody
 * is asked to download them. */
void ngx_dfp_dragonfly_planned(ngx_dfp_run_t *run);

/* Adds the tasks that peers would download: not the manifests, which are for
 * nginx. */
void ngx_dfp_dragonfly_tasks(ngx_dfp_run_t *run, ngx_dfp_results_t *results);


/*
 * A call to a scheduler: the one that answered last is called first, then the
 * others in turn. If all are unavailable, they are called again after a pause,
 * which grows, until the owner ends it.
 */
typedef struct ngx_dfp_ask_s  ngx_dfp_ask_t;

struct ngx_dfp_ask_s {

    /* set by the owner, the rest zeroed */

    /* the end: any status but UNAVAILABLE, or any after ONCE; GRPC is freed
       when this has returned */
    void           (*handler)(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc);

    /* a scheduler is unavailable, and the next one will be called; NULL: not
       of interest */
    void           (*tried_one)(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc);
    void            *data;
    ngx_dfp_run_t   *run;
    ngx_array_t     *secrets;     /* that are sent */
    const char      *method;
    dfp_str_t        frame;       /* must stay until the end */
    dfp_rc_t       (*part)(ngx_dfp_grpc_t *grpc, dfp_grpc_part_t *part,
                           dfp_err_t *err);
    unsigned         once:1;      /* no other call after a scheduler
                                     has closed the connection: it
                                     may have crashed because of it */

    /* private */

    ngx_dfp_grpc_t  *grpc;        /* active; NULL: none */
    ngx_msec_t       since;       /* its start */
    ngx_uint_t       at;          /* index of the scheduler */
    ngx_uint_t       tried;       /* schedulers of this round */
    ngx_uint_t       rounds;
    ngx_event_t      again;
};


/* HANDLER is called once, and not before this has returned; it may start ASK
 * again. An active call is one of the run's calls. */
void ngx_dfp_ask_start(ngx_dfp_ask_t *ask);

/* For a RUN that reaches its timeout: if a scheduler has not answered a call for
 * a second, that becomes the run's trouble. NGX_DECLINED: there is no such
 * call. */
ngx_int_t ngx_dfp_ask_overdue(ngx_dfp_ask_t *ask, ngx_dfp_run_t *run);

/* Ends it without its handler; safe at any time, also before the start. */
void ngx_dfp_ask_stop(ngx_dfp_ask_t *ask);


/* Sets SERVER, in POOL, to the address of HOST, whose strings must stay.
 * NGX_DECLINED: it is not allowed (dfpreheat_peers_allow); NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_dragonfly_server(ngx_dfp_run_t *run, ngx_pool_t *pool,
    const dfp_d7y_host_t *host, ngx_dfp_server_t *server);


/*
 * Whether a list of hosts is whole: a scheduler that was restarted lists its
 * peers one by one, as they announce themselves. Peers that it listed within
 * the last hour, by Redis, and that the job is about, are asked StatLocalTask
 * if they are missing; any answer means that they live.
 */
typedef struct ngx_dfp_whole_s  ngx_dfp_whole_t;

typedef struct {
    ngx_dfp_whole_t   *whole;
    dfp_known_peer_t  *peer;
    ngx_dfp_server_t   server;
    ngx_dfp_grpc_t    *grpc;       /* NULL: it has ended */
    unsigned           sure:1;     /* whether it lives */
} ngx_dfp_whole_ask_t;

struct ngx_dfp_whole_s {

    /* set by the owner, the rest zeroed */

    void               (*checked)(ngx_dfp_whole_t *whole);
    void               (*stored)(ngx_dfp_whole_t *whole);
    void                *data;
    ngx_dfp_run_t       *run;

    /* for CHECKED */

    ngx_uint_t           lives;     /* of those that are missing */
    dfp_known_t          known;

    /* private */

    ngx_dfp_op_t         op;
    ngx_str_t            text;
    ngx_pool_t          *pool;      /* of what is asked, or stored */
    ngx_dfp_whole_ask_t *ask;
    ngx_uint_t           n;
    ngx_uint_t           left;      /* that have not ended */
    dfp_d7y_host_t      *list;
    size_t               nlist;
    unsigned             read:1;
};

/* Checks LIST, which must stay until CHECKED is called: at once, or later. */
void ngx_dfp_whole_check(ngx_dfp_whole_t *whole, dfp_d7y_host_t *list,
    size_t n);

/* Stores that list with the known peers, without those that were asked, and
 * then calls STORED: at once, or later, also if it cannot be stored. */
void ngx_dfp_whole_store(ngx_dfp_whole_t *whole);

/* Ends it without its handlers; safe at any time, also before the start. */
void ngx_dfp_whole_stop(ngx_dfp_whole_t *whole);


/*
 * The lists of hosts that runs of a worker share, by cluster: a list is used by
 * all runs that start within NGX_DFP_LISTED_FRESH, and while one is asked for,
 * by the run that leads, all others that can use it follow. If the leader is
 * stopped, the first of its followers asks; if the call fails, it has failed for
 * all of them. Nothing of a job is sent.
 */

/* A list, in a pool of its own. */
struct ngx_dfp_listed_s {
    ngx_pool_t       *pool;
    dfp_d7y_hosts_t  *hosts;
    ngx_msec_t        asked;       /* when the call was sent */
    ngx_uint_t        refs;        /* freed with the last of them */
    ngx_queue_t       listers;     /* that wait for their turns */
    ngx_event_t       turn;
};

struct ngx_dfp_lister_s {

    /* set by the owner, the rest zeroed */

    /* GRPC is NULL: LISTED is there, and may be kept until it is freed.
       Otherwise there is none, for the reason that the call had */
    void              (*handler)(ngx_dfp_lister_t *lister,
                                 ngx_dfp_grpc_t *grpc);
    void               *data;
    ngx_dfp_run_t      *run;

    ngx_dfp_listed_t   *listed;

    /* private */

    ngx_dfp_ask_t       ask;
    ngx_dfp_lister_t   *leader;    /* NULL: it follows nobody */
    ngx_queue_t         followers;
    ngx_queue_t         queue;     /* of the leader, or of the list */
    ngx_str_t          *who;       /* the scheduler that was unavailable */
    ngx_str_t           why;       /* "": none */
    ngx_event_t         alone;
    ngx_msec_t          since;
    unsigned            newer:1;   /* the list must be asked for after SINCE */
    unsigned            leads:1;
    unsigned            given:1;   /* it waits for its turn */
};


/* HANDLER is called once, and not before this has returned. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_lister_start(ngx_dfp_lister_t *lister);

/* The same for another list, which is asked for after the time SINCE. */
void ngx_dfp_lister_again(ngx_dfp_lister_t *lister, ngx_msec_t since);

/* As ngx_dfp_ask_overdue(). */
ngx_int_t ngx_dfp_lister_overdue(ngx_dfp_lister_t *lister);

/* The list is not used any more. */
void ngx_dfp_lister_free(ngx_dfp_lister_t *lister);

/* Ends it without its handler; safe at any time, also before the start. */
void ngx_dfp_lister_stop(ngx_dfp_lister_t *lister);

/* For the end of a configuration: DATA is a ngx_dfp_dragonfly_t, whose list is
 * freed. */
void ngx_dfp_listed_forget(void *data);


/* The list of hosts of a scheduler. */
typedef struct ngx_dfp_hosts_s  ngx_dfp_hosts_t;

struct ngx_dfp_hosts_s {

    /* set by the owner, the rest zeroed; HANDLER copies what it needs of
       the list, which is freed when it has returned, and may ask for
       another one. The first list is whole, or dfpreheat_settle has
       passed. */

    void            (*handler)(ngx_dfp_hosts_t *hosts);
    void             *data;
    ngx_dfp_run_t    *run;

    dfp_d7y_host_t   *list;
    size_t            n;
    ngx_pool_t       *pool;        /* for the handler, freed with the list */
    unsigned          known:1;     /* set by the handler: that no other
                                      list can be had fails no run */

    /* private */

    ngx_dfp_lister_t  lister;
    ngx_event_t       look;
    ngx_msec_t        since;       /* of the event that caused LOOK */
    ngx_dfp_whole_t   whole;
};


/* Asks for a list. An error of a scheduler fails the run. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_hosts_start(ngx_dfp_hosts_t *hosts);

/* Asks for another one in WHEN ms: one that is newer than this call. */
void ngx_dfp_hosts_look(ngx_dfp_hosts_t *hosts, ngx_msec_t when);

/* For the handler: no host of the list is in the scope of the job. Asks again
 * later, or fails the run after dfpreheat_settle. */
void ngx_dfp_hosts_none(ngx_dfp_hosts_t *hosts);

/* Ends it without its handler; safe at any time, also before the start. */
void ngx_dfp_hosts_stop(ngx_dfp_hosts_t *hosts);


#endif /* NGX_DFP_DRAGONFLY_H */
