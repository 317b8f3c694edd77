/*
 * The engine "peers" and its parts: engine_peers.c asks a scheduler who there is and
 * gives out the work, engine_peers_pick.c says whose turn it is,
 * engine_peers_download.c has one task fetched by one peer, engine_peers_state.c
 * knows which peers can be called, engine_peers_results.c says what came of it.
 */

#ifndef NGX_DFP_ENGINE_PEERS_H
#define NGX_DFP_ENGINE_PEERS_H


#include "ngx_dfp_engine.h"


#define NGX_DFP_SEEDS_MAX        4      /* tried for one task */
#define NGX_DFP_DOWNLOADS_MAX    16777216    /* of a job */
#define NGX_DFP_SUSPECT_LOOK     2000   /* ms: then the scheduler is
                                           asked again */
#define NGX_DFP_SUSPECT_WAIT     30000  /* ms: then the peer is called
                                           again */


typedef struct ngx_dfp_peers_s  ngx_dfp_peers_t;


/* Whether a peer can be called. */
typedef enum {
    NGX_DFP_PEER_READY = 0,
    NGX_DFP_PEER_PAUSED,      /* it has had trouble */
    NGX_DFP_PEER_SUSPECT,     /* nobody was there */
    NGX_DFP_PEER_TRIAL,       /* one more call, */
    NGX_DFP_PEER_TRIED,       /* which is under way */
    NGX_DFP_PEER_GONE         /* unreachable */
} ngx_dfp_peer_e;


typedef struct {
    ngx_dfp_peers_t  *peers;
    ngx_dfp_server_t  server;
    dfp_d7y_host_t    host;
    ngx_dfp_peer_e    state;
    ngx_uint_t        troubles;    /* one after the other */
    ngx_uint_t        done;        /* tasks that it holds */
    ngx_str_t         reason;      /* why it is gone */
    ngx_event_t       resume;
} ngx_dfp_peer_t;


/* One that the job is about, and that cannot be called at all. */
typedef struct {
    ngx_str_t  hostname;
    ngx_str_t  ip;
    ngx_str_t  reason;
    unsigned   unreachable:1;  /* no failure by itself */
} ngx_dfp_absent_t;


/* A download of a task by a peer: its state in the low bits of a byte, and in the
 * high ones how often it was tried in vain. */
typedef enum {
    NGX_DFP_PAIR_WAITING = 0,
    NGX_DFP_PAIR_ACTIVE,
    NGX_DFP_PAIR_DONE,
    NGX_DFP_PAIR_FAILED,
    NGX_DFP_PAIR_GONE
} ngx_dfp_pair_e;

#define NGX_DFP_PAIR_STATE  0x0f
#define NGX_DFP_PAIR_TRY    0x10


/* The downloads of one task: its DATA. */
typedef struct {
    ngx_dfp_task_t  *task;
    ngx_pool_t      *pool;        /* of what is sent */
    dfp_str_t        frame;
    ngx_array_t     *secrets;
    ngx_uint_t       serial;      /* of the credentials in it */
    u_char          *pairs;       /* by peer */
    size_t           seeds[NGX_DFP_SEEDS_MAX];
    ngx_uint_t       nseeds;      /* of single_seed_peer */
    ngx_uint_t       at;          /* where to look next */
    ngx_uint_t       active;
    ngx_uint_t       left;        /* active ones, too */
    ngx_uint_t       done;
    ngx_str_t        reason;      /* of the first that failed */
    unsigned         queued:1;    /* it gets its turn by itself */
    unsigned         probe:1;     /* the origin is asked first */
    unsigned         ended:1;
} ngx_dfp_downloads_t;


typedef struct {
    ngx_dfp_task_t  *task;
    ngx_dfp_peer_t  *peer;
    ngx_str_t        reason;
} ngx_dfp_failure_t;


/* The DATA of a run. */
struct ngx_dfp_peers_s {
    ngx_dfp_run_t   *run;
    ngx_dfp_hosts_t  hosts;

    dfp_scope_t      scope;       /* those that were chosen */
    ngx_dfp_peer_t  *peer;        /* the same */
    ngx_uint_t       n;
    ngx_array_t      absent;      /* absent_t */
    ngx_array_t      failures;    /* failure_t, the first ones */
    ngx_queue_t      downloads;   /* under way */
    ngx_dfp_peer_t  *troubled;    /* the last one; NULL: none */
    ngx_str_t        trouble;     /* what it said */

    ngx_uint_t       busy;        /* tasks with active ones */
    ngx_uint_t       opened;      /* tasks */
    ngx_uint_t       done;        /* downloads, */
    ngx_uint_t       failed;      /* and those that failed */
    ngx_uint_t       pieces;
    off_t            bytes;
    unsigned         single:1;    /* single_seed_peer */
};


/* The downloads of a task that gets its turn; NULL: no memory. */
ngx_dfp_downloads_t *ngx_dfp_peers_open(ngx_dfp_task_t *task);

/* Gives the task another turn, if it has something to do. */
void ngx_dfp_peers_queue(ngx_dfp_downloads_t *d);

/* Ends the task when all of its downloads have ended. */
void ngx_dfp_peers_settle(ngx_dfp_downloads_t *d);

/* Whose turn it is: a place in peers->peer, or nobody's. */
#define NGX_DFP_NOBODY  ((ngx_uint_t) -1)

ngx_uint_t ngx_dfp_peers_pick(ngx_dfp_downloads_t *d);

/* Which seeds are tried for the task, and in which order: sets SEEDS. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_peers_seeds(ngx_dfp_downloads_t *d);

/* Starts a download of the task: as next_pt. */
ngx_int_t ngx_dfp_download_start(ngx_dfp_downloads_t *d);

/* Ends all that are under way; where the job's time is over, its trouble is what
 * was waited for. */
void ngx_dfp_downloads_stop(ngx_dfp_peers_t *peers);

/* Chooses peers out of the list of hosts, and copies them. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_peers_choose(ngx_dfp_peers_t *peers);

/* What a call to the peer came to: somebody was there; it had trouble, and may be
 * called later; nobody was there. */
void ngx_dfp_peer_answered(ngx_dfp_peer_t *peer);
void ngx_dfp_peer_pause(ngx_dfp_peer_t *peer);
void ngx_dfp_peer_unreached(ngx_dfp_peer_t *peer, ngx_str_t *text);

/* What the peer says, which the job may have to tell: it has waited for this one. */
void ngx_dfp_peer_troubled(ngx_dfp_peer_t *peer, ngx_str_t *text);

/* Of those that nobody was at, who is not in the new list of hosts is gone. */
void ngx_dfp_peers_compare(ngx_dfp_peers_t *peers);

/* As of the engine. */
ngx_int_t ngx_dfp_peers_check(ngx_dfp_run_t *run);
void ngx_dfp_peers_progress(ngx_dfp_run_t *run, ngx_dfp_progress_t *p);
void ngx_dfp_peers_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results);


#endif /* NGX_DFP_ENGINE_PEERS_H */
