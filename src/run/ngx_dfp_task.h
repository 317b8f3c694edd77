/*
 * A task of a run: one URL to preheat. It makes one call at a time, pauses
 * between tries, and ends once: done, failed or skipped. The files use only
 * what is below them:
 *
 * task.c         the tasks of a run, and their calls
 * task_grant.c   what a task does with its grant: waits for it, answers a 401
 * task_busy.c    an upstream that has no connection free
 * task_fresh.c   how fresh an answer has to be
 * task_state.c   how a task ends, or is tried again
 */

#ifndef NGX_DFP_TASK_H
#define NGX_DFP_TASK_H


#include "ngx_dfp_digest.h"
#include "ngx_dfp_grant.h"


#define NGX_DFP_TASKS_MAX     20000   /* of a run */
#define NGX_DFP_TASK_TRIES    4       /* calls for a task */
#define NGX_DFP_REFUSALS_MAX  2       /* answers of 401 to a task */
#define NGX_DFP_RETRY_BASE    500     /* ms, doubled with each try */
#define NGX_DFP_RETRY_MAX     30000   /* ms */


typedef struct ngx_dfp_index_s   ngx_dfp_index_t;
typedef struct ngx_dfp_verify_s  ngx_dfp_verify_t;


/* What a task has to do with what refers to an image. */
typedef enum {
    NGX_DFP_SUBJECT_NONE = 0,
    NGX_DFP_SUBJECT_PART,      /* a manifest that refers to it */
    NGX_DFP_SUBJECT_TAG,       /* the tag of such a manifest or index, which need
                                  not be there */
    NGX_DFP_SUBJECT_LIST       /* the registry's list of them, which is read and
                                  not cached */
} ngx_dfp_subject_e;


/* All memory is of the run's pool, if not said otherwise. */
struct ngx_dfp_task_s {
    ngx_str_node_t      node;      /* its str is the URL */
    ngx_queue_t         queue;     /* in run->ready, or in the waiting
                                      of a grant */
    ngx_dfp_run_t      *run;
    ngx_dfp_binding_t  *binding;   /* of its origin; NULL: none */
    ngx_dfp_grant_t    *grant;
    ngx_dfp_image_t    *image;     /* NULL: a file */
    dfp_url_t           url;
    ngx_str_t           shown;     /* URL as it may be shown */
    ngx_str_t           digest;    /* "": not known */
    ngx_str_t           media_type;    /* of an image; "": not known */
    off_t               size;      /* -1: not known */
    ngx_uint_t          depth;     /* of a manifest in indexes */
    ngx_dfp_subject_e   subject;   /* a signature and so on of an image */
    ngx_uint_t          page;      /* of a list of referrers; 0 is the first */
    ngx_dfp_index_t    *index;     /* NULL: no index, or one that has
                                      to do with no other */
    ngx_uint_t          tries;
    ngx_uint_t          refused;   /* times, by a 401 */
    ngx_uint_t          serial;    /* of the Authorization it sent */
    ngx_dfp_grant_t    *target;    /* of the redirect's target that
                                      it sent one to; NULL: none */
    ngx_uint_t          target_serial;
    ngx_msec_t          deadline;  /* of all tries; 0: none so far */
    ngx_dfp_call_t     *call;      /* active; NULL: none */
    ngx_dfp_digest_t   *check;     /* of its digest, active */
    ngx_event_t         retry;
    ngx_str_t           reason;    /* of failure, or of skipping */
    ngx_dfp_entry_t     entry;     /* in the cache, once it is done */
    ngx_dfp_verify_t   *verify;    /* its rehearsal; NULL: none */
    void               *data;      /* the engine's */
    unsigned            manifest:1;    /* to be read */
    unsigned            document:1;    /* a manifest or an index,
                                          read or not */
    unsigned            config:1;  /* of an image: not a layer */
    unsigned            refresh:1; /* the cache's copy is wrong */
    unsigned            sized:1;   /* its size was given, by its
                                      manifest or by the job */
    unsigned            forbidden:1;   /* another try after a 403 was
                                          made */
    unsigned            packed:1;  /* compressed by the origin,
                                      unasked */
    unsigned            cached:1;  /* its last answer came from the
                                      cache */
    unsigned            told:1;    /* of a dry run: HELD is known */
    unsigned            held:1;    /* it is in the cache already */
    unsigned            stale:1;   /* of a kept job, a manifest that could not be
                                      read, for this reason: its copy in the
                                      cache is, valid or not */
    unsigned            unverified:1;  /* it is done, but its rehearsal has
                                          not ended */
    unsigned            done:1;
    unsigned            failed:1;
    unsigned            skipped:1; /* not available: no failure */
};


/* Initializes the tasks, grants and secrets of a run. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_tasks_init(ngx_dfp_run_t *run);

/*
 * Adds the URL as a task, of IMAGE or (NULL) a file, ready to be called, or
 * finds the one that is there. MANIFEST: one that is to be read; those are
 * called first. NULL when there is no memory. A URL whose origin is not bound,
 * or a task beyond NGX_DFP_TASKS_MAX, is added as failed. The strings of URL
 * are kept.
 */
ngx_dfp_task_t *ngx_dfp_task_add(ngx_dfp_run_t *run, dfp_url_t *url,
    ngx_dfp_image_t *image, ngx_uint_t manifest);

/* Takes the next ready task and starts its call. NGX_DFP_CALL_READ keeps up to
 * dfpreheat_max_manifest_size bytes. Returns what a stage's CALL does. */
ngx_int_t ngx_dfp_task_call(ngx_dfp_run_t *run, ngx_dfp_call_mode_e mode);

/* Ends the task, or tries it again, for what went wrong with the call in a way
 * that every kind of task has in common. NGX_DECLINED: nothing went wrong, the
 * answer is a 200. */
ngx_int_t ngx_dfp_task_trouble(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* Ends all calls and timers of the run's tasks, grants and engine, without
 * their handlers. No task is ready after it. */
void ngx_dfp_tasks_stop(ngx_dfp_run_t *run);

/* The same, and all tasks that have not ended fail, for WHY. */
void ngx_dfp_tasks_fail(ngx_dfp_run_t *run, ngx_str_t *why);


/* Makes a task ready to be called; it must be in no queue. */
void ngx_dfp_task_queue(ngx_dfp_task_t *task);

/* Ends a task that was just added, is ready, and is not to be fetched. */
void ngx_dfp_task_skipped(ngx_dfp_task_t *task, const char *reason);

/* Ends a task that was called, and is not to be warmed: it is skipped, and shown if
 * there is a REASON; NULL: it was worth a look only. */
void ngx_dfp_task_passed(ngx_dfp_task_t *task, const char *reason);

/* A skipped task is to be fetched after all. */
void ngx_dfp_task_wanted(ngx_dfp_task_t *task);

void ngx_dfp_task_done(ngx_dfp_task_t *task);

/* Also one that was done, but is of no use. The text is masked. The manifest of a
 * kept job does not fail yet: its copy in the cache is read first (stale). */
void ngx_dfp_task_failed(ngx_dfp_task_t *task, const char *fmt, ...);

/* A task that was done has not ended any more. It is in no queue. */
void ngx_dfp_task_reopened(ngx_dfp_task_t *task);

/* The same of all tasks that were done: they are ready to be called again. */
void ngx_dfp_tasks_reopened(ngx_dfp_run_t *run);

/* A task that was done is lost: it is tried again, or fails. */
void ngx_dfp_task_lost(ngx_dfp_task_t *task, const char *reason);

/* Tries again after a pause, which grows, and is at least RETRY_AFTER ms; or
 * fails, when the tries or the task's time are used up. WHY is counted, and
 * REASON, which is masked, is logged. */
void ngx_dfp_task_again(ngx_dfp_task_t *task, ngx_dfp_retry_e why,
    ngx_msec_t retry_after, const char *reason);

/* The handler of a task's timer: it is ready again. */
void ngx_dfp_task_retry(ngx_event_t *ev);

/* All that a call of the task sends and whoever is called may repeat; in POOL.
 * NULL: no memory. */
ngx_array_t *ngx_dfp_task_secrets(ngx_dfp_task_t *task, ngx_pool_t *pool);


/* Its upstream is busy (max_conns). This was no try: the task is tried again
 * after a pause, and the run has fewer active calls: as many as there are now,
 * and more as others are answered (steady). */
void ngx_dfp_task_busy(ngx_dfp_task_t *task);

/* Whether the run starts no call for the time being. */
ngx_uint_t ngx_dfp_task_held(ngx_dfp_run_t *run);

/* A call of the run was answered. */
void ngx_dfp_task_steady(ngx_dfp_run_t *run);


/* Sets how fresh the answer has to be: past the cache (refresh), or as of
 * after the job's POST (since). The call's store and mode are set before. */
void ngx_dfp_task_fresh(ngx_dfp_task_t *task, ngx_dfp_call_t *call);


/* Before a call: NGX_OK, or NGX_AGAIN when the task has left the queue: it
 * waits for a token, pauses, or has failed. */
ngx_int_t ngx_dfp_task_grant_ready(ngx_dfp_task_t *task);

/* The handler of grants: queues the tasks that wait for one, or ends them. */
void ngx_dfp_task_grant_done(ngx_dfp_grant_t *grant, ngx_int_t rc,
    ngx_dfp_call_t *call, const char *reason);

/* Notes which Authorization the call of the task sends. */
void ngx_dfp_task_grant_sent(ngx_dfp_task_t *task);

/* After a call: the origin has accepted that Authorization. */
void ngx_dfp_task_grant_accepted(ngx_dfp_task_t *task);

/* After a 401: queues the task for another try, or ends it. */
void ngx_dfp_task_grant_refused(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/*
 * After any call. NGX_OK: it was answered by 403, and the task is queued for
 * another try, with what is in dfpreheat_credentials now, or with another
 * token where what it sent was accepted before; once for each task.
 * NGX_DECLINED: it is not a 403, or it is final.
 */
ngx_int_t ngx_dfp_task_grant_forbidden(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);


#endif /* NGX_DFP_TASK_H */
