/*
 * The interface of the engines: the ways to warm a cluster. An engine is a
 * table of this kind and the five functions in it, and one line in the table
 * of ngx_dfp_conf.c.
 */

#ifndef NGX_DFP_ENGINE_H
#define NGX_DFP_ENGINE_H


#include "ngx_dfp_results.h"
#include "ngx_dfp_task.h"


struct ngx_dfp_engine_s {
    ngx_str_t    name;         /* of engine= */

    /* it warms the proxy_cache of this nginx: what is read while images are
       resolved must be stored there, or the task fails */
    unsigned     caches:1;

    /* it warms nothing, and nothing must be stored: it looks into the
       proxy_cache of this nginx */
    unsigned     looks:1;

    /* it only tells what would be warmed: manifests are requested from the
       registry, past the cache, and are not stored */
    unsigned     dry:1;

    /* it finds out itself what is in an image: the tasks of an image job are
       its images */
    unsigned     resolves:1;

    /* its cluster is one of Dragonfly, with schedulers */
    unsigned     dragonfly:1;

    /* starts to warm the tasks: sets the stage's CALL and ANSWERED, at once or
       later. NGX_ERROR: no memory. */
    ngx_int_t  (*start)(ngx_dfp_run_t *run);

    /* after all tasks have ended. NGX_OK: the run has succeeded; NGX_AGAIN:
       tasks are left again, or this is to be called again; NGX_DECLINED: the
       run has failed, by its error or by its tasks. */
    ngx_int_t  (*check)(ngx_dfp_run_t *run);

    /* ends all calls and timers of its own; safe at any time. NULL: it has
       none. */
    void       (*stop)(ngx_dfp_run_t *run);

    /* sets how far the run is; safe before the start, too */
    void       (*progress)(ngx_dfp_run_t *run, ngx_dfp_progress_t *p);

    /* adds what has become of each task; safe before the start, too */
    void       (*results)(ngx_dfp_run_t *run, ngx_dfp_results_t *results);

    /* the engine of jobs that look up what was warmed, or remove it
       (job->action); NULL: it is one itself, or for dry runs */
    ngx_dfp_engine_t  *look;

    /* the engine of dry runs of its jobs; NULL: it is one itself, or looks */
    ngx_dfp_engine_t  *dry_run;

    /* the engine of looks at its jobs that are kept; NULL: they are not */
    ngx_dfp_engine_t  *keep;
};


#endif /* NGX_DFP_ENGINE_H */
