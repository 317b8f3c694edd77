#include "ngx_dfp_header.h"
#include "ngx_dfp_kept.h"

#include "dfp_head.h"


/* What a request has kept of redirects: as names and values. */
typedef struct {
    dfp_head_field_t  *fields;
    size_t             n;
} ngx_dfp_kept_t;


static ngx_int_t ngx_dfp_kept_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_kept_get(ngx_http_request_t *r, ngx_dfp_kept_t *kept);
static ngx_int_t ngx_dfp_kept_store(ngx_http_request_t *r,
    ngx_dfp_kept_t *kept);
static ngx_int_t ngx_dfp_kept_buffer(ngx_http_request_t *r, dfp_str_t head);
static void ngx_dfp_kept_renew(ngx_http_request_t *r, ngx_dfp_kept_t *kept);
static ngx_int_t ngx_dfp_kept_write(ngx_http_request_t *r, dfp_str_t stored,
    dfp_str_t value);
static ngx_int_t ngx_dfp_kept_send(ngx_http_request_t *r,
    ngx_dfp_kept_t *kept);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


ngx_uint_t
ngx_dfp_kept_differs(ngx_http_request_t *r)
{
    size_t           i;
    ngx_int_t        rc;
    dfp_str_t        head, stored;
    ngx_dfp_kept_t   kept;
    ngx_dfp_entry_t  entry;

    if (r->cache == NULL || r->cache->file_cache == NULL) {
        return 0;
    }

    rc = ngx_dfp_kept_get(r, &kept);

    if (rc != NGX_OK) {
        return rc == NGX_ERROR;
    }

    ngx_memzero(&entry, sizeof(ngx_dfp_entry_t));

    entry.cache = r->cache->file_cache;
    ngx_memcpy(entry.key, r->cache->key, NGX_HTTP_CACHE_KEY_LEN);

    rc = ngx_dfp_cache_head(&entry, r->pool, &head);

    if (rc != NGX_OK) {
        return rc == NGX_ERROR;
    }

    for (i = 0; i < kept.n; i++) {
        stored = dfp_head_value(head, kept.fields[i].name);

        if (stored.data == NULL || stored.len != kept.fields[i].value.len) {
            return 1;
        }
    }

    return 0;
}


/*
 * nginx writes the header of the answer to the cache as it came, after this
 * filter. A partial answer is not stored.
 */

static ngx_int_t
ngx_dfp_kept_header_filter(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_dfp_kept_t        kept;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL || (u->headers_in.status_n != NGX_HTTP_OK
                      && u->headers_in.status_n != NGX_HTTP_PARTIAL_CONTENT)
        || (r->cached && u->cache_status != NGX_HTTP_CACHE_REVALIDATED))
    {
        return ngx_http_next_header_filter(r);
    }

    rc = ngx_dfp_kept_get(r, &kept);

    if (rc == NGX_DECLINED) {
        return ngx_http_next_header_filter(r);
    }

    if (rc == NGX_OK && r->cached) {
        ngx_dfp_kept_renew(r, &kept);

    } else if (rc == NGX_OK && r->cache && u->cacheable) {
        rc = ngx_dfp_kept_store(r, &kept);
    }

    if (rc != NGX_OK || ngx_dfp_kept_send(r, &kept) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/* NGX_DECLINED: no redirect had any. */

static ngx_int_t
ngx_dfp_kept_get(ngx_http_request_t *r, ngx_dfp_kept_t *kept)
{
    dfp_str_t           *name;
    ngx_uint_t           i;
    ngx_array_t         *names;
    ngx_dfp_target_t    *target;
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    target = dlcf->redirects ? ngx_dfp_target_get(r) : NULL;

    if (target == NULL || target->kept == NULL) {
        return NGX_DECLINED;
    }

    names = target->began->kept;
    name = names->elts;

    kept->n = 0;
    kept->fields = ngx_palloc(r->pool,
                              names->nelts * sizeof(dfp_head_field_t));
    if (kept->fields == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < names->nelts; i++) {
        if (target->kept[i].data) {
            kept->fields[kept->n].name = name[i];
            kept->fields[kept->n++].value = ngx_dfp_dfp_str(target->kept[i]);
        }
    }

    return kept->n ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_dfp_kept_store(ngx_http_request_t *r, ngx_dfp_kept_t *kept)
{
    dfp_mem_t   mem;
    dfp_str_t   head;
    ngx_buf_t  *b;

    b = &r->upstream->buffer;
    mem = ngx_dfp_mem(r->pool);

    head.data = (char *) b->start + r->cache->header_start;
    head.len = b->pos - b->start - r->cache->header_start;

    switch (dfp_head_replace(&mem, head, kept->fields, kept->n, &head)) {

    case DFP_OK:
        return ngx_dfp_kept_buffer(r, head);

    case DFP_ERROR:
        return NGX_ERROR;

    default:
        r->upstream->cacheable = 0;

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "dfpreheat: the answer is not cached: the headers of its "
                      "redirect can be stored with HTTP/1 only "
                      "(proxy_http_version)");
        return NGX_OK;
    }
}


/* Gives the upstream another buffer, with this header. It is freed as the old one
 * would have been. */

static ngx_int_t
ngx_dfp_kept_buffer(ngx_http_request_t *r, dfp_str_t head)
{
    size_t                start, body, room;
    u_char               *p;
    ngx_buf_t            *b;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    b = &u->buffer;

    start = r->cache->header_start;
    body = b->last - b->pos;
    room = b->end - b->last;

    /* nginx would not read more of the file */

    if (start + head.len > u->conf->buffer_size) {
        u->cacheable = 0;

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "dfpreheat: the answer is not cached: proxy_buffer_size "
                      "%uz is not enough for its header with that of the "
                      "redirect, it should be increased to at least %uz",
                      u->conf->buffer_size,
                      ngx_align(start + head.len, 1024));
        return NGX_OK;
    }

    p = ngx_palloc(r->pool, start + head.len + body + room);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, b->start, start);
    ngx_memcpy(p + start, head.data, head.len);
    ngx_memcpy(p + start + head.len, b->pos, body);

    b->start = p;
    b->pos = p + start + head.len;
    b->last = b->pos + body;
    b->end = b->last + room;

    return NGX_OK;
}


/* The answer is the same (304), its redirect has changed. An entry that cannot be
 * changed is dropped. */

static void
ngx_dfp_kept_renew(ngx_http_request_t *r, ngx_dfp_kept_t *kept)
{
    size_t             i;
    dfp_str_t          head, stored;
    ngx_dfp_entry_t    entry;
    ngx_http_cache_t  *c;

    c = r->cache;

    head.data = (char *) c->buf->start + c->header_start;
    head.len = c->body_start - c->header_start;

    for (i = 0; i < kept->n; i++) {
        stored = dfp_head_value(head, kept->fields[i].name);

        if (stored.data && dfp_str_eq(stored, kept->fields[i].value)) {
            continue;
        }

        if (stored.data && stored.len == kept->fields[i].value.len
            && ngx_dfp_kept_write(r, stored, kept->fields[i].value) == NGX_OK)
        {
            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "dfpreheat cache: header \"%*s\" of a redirect is "
                           "changed",
                           kept->fields[i].name.len, kept->fields[i].name.data);
            continue;
        }

        ngx_memzero(&entry, sizeof(ngx_dfp_entry_t));

        entry.cache = c->file_cache;
        ngx_memcpy(entry.key, c->key, NGX_HTTP_CACHE_KEY_LEN);
        ngx_dfp_cache_drop(&entry, r->connection->log);

        return;
    }
}


/* As ngx_http_file_cache_update_header() does: another request may have replaced the
 * file. STORED points into the buffer with the beginning of the file. */

static ngx_int_t
ngx_dfp_kept_write(ngx_http_request_t *r, dfp_str_t stored, dfp_str_t value)
{
    off_t              offset;
    ngx_fd_t           fd;
    ngx_int_t          rc;
    ngx_file_info_t    fi;
    ngx_http_cache_t  *c;

    c = r->cache;
    offset = (u_char *) stored.data - c->buf->start;

    fd = ngx_open_file(c->file.name.data, NGX_FILE_RDWR, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        rc = NGX_ERROR;

    } else if (c->uniq == ngx_file_uniq(&fi)
               && pwrite(fd, value.data, value.len, offset)
                  != (ssize_t) value.len)
    {
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, ngx_errno,
                      "pwrite() \"%V\" failed", &c->file.name);
    }

    (void) ngx_close_file(fd);

    return rc;
}


/* The client gets them in place of those that the answer has. */

static ngx_int_t
ngx_dfp_kept_send(ngx_http_request_t *r, ngx_dfp_kept_t *kept)
{
    size_t            i;
    ngx_str_t         name;
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    for (i = 0; i < kept->n; i++) {

        n = 0;
        name = ngx_dfp_str(kept->fields[i].name);

        while ((h = ngx_dfp_header_find(&r->headers_out.headers, &name, &n))
               != NULL)
        {
            h->hash = 0;
        }

        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->hash = 1;
        h->key = name;
        h->value = ngx_dfp_str(kept->fields[i].value);
    }

    return NGX_OK;
}


void
ngx_dfp_kept_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_kept_header_filter;
}
