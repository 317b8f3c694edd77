#include "ngx_dfp_digest.h"

#include <ngx_thread_pool.h>

#if (NGX_LINUX)
#include <sys/resource.h>
#endif


#define NGX_DFP_DIGEST_CHUNK  (256 * 1024)   /* bytes of one read */
#define NGX_DFP_DIGESTS       2      /* files read at once, a worker */
#define NGX_DFP_DIGEST_NICE   10     /* below the worker's own priority */


/* While it is active, it belongs to its thread, until the handler of the
 * task's event is called. It has a pool of its own, since its owner may be
 * gone by then. */
struct ngx_dfp_digest_s {
    ngx_pool_t          *pool;
    ngx_thread_pool_t   *threads;
    ngx_thread_task_t   *task;
    ngx_queue_t          queue;      /* while it waits */
    ngx_dfp_digest_pt    handler;    /* NULL: cancelled */
    void                *data;
    ngx_str_t            digest;
    ngx_str_t            file;
    off_t                start;
    off_t                size;
    u_char              *buf;
    int                  nice;
    ngx_int_t            rc;
    ngx_err_t            err;
    volatile ngx_uint_t  cancelled;
    unsigned             own:1;      /* the threads have nothing else to do */
    unsigned             active:1;   /* a thread has it */
};


static ngx_int_t ngx_dfp_digest_threads(ngx_conf_t *cf, ngx_str_t *name);
static ngx_dfp_digest_t *ngx_dfp_digest_create(ngx_dfp_entry_t *entry,
    ngx_str_t *digest);
static ngx_int_t ngx_dfp_digest_begin(ngx_dfp_digest_t *digest);
static void ngx_dfp_digest_next(void);
#if (NGX_DEBUG)
static const char *ngx_dfp_digest_result(ngx_dfp_digest_t *digest);
#endif
static void ngx_dfp_digest_end(ngx_dfp_digest_t *digest);
static void ngx_dfp_digest_thread(void *data, ngx_log_t *log);
static ngx_int_t ngx_dfp_digest_read(ngx_dfp_digest_t *digest, ngx_fd_t fd,
    dfp_oci_hash_t *hash);
static void ngx_dfp_digest_done(ngx_event_t *ev);


/* of this worker */
static ngx_uint_t          ngx_dfp_digests;      /* active */
static ngx_queue_t         ngx_dfp_digests_waiting;


ngx_int_t
ngx_dfp_digest_init(ngx_conf_t *cf, ngx_dfp_main_conf_t *conf)
{
    ngx_str_t  *name;

    static ngx_str_t  own = ngx_string("dfpreheat");

    /* with a single process, checks may be queued during a reload */

    if (ngx_dfp_digests_waiting.next == NULL) {
        ngx_queue_init(&ngx_dfp_digests_waiting);
    }

    name = &conf->thread_pool;

    if (name->len == 0) {
        name = &own;

        if (ngx_thread_pool_get(cf->cycle, name) == NULL
            && ngx_dfp_digest_threads(cf, name) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    conf->threads = ngx_thread_pool_add(cf, name);

    return conf->threads ? NGX_OK : NGX_ERROR;
}


/* Does what the directive thread_pool does: nginx exports no function for
 * it. */

static ngx_int_t
ngx_dfp_digest_threads(ngx_conf_t *cf, ngx_str_t *name)
{
    char           *rv;
    u_char          text[sizeof("threads=") + NGX_INT_T_LEN];
    ngx_str_t       value[3];
    ngx_uint_t      i;
    ngx_array_t     args, *saved;
    ngx_module_t  **modules;

    ngx_str_set(&value[0], "thread_pool");
    value[1] = *name;
    value[2].data = text;
    value[2].len = ngx_sprintf(text, "threads=%d", NGX_DFP_DIGESTS)
                   - text;

    ngx_memzero(&args, sizeof(ngx_array_t));
    args.elts = value;
    args.nelts = 3;

    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {
        if (ngx_strcmp(modules[i]->name, "ngx_thread_pool_module") == 0) {
            break;
        }
    }

    if (modules[i] == NULL) {
        return NGX_ERROR;
    }

    saved = cf->args;
    cf->args = &args;

    rv = modules[i]->commands->set(cf, modules[i]->commands, NULL);

    cf->args = saved;

    return rv == NGX_CONF_OK ? NGX_OK : NGX_ERROR;
}


ngx_dfp_digest_t *
ngx_dfp_digest_start(ngx_dfp_main_conf_t *conf, ngx_dfp_entry_t *entry,
    ngx_str_t *digest, ngx_dfp_digest_pt handler, void *data)
{
    ngx_dfp_digest_t  *d;

    d = ngx_dfp_digest_create(entry, digest);
    if (d == NULL) {
        return NULL;
    }

    d->threads = conf->threads;
    d->own = (conf->thread_pool.len == 0);
    d->handler = handler;
    d->data = data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "dfpreheat digest check: %V of \"%V\", %O bytes", &d->digest,
                   &d->file, d->size);

    if (ngx_dfp_digests == NGX_DFP_DIGESTS) {
        ngx_queue_insert_tail(&ngx_dfp_digests_waiting, &d->queue);
        return d;
    }

    if (ngx_dfp_digest_begin(d) != NGX_OK) {
        ngx_destroy_pool(d->pool);
        return NULL;
    }

    return d;
}


static ngx_dfp_digest_t *
ngx_dfp_digest_create(ngx_dfp_entry_t *entry, ngx_str_t *digest)
{
    ngx_pool_t         *pool;
    ngx_thread_task_t  *task;
    ngx_dfp_digest_t   *d;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    task = ngx_thread_task_alloc(pool, sizeof(ngx_dfp_digest_t));
    if (task == NULL) {
        goto failed;
    }

    d = task->ctx;

    d->pool = pool;
    d->task = task;
    d->digest.len = digest->len;
    d->digest.data = ngx_pstrdup(pool, digest);
    d->start = entry->start;
    d->size = entry->size;

    if (d->digest.data == NULL
        || ngx_dfp_cache_file(entry, pool, &d->file) != NGX_OK)
    {
        goto failed;
    }

    task->handler = ngx_dfp_digest_thread;
    task->event.handler = ngx_dfp_digest_done;
    task->event.data = d;
    task->event.log = ngx_cycle->log;

    return d;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* A queued check has no buffer yet: there may be thousands. */

static ngx_int_t
ngx_dfp_digest_begin(ngx_dfp_digest_t *digest)
{
#if (NGX_LINUX)
    if (digest->own) {
        digest->nice = getpriority(PRIO_PROCESS, 0) + NGX_DFP_DIGEST_NICE;
    }
#endif

    digest->buf = ngx_palloc(digest->pool, NGX_DFP_DIGEST_CHUNK);

    if (digest->buf == NULL
        || ngx_thread_task_post(digest->threads, digest->task) != NGX_OK)
    {
        return NGX_ERROR;
    }

    digest->active = 1;
    ngx_dfp_digests++;

    return NGX_OK;
}


void
ngx_dfp_digest_cancel(ngx_dfp_digest_t *digest)
{
    digest->handler = NULL;
    digest->cancelled = 1;

    if (!digest->active) {
        ngx_queue_remove(&digest->queue);
        ngx_destroy_pool(digest->pool);
    }
}


/* Runs in a thread, and uses nothing but the task's own memory. While a job fills
 * the cache, there is always a file to be read: clients come first. On Linux, a
 * thread has a priority of its own (setpriority(2)). */

static void
ngx_dfp_digest_thread(void *data, ngx_log_t *log)
{
    ngx_dfp_digest_t *digest = data;

    dfp_rc_t        rc;
    ngx_fd_t        fd;
    dfp_oci_hash_t  hash;

    digest->rc = NGX_ERROR;

#if (NGX_LINUX)
    if (digest->own) {
        (void) setpriority(PRIO_PROCESS, 0, digest->nice);
    }
#endif

    fd = ngx_open_file(digest->file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        digest->err = ngx_errno;
        return;
    }

    if (dfp_oci_hash_begin(&hash, ngx_dfp_dfp_str(digest->digest)) == DFP_OK) {
        digest->rc = ngx_dfp_digest_read(digest, fd, &hash);
        rc = dfp_oci_hash_end(&hash);

        if (digest->rc == NGX_OK && rc != DFP_OK) {
            digest->rc = (rc == DFP_DECLINED) ? NGX_DECLINED : NGX_ERROR;
        }
    }

    (void) ngx_close_file(fd);
}


static ngx_int_t
ngx_dfp_digest_read(ngx_dfp_digest_t *digest, ngx_fd_t fd,
    dfp_oci_hash_t *hash)
{
    off_t    at, left;
    ssize_t  n;

    at = digest->start;
    left = digest->size;

    while (left) {

        /* nginx waits for its threads before it exits */

        if (digest->cancelled || ngx_terminate) {
            return NGX_ERROR;
        }

        n = pread(fd, digest->buf, ngx_min(left, NGX_DFP_DIGEST_CHUNK), at);

        if (n == -1) {
            digest->err = ngx_errno;
            return NGX_ERROR;
        }

        /* the file is shorter than it was */

        if (n == 0) {
            return NGX_DECLINED;
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
ngx_dfp_digest_done(ngx_event_t *ev)
{
    ngx_dfp_digests--;

    ngx_dfp_digest_end(ev->data);
    ngx_dfp_digest_next();
}


static void
ngx_dfp_digest_next(void)
{
    ngx_queue_t       *q;
    ngx_dfp_digest_t  *digest;

    while (ngx_dfp_digests < NGX_DFP_DIGESTS
           && !ngx_queue_empty(&ngx_dfp_digests_waiting))
    {
        q = ngx_queue_head(&ngx_dfp_digests_waiting);
        digest = ngx_queue_data(q, ngx_dfp_digest_t, queue);

        ngx_queue_remove(q);

        if (ngx_dfp_digest_begin(digest) != NGX_OK) {
            digest->rc = NGX_ERROR;
            ngx_dfp_digest_end(digest);
        }
    }
}


#if (NGX_DEBUG)

static const char *
ngx_dfp_digest_result(ngx_dfp_digest_t *digest)
{
    if (digest->handler == NULL) {
        return "cancelled";
    }

    switch (digest->rc) {

    case NGX_OK:
        return "the same";

    case NGX_DECLINED:
        return "another one";

    default: /* NGX_ERROR */
        return "not read";
    }
}

#endif


static void
ngx_dfp_digest_end(ngx_dfp_digest_t *digest)
{
    ngx_pool_t  *pool;

    pool = digest->pool;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "dfpreheat digest check of \"%V\" is over: %s",
                   &digest->file, ngx_dfp_digest_result(digest));

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
