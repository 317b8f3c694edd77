/*
 * One run: an attempt of this worker at one part of a job, from the claim to
 * the report of its end. run.c has its stages, one after the other.
 */

#ifndef NGX_DFP_RUN_H
#define NGX_DFP_RUN_H


#include "ngx_dfp_call.h"
#include "ngx_dfp_store.h"


#define NGX_DFP_PROGRESS_INTERVAL  1000    /* ms between two reports */


typedef struct ngx_dfp_run_s    ngx_dfp_run_t;
typedef struct ngx_dfp_task_s   ngx_dfp_task_t;
typedef struct ngx_dfp_image_s  ngx_dfp_image_t;
typedef struct ngx_dfp_turn_s   ngx_dfp_turn_t;


/* The stage that a run is in: how it goes on. */
typedef struct {

    const char    *name;        /* for the debug log */

    /* starts one call, if there is one to start: NGX_OK: it has; NGX_DECLINED:
       nothing is ready; NGX_AGAIN: no connection or no memory is free. NULL:
       there is nothing to call for the time being. */
    ngx_int_t    (*call)(ngx_dfp_run_t *run);

    /* changes the call of a task before it is started. NGX_ERROR: no memory.
       NULL: it goes to the origin as it is. */
    ngx_int_t    (*prepare)(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

    /* the call of a task has an answer or has failed; CALL is freed when this
       has returned. It calls one of ngx_dfp_task_done(), _failed() and
       _again(), at once or later. */
    void         (*answered)(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

    /* the number of tasks that have to end before the stage does */
    ngx_uint_t    *left;

    /* they have ended, and no call is active: starts the next stage */
    void         (*next)(ngx_dfp_run_t *run);

} ngx_dfp_stage_t;


/* All memory is of the run's pool, if not said otherwise. */
struct ngx_dfp_run_s {
    ngx_pool_t           *pool;
    ngx_log_t             log;
    ngx_dfp_main_conf_t  *conf;
    ngx_dfp_cluster_t    *cluster;   /* NULL: it is not configured */
    ngx_dfp_engine_t     *engine;    /* of the job in this cluster; NULL: there
                                        is none */
    ngx_dfp_claim_t       claim;
    dfp_job_t             job;
    ngx_dfp_stage_t       stage;

    ngx_array_t           secrets;   /* logins, for all its calls */
    ngx_queue_t           grants;
    ngx_array_t           tasks;     /* task_t *, in their order */
    ngx_rbtree_t          urls;      /* the same, by URL */
    ngx_rbtree_node_t     sentinel;
    ngx_queue_t           ready;     /* tasks that wait for a call */
    ngx_uint_t            left;      /* tasks that have not ended */
    ngx_uint_t            manifests; /* of these, to be read */
    ngx_uint_t            nfailed;
    ngx_uint_t            unverified;    /* tasks whose rehearsal has not ended */
    off_t                 bytes;     /* of tasks that are done */

    ngx_uint_t            calls;     /* active */
    ngx_uint_t            width;     /* the limit of active calls */
    ngx_uint_t            steady;    /* answers since WIDTH is so */
    ngx_msec_t            held;      /* no call is started before */

    ngx_str_t             error;     /* "": the run has not failed */
    ngx_str_t             trouble;   /* what it waits for */
    void                 *data;      /* the engine's */

    ngx_dfp_image_t      *images;    /* of an image job */
    ngx_uint_t            nimages;

    ngx_dfp_store_t      *store;
    ngx_dfp_op_t          op;        /* the command that is active */
    ngx_event_t           tick;
    ngx_event_t           deadline;
    ngx_msec_t            started;
    ngx_msec_t            reported;
    ngx_str_t             results;   /* JSON, at its end */
    ngx_str_t             counts;

    /* the runner's; it sets the handlers: WAKE continues the run in the next
       turn of the event loop, OVER ends it, and frees its pool */

    void                 *runner;
    ngx_queue_t           queue;
    ngx_dfp_turn_t       *turn;      /* of its token */
    ngx_queue_t           place;     /* among the runs of that */
    void                (*wake)(ngx_dfp_run_t *run);
    void                (*over)(ngx_dfp_run_t *run);

    unsigned              changed:1;     /* there is progress to report */
    unsigned              unstored:1;    /* its end could not be sent */
    unsigned              woken:1;
    unsigned              ending:1;
};


/* Starts the run that was claimed into RUN: claim, conf, pool, log and what is
 * the runner's are set, the rest is zeroed. OVER is never called before this
 * has returned. */
void ngx_dfp_run_start(ngx_dfp_run_t *run, ngx_dfp_store_t *store);

/* The first step: unseals and parses what was claimed, and chooses the cluster and
 * the engine; what is wrong with them fails the run. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_run_prepare(ngx_dfp_run_t *run);

/* Starts the next stage if this one has ended; safe at any time. QUIT: the
 * worker quits, so the run is returned to the queue as soon as no call is
 * active. */
void ngx_dfp_run_advance(ngx_dfp_run_t *run, ngx_uint_t quit);

/* The job was deleted: stops the run at once, and ends it. */
void ngx_dfp_run_cancel(ngx_dfp_run_t *run);

/* The worker ends at once: returns the part to the queue, without waiting for
 * the reply, and stops the run. */
void ngx_dfp_run_leave(ngx_dfp_run_t *run);

/* The run has failed, and no further call is started. The first 512 bytes of
 * the text are kept. */
void ngx_dfp_run_fail(ngx_dfp_run_t *run, const char *fmt, ...);

/* The same, for the first of its tasks that has failed: there is one. */
void ngx_dfp_run_fail_tasks(ngx_dfp_run_t *run);

/* The run waits because of what WHO answers, TEXT: it is logged, and shown if
 * the timeout passes meanwhile. SECRETS are masked in it; NULL: the run's. */
void ngx_dfp_run_trouble(ngx_dfp_run_t *run, ngx_array_t *secrets,
    ngx_str_t *who, ngx_str_t *text);

/* Formats a text of at most 512 bytes, in the run's pool. Its data is NULL if
 * there is no memory. */
ngx_str_t ngx_dfp_run_text(ngx_dfp_run_t *run, const char *fmt, va_list args);

/* The time in ms until the job's timeout passes, at least 1. */
ngx_msec_t ngx_dfp_run_left(ngx_dfp_run_t *run);

/* The time in ms for a manifest, or for a token: dfpreheat_task_timeout. A look at a
 * kept job waits for them half of its time at most: then the copy in the cache is
 * read, and what that names is looked up. */
ngx_msec_t ngx_dfp_run_patience(ngx_dfp_run_t *run);


/* As JSON, the counts of tasks and bytes, in MEM. "": no memory. */
ngx_str_t ngx_dfp_run_progress(ngx_dfp_run_t *run, dfp_mem_t *mem);

/* As JSON, the results so far. "": there are none, or no memory. */
ngx_str_t ngx_dfp_run_results(ngx_dfp_run_t *run);

/* Counts a run that has come to its end after ELAPSED ms, and its tasks, for
 * the metrics; not one that is returned to the queue. */
void ngx_dfp_run_count(ngx_dfp_run_t *run, ngx_msec_t elapsed);


#endif /* NGX_DFP_RUN_H */
