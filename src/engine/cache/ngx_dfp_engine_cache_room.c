#include "ngx_dfp_engine_cache.h"


#define NGX_DFP_ROOM_POOL  4096

#define NGX_DFP_ROOM_MAX_SIZE                                                 \
    "the job needs %O bytes in the cache \"%V\", whose max_size is %O bytes"


static off_t ngx_dfp_room_size(ngx_http_file_cache_t *cache);
static off_t ngx_dfp_room_of(ngx_dfp_run_t *run, ngx_dfp_binding_t *binding,
    ngx_http_file_cache_t **first);
static ngx_int_t ngx_dfp_room_add(ngx_array_t *caches, void **loc_conf);
static off_t ngx_dfp_room_needed(ngx_dfp_run_t *run,
    ngx_dfp_binding_t *binding);
static ngx_dfp_share_t *ngx_dfp_room_share(ngx_dfp_run_t *run,
    ngx_http_file_cache_t *cache);
static ngx_int_t ngx_dfp_room_seen(ngx_rbtree_t *tree, ngx_str_t *digest,
    ngx_pool_t *pool);
static ngx_int_t ngx_dfp_room_fits(ngx_dfp_run_t *run, ngx_dfp_share_t *share);
static ngx_int_t ngx_dfp_room_stays(ngx_dfp_run_t *run,
    ngx_dfp_share_t *share);
static ngx_int_t ngx_dfp_room_fail(ngx_dfp_run_t *run, const char *fmt, ...);


/*
 * The location of a path is known only when it is called. The caches of all
 * locations of its origin, and of all that redirects lead to, are an upper
 * limit.
 */

ngx_int_t
ngx_dfp_room_planned(ngx_dfp_run_t *run)
{
    off_t                   room, needed;
    ngx_uint_t              i, k;
    ngx_http_file_cache_t  *first;
    ngx_dfp_task_t        **task;
    ngx_dfp_binding_t      *binding;

    binding = run->conf->bindings.elts;
    task = run->tasks.elts;

    for (i = 0; i < run->conf->bindings.nelts; i++) {

        for (k = 0; k < run->tasks.nelts; k++) {
            if (task[k]->binding == &binding[i]) {
                break;
            }
        }

        if (k == run->tasks.nelts) {
            continue;
        }

        first = NULL;
        room = ngx_dfp_room_of(run, &binding[i], &first);

        if (room == NGX_ERROR) {
            return NGX_ERROR;
        }

        needed = ngx_dfp_room_needed(run, &binding[i]);

        if (needed == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (needed >= room) {
            return ngx_dfp_room_fail(run, NGX_DFP_ROOM_MAX_SIZE, needed,
                                     &first->shm_zone->shm.name, room);
        }
    }

    return NGX_OK;
}


static off_t
ngx_dfp_room_size(ngx_http_file_cache_t *cache)
{
    /* in blocks; without max_size it is the largest number */

    if (cache->max_size >= NGX_MAX_OFF_T_VALUE / (off_t) cache->bsize) {
        return NGX_MAX_OFF_T_VALUE;
    }

    return cache->max_size * cache->bsize;
}


/* The sum of max_size of these caches. NGX_MAX_OFF_T_VALUE: no limit is known;
 * NGX_ERROR: no memory. */

static off_t
ngx_dfp_room_of(ngx_dfp_run_t *run, ngx_dfp_binding_t *binding,
    ngx_http_file_cache_t **first)
{
    off_t                     room, size;
    ngx_uint_t                i;
    ngx_array_t               caches;
    ngx_http_conf_ctx_t     **ctx;
    ngx_http_file_cache_t   **cache;
    ngx_dfp_binding_t        *other;

    if (ngx_array_init(&caches, run->pool, 2, sizeof(ngx_http_file_cache_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    other = run->conf->bindings.elts;

    for (i = 0; i < run->conf->bindings.nelts; i++) {

        if (other[i].rule.text.len == binding->rule.text.len
            && ngx_memcmp(other[i].rule.text.data, binding->rule.text.data,
                          binding->rule.text.len)
               == 0
            && ngx_dfp_room_add(&caches, other[i].ctx->loc_conf)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ctx = run->conf->redirects.elts;

    for (i = 0; i < run->conf->redirects.nelts; i++) {
        if (ngx_dfp_room_add(&caches, ctx[i]->loc_conf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    cache = caches.elts;
    room = 0;

    for (i = 0; i < caches.nelts; i++) {
        size = ngx_dfp_room_size(cache[i]);

        if (size == NGX_MAX_OFF_T_VALUE || size > NGX_MAX_OFF_T_VALUE - room) {
            return NGX_MAX_OFF_T_VALUE;
        }

        room += size;
    }

    if (caches.nelts == 0) {
        return NGX_MAX_OFF_T_VALUE;
    }

    *first = cache[0];

    return room;
}


/* A zone given by a variable is not known here. */

static ngx_int_t
ngx_dfp_room_add(ngx_array_t *caches, void **loc_conf)
{
    ngx_uint_t                  i;
    ngx_http_file_cache_t     **cache, *found;
    ngx_http_upstream_conf_t   *upstream;

    upstream = ngx_dfp_binding_upstream((ngx_cycle_t *) ngx_cycle, loc_conf,
                                        NGX_DFP_PROXY_MODULE);

    if (upstream == NULL || upstream->cache_zone == NULL) {
        return NGX_OK;
    }

    found = upstream->cache_zone->data;
    cache = caches->elts;

    for (i = 0; i < caches->nelts; i++) {
        if (cache[i] == found) {
            return NGX_OK;
        }
    }

    cache = ngx_array_push(caches);
    if (cache == NULL) {
        return NGX_ERROR;
    }

    *cache = found;

    return NGX_OK;
}


/* The bytes of all tasks whose size is known. Repositories may share a cache
 * entry, so a digest is counted once. */

static off_t
ngx_dfp_room_needed(ngx_dfp_run_t *run, ngx_dfp_binding_t *binding)
{
    off_t              needed;
    ngx_uint_t         i;
    ngx_pool_t        *pool;
    ngx_rbtree_t       tree;
    ngx_rbtree_node_t  sentinel;
    ngx_dfp_task_t   **task;

    pool = ngx_create_pool(NGX_DFP_ROOM_POOL, &run->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&tree, &sentinel, ngx_str_rbtree_insert_value);

    task = run->tasks.elts;
    needed = 0;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (task[i]->binding != binding || task[i]->skipped || task[i]->failed
            || task[i]->size <= 0)
        {
            continue;
        }

        switch (ngx_dfp_room_seen(&tree, &task[i]->digest, pool)) {

        case NGX_ERROR:
            needed = NGX_ERROR;
            goto done;

        case NGX_DECLINED:
            needed += task[i]->size;
            break;

        default: /* NGX_OK */
            break;
        }
    }

done:

    ngx_destroy_pool(pool);

    return needed;
}


/* NGX_DECLINED: the digest is new. */

static ngx_int_t
ngx_dfp_room_seen(ngx_rbtree_t *tree, ngx_str_t *digest, ngx_pool_t *pool)
{
    uint32_t         hash;
    ngx_str_node_t  *node;

    if (digest->len == 0) {
        return NGX_DECLINED;
    }

    hash = ngx_crc32_short(digest->data, digest->len);

    if (ngx_str_rbtree_lookup(tree, digest, hash)) {
        return NGX_OK;
    }

    node = ngx_palloc(pool, sizeof(ngx_str_node_t));
    if (node == NULL) {
        return NGX_ERROR;
    }

    node->node.key = hash;
    node->str = *digest;

    ngx_rbtree_insert(tree, &node->node);

    return NGX_DECLINED;
}


ngx_int_t
ngx_dfp_room_taken(ngx_dfp_task_t *task)
{
    off_t              blocks;
    uint32_t           hash;
    ngx_str_t          key;
    ngx_dfp_stored_t  *stored;
    ngx_dfp_kept_t    *kept;
    ngx_dfp_entry_t   *entry;

    stored = task->run->data;
    entry = &task->entry;

    key.data = entry->key;
    key.len = NGX_HTTP_CACHE_KEY_LEN;
    hash = ngx_crc32_short(key.data, key.len);

    kept = (ngx_dfp_kept_t *)
               ngx_str_rbtree_lookup(&stored->kept, &key, hash);

    if (kept == NULL) {
        kept = ngx_pcalloc(task->run->pool, sizeof(ngx_dfp_kept_t));
        if (kept == NULL) {
            return NGX_ERROR;
        }

        kept->share = ngx_dfp_room_share(task->run, entry->cache);
        if (kept->share == NULL) {
            return NGX_ERROR;
        }

        kept->node.node.key = hash;
        kept->node.str = key;
        kept->share->entries++;

        ngx_rbtree_insert(&stored->kept, &kept->node.node);
    }

    /* an entry that is fetched again may have another size */

    blocks = (entry->start + entry->size + entry->cache->bsize - 1)
             / entry->cache->bsize;

    kept->share->blocks += blocks - kept->blocks;
    kept->blocks = blocks;

    return ngx_dfp_room_fits(task->run, kept->share);
}


static ngx_dfp_share_t *
ngx_dfp_room_share(ngx_dfp_run_t *run, ngx_http_file_cache_t *cache)
{
    ngx_uint_t         i;
    ngx_dfp_stored_t  *stored;
    ngx_dfp_share_t  **share, *added;

    stored = run->data;
    share = stored->shares.elts;

    for (i = 0; i < stored->shares.nelts; i++) {
        if (share[i]->cache == cache) {
            return share[i];
        }
    }

    share = ngx_array_push(&stored->shares);
    if (share == NULL) {
        return NULL;
    }

    added = ngx_pcalloc(run->pool, sizeof(ngx_dfp_share_t));
    if (added == NULL) {
        stored->shares.nelts--;
        return NULL;
    }

    added->cache = cache;
    *share = added;

    return added;
}


/* The cache manager deletes the least recently used entries until the size is
 * below max_size. */

static ngx_int_t
ngx_dfp_room_fits(ngx_dfp_run_t *run, ngx_dfp_share_t *share)
{
    ngx_http_file_cache_t  *cache;

    cache = share->cache;

    if (share->blocks < cache->max_size) {
        return NGX_OK;
    }

    return ngx_dfp_room_fail(run, NGX_DFP_ROOM_MAX_SIZE,
                             share->blocks * (off_t) cache->bsize,
                             &cache->shm_zone->shm.name,
                             ngx_dfp_room_size(cache));
}


ngx_int_t
ngx_dfp_room_left(ngx_dfp_run_t *run)
{
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_dfp_stored_t  *stored;
    ngx_dfp_share_t  **share;

    stored = run->data;
    share = stored->shares.elts;

    for (i = 0; i < stored->shares.nelts; i++) {

        rc = ngx_dfp_room_fits(run, share[i]);

        if (rc == NGX_OK) {
            rc = ngx_dfp_room_stays(run, share[i]);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/*
 * The other limits of ngx_http_file_cache_manager(): the number of entries, if
 * the zone has been full, and the free space of the file system, which other
 * entries of the cache may still give way to.
 */

static ngx_int_t
ngx_dfp_room_stays(ngx_dfp_run_t *run, ngx_dfp_share_t *share)
{
    off_t                   others, available;
    ngx_uint_t              watermark;
    ngx_http_file_cache_t  *cache;

    cache = share->cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    watermark = cache->sh->watermark;
    others = ngx_max(cache->sh->size - share->blocks, 0);

    ngx_shmtx_unlock(&cache->shpool->mutex);

    if (share->entries >= watermark) {
        return ngx_dfp_room_fail(run, "the job needs %ui entries in the cache "
                                 "\"%V\", whose keys_zone has room for "
                                 "%ui", share->entries,
                                 &cache->shm_zone->shm.name, watermark);
    }

    if (cache->min_free == 0) {
        return NGX_OK;
    }

    available = ngx_fs_available(cache->path->name.data)
                + others * (off_t) cache->bsize;

    if (available <= cache->min_free) {
        return ngx_dfp_room_fail(run, "the file system of the cache "
                                 "\"%V\" has %O bytes free, and its min_free is "
                                 "%O bytes", &cache->shm_zone->shm.name,
                                 available, cache->min_free);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_room_fail(ngx_dfp_run_t *run, const char *fmt, ...)
{
    u_char     *p;
    va_list     args;
    ngx_str_t   why;
    u_char      text[NGX_DFP_REASON_MAX];

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    why.data = text;
    why.len = p - text;

    /* nothing more is fetched for this job */

    ngx_dfp_tasks_fail(run, &why);
    ngx_dfp_run_fail(run, "%V", &why);
    run->wake(run);

    return NGX_DECLINED;
}
