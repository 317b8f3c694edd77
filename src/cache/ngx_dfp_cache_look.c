#include "ngx_dfp_cache.h"

#include "dfp_head.h"


#define NGX_DFP_LOOK_POOL    512
#define NGX_DFP_STATUS_LINE  (sizeof("HTTP/1.1 200") - 1)


static ngx_int_t ngx_dfp_cache_look_open(ngx_dfp_entry_t *entry,
    ngx_log_t *log, ngx_fd_t *fd, ngx_http_file_cache_header_t *h,
    off_t *size);
static ngx_uint_t ngx_dfp_cache_look_usable(ngx_fd_t fd,
    ngx_http_file_cache_header_t *h, off_t *size);


ngx_int_t
ngx_dfp_cache_look(ngx_dfp_entry_t *entry, ngx_log_t *log,
    ngx_dfp_held_t *held)
{
    off_t                         size;
    ngx_fd_t                      fd;
    ngx_int_t                     rc;
    ngx_http_file_cache_header_t  h;

    if (!ngx_dfp_cache_last_use(entry, &held->used)) {
        ngx_dfp_cache_debug(entry, log, "absent");
        return NGX_DECLINED;
    }

    rc = ngx_dfp_cache_look_open(entry, log, &fd, &h, &size);

    if (rc != NGX_OK) {
        ngx_dfp_cache_debug(entry, log, rc == NGX_ERROR ? "not readable"
                                                        : "absent");
        return rc;
    }

    (void) ngx_close_file(fd);

    held->start = h.body_start;
    held->size = size - h.body_start;
    held->date = h.date;
    held->valid = h.valid_sec;
    held->varies = (h.vary_len != 0);

    ngx_dfp_cache_debug(entry, log, "present");

    return NGX_OK;
}


ngx_int_t
ngx_dfp_cache_body(ngx_dfp_entry_t *entry, ngx_pool_t *pool, size_t max,
    ngx_str_t *body, ngx_str_t *type)
{
    off_t                         size;
    u_char                       *p;
    ngx_fd_t                      fd;
    ngx_int_t                     rc;
    ngx_str_t                     head;
    ngx_http_file_cache_header_t  h;

    if (ngx_dfp_cache_look_open(entry, pool->log, &fd, &h, &size) != NGX_OK) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    if (size - h.body_start > (off_t) max) {
        goto done;
    }

    head.len = h.body_start - h.header_start;
    size -= h.header_start;

    p = ngx_pnalloc(pool, size + 1);
    if (p == NULL) {
        rc = NGX_ERROR;
        goto done;
    }

    if (pread(fd, p, size, h.header_start) != (ssize_t) size) {
        goto done;
    }

    head.data = p;
    body->data = p + head.len;
    body->len = size - head.len;

    *type = ngx_dfp_str(dfp_head_value(ngx_dfp_dfp_str(head),
                                       DFP_STR("Content-Type")));

    rc = NGX_OK;

done:

    (void) ngx_close_file(fd);

    return rc;
}


ngx_int_t
ngx_dfp_cache_head(ngx_dfp_entry_t *entry, ngx_pool_t *pool, dfp_str_t *head)
{
    off_t                          size;
    char                          *p;
    ngx_fd_t                       fd;
    ngx_int_t                      rc;
    ngx_http_file_cache_header_t   h;

    rc = ngx_dfp_cache_look_open(entry, pool->log, &fd, &h, &size);

    if (rc != NGX_OK) {
        return rc;
    }

    head->len = h.body_start - h.header_start;

    p = ngx_pnalloc(pool, head->len + 1);

    if (p == NULL
        || pread(fd, p, head->len, h.header_start) != (ssize_t) head->len)
    {
        rc = NGX_ERROR;
    }

    head->data = p;

    (void) ngx_close_file(fd);

    return rc;
}


/* NGX_DECLINED: the entry has no file that can be used; NGX_ERROR: no memory, or
 * the file cannot be opened. */

static ngx_int_t
ngx_dfp_cache_look_open(ngx_dfp_entry_t *entry, ngx_log_t *log, ngx_fd_t *fd,
    ngx_http_file_cache_header_t *h, off_t *size)
{
    ngx_int_t    rc;
    ngx_str_t    file;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_DFP_LOOK_POOL, log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_dfp_cache_file(entry, pool, &file);

    if (rc == NGX_OK) {
        *fd = ngx_open_file(file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

        if (*fd == NGX_INVALID_FILE) {
            rc = (ngx_errno == NGX_ENOENT || ngx_errno == NGX_ENOTDIR)
                 ? NGX_DECLINED : NGX_ERROR;
        }
    }

    ngx_destroy_pool(pool);

    if (rc == NGX_OK && !ngx_dfp_cache_look_usable(*fd, h, size)) {
        (void) ngx_close_file(*fd);
        rc = NGX_DECLINED;
    }

    return rc;
}


/* The file has nginx's own header and the key, then the answer: its header,
 * with the status line, and its body. */

static ngx_uint_t
ngx_dfp_cache_look_usable(ngx_fd_t fd, ngx_http_file_cache_header_t *h,
    off_t *size)
{
    u_char           line[NGX_DFP_STATUS_LINE];
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR
        || pread(fd, h, sizeof(*h), 0) != (ssize_t) sizeof(*h)
        || h->version != NGX_HTTP_CACHE_VERSION
        || h->header_start > h->body_start
        || ngx_file_size(&fi) < (off_t) h->body_start
        || pread(fd, line, sizeof(line), h->header_start)
           != (ssize_t) sizeof(line))
    {
        return 0;
    }

    *size = ngx_file_size(&fi);

    /* proxy_cache_valid may be given for errors, too */

    return ngx_strncmp(line, "HTTP/", 5) == 0
           && ngx_strncmp(line + sizeof(line) - 4, " 200", 4) == 0;
}
