#include "ngx_dfp_cache.h"

#include "dfp_hex.h"


#define NGX_DFP_FILE_POOL  512


static ngx_int_t ngx_dfp_cache_read(ngx_dfp_entry_t *entry, ngx_log_t *log,
    ngx_http_file_cache_header_t *h, ngx_file_info_t *fi);
static ngx_http_file_cache_node_t *ngx_dfp_cache_lookup(
    ngx_http_file_cache_t *cache, u_char *key);


ngx_uint_t
ngx_dfp_cache_holds(ngx_dfp_entry_t *entry, ngx_log_t *log)
{
    ngx_file_info_t               fi;
    ngx_http_file_cache_header_t  h;

    if (entry->cache == NULL || !ngx_dfp_cache_exists(entry)
        || ngx_dfp_cache_read(entry, log, &h, &fi) != NGX_OK)
    {
        ngx_dfp_cache_debug(entry, log, "absent");
        return 0;
    }

    if (ngx_file_size(&fi) - h.body_start != entry->size) {
        ngx_dfp_cache_drop(entry, log);
        return 0;
    }

    if (h.valid_sec < ngx_time()) {
        ngx_dfp_cache_debug(entry, log, "expired");
        return 0;
    }

    if (!ngx_dfp_cache_used(entry)) {
        ngx_dfp_cache_debug(entry, log, "being deleted");
        return 0;
    }

    ngx_dfp_cache_debug(entry, log, "present");

    return 1;
}


/* The key is the hash that is the name of the file. */

void
ngx_dfp_cache_debug(ngx_dfp_entry_t *entry, ngx_log_t *log, const char *what)
{
#if (NGX_DEBUG)

    u_char  key[2 * NGX_HTTP_CACHE_KEY_LEN];

    if (log->log_level & NGX_LOG_DEBUG_HTTP) {
        (void) dfp_hex_print(entry->key, NGX_HTTP_CACHE_KEY_LEN, (char *) key);

        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, log, 0,
                       "dfpreheat cache entry %*s is %s", sizeof(key), key,
                       what);
    }

#endif
}


ngx_uint_t
ngx_dfp_cache_used(ngx_dfp_entry_t *entry)
{
    ngx_uint_t                   exists;
    ngx_http_file_cache_t       *cache;
    ngx_http_file_cache_node_t  *fcn;

    cache = entry->cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    fcn = ngx_dfp_cache_lookup(cache, entry->key);

    /* the cache manager deletes files without the lock */

    exists = (fcn != NULL && fcn->exists && !fcn->deleting);

    if (exists) {
        ngx_queue_remove(&fcn->queue);
        fcn->expire = ngx_time() + cache->inactive;
        ngx_queue_insert_head(&cache->sh->queue, &fcn->queue);
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);

    return exists;
}


/* The clock of this worker may be a little behind another's. */

ngx_uint_t
ngx_dfp_cache_later(time_t date, time_t since)
{
    return date > since && date <= ngx_time() + 1;
}


ngx_int_t
ngx_dfp_cache_holds_tag(ngx_dfp_entry_t *entry, ngx_log_t *log)
{
    off_t                         size;
    ngx_file_info_t               fi;
    ngx_http_file_cache_header_t  h;

    if (entry->cache == NULL || !ngx_dfp_cache_exists(entry)
        || ngx_dfp_cache_read(entry, log, &h, &fi) != NGX_OK)
    {
        ngx_dfp_cache_debug(entry, log, "absent");
        return NGX_DECLINED;
    }

    size = ngx_file_size(&fi) - h.body_start;

    if (ngx_file_uniq(&fi) != entry->uniq) {
        ngx_dfp_cache_debug(entry, log, "another one");

        entry->uniq = ngx_file_uniq(&fi);
        entry->start = h.body_start;
        entry->size = size;
        return NGX_AGAIN;
    }

    if (size != entry->size) {
        ngx_dfp_cache_drop(entry, log);
        return NGX_DECLINED;
    }

    ngx_dfp_cache_debug(entry, log, "present");

    return NGX_OK;
}


/* An entry that the cache loader has not loaded yet has no node, and nginx
 * opens its file all the same. */

ngx_uint_t
ngx_dfp_cache_last_use(ngx_dfp_entry_t *entry, time_t *used)
{
    ngx_uint_t                   exists;
    ngx_http_file_cache_t       *cache;
    ngx_http_file_cache_node_t  *fcn;

    cache = entry->cache;
    *used = 0;

    ngx_shmtx_lock(&cache->shpool->mutex);

    fcn = ngx_dfp_cache_lookup(cache, entry->key);

    if (fcn == NULL) {
        exists = cache->sh->cold;

    } else {
        exists = fcn->exists && !fcn->deleting;
        *used = fcn->expire - cache->inactive;
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);

    return exists;
}


ngx_uint_t
ngx_dfp_cache_fresh(ngx_dfp_entry_t *entry, ngx_log_t *log)
{
    ngx_file_info_t               fi;
    ngx_http_file_cache_header_t  h;

    return ngx_dfp_cache_read(entry, log, &h, &fi) == NGX_OK
           && h.valid_sec >= ngx_time();
}


/*
 * A request that finds an expired entry copies the lock time of the node, and
 * marks the node as "updating" until it has ended. If its worker dies, the mark
 * stays.
 */

ngx_uint_t
ngx_dfp_cache_updated(ngx_dfp_entry_t *entry, ngx_msec_t age,
    ngx_uint_t *opened)
{
    ngx_uint_t                   updated;
    ngx_http_file_cache_t       *cache;
    ngx_http_file_cache_node_t  *fcn;

    cache = entry->cache;
    updated = 0;
    *opened = 0;

    ngx_shmtx_lock(&cache->shpool->mutex);

    fcn = ngx_dfp_cache_lookup(cache, entry->key);

    /* proxy_cache_lock handles entries that do not exist yet */

    if (fcn && fcn->exists) {
        *opened = fcn->uses;
        updated = fcn->updating
                  && (ngx_msec_int_t) (fcn->lock_time - ngx_current_msec) > 0;

        if (!updated) {
            fcn->updating = 0;
            fcn->lock_time = ngx_current_msec + age;
        }
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);

    return updated;
}


ngx_uint_t
ngx_dfp_cache_exists(ngx_dfp_entry_t *entry)
{
    return ngx_dfp_cache_placed(entry, 0);
}


/* Reads the header of the entry's file, and the file's status. */

static ngx_int_t
ngx_dfp_cache_read(ngx_dfp_entry_t *entry, ngx_log_t *log,
    ngx_http_file_cache_header_t *h, ngx_file_info_t *fi)
{
    ngx_fd_t     fd;
    ngx_int_t    rc;
    ngx_str_t    file;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_DFP_FILE_POOL, log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_dfp_cache_file(entry, pool, &file);
    fd = NGX_INVALID_FILE;

    if (rc == NGX_OK) {
        fd = ngx_open_file(file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    }

    ngx_destroy_pool(pool);

    if (fd == NGX_INVALID_FILE) {
        return NGX_DECLINED;
    }

    if (ngx_fd_info(fd, fi) == NGX_FILE_ERROR
        || pread(fd, h, sizeof(ngx_http_file_cache_header_t), 0)
           != (ssize_t) sizeof(ngx_http_file_cache_header_t))
    {
        rc = NGX_DECLINED;
    }

    (void) ngx_close_file(fd);

    return rc;
}


ngx_int_t
ngx_dfp_cache_file(ngx_dfp_entry_t *entry, ngx_pool_t *pool, ngx_str_t *file)
{
    u_char      *p;
    ngx_path_t  *path;

    path = entry->cache->path;

    file->len = path->name.len + 1 + path->len + 2 * NGX_HTTP_CACHE_KEY_LEN;
    file->data = ngx_pnalloc(pool, file->len + 1);

    if (file->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(file->data, path->name.data, path->name.len);
    p = file->data + path->name.len + 1 + path->len;
    p = (u_char *) dfp_hex_print(entry->key, NGX_HTTP_CACHE_KEY_LEN,
                                 (char *) p);
    *p = '\0';

    ngx_create_hashed_filename(path, file->data, file->len);

    return NGX_OK;
}


/* As ngx_http_file_cache_delete() does. The node is freed when it is
 * unused. */

void
ngx_dfp_cache_drop(ngx_dfp_entry_t *entry, ngx_log_t *log)
{
    ngx_str_t                    file;
    ngx_pool_t                  *pool;
    ngx_http_file_cache_t       *cache;
    ngx_http_file_cache_node_t  *fcn;

    ngx_dfp_cache_debug(entry, log, "dropped");

    cache = entry->cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    fcn = ngx_dfp_cache_lookup(cache, entry->key);

    /* an entry that is being deleted is no longer counted */

    if (fcn && fcn->exists && !fcn->deleting) {
        cache->sh->size -= fcn->fs_size;
        fcn->fs_size = 0;
        fcn->exists = 0;
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);

    pool = ngx_create_pool(NGX_DFP_FILE_POOL, log);
    if (pool == NULL) {
        return;
    }

    if (ngx_dfp_cache_file(entry, pool, &file) == NGX_OK
        && ngx_delete_file(file.data) == NGX_FILE_ERROR
        && ngx_errno != NGX_ENOENT)
    {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_delete_file_n " \"%V\" failed", &file);
    }

    ngx_destroy_pool(pool);
}


ngx_uint_t
ngx_dfp_cache_placed(ngx_dfp_entry_t *entry, ngx_uint_t written)
{
    ngx_uint_t                   exists;
    ngx_http_file_cache_t       *cache;
    ngx_http_file_cache_node_t  *fcn;

    cache = entry->cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    fcn = ngx_dfp_cache_lookup(cache, entry->key);

    /* a failed rename leaves the old file, and uniq is 0 */

    exists = (fcn != NULL && fcn->exists && !(written && fcn->uniq == 0));

    if (exists && written) {
        entry->uniq = fcn->uniq;
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);

    return exists;
}


void
ngx_dfp_cache_forget_error(ngx_http_cache_t *c)
{
    ngx_http_file_cache_t       *cache;
    ngx_http_file_cache_node_t  *fcn;

    cache = c->file_cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    fcn = ngx_dfp_cache_lookup(cache, c->key);

    if (fcn && fcn->error) {
        fcn->valid_sec = 0;
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);
}


/* The tree is ordered by ngx_http_file_cache_rbtree_insert_value(). */

static ngx_http_file_cache_node_t *
ngx_dfp_cache_lookup(ngx_http_file_cache_t *cache, u_char *key)
{
    ngx_int_t                    rc;
    ngx_rbtree_key_t             first;
    ngx_rbtree_node_t           *node, *sentinel;
    ngx_http_file_cache_node_t  *fcn;

    ngx_memcpy(&first, key, sizeof(ngx_rbtree_key_t));

    node = cache->sh->rbtree.root;
    sentinel = cache->sh->rbtree.sentinel;

    while (node != sentinel) {

        if (first != node->key) {
            node = (first < node->key) ? node->left : node->right;
            continue;
        }

        fcn = (ngx_http_file_cache_node_t *) node;

        rc = ngx_memcmp(&key[sizeof(ngx_rbtree_key_t)], fcn->key,
                        NGX_HTTP_CACHE_KEY_LEN - sizeof(ngx_rbtree_key_t));
        if (rc == 0) {
            return fcn;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}
