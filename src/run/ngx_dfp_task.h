/*
 * A run and its tasks: what the layers image, engine and runner share. A task
 * is one URL to preheat; it makes one call at a time, waits between tries, and
 * ends once, as done or as failed.
 */

#ifndef NGX_DFP_TASK_H
#define NGX_DFP_TASK_H


#include "ngx_dfp_call.h"
#include "ngx_dfp_digest.h"
#include "ngx_dfp_store.h"


/* The call of a task has an answer, or has failed; CALL dies with the call of
 * the handler. It ends in one of ngx_dfp_task_done(), _failed() or
 * _again(). */
typedef void (*ngx_dfp_task_pt)(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* Starts one call, if there is one to start. NGX_OK: it has; NGX_DECLINED:
 * nothing is ready; NGX_AGAIN: nginx is out of connections or memory. */
typedef ngx_int_t (*ngx_dfp_next_pt)(ngx_dfp_run_t *run);

typedef void (*ngx_dfp_run_pt)(ngx_dfp_run_t *run);


struct ngx_dfp_task_s {
    ngx_str_node_t      node;      /* its str is the URL */
    ngx_queue_t         queue;     /* in run->ready */
    ngx_dfp_run_t      *run;
    ngx_dfp_binding_t  *binding;
    ngx_dfp_grant_t    *grant;
    ngx_dfp_image_t    *image;     /* NULL: a file */
    dfp_url_t           url;
    ngx_str_t           shown;     /* URL as it may be shown */
    ngx_str_t           digest;    /* "": not known */
    off_t               size;      /* -1: not known */
    ngx_uint_t          depth;     /* of a manifest in indexes */
    ngx_dfp_index_t    *index;     /* NULL: none, or all alone */
    ngx_uint_t          tries;
    ngx_uint_t          refused;   /* times, by a 401 */
    ngx_uint_t          serial;    /* of what was sent */
    ngx_dfp_grant_t    *target;    /* also for whom a redirect
                                      leads to; NULL: nobody */
    ngx_uint_t          target_serial;
    ngx_msec_t          deadline;  /* 0: no try so far */
    ngx_dfp_call_t     *call;      /* the one under way */
    ngx_dfp_digest_t   *check;     /* of its digest, under way */
    ngx_dfp_task_pt     handler;
    ngx_event_t         retry;
    ngx_str_t           reason;    /* of failure, or skipping */
    ngx_dfp_entry_t     entry;
    void               *data;      /* the engine's */
    unsigned            manifest:1;    /* to be read */
    unsigned            document:1;    /* a manifest or an index,
                                          read or not */
    unsigned            refresh:1; /* what the cache has is wrong */
    unsigned            sized:1;   /* its size was told, by its
                                      manifest or the job */
    unsigned            forbidden:1;   /* once, by a 403 */
    unsigned            packed:1;  /* by the origin, unasked */
    unsigned            done:1;
    unsigned            failed:1;
    unsigned            skipped:1; /* not to be had: no failure */
};


/* An index that has others in it, or is in another. */
struct ngx_dfp_index_s {
    dfp_oci_manifest_t  manifest;
    ngx_array_t         indexes;   /* task_t *, those in it */
    ngx_uint_t          visit;
};


/* An image of a job. */
struct ngx_dfp_image_s {
    dfp_oci_ref_t    ref;
    ngx_str_t        posted;    /* the same, as it was given */
    ngx_str_t        digest;    /* what it stands for */
    ngx_dfp_task_t  *task;      /* its manifest */
};


struct ngx_dfp_run_s {
    ngx_pool_t           *pool;
    ngx_log_t             log;
    ngx_dfp_main_conf_t  *conf;
    ngx_dfp_cluster_t    *cluster;
    ngx_dfp_claim_t       claim;
    dfp_job_t             job;

    ngx_array_t           secrets;   /* logins, for all its calls */
    ngx_queue_t           grants;
    ngx_array_t           tasks;     /* pointers, as added */
    ngx_rbtree_t          urls;      /* the same, by URL */
    ngx_rbtree_node_t     sentinel;
    ngx_queue_t           ready;     /* tasks that wait for a call */
    ngx_uint_t            left;      /* tasks that have not ended */
    ngx_uint_t            manifests; /* of these, to be read */
    ngx_uint_t            nfailed;
    off_t                 bytes;     /* done */
    ngx_uint_t            calls;     /* under way */
    ngx_uint_t            width;     /* calls that may be */
    ngx_uint_t            steady;    /* answers since WIDTH is so */
    ngx_msec_t            held;      /* no call begins before */
    ngx_str_t             error;     /* of the run as a whole */
    ngx_str_t             trouble;   /* that holds it up */
    void                 *data;      /* the engine's */

    ngx_dfp_image_t      *images;    /* of an image job */
    ngx_uint_t            nimages;
    ngx_dfp_run_pt        resolved;  /* they are tasks now */

    /* the stage: its calls, what it waits for, and what comes then */
    ngx_dfp_next_pt       next;
    ngx_uint_t           *pending;
    ngx_dfp_run_pt        then;

    /* the runner's */

    ngx_dfp_store_t      *store;
    void                 *worker;
    ngx_dfp_run_pt        wake;      /* something has changed */
    ngx_dfp_run_pt        over;      /* the very end */
    ngx_queue_t           queue;
    ngx_dfp_op_t          op;
    ngx_event_t           tick;
    ngx_event_t           deadline;
    ngx_msec_t            started;
    ngx_msec_t            reported;
    ngx_str_t             results;   /* JSON, at its end */
    ngx_str_t             counts;
    unsigned              changed:1; /* progress to report */
    unsigned              unstored:1; /* the end could not be sent */
    unsigned              woken:1;
    unsigned              ending:1;
};


/* One way to warm a cluster. */
struct ngx_dfp_engine_s {
    ngx_str_t    name;

    /* what is read must come to be in nginx's cache, or it has failed */
    unsigned     caches:1;

    /* it is told the images, and finds out itself what is in them */
    unsigned     resolves:1;

    /* its cluster is one of Dragonfly: dfpreheat_cluster has schedulers */
    unsigned     dragonfly:1;

    /* begins to warm the run's tasks: sets next, and what is to be done
       before; NGX_ERROR: no memory */
    ngx_int_t  (*start)(ngx_dfp_run_t *run);

    /* NGX_OK: all is where it should be; NGX_AGAIN: tasks are left again;
       NGX_DECLINED: the run has failed, by its error or by its tasks */
    ngx_int_t  (*check)(ngx_dfp_run_t *run);

    /* ends all of its own calls and timers; NULL: it has none */
    void       (*stop)(ngx_dfp_run_t *run);

    /* fills in what there is so far */
    void       (*progress)(ngx_dfp_run_t *run, ngx_dfp_progress_t *p);

    /* prints what became of each task */
    void       (*results)(ngx_dfp_run_t *run, ngx_dfp_results_t *results);
};


/* How far a run is. */
struct ngx_dfp_progress_s {
    off_t       bytes_done;
    off_t       bytes_total;
    unsigned    downloads:1;   /* these are given, too */
    ngx_uint_t  downloads_done;
    ngx_uint_t  downloads_failed;
    ngx_uint_t  downloads_total;
    ngx_uint_t  pieces;
};


/* The lists of a result, each a JSON array without its brackets, and how many did
 * not go into it (NGX_DFP_RESULTS_MAX). */
typedef struct {
    dfp_buf_t   json;
    ngx_uint_t  n;
    ngx_uint_t  omitted;
} ngx_dfp_list_t;

struct ngx_dfp_results_s {
    ngx_dfp_list_t  success;
    ngx_dfp_list_t  failure;
    ngx_dfp_list_t  unreachable;
};


ngx_int_t ngx_dfp_tasks_init(ngx_dfp_run_t *run);

/*
 * Adds the URL as a task, of IMAGE or (NULL) a file, ready to be called, or finds
 * the one that is there. MANIFEST: one that is to be read; those are called
 * first. NULL when there is no memory. A URL whose origin is not bound, or a task
 * beyond NGX_DFP_TASKS_MAX, is added as failed.
 */
ngx_dfp_task_t *ngx_dfp_task_add(ngx_dfp_run_t *run, dfp_url_t *url,
    ngx_dfp_image_t *image, ngx_uint_t manifest);

/* Makes a task ready to be called. */
void ngx_dfp_task_queue(ngx_dfp_task_t *task);

/* Ends a task that was just added and is not to be fetched. */
void ngx_dfp_task_skipped(ngx_dfp_task_t *task, const char *reason);

/* One that was skipped is to be fetched after all. */
void ngx_dfp_task_wanted(ngx_dfp_task_t *task);

/* Takes the next ready task and starts its call. What a call reads may have
 * dfpreheat_max_manifest_size bytes. As next_pt. */
ngx_int_t ngx_dfp_task_call(ngx_dfp_run_t *run, ngx_dfp_call_mode_e mode,
    ngx_dfp_task_pt handler);

void ngx_dfp_task_done(ngx_dfp_task_t *task);

/* Also one that was done, and turns out to be of no use. */
void ngx_dfp_task_failed(ngx_dfp_task_t *task, const char *fmt, ...);

/* A task that was done is under way once more. */
void ngx_dfp_task_reopened(ngx_dfp_task_t *task);

/* A task that was done turns out not to be: as _again(), or failed. */
void ngx_dfp_task_lost(ngx_dfp_task_t *task, const char *reason);

/* Tries again after a pause (a growing one; or RETRY_AFTER ms), or fails when
 * the tries are used up. REASON is what went wrong. */
void ngx_dfp_task_again(ngx_dfp_task_t *task, ngx_msec_t retry_after,
    const char *reason);

/* Ends the task, or tries it again, for what went wrong with the call in a way
 * that every kind of task has in common. NGX_DECLINED: nothing went wrong, the
 * answer is a 200. */
ngx_int_t ngx_dfp_task_trouble(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* Its upstream is busy (max_conns), and this is no try: the run begins no call until
 * one of its own was answered (steady), or for a moment; as held() says. As many go
 * on at once as were under way, and more as time goes by. */
void ngx_dfp_task_busy(ngx_dfp_task_t *task);
ngx_uint_t ngx_dfp_task_held(ngx_dfp_run_t *run);
void ngx_dfp_task_steady(ngx_dfp_run_t *run);

/* Sets how fresh the answer has to be: past the cache, or as of after the job's POST
 * (refresh, since). The call's store and mode are set. */
void ngx_dfp_task_fresh(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* Ends all calls and timers of the run's tasks. */
void ngx_dfp_tasks_stop(ngx_dfp_run_t *run);

/* What a call of the task sends along, and who is called may repeat; in POOL. NULL:
 * no memory. */
ngx_array_t *ngx_dfp_task_secrets(ngx_dfp_task_t *task, ngx_pool_t *pool);

/* The run as a whole has failed: sets its error; nothing more is begun. */
void ngx_dfp_run_fail(ngx_dfp_run_t *run, const char *fmt, ...);

/* What WHO answers holds the run up: it is logged, and told where the timeout
 * passes over it; without SECRETS, which are the run's where NULL. */
void ngx_dfp_run_trouble(ngx_dfp_run_t *run, ngx_array_t *secrets,
    ngx_str_t *who, ngx_str_t *text);


#endif /* NGX_DFP_TASK_H */
