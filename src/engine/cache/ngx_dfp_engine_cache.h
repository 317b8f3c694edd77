/*
 * The engine "cache": tasks are warmed into the proxy_cache of this nginx.
 * engine_cache.c is the engine, engine_warm.c what it does, engine_cache_room.c
 * checks that the caches are large enough, engine_look.c is the engine of jobs that only look into them,
 * engine_dry.c that of dry runs, engine_keep.c that of looks at kept jobs.
 */

#ifndef NGX_DFP_ENGINE_CACHE_H
#define NGX_DFP_ENGINE_CACHE_H


#include "ngx_dfp_engine.h"


#define NGX_DFP_LOOKS  64    /* files in one turn of the event loop */


/* What a run has stored in one cache. */
typedef struct {
    ngx_http_file_cache_t  *cache;
    off_t                   blocks;     /* of its files, of bsize */
    ngx_uint_t              entries;
} ngx_dfp_share_t;


/* An entry that is stored. Several tasks may have the same one: blobs that
 * repositories share. */
typedef struct {
    ngx_str_node_t    node;      /* its str is the key */
    ngx_dfp_share_t  *share;
    off_t             blocks;
} ngx_dfp_kept_t;


/* The DATA of a run. */
typedef struct {
    ngx_array_t        shares;     /* share_t * */
    ngx_rbtree_t       kept;       /* kept_t, by key */
    ngx_rbtree_node_t  sentinel;
    ngx_uint_t         next;       /* index of the task that is looked
                                      up next, at the end */
    ngx_array_t        gone;       /* task_t *, those not found then */
} ngx_dfp_stored_t;


extern ngx_dfp_engine_t  ngx_dfp_engine_cache;
extern ngx_dfp_engine_t  ngx_dfp_engine_look;
extern ngx_dfp_engine_t  ngx_dfp_engine_dry;
extern ngx_dfp_engine_t  ngx_dfp_engine_keep;


/* What the engine of jobs and that of looks at kept jobs do: see
 * ngx_dfp_engine_t. */
ngx_int_t ngx_dfp_engine_warm_start(ngx_dfp_run_t *run);
void ngx_dfp_engine_warm_answered(ngx_dfp_task_t *task, ngx_dfp_call_t *call);
ngx_int_t ngx_dfp_engine_warm_check(ngx_dfp_run_t *run);
void ngx_dfp_engine_warm_progress(ngx_dfp_run_t *run, ngx_dfp_progress_t *p);

/* Finds what clients would be given of the TASK of a call that has looked, and sets
 * the task's entry and size. NGX_DECLINED: nothing: it is not there, or has expired,
 * or is for some clients only, or has another size than the task. NGX_ERROR: it is
 * not known. */
ngx_int_t ngx_dfp_engine_warm_find(ngx_dfp_task_t *task, ngx_dfp_call_t *call);


/*
 * These check that the caches are large enough for the run. NGX_DECLINED: they
 * are not, and the run and its tasks have failed, with what is needed and what
 * there is. NGX_ERROR: no memory.
 */

/* Before the first task is fetched, for the sizes that are known. */
ngx_int_t ngx_dfp_room_planned(ngx_dfp_run_t *run);

/* The task's entry is stored: it is added. */
ngx_int_t ngx_dfp_room_taken(ngx_dfp_task_t *task);

/* At the end: whether nginx will evict entries of the run soon. */
ngx_int_t ngx_dfp_room_left(ngx_dfp_run_t *run);


#endif /* NGX_DFP_ENGINE_CACHE_H */
