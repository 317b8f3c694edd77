/*
 * The engine "peers": Dragonfly's peers are asked, one by one, to download
 * each task. The files use only what is below them:
 *
 * engine_peers.c           the engine: hosts are listed, downloads are started
 * engine_peers_results.c   whether the run has succeeded, and its results
 * engine_peers_download.c  one download of one task by one peer
 * engine_peers_choose.c    the peers that the job is about
 * engine_peers_silence.c   whether a silent peer lives
 * engine_peers_active.c    the active downloads, as they are counted
 * engine_peers_peer.c      whether a peer can be called
 * engine_peers_task.c      the downloads of one task
 * engine_peers_pick.c      which peer comes next
 */

#ifndef NGX_DFP_ENGINE_PEERS_H
#define NGX_DFP_ENGINE_PEERS_H


#include "ngx_dfp_dragonfly.h"

#include "dfp_ring.h"


#define NGX_DFP_SEEDS_MAX        4      /* tried for one task */
#define NGX_DFP_DOWNLOADS_MAX    16777216    /* of a job */
#define NGX_DFP_EVENT_MAX        4194304     /* bytes of a peer's message */
#define NGX_DFP_SUSPECT_LOOK     2000   /* ms until hosts are listed
                                           again */
#define NGX_DFP_SUSPECT_WAIT     30000  /* ms until the peer is called
                                           again */


typedef struct ngx_dfp_peers_s  ngx_dfp_peers_t;


/* Whether a peer can be called. */
typedef enum {
    NGX_DFP_PEER_READY = 0,
    NGX_DFP_PEER_PAUSED,      /* after an error */
    NGX_DFP_PEER_SUSPECT,     /* it could not be reached, or hangs */
    NGX_DFP_PEER_TRIAL,       /* it is asked whether it lives */
    NGX_DFP_PEER_GONE         /* unreachable, for good */
} ngx_dfp_peer_e;


typedef struct {
    ngx_dfp_peers_t  *peers;
    ngx_dfp_server_t  server;
    dfp_d7y_host_t    host;
    ngx_dfp_peer_e    state;
    ngx_uint_t        troubles;    /* errors in a row */
    ngx_uint_t        done;        /* tasks that it has */
    ngx_str_t         reason;      /* why it is gone */
    ngx_event_t       resume;

    ngx_queue_t       streams;     /* active downloads */
    ngx_queue_t       queue;       /* in peers->watched */
    ngx_dfp_task_t   *task;        /* of the last download; NULL: none */
    ngx_dfp_grpc_t   *question;    /* StatLocalTask, active; NULL: none */
    ngx_msec_t        heard;       /* when it sent something */
    ngx_msec_t        asked;       /* when the question was sent */
    ngx_msec_t        patience;    /* ms of silence until it is asked */
    unsigned          watched:1;   /* it is in that queue */
    unsigned          doubtful:1;  /* it has not answered at once */
    unsigned          known:1;     /* so has another run found */
    unsigned          met:1;       /* it has answered in this run */
    unsigned          spoke:1;     /* since the question was sent */
} ngx_dfp_peer_t;


/* Whether nothing can be said of it but that it was lost. */
#define ngx_dfp_peer_lost(peer)                                               \
    ((peer)->state == NGX_DFP_PEER_SUSPECT                                    \
     || (peer)->state == NGX_DFP_PEER_TRIAL)


/* A host that the job is about and that cannot be called at all. */
typedef struct {
    ngx_str_t  hostname;
    ngx_str_t  ip;
    ngx_str_t  reason;
    unsigned   unreachable:1;  /* no failure by itself */
} ngx_dfp_absent_t;


/* A download of a task by a peer is one byte: its state in the low bits, the
 * number of failed tries in the high ones; of single_seed_peer those since all
 * seed peers have had their turn. */
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
    ngx_pool_t      *pool;        /* of the frame; NULL: none */
    dfp_str_t        frame;       /* DownloadTask, for all peers */
    ngx_uint_t       serial;      /* of the Authorization in it */
    u_char          *pairs;       /* by peer */
    size_t           seeds[NGX_DFP_SEEDS_MAX];
    ngx_uint_t       nseeds;      /* of single_seed_peer */
    ngx_uint_t       at;          /* where to look next, of other scopes */
    ngx_uint_t       active;
    ngx_uint_t       live;        /* of these, on peers without doubt */
    ngx_uint_t       left;        /* with the active ones */
    ngx_uint_t       done;
    ngx_str_t        reason;      /* of the first failure */
    unsigned         queued:1;    /* it gets its turn by itself */
    unsigned         probe:1;     /* the origin is asked first */
    unsigned         ended:1;
} ngx_dfp_downloads_t;


/* An active download, in the pool of its call. */
typedef struct {
    ngx_queue_t           queue;      /* in peers->downloads */
    ngx_queue_t           stream;     /* in peer->streams */
    ngx_dfp_downloads_t  *d;
    ngx_dfp_peer_t       *peer;
    ngx_dfp_grpc_t       *grpc;
    ngx_uint_t            serial;     /* of its credentials */
    off_t                 size;       /* -1: not known */
    off_t                 bytes;
    unsigned              live:1;     /* there is no doubt about the peer */
} ngx_dfp_download_t;


typedef struct {
    ngx_dfp_task_t  *task;
    ngx_dfp_peer_t  *peer;
    ngx_str_t        reason;
} ngx_dfp_failure_t;


/* The DATA of a run. */
struct ngx_dfp_peers_s {
    ngx_dfp_run_t   *run;
    ngx_dfp_hosts_t  hosts;

    ngx_dfp_peer_t  *peer;        /* those that were chosen */
    ngx_uint_t       n;
    dfp_ring_t       ring;        /* of them, for single_seed_peer */
    ngx_array_t      absent;      /* absent_t */
    ngx_array_t      failures;    /* failure_t, the first ones */
    ngx_queue_t      downloads;   /* active */
    ngx_queue_t      watched;     /* peers with active downloads, and those
                                     that are doubtful */
    ngx_event_t      tick;        /* they are looked at */
    ngx_uint_t       questions;   /* active */
    ngx_dfp_peer_t  *troubled;    /* the last one; NULL: none */
    ngx_str_t        trouble;     /* its error */

    ngx_uint_t       busy;        /* tasks with live downloads */
    ngx_uint_t       opened;      /* tasks with downloads */
    ngx_uint_t       done;        /* downloads */
    ngx_uint_t       failed;      /* downloads */
    ngx_uint_t       pieces;
    off_t            bytes;
    unsigned         single:1;    /* single_seed_peer */
};


extern ngx_dfp_engine_t  ngx_dfp_engine_peers;


/* Returns the downloads of a task that gets its turn. NULL: no memory. */
ngx_dfp_downloads_t *ngx_dfp_peers_task_open(ngx_dfp_task_t *task);

/* Queues the task again, if it has downloads to start. */
void ngx_dfp_peers_task_queue(ngx_dfp_downloads_t *d);

/* Ends the task, if all of its downloads have ended. */
void ngx_dfp_peers_task_settle(ngx_dfp_downloads_t *d);


#define NGX_DFP_NOBODY  ((ngx_uint_t) -1)

/* Returns the index, in peers->peer, of the peer that is to download the task
 * next, or NGX_DFP_NOBODY. */
ngx_uint_t ngx_dfp_peers_pick(ngx_dfp_downloads_t *d);

/* Whether it may be worth asking that, as far as the task knows. */
ngx_uint_t ngx_dfp_peers_pick_wanted(ngx_dfp_downloads_t *d);

/* Whether another seed peer than the one that has just failed may still get the
 * task, or has it already. */
ngx_uint_t ngx_dfp_peers_pick_other(ngx_dfp_downloads_t *d);

/* Sets the seed peers that are tried for the task, in this order. NGX_ERROR:
 * no memory. */
ngx_int_t ngx_dfp_peers_pick_seeds(ngx_dfp_downloads_t *d);


/* Starts a download of the task. NGX_OK: it has; NGX_DECLINED: no peer can be
 * called for it now, and it has left the queue; NGX_AGAIN: no connection or no
 * memory is free. */
ngx_int_t ngx_dfp_download_start(ngx_dfp_downloads_t *d);

/* Ends all active downloads. Unless the run is ending, the trouble of the run
 * is set to what it waited for. */
void ngx_dfp_download_stop(ngx_dfp_peers_t *peers);


/* Chooses peers from the list of hosts and copies them. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_peers_choose(ngx_dfp_peers_t *peers);


/*
 * Silence. A stream may be silent for minutes while its peer waits for the
 * origin or for another peer. So a silent peer is asked StatLocalTask: at once
 * if the run has not heard from it yet, else after a second, and then with
 * growing pauses, at least each dfpreheat_peer_timeout.
 *
 * One that does not answer soon is doubtful until it does. That is only a doubt,
 * as it may be busy, and costs little: it gets no other task, tasks that wait
 * for such peers only take no place of concurrent_task_count, and with
 * single_seed_peer the next seed peer gets them, too; the first that has a task
 * ends the other's stream. The next runs of this worker ask it before they give
 * it a task.
 *
 * If it has sent nothing at all for dfpreheat_peer_timeout after the question,
 * or cannot be reached, its streams are cancelled, and it counts as unreachable.
 */

void ngx_dfp_silence_init(ngx_dfp_peers_t *peers);
void ngx_dfp_silence_init_peer(ngx_dfp_peer_t *peer);

/* The run begins: peers that have not answered others of this worker are asked
 * about the first of its tasks. */
void ngx_dfp_silence_start(ngx_dfp_peers_t *peers);

/* A download of the peer has started, or has ended. */
void ngx_dfp_silence_begin(ngx_dfp_download_t *download);
void ngx_dfp_silence_end(ngx_dfp_peer_t *peer);

/* Cancels what is left of the task's downloads, which has ended. */
void ngx_dfp_silence_drop(ngx_dfp_downloads_t *d);

/* The peer has sent something. */
void ngx_dfp_silence_heard(ngx_dfp_peer_t *peer);

/* No task is left: ends the questions to peers without downloads. */
void ngx_dfp_silence_rest(ngx_dfp_peers_t *peers);

/* Ends all questions; safe at any time. */
void ngx_dfp_silence_stop(ngx_dfp_peers_t *peers);


/* Counts a download that has started. */
void ngx_dfp_active_begin(ngx_dfp_download_t *download);

/* Counts one that has ended; it waits again. */
void ngx_dfp_active_end(ngx_dfp_download_t *download);

/* Counts it as one on a peer without doubt, or not. */
void ngx_dfp_active_live(ngx_dfp_download_t *download, ngx_uint_t live);

/* The task goes on, after a download on the peer has ended. */
void ngx_dfp_active_next(ngx_dfp_downloads_t *d, ngx_dfp_peer_t *peer);


/* The peer has answered a call. */
void ngx_dfp_peer_answered(ngx_dfp_peer_t *peer);

/* It has failed in a way that may pass: it is not called for a while. */
void ngx_dfp_peer_pause(ngx_dfp_peer_t *peer);

/* It could not be reached, or hangs, as TEXT says. */
void ngx_dfp_peer_unreached(ngx_dfp_peer_t *peer, ngx_str_t *text);

/* Queues the tasks that may have waited for a peer. */
void ngx_dfp_peer_wake(ngx_dfp_peers_t *peers);

/* Copies the peer's error, for a job whose timeout passes while it waits. */
void ngx_dfp_peer_troubled(ngx_dfp_peer_t *peer, ngx_str_t *text);

/* Peers that could not be reached and are not in the new list of hosts are
 * gone. */
void ngx_dfp_peer_compare(ngx_dfp_peers_t *peers);


/* The engine's own, see ngx_dfp_engine.h. */
ngx_int_t ngx_dfp_peers_results_check(ngx_dfp_run_t *run);
void ngx_dfp_peers_results_progress(ngx_dfp_run_t *run, ngx_dfp_progress_t *p);
void ngx_dfp_peers_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results);

/* The same for a dry run. */
void ngx_dfp_peers_results_planned(ngx_dfp_run_t *run,
    ngx_dfp_results_t *results);


#endif /* NGX_DFP_ENGINE_PEERS_H */
