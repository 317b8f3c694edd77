#include "ngx_dfp_manifest.h"
#include "ngx_dfp_watch.h"


#define NGX_DFP_MANIFEST_BUFFER  8192  /* of one without a length */
#define NGX_DFP_MANIFEST_POOL    16384
#define NGX_DFP_MANIFEST_TYPE    128   /* bytes, as shown */


/* An answer that is checked while it is received. */
typedef struct {
    ngx_http_request_t  *r;
    ngx_str_t            reference;
    ngx_str_t            type;
    u_char              *body;
    size_t               len;
    size_t               size;        /* of its memory */
    size_t               max;
    ngx_int_t            rc;          /* as of refused() */
    char                 reason[NGX_DFP_REASON_MAX];
    unsigned             too_big:1;
    unsigned             failed:1;    /* no memory */
} ngx_dfp_manifest_t;


static ngx_int_t ngx_dfp_manifest_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_manifest_watch(ngx_http_request_t *r,
    ngx_str_t *reference);
static void ngx_dfp_manifest_head(ngx_dfp_manifest_t *m);
static void ngx_dfp_manifest_type(ngx_dfp_manifest_t *m);
static void ngx_dfp_manifest_keep(ngx_http_request_t *r, u_char *data,
    size_t len);
static void ngx_dfp_manifest_end(ngx_http_request_t *r);
static void ngx_dfp_manifest_judge(ngx_dfp_manifest_t *m);
static void ngx_dfp_manifest_check(ngx_dfp_manifest_t *m);
static void ngx_dfp_manifest_refuse(ngx_dfp_manifest_t *m, ngx_int_t rc,
    const char *fmt, ...);
static ngx_dfp_manifest_t *ngx_dfp_manifest_get(ngx_http_request_t *r);
static void ngx_dfp_manifest_cleanup(void *data);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static const ngx_dfp_watcher_t  ngx_dfp_manifest_watcher = {
    ngx_dfp_manifest_keep,
    ngx_dfp_manifest_end
};


/*
 * nginx decides whether to store an answer after its header has been sent,
 * and moves the file into place after its body has been received. Both are
 * prevented by clearing "cacheable" before.
 */

static ngx_int_t
ngx_dfp_manifest_header_filter(ngx_http_request_t *r)
{
    dfp_str_t             reference;
    ngx_str_t             ref;
    ngx_http_upstream_t  *u;
    ngx_dfp_loc_conf_t   *dlcf;

    u = r->upstream;
    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (u && u->cacheable && r->cache && !r->cached
        && (dlcf->origins || dlcf->redirects)
        && (u->headers_in.status_n == NGX_HTTP_OK
            || u->headers_in.status_n == NGX_HTTP_PARTIAL_CONTENT)
        && dfp_oci_manifest_path(ngx_dfp_dfp_str(r->uri), &reference))
    {
        ref = ngx_dfp_str(reference);

        if (ngx_dfp_manifest_watch(r, &ref) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_dfp_manifest_watch(ngx_http_request_t *r, ngx_str_t *reference)
{
    ngx_http_upstream_t  *u;
    ngx_dfp_manifest_t   *m;
    ngx_dfp_main_conf_t  *dmcf;

    u = r->upstream;
    m = ngx_dfp_manifest_get(r);

    if (m == NULL) {
        m = ngx_dfp_context_create(r, ngx_dfp_manifest_cleanup,
                                   sizeof(ngx_dfp_manifest_t));
        if (m == NULL) {
            return NGX_ERROR;
        }
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);

    ngx_memzero(m, sizeof(ngx_dfp_manifest_t));

    m->r = r;
    m->reference = *reference;
    m->max = dmcf->max_manifest_size;

    if (u->headers_in.content_type) {
        m->type = u->headers_in.content_type->value;
    }

    ngx_dfp_manifest_head(m);

    return m->rc == NGX_OK ? ngx_dfp_watch(r, &ngx_dfp_manifest_watcher)
                           : NGX_OK;
}


/* Checks the header. */

static void
ngx_dfp_manifest_head(ngx_dfp_manifest_t *m)
{
    dfp_str_t             type;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = m->r;
    u = r->upstream;
    type = ngx_dfp_dfp_str(m->type);

    if (u->headers_in.status_n != NGX_HTTP_OK) {
        ngx_dfp_manifest_refuse(m, NGX_DECLINED,
                                "the answer is partial");

    } else if (dfp_oci_type_kind(type) == 0 && !dfp_oci_type_open(type)) {
        ngx_dfp_manifest_type(m);

    } else if (r->headers_out.content_encoding
               && r->headers_out.content_encoding->value.len)
    {
        ngx_dfp_manifest_refuse(m, NGX_DECLINED,
                                "it is compressed (Content-Encoding), "
                                "although compression was not requested");

    } else if (u->headers_in.content_length_n > (off_t) m->max) {
        m->too_big = 1;
        ngx_dfp_manifest_judge(m);

    } else if (!ngx_dfp_watch_possible(r)) {
        ngx_dfp_manifest_refuse(m, NGX_DECLINED,
                                "its location does not use proxy_pass");
    }
}


/* The type is shown in logs and answers: other bytes than printable ASCII are
 * replaced. */

static void
ngx_dfp_manifest_type(ngx_dfp_manifest_t *m)
{
    size_t     i;
    u_char     text[NGX_DFP_MANIFEST_TYPE];
    ngx_str_t  type;

    type.data = text;
    type.len = ngx_min(m->type.len, sizeof(text));

    for (i = 0; i < type.len; i++) {
        text[i] = (m->type.data[i] >= 0x20 && m->type.data[i] < 0x7f)
                  ? m->type.data[i] : '?';
    }

    ngx_dfp_manifest_refuse(m, NGX_AGAIN,
                            "its Content-Type \"%V\" is not a manifest type",
                            &type);
}


static void
ngx_dfp_manifest_keep(ngx_http_request_t *r, u_char *data, size_t len)
{
    off_t                known;
    u_char              *p;
    size_t               size;
    ngx_dfp_manifest_t  *m;

    m = ngx_dfp_manifest_get(r);

    if (m->too_big || m->failed) {
        return;
    }

    if (len > m->max - m->len) {
        m->too_big = 1;
        return;
    }

    if (len > m->size - m->len) {
        known = r->upstream->headers_in.content_length_n;
        size = known > 0 ? (size_t) known : NGX_DFP_MANIFEST_BUFFER;
        size = ngx_min(ngx_max(ngx_max(size, 2 * m->size), m->len + len),
                       m->max);

        p = ngx_palloc(r->pool, size);
        if (p == NULL) {
            m->failed = 1;
            return;
        }

        if (m->body) {
            ngx_memcpy(p, m->body, m->len);
            (void) ngx_pfree(r->pool, m->body);
        }

        m->body = p;
        m->size = size;
    }

    ngx_memcpy(m->body + m->len, data, len);
    m->len += len;
}


static void
ngx_dfp_manifest_end(ngx_http_request_t *r)
{
    ngx_dfp_manifest_judge(ngx_dfp_manifest_get(r));
}


static void
ngx_dfp_manifest_judge(ngx_dfp_manifest_t *m)
{
    if (m->too_big) {
        ngx_dfp_manifest_refuse(m, NGX_DECLINED,
                                "it is larger than %uz bytes "
                                "(dfpreheat_max_manifest_size)",
                                m->max);

    } else if (m->failed) {
        ngx_dfp_manifest_refuse(m, NGX_AGAIN, "no memory");

    } else {
        ngx_dfp_manifest_check(m);
    }

    if (m->body) {
        (void) ngx_pfree(m->r->pool, m->body);
        m->body = NULL;
        m->size = 0;
        m->len = 0;
    }
}


static void
ngx_dfp_manifest_check(ngx_dfp_manifest_t *m)
{
    dfp_rc_t     rc;
    dfp_err_t    err;
    dfp_mem_t    mem;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_DFP_MANIFEST_POOL, m->r->connection->log);
    if (pool == NULL) {
        ngx_dfp_manifest_refuse(m, NGX_AGAIN, "no memory");
        return;
    }

    mem = ngx_dfp_mem(pool);

    rc = dfp_oci_check_manifest(&mem, ngx_dfp_dfp_str(m->reference),
                                ngx_dfp_dfp_str(m->type), (dfp_str_t) { m->len,
                                (char *) m->body }, &err);
    if (rc == DFP_INVALID) {
        ngx_dfp_manifest_refuse(m, NGX_DECLINED, "%s", err.text);

    } else if (rc != DFP_OK) {
        ngx_dfp_manifest_refuse(m, NGX_AGAIN, "no memory");

    } else {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, m->r->connection->log, 0,
                       "dfpreheat manifest \"%V\" may be stored",
                       &m->reference);
    }

    ngx_destroy_pool(pool);
}


static void
ngx_dfp_manifest_refuse(ngx_dfp_manifest_t *m, ngx_int_t rc, const char *fmt,
    ...)
{
    u_char   *p, *last;
    va_list   args;

    m->rc = rc;
    m->r->upstream->cacheable = 0;

    p = (u_char *) m->reason;
    last = p + sizeof(m->reason) - 1;

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    *p = '\0';

    ngx_log_error(NGX_LOG_WARN, m->r->connection->log, 0,
                  "dfpreheat: the manifest is not cached: %s",
                  m->reason);
}


ngx_int_t
ngx_dfp_manifest_refused(ngx_http_request_t *sr, const char **reason)
{
    ngx_dfp_manifest_t  *m;

    m = ngx_dfp_manifest_get(sr);

    if (m == NULL || m->rc == NGX_OK) {
        return NGX_OK;
    }

    *reason = m->reason;

    return m->rc;
}


static ngx_dfp_manifest_t *
ngx_dfp_manifest_get(ngx_http_request_t *r)
{
    return ngx_dfp_context_get(r, ngx_dfp_manifest_cleanup);
}


/* It identifies the context. */

static void
ngx_dfp_manifest_cleanup(void *data)
{
}


void
ngx_dfp_manifest_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_manifest_header_filter;
}
