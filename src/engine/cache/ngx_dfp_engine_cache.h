/*
 * Between the files of the engine cache.
 */

#ifndef NGX_DFP_ENGINE_CACHE_H
#define NGX_DFP_ENGINE_CACHE_H


#include "ngx_dfp_engine.h"


/* What a run has in one cache. */
typedef struct {
    ngx_http_file_cache_t  *cache;
    off_t                   blocks;     /* of its files */
    ngx_uint_t              entries;
} ngx_dfp_share_t;


/* An entry that is stored: several tasks may have one, as blobs that repositories
 * share. */
typedef struct {
    ngx_str_node_t    node;      /* its str is the key */
    ngx_dfp_share_t  *share;
    off_t             blocks;
} ngx_dfp_kept_t;


/* run->data */
typedef struct {
    ngx_array_t        shares;     /* share_t * */
    ngx_rbtree_t       kept;       /* kept_t, by key */
    ngx_rbtree_node_t  sentinel;
    ngx_uint_t         next;       /* task to be looked up at the end */
    ngx_array_t        gone;       /* task_t *: not found there */
} ngx_dfp_stored_t;


extern ngx_dfp_engine_t  ngx_dfp_engine_cache;


/*
 * Whether there is room in the cache: these fail the run where there is not, with
 * what it needs and what there is, and return NGX_DECLINED. NGX_ERROR: no memory.
 *
 * room_planned: before anything is fetched, for what is known of the tasks.
 * room_taken: TASK's entry is stored.
 * room_left: at the end, for what nginx will take out next.
 */
ngx_int_t ngx_dfp_room_planned(ngx_dfp_run_t *run);
ngx_int_t ngx_dfp_room_taken(ngx_dfp_task_t *task);
ngx_int_t ngx_dfp_room_left(ngx_dfp_run_t *run);


#endif /* NGX_DFP_ENGINE_CACHE_H */
