#include "ngx_dfp_call_log.h"

#include "dfp_mask.h"


#define NGX_DFP_TROUBLE_MAX  256    /* bytes of nginx's log line */
#define NGX_DFP_LOG_JOB      ", job: "


/* The context of the log; nginx's own context has to come first. */
typedef struct {
    ngx_http_log_ctx_t  http;
    int64_t             job;
    ngx_str_t           shown;
    ngx_array_t         secrets;
    ngx_log_t           next;    /* where its lines go */
    char                trouble[NGX_DFP_TROUBLE_MAX];
} ngx_dfp_log_ctx_t;


static u_char *ngx_dfp_call_log_error(ngx_log_t *log, u_char *buf, size_t len);
static void ngx_dfp_call_log_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static void ngx_dfp_call_log_keep(ngx_dfp_log_ctx_t *ctx, u_char *buf,
    size_t len);


ngx_int_t
ngx_dfp_call_log_create(ngx_connection_t *c, ngx_log_t *parent, int64_t job,
    ngx_str_t *shown, ngx_array_t *secrets)
{
    ngx_log_t          *log;
    ngx_dfp_log_ctx_t  *ctx;

    log = ngx_palloc(c->pool, sizeof(ngx_log_t));
    ctx = ngx_pcalloc(c->pool, sizeof(ngx_dfp_log_ctx_t));

    if (log == NULL || ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->http.connection = c;
    ctx->job = job;

    /* the call may be freed while its request is being closed */

    ctx->shown.data = ngx_pstrdup(c->pool, shown);
    if (ctx->shown.data == NULL) {
        return NGX_ERROR;
    }

    ctx->shown.len = shown->len;

    if (ngx_dfp_secrets_init(&ctx->secrets, c->pool) != NGX_OK
        || ngx_dfp_secrets_copy(&ctx->secrets, secrets) != NGX_OK)
    {
        return NGX_ERROR;
    }

    *log = *parent;
    log->connection = 0;
    log->handler = ngx_dfp_call_log_error;
    log->data = ctx;
    log->action = "preheating";

    c->log = log;
    c->pool->log = log;
    c->read->log = log;
    c->write->log = log;
    c->log_error = NGX_ERROR_INFO;

    return NGX_OK;
}


/*
 * Replaces nginx's own handler, which shows the query of the upstream's URL:
 * in presigned URLs that is a signature.
 */

static u_char *
ngx_dfp_call_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char               *p;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;
    ngx_dfp_log_ctx_t    *ctx;

    ctx = log->data;
    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, DFP_NGINX_WHILE "%s", log->action);
        len -= p - buf;
        buf = p;
    }

    p = ngx_snprintf(buf, len, NGX_DFP_LOG_JOB "%L, url: \"%V\"", ctx->job, &ctx->shown);

    r = ctx->http.current_request;
    u = r ? r->upstream : NULL;

    if (u && u->peer.name) {
        len -= p - buf;
        buf = p;
        p = ngx_snprintf(buf, len, ", upstream: \"%V%V\"", &u->schema,
                         u->peer.name);
    }

    return p;
}


/*
 * All lines about the request pass through the writer. LOG is the server's by
 * now (ngx_set_connection_log()).
 */

void
ngx_dfp_call_log_listen(ngx_log_t *log)
{
    ngx_dfp_log_ctx_t  *ctx;

    ctx = log->data;

    ctx->next = *log;

    log->log_level = ngx_max(log->log_level, NGX_LOG_ERR);
    log->writer = ngx_dfp_call_log_writer;
    log->wdata = ctx;
    log->next = NULL;
}


/* A line may quote an answer, which may repeat what was sent. */

static void
ngx_dfp_call_log_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    ngx_log_t          *next;
    ngx_dfp_log_ctx_t  *ctx;

    ctx = log->wdata;

    dfp_mask_in_place((char *) buf, len, ctx->secrets.elts,
                      ctx->secrets.nelts);

    if (level <= NGX_LOG_ERR) {
        ngx_dfp_call_log_keep(ctx, buf, len);
    }

    /* as ngx_log_error_core() does */

    for (next = &ctx->next; next; next = next->next) {

        if (next->log_level < level && !(next->log_level & NGX_LOG_DEBUG_ALL)) {
            break;
        }

        if (next->writer) {
            next->writer(next, level, buf, len);
            continue;
        }

        (void) ngx_write_fd(next->file->fd, buf, len);
    }
}


/* Keeps the reason of an upstream's failure, if it quotes no answer. */

static void
ngx_dfp_call_log_keep(ngx_dfp_log_ctx_t *ctx, u_char *buf, size_t len)
{
    size_t       i, n;
    u_char      *p, *last, *end;
    ngx_uint_t   found;

    static const char  *known[] = {
        DFP_NGINX_CONNECT_FAILED, DFP_NGINX_CONNECT_TO, DFP_NGINX_CERTIFICATE,
        DFP_NGINX_HANDSHAKE, DFP_NGINX_TIMED_OUT, DFP_NGINX_PREMATURELY,
        DFP_NGINX_RECV, DFP_NGINX_SEND, DFP_NGINX_WRITEV, DFP_NGINX_NO_LIVE,
        DFP_NGINX_HANDSHAKE_END, DFP_NGINX_NO_RESOLVER, DFP_NGINX_BIG_HEADER,
        DFP_NGINX_REJECTED, DFP_NGINX_GOAWAY, NULL
    };

    last = buf + len;

    p = ngx_strlchr(buf, last, '#');
    p = p ? ngx_strlchr(p, last, ' ') : NULL;

    if (p == NULL) {
        return;
    }

    p++;

    /* a message without an action has no "while" */

    end = ngx_strnstr(p, NGX_DFP_LOG_JOB, last - p);
    end = end ? end : last;
    last = ngx_strnstr(p, DFP_NGINX_WHILE, end - p);
    end = last ? last : end;

    len = end - p;
    found = (ngx_strnstr(p, DFP_NGINX_UNRESOLVED, len) != NULL);

    for (i = 0; known[i] && !found; i++) {
        n = ngx_strlen(known[i]);
        found = (len >= n && ngx_strncmp(p, known[i], n) == 0);
    }

    if (found) {
        n = ngx_min(len, sizeof(ctx->trouble) - 1);
        (void) ngx_cpystrn((u_char *) ctx->trouble, p, n + 1);
    }
}


const char *
ngx_dfp_call_log_trouble(ngx_log_t *log)
{
    ngx_dfp_log_ctx_t  *ctx;

    ctx = log->data;

    return ctx->trouble;
}
