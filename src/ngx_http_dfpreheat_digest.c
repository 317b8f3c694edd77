#include "ngx_http_dfpreheat_digest.h"

#include <ngx_thread_pool.h>


#define NGX_HTTP_DFPREHEAT_DIGEST_CHUNK  (256 * 1024)   /* bytes of one read */


/* Belongs to its thread until the handler of the task's event is called; it has
 * a pool of its own, since who asked may be gone by then. */
struct ngx_http_dfpreheat_digest_s {
    ngx_pool_t                    *pool;
    ngx_http_dfpreheat_digest_pt   handler;    /* NULL: cancelled */
    void                          *data;
    ngx_str_t                      digest;
    ngx_str_t                      file;
    off_t                          start;
    off_t                          size;
    u_char                        *buf;
    ngx_int_t                      rc;
    ngx_err_t                      err;
    volatile ngx_uint_t            cancelled;
};


static void ngx_http_dfpreheat_digest_thread(void *data, ngx_log_t *log);
static ngx_int_t ngx_http_dfpreheat_digest_read(
    ngx_http_dfpreheat_digest_t *digest, ngx_fd_t fd, dfp_oci_hash_t *hash);
static void ngx_http_dfpreheat_digest_done(ngx_event_t *ev);


static ngx_thread_pool_t  *ngx_http_dfpreheat_threads;


ngx_int_t
ngx_http_dfpreheat_digest_init(ngx_conf_t *cf)
{
    ngx_http_dfpreheat_threads = ngx_thread_pool_add(cf, NULL);

    return ngx_http_dfpreheat_threads ? NGX_OK : NGX_ERROR;
}


ngx_http_dfpreheat_digest_t *
ngx_http_dfpreheat_digest_start(ngx_http_dfpreheat_entry_t *entry,
    ngx_str_t *digest, ngx_http_dfpreheat_digest_pt handler, void *data)
{
    ngx_pool_t                   *pool;
    ngx_thread_task_t            *task;
    ngx_http_dfpreheat_digest_t  *d;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    task = ngx_thread_task_alloc(pool, sizeof(ngx_http_dfpreheat_digest_t));
    if (task == NULL) {
        goto failed;
    }

    d = task->ctx;
    ngx_memzero(d, sizeof(ngx_http_dfpreheat_digest_t));

    d->pool = pool;
    d->handler = handler;
    d->data = data;
    d->digest.len = digest->len;
    d->digest.data = ngx_pstrdup(pool, digest);
    d->start = entry->start;
    d->size = entry->size;
    d->buf = ngx_palloc(pool, NGX_HTTP_DFPREHEAT_DIGEST_CHUNK);

    if (d->digest.data == NULL || d->buf == NULL
        || ngx_http_dfpreheat_cache_file(entry, pool, &d->file) != NGX_OK)
    {
        goto failed;
    }

    task->handler = ngx_http_dfpreheat_digest_thread;
    task->event.handler = ngx_http_dfpreheat_digest_done;
    task->event.data = d;
    task->event.log = ngx_cycle->log;

    if (ngx_thread_task_post(ngx_http_dfpreheat_threads, task) != NGX_OK) {
        goto failed;
    }

    return d;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


void
ngx_http_dfpreheat_digest_cancel(ngx_http_dfpreheat_digest_t *digest)
{
    digest->handler = NULL;
    digest->cancelled = 1;
}


/* In a thread: nothing of nginx's but what is the task's own. */

static void
ngx_http_dfpreheat_digest_thread(void *data, ngx_log_t *log)
{
    ngx_http_dfpreheat_digest_t *digest = data;

    int             rc;
    ngx_fd_t        fd;
    dfp_oci_hash_t  hash;

    digest->rc = NGX_ERROR;

    fd = ngx_open_file(digest->file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        digest->err = ngx_errno;
        return;
    }

    if (dfp_oci_hash_begin(&hash, ngx_http_dfpreheat_dfp(digest->digest))
        == DFP_OK)
    {
        digest->rc = ngx_http_dfpreheat_digest_read(digest, fd, &hash);
        rc = dfp_oci_hash_end(&hash);

        if (digest->rc == NGX_OK && rc != DFP_OK) {
            digest->rc = (rc == DFP_DECLINED) ? NGX_DECLINED : NGX_ERROR;
        }
    }

    (void) ngx_close_file(fd);
}


static ngx_int_t
ngx_http_dfpreheat_digest_read(ngx_http_dfpreheat_digest_t *digest,
    ngx_fd_t fd, dfp_oci_hash_t *hash)
{
    off_t    at, left;
    ssize_t  n;

    at = digest->start;
    left = digest->size;

    while (left) {

        if (digest->cancelled) {
            return NGX_ERROR;
        }

        n = pread(fd, digest->buf,
                  ngx_min(left, NGX_HTTP_DFPREHEAT_DIGEST_CHUNK), at);

        if (n <= 0) {
            digest->err = (n == -1) ? ngx_errno : 0;
            return NGX_ERROR;
        }

        if (dfp_oci_hash_add(hash, digest->buf, n) != DFP_OK) {
            return NGX_ERROR;
        }

        at += n;
        left -= n;
    }

    return NGX_OK;
}


static void
ngx_http_dfpreheat_digest_done(ngx_event_t *ev)
{
    ngx_http_dfpreheat_digest_t *digest = ev->data;

    ngx_pool_t  *pool;

    pool = digest->pool;

    if (digest->handler) {

        if (digest->rc == NGX_ERROR) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, digest->err,
                          "dfpreheat: \"%V\" could not be read",
                          &digest->file);
        }

        digest->handler(digest->data, digest->rc);
    }

    ngx_destroy_pool(pool);
}
