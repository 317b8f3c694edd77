#include "ngx_dfp_revalidate.h"


/* In the past, and never written by nginx itself. */
#define NGX_DFP_EXPIRED  1


typedef struct {
    ngx_str_t        file;
    ngx_file_uniq_t  uniq;
    time_t           valid;     /* as it was */
    ngx_log_t       *log;
} ngx_dfp_revalidate_t;


static ngx_int_t ngx_dfp_revalidate_file(ngx_http_request_t *r,
    ngx_dfp_revalidate_t *expired, ngx_fd_t fd, time_t since);
static ngx_int_t ngx_dfp_revalidate_write(ngx_dfp_revalidate_t *expired,
    ngx_fd_t fd, time_t valid);
static void ngx_dfp_revalidate_restore(void *data);
static ngx_fd_t ngx_dfp_revalidate_open(ngx_str_t *file, ngx_log_t *log);


/*
 * nginx reads the time of validity from the file's header. It updates that
 * header in place, too, after a 304.
 */

ngx_int_t
ngx_dfp_revalidate(ngx_http_request_t *r, time_t since)
{
    ngx_fd_t               fd;
    ngx_int_t              rc;
    ngx_pool_cleanup_t    *cln;
    ngx_dfp_entry_t        entry;
    ngx_dfp_revalidate_t  *expired;

    if (r->cache == NULL || r->cache->file_cache == NULL) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_dfp_revalidate_t));
    if (cln == NULL) {
        return NGX_DECLINED;
    }

    expired = cln->data;
    expired->log = r->connection->log;

    entry.cache = r->cache->file_cache;
    ngx_memcpy(entry.key, r->cache->key, NGX_HTTP_CACHE_KEY_LEN);

    if (ngx_dfp_cache_file(&entry, r->pool, &expired->file) != NGX_OK) {
        return NGX_DECLINED;
    }

    fd = ngx_dfp_revalidate_open(&expired->file, expired->log);

    if (fd == NGX_INVALID_FILE) {

        /* nginx may hold a file open that has been deleted
         * (open_file_cache) */

        return ngx_dfp_cache_exists(&entry) ? NGX_DECLINED : NGX_OK;
    }

    rc = ngx_dfp_revalidate_file(r, expired, fd, since);

    (void) ngx_close_file(fd);

    if (rc == NGX_OK && expired->valid) {
        cln->handler = ngx_dfp_revalidate_restore;
    }

    return rc;
}


static ngx_int_t
ngx_dfp_revalidate_file(ngx_http_request_t *r, ngx_dfp_revalidate_t *expired,
    ngx_fd_t fd, time_t since)
{
    ngx_file_info_t               fi;
    ngx_http_cache_t             *c;
    ngx_http_file_cache_header_t  h;

    c = r->cache;
    expired->valid = 0;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR
        || pread(fd, &h, sizeof(h), 0) != (ssize_t) sizeof(h)
        || h.version != NGX_HTTP_CACHE_VERSION || h.crc32 != c->crc32
        || h.header_start != c->header_start)
    {
        /* nginx would not use this file either */
        return NGX_OK;
    }

    if (h.valid_sec >= ngx_time()
        && ngx_dfp_cache_later(h.date, since))
    {
        return NGX_OK;
    }

    if (h.valid_sec < ngx_time()) {
        return NGX_OK;
    }

    if (ngx_dfp_revalidate_write(expired, fd, NGX_DFP_EXPIRED) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, expired->log, 0,
                   "dfpreheat cache file \"%V\" is expired: the origin has to "
                   "confirm it", &expired->file);

    expired->uniq = ngx_file_uniq(&fi);
    expired->valid = h.valid_sec;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_revalidate_write(ngx_dfp_revalidate_t *expired, ngx_fd_t fd,
    time_t valid)
{
    if (pwrite(fd, &valid, sizeof(time_t),
               offsetof(ngx_http_file_cache_header_t, valid_sec))
        == (ssize_t) sizeof(time_t))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, expired->log, ngx_errno,
                  "pwrite() \"%V\" failed", &expired->file);

    return NGX_ERROR;
}


/* The origin has not answered, or its answer was not stored: clients are
 * given the entry as before. */

static void
ngx_dfp_revalidate_restore(void *data)
{
    ngx_dfp_revalidate_t *expired = data;

    ngx_fd_t                      fd;
    ngx_file_info_t               fi;
    ngx_http_file_cache_header_t  h;

    fd = ngx_dfp_revalidate_open(&expired->file, expired->log);
    if (fd == NGX_INVALID_FILE) {
        return;
    }

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR
        && ngx_file_uniq(&fi) == expired->uniq
        && pread(fd, &h, sizeof(h), 0) == (ssize_t) sizeof(h)
        && h.valid_sec == NGX_DFP_EXPIRED)
    {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, expired->log, 0,
                       "dfpreheat cache file \"%V\" is valid again: the origin "
                       "has not confirmed it", &expired->file);

        (void) ngx_dfp_revalidate_write(expired, fd, expired->valid);
    }

    (void) ngx_close_file(fd);
}


static ngx_fd_t
ngx_dfp_revalidate_open(ngx_str_t *file, ngx_log_t *log)
{
    ngx_fd_t   fd;
    ngx_err_t  err;

    fd = ngx_open_file(file->data, NGX_FILE_RDWR, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        err = ngx_errno;

        if (err != NGX_ENOENT && err != NGX_ENOTDIR) {
            ngx_log_error(NGX_LOG_ERR, log, err, ngx_open_file_n
                          " \"%V\" failed", file);
        }
    }

    return fd;
}
