#include "dfp_hex.h"
#include "ngx_dfp_cache.h"
#include "ngx_dfp_cache_key.h"
#include "ngx_dfp_manifest.h"


#define NGX_DFP_FILE_POOL  512


static ngx_int_t ngx_dfp_cache_entry(ngx_http_request_t *sr,
    ngx_dfp_entry_t *entry);
static ngx_uint_t ngx_dfp_cache_sliced(ngx_http_request_t *sr);
static ngx_uint_t ngx_dfp_cache_keyed(ngx_http_request_t *sr);
static const char *ngx_dfp_cache_broken(ngx_http_request_t *sr,
    ngx_dfp_entry_t *entry);
static ngx_int_t ngx_dfp_cache_complete(ngx_http_request_t *sr,
    const char **reason);
static ngx_int_t ngx_dfp_cache_read(ngx_dfp_entry_t *entry, ngx_log_t *log,
    ngx_http_file_cache_header_t *h, ngx_file_info_t *fi);
static ngx_uint_t ngx_dfp_cache_used(ngx_dfp_entry_t *entry);
static ngx_uint_t ngx_dfp_cache_node(ngx_dfp_entry_t *entry,
    ngx_uint_t written);
static ngx_http_file_cache_node_t *ngx_dfp_cache_lookup(
    ngx_http_file_cache_t *cache, u_char *key);


ngx_int_t
ngx_dfp_cache_stored(ngx_http_request_t *sr, ngx_int_t rc,
    ngx_dfp_entry_t *entry, const char **reason)
{
    ngx_int_t             status;
    ngx_http_cache_t     *c;
    ngx_http_upstream_t  *u;

    c = sr->cache;
    u = sr->upstream;

    if (c == NULL && u && u->conf->cache) {
        *reason = "the proxy_buffer_size of its location is too small for its "
                  "cache key: the error log has the size that is needed";
        return NGX_DECLINED;
    }

    if (c == NULL || u == NULL || c->file_cache == NULL) {
        *reason = "the location has no proxy_cache for it";
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        *reason = ngx_dfp_cache_broken(sr, entry);
        return NGX_AGAIN;
    }

    status = ngx_dfp_cache_complete(sr, reason);
    if (status != NGX_OK) {
        return status;
    }

    if (ngx_dfp_cache_sliced(sr)) {
        *reason = "its location caches in slices (the slice directive), which "
                  "only a client's request can fill";
        return NGX_DECLINED;
    }

    if (!ngx_dfp_cache_keyed(sr)) {
        *reason = "the proxy_cache_key of its location is not "
                  "$dfpreheat_cache_key, so clients might look elsewhere: "
                  "include dfpreheat_cache.conf";
        return NGX_DECLINED;
    }

    if (c->vary.len) {
        *reason = "the answer has Vary, so other clients would not get this "
                  "copy: the location needs \"proxy_ignore_headers Vary\"";
        return NGX_DECLINED;
    }

    if (ngx_dfp_cache_entry(sr, entry) != NGX_OK) {
        *reason = "its file in the cache is not as long as the answer was";
        return NGX_AGAIN;
    }

    /* ngx_http_file_cache_update() does not tell when its rename failed */

    if (!ngx_dfp_cache_node(entry, !sr->cached)) {
        *reason = "the cache file could not be put into place";
        return NGX_AGAIN;
    }

    return NGX_OK;
}


/* One that is shorter or longer than its own header says is dropped. */

static ngx_int_t
ngx_dfp_cache_entry(ngx_http_request_t *sr, ngx_dfp_entry_t *entry)
{
    off_t              promised;
    ngx_http_cache_t  *c;

    c = sr->cache;

    entry->cache = c->file_cache;
    entry->start = c->body_start;
    entry->uniq = 0;
    ngx_memcpy(entry->key, c->key, NGX_HTTP_CACHE_KEY_LEN);

    if (!sr->cached) {
        entry->size = sr->upstream->pipe->temp_file->offset
                      - (off_t) c->body_start;
        return NGX_OK;
    }

    /* the header of the answer is in the file, too */

    entry->size = c->length - (off_t) c->body_start;
    promised = sr->upstream->headers_in.content_length_n;

    if (promised == -1 || promised == entry->size) {
        return NGX_OK;
    }

    ngx_dfp_cache_drop(entry, sr->connection->log);

    return NGX_DECLINED;
}


/*
 * $slice_range is empty in a subrequest, so the key alone does not tell.  The
 * module may not be there; the first field of its configuration is the size of
 * a slice (ngx_http_slice_filter_module.c).
 */

static ngx_uint_t
ngx_dfp_cache_sliced(ngx_http_request_t *sr)
{
    size_t        *size;
    ngx_uint_t     i;
    ngx_module_t  *module;

    for (i = 0; ngx_cycle->modules[i]; i++) {
        module = ngx_cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_http_slice_filter_module") == 0) {
            size = ngx_http_get_module_loc_conf(sr, (*module));
            return size && *size;
        }
    }

    return 0;
}


/* Any other key may depend on the client: on its scheme, host or headers. */

static ngx_uint_t
ngx_dfp_cache_keyed(ngx_http_request_t *sr)
{
    ngx_str_t                  *key;
    ngx_http_variable_value_t   v;

    key = sr->cache->keys.elts;

    return sr->cache->keys.nelts == 1
           && ngx_dfp_cache_key(sr, &v, 0) == NGX_OK
           && v.len == key->len
           && ngx_memcmp(v.data, key->data, v.len) == 0;
}


/* Which side failed: the pipe from the origin, or that into the file, or out of it. */

static const char *
ngx_dfp_cache_broken(ngx_http_request_t *sr, ngx_dfp_entry_t *entry)
{
    ngx_event_pipe_t  *p;

    if (sr->cached) {
        (void) ngx_dfp_cache_entry(sr, entry);
        ngx_dfp_cache_drop(entry, sr->connection->log);

        return "its file in the cache could not be read";
    }

    p = sr->upstream->pipe;

    if (p == NULL || p->upstream_error
        || (p->upstream_eof && !p->upstream_done && p->length != 0))
    {
        return "the origin broke off, or stalled, before all of the answer "
               "had come";
    }

    return "the answer could not be written into the cache: is the disk full? "
           "See the error log";
}


static ngx_int_t
ngx_dfp_cache_complete(ngx_http_request_t *sr, const char **reason)
{
    ngx_int_t             rc;
    ngx_event_pipe_t     *p;
    ngx_http_upstream_t  *u;

    u = sr->upstream;

    if (u->cache_status == NGX_HTTP_CACHE_STALE
        || u->cache_status == NGX_HTTP_CACHE_UPDATING)
    {
        *reason = "the cache answered with a stale copy";
        return NGX_AGAIN;
    }

    if (sr->cached) {
        return NGX_OK;
    }

    if (!u->buffering) {
        *reason = "the location does not cache: proxy_buffering is off, or "
                  "the answer switched it off";
        return NGX_DECLINED;
    }

    rc = ngx_dfp_manifest_refused(sr, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!u->cacheable) {
        *reason = "the answer was not stored: another request was filling the "
                  "same entry, or the location's settings do not let it be "
                  "cached (proxy_cache_valid, proxy_no_cache, "
                  "proxy_cache_min_uses, headers of the answer)";
        return NGX_AGAIN;
    }

    p = u->pipe;

    if (p == NULL || p->temp_file == NULL
        || !(p->upstream_done || (p->upstream_eof && p->length == -1)))
    {
        *reason = "the answer was not complete";
        return NGX_AGAIN;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_dfp_cache_holds(ngx_dfp_entry_t *entry, ngx_log_t *log)
{
    ngx_file_info_t               fi;
    ngx_http_file_cache_header_t  h;

    if (entry->cache == NULL || !ngx_dfp_cache_node(entry, 0)
        || ngx_dfp_cache_read(entry, log, &h, &fi) != NGX_OK)
    {
        return 0;
    }

    if (ngx_file_size(&fi) - h.body_start != entry->size) {
        ngx_dfp_cache_drop(entry, log);
        return 0;
    }

    return h.valid_sec >= ngx_time() && ngx_dfp_cache_used(entry);
}


/*
 * As a request for it would do: nginx counts "inactive" from the last request, which
 * for an entry that was fetched is when that began.
 */

static ngx_uint_t
ngx_dfp_cache_used(ngx_dfp_entry_t *entry)
{
    ngx_uint_t                   exists;
    ngx_http_file_cache_t       *cache;
    ngx_http_file_cache_node_t  *fcn;

    cache = entry->cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    fcn = ngx_dfp_cache_lookup(cache, entry->key);

    /* the manager deletes its file without the lock */

    exists = (fcn != NULL && fcn->exists && !fcn->deleting);

    if (exists) {
        ngx_queue_remove(&fcn->queue);
        fcn->expire = ngx_time() + cache->inactive;
        ngx_queue_insert_head(&cache->sh->queue, &fcn->queue);
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);

    return exists;
}


/* The time of this worker may be a little behind another's. */

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

    if (entry->cache == NULL || !ngx_dfp_cache_node(entry, 0)
        || ngx_dfp_cache_read(entry, log, &h, &fi) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    size = ngx_file_size(&fi) - h.body_start;

    if (ngx_file_uniq(&fi) != entry->uniq) {
        entry->uniq = ngx_file_uniq(&fi);
        entry->start = h.body_start;
        entry->size = size;
        return NGX_AGAIN;
    }

    if (size != entry->size) {
        ngx_dfp_cache_drop(entry, log);
        return NGX_DECLINED;
    }

    return NGX_OK;
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
 * nginx gives a request that finds an expired entry the time of the node's last lock,
 * and marks the node with "updating" until that request has ended, or for ever.
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

    /* what is not there yet is nginx's own business */

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
    return ngx_dfp_cache_node(entry, 0);
}


/* The header of the entry's file, and what there is to know of the file. */

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


/* As ngx_http_file_cache_delete() does; the node goes when it is not used. */

void
ngx_dfp_cache_drop(ngx_dfp_entry_t *entry, ngx_log_t *log)
{
    ngx_str_t                    file;
    ngx_pool_t                  *pool;
    ngx_http_file_cache_t       *cache;
    ngx_http_file_cache_node_t  *fcn;

    cache = entry->cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    fcn = ngx_dfp_cache_lookup(cache, entry->key);

    /* what is being deleted is not counted any more */

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


/* WRITTEN: just now; a rename that failed leaves the old file, and uniq 0. */

static ngx_uint_t
ngx_dfp_cache_node(ngx_dfp_entry_t *entry, ngx_uint_t written)
{
    ngx_uint_t                   exists;
    ngx_http_file_cache_t       *cache;
    ngx_http_file_cache_node_t  *fcn;

    cache = entry->cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    fcn = ngx_dfp_cache_lookup(cache, entry->key);
    exists = (fcn != NULL && fcn->exists && !(written && fcn->uniq == 0));

    if (exists && written) {
        entry->uniq = fcn->uniq;
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);

    return exists;
}


/* The order of the tree is ngx_http_file_cache_rbtree_insert_value()'s. */

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
