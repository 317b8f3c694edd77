#include "ngx_dfp_grpc.h"


static ngx_int_t ngx_dfp_grpc_url(ngx_dfp_grpc_t *grpc, dfp_url_t *url);
static ngx_int_t ngx_dfp_grpc_timeout(ngx_dfp_grpc_t *grpc);
static ngx_int_t ngx_dfp_grpc_take(ngx_dfp_call_t *call, u_char *data,
    size_t len);
static dfp_rc_t ngx_dfp_grpc_message(ngx_dfp_grpc_t *grpc, const char **p,
    const char *last);
static dfp_rc_t ngx_dfp_grpc_part(ngx_dfp_grpc_t *grpc, const char **p,
    const char *last);
static void ngx_dfp_grpc_called(ngx_dfp_call_t *call);
static void ngx_dfp_grpc_ended(ngx_dfp_grpc_t *grpc);
static int ngx_dfp_grpc_http(ngx_uint_t status);
static void ngx_dfp_grpc_text(ngx_dfp_grpc_t *grpc, const char *fmt, ...);


ngx_dfp_grpc_t *
ngx_dfp_grpc_create(ngx_log_t *log)
{
    ngx_dfp_call_t  *call;
    ngx_dfp_grpc_t  *grpc;

    call = ngx_dfp_call_create(log);
    if (call == NULL) {
        return NULL;
    }

    grpc = ngx_pcalloc(call->pool, sizeof(ngx_dfp_grpc_t));

    if (grpc == NULL) {
        ngx_dfp_call_cancel(call);
        return NULL;
    }

    grpc->call = call;
    grpc->pool = call->pool;
    grpc->log = log;

    return grpc;
}


ngx_int_t
ngx_dfp_grpc_start(ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_call_t  *call;

    call = grpc->call;

    grpc->mem = ngx_dfp_mem(grpc->pool);
    dfp_grpc_reader_init(&grpc->reader, &grpc->mem, grpc->max);

    if (ngx_dfp_grpc_url(grpc, &call->url) != NGX_OK
        || ngx_dfp_grpc_timeout(grpc) != NGX_OK)
    {
        ngx_dfp_call_cancel(call);
        return NGX_AGAIN;
    }

    call->handler = ngx_dfp_grpc_called;
    call->data = grpc;
    call->mode = NGX_DFP_CALL_GRPC;
    call->take = ngx_dfp_grpc_take;
    call->job = grpc->job;
    call->binding = grpc->server->location;
    call->shown = ngx_dfp_str(call->url.href);
    call->who = (char *) grpc->server->name.data;
    call->secrets = grpc->secrets;
    call->post = grpc->frame;
    call->sockaddr = grpc->server->sockaddr;
    call->socklen = grpc->server->socklen;
    call->timeout = grpc->timeout;

    return ngx_dfp_call_start(call);
}


void
ngx_dfp_grpc_cancel(ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_call_cancel(grpc->call);
}


static ngx_int_t
ngx_dfp_grpc_url(ngx_dfp_grpc_t *grpc, dfp_url_t *url)
{
    dfp_buf_t          b;
    ngx_dfp_server_t  *server;

    server = grpc->server;

    dfp_buf_init(&b, &grpc->mem, 128, 0);
    dfp_buf_cstr(&b, server->tls ? "https://" : "http://");
    dfp_buf_str(&b, ngx_dfp_dfp_str(server->authority));
    dfp_buf_cstr(&b, grpc->method);

    if (b.failed
        || dfp_url_parse(&grpc->mem, dfp_buf_value(&b), "the server", url,
                         &grpc->err)
           != DFP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* The server is told the timeout, so that it stops when nobody waits. */

static ngx_int_t
ngx_dfp_grpc_timeout(ngx_dfp_grpc_t *grpc)
{
    char              *text;
    dfp_job_header_t  *header;

    if (grpc->untold) {
        return NGX_OK;
    }

    text = ngx_palloc(grpc->pool, DFP_GRPC_TIMEOUT_LEN);
    header = ngx_palloc(grpc->pool, sizeof(dfp_job_header_t));

    if (text == NULL || header == NULL) {
        return NGX_ERROR;
    }

    dfp_grpc_timeout(grpc->timeout, text);

    header->name = DFP_STR("grpc-timeout");
    header->value.data = text;
    header->value.len = ngx_strlen(text);

    grpc->call->headers = header;
    grpc->call->nheaders = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_grpc_take(ngx_dfp_call_t *call, u_char *data, size_t len)
{
    ngx_dfp_grpc_t *grpc = call->data;

    dfp_rc_t     rc;
    const char  *p, *last;

    p = (const char *) data;
    last = p + len;

    while (grpc->err.text[0] == '\0') {

        rc = grpc->message ? ngx_dfp_grpc_message(grpc, &p, last)
                           : ngx_dfp_grpc_part(grpc, &p, last);

        if (rc == DFP_DECLINED) {
            return NGX_OK;
        }

        if (rc == DFP_ERROR) {
            (void) dfp_invalid(&grpc->err, "no memory for its answer");
        }
    }

    return NGX_ERROR;
}


static dfp_rc_t
ngx_dfp_grpc_message(ngx_dfp_grpc_t *grpc, const char **p, const char *last)
{
    dfp_rc_t   rc;
    dfp_str_t  message;

    rc = dfp_grpc_read(&grpc->reader, p, last, &message, &grpc->err);

    return rc == DFP_OK ? grpc->message(grpc, message, &grpc->err) : rc;
}


static dfp_rc_t
ngx_dfp_grpc_part(ngx_dfp_grpc_t *grpc, const char **p, const char *last)
{
    dfp_rc_t         rc;
    dfp_grpc_part_t  part;

    rc = dfp_grpc_read_part(&grpc->reader, p, last, &part, &grpc->err);

    return rc == DFP_OK && grpc->part ? grpc->part(grpc, &part, &grpc->err)
                                      : rc;
}


static void
ngx_dfp_grpc_called(ngx_dfp_call_t *call)
{
    ngx_dfp_grpc_t *grpc = call->data;

    ngx_dfp_grpc_ended(grpc);

    /* what the server says may repeat what was sent */

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, grpc->log, 0,
                   "dfpreheat grpc: job %L, %s of %V: %s", grpc->job,
                   grpc->method, &grpc->server->name,
                   dfp_grpc_status_name(grpc->status));

    grpc->handler(grpc);
}


static void
ngx_dfp_grpc_ended(ngx_dfp_grpc_t *grpc)
{
    dfp_str_t          words;
    ngx_dfp_answer_t  *answer;

    answer = &grpc->call->answer;

    if (grpc->err.text[0]) {
        grpc->status = DFP_GRPC_INTERNAL;
        ngx_dfp_grpc_text(grpc, "invalid answer: %s",
                          grpc->err.text);
        return;
    }

    if (answer->timedout) {
        grpc->status = DFP_GRPC_DEADLINE_EXCEEDED;
        grpc->timedout = 1;
        ngx_dfp_grpc_text(grpc, "not complete after %M ms", grpc->timeout);
        return;
    }

    if (answer->result != NGX_DFP_CALL_OK) {
        grpc->status = (answer->result == NGX_DFP_CALL_AGAIN)
                       ? DFP_GRPC_UNAVAILABLE : DFP_GRPC_INTERNAL;
        grpc->unreached = answer->unreached;
        grpc->unanswered = 1;
        grpc->broken = answer->broken;
        ngx_dfp_grpc_text(grpc, "%s", answer->reason);
        return;
    }

    if (answer->grpc_status.len) {
        grpc->status = dfp_grpc_status(ngx_dfp_dfp_str(answer->grpc_status));

        if (grpc->status == DFP_GRPC_OK
            && !dfp_grpc_reader_clean(&grpc->reader))
        {
            grpc->status = DFP_GRPC_INTERNAL;
            ngx_dfp_grpc_text(grpc, "its answer ends in the middle of a "
                              "message");
            return;
        }

        if (dfp_grpc_message(&grpc->mem,
                             ngx_dfp_dfp_str(answer->grpc_message), &words)
            != DFP_OK)
        {
            words.len = 0;
        }

        ngx_dfp_grpc_text(grpc, "%*s", words.len, words.data);
        return;
    }

    if (answer->status != NGX_HTTP_OK) {
        grpc->status = ngx_dfp_grpc_http(answer->status);
        ngx_dfp_grpc_text(grpc, "%V answered HTTP %ui: does it "
                          "speak gRPC?", &grpc->server->name,
                          answer->status);
        return;
    }

    grpc->status = DFP_GRPC_UNAVAILABLE;
    grpc->broken = 1;
    ngx_dfp_grpc_text(grpc, "%V closed the connection prematurely",
                      &grpc->server->name);
}


/* "HTTP to gRPC Status Code Mapping" of gRPC. */

static int
ngx_dfp_grpc_http(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_BAD_REQUEST:
        return DFP_GRPC_INTERNAL;

    case NGX_HTTP_UNAUTHORIZED:
        return DFP_GRPC_UNAUTHENTICATED;

    case NGX_HTTP_TOO_MANY_REQUESTS:
    case NGX_HTTP_BAD_GATEWAY:
    case NGX_HTTP_SERVICE_UNAVAILABLE:
    case NGX_HTTP_GATEWAY_TIME_OUT:
        return DFP_GRPC_UNAVAILABLE;

    default:
        return DFP_GRPC_UNKNOWN;
    }
}


static void
ngx_dfp_grpc_text(ngx_dfp_grpc_t *grpc, const char *fmt, ...)
{
    u_char      *p, *last;
    va_list      args;
    const char  *name;

    name = dfp_grpc_status_name(grpc->status);
    p = ngx_pnalloc(grpc->pool, NGX_DFP_REASON_MAX);

    if (p == NULL) {
        grpc->text.data = (u_char *) name;
        grpc->text.len = ngx_strlen(name);
        return;
    }

    grpc->text.data = p;
    last = p + NGX_DFP_REASON_MAX;
    p = ngx_slprintf(p, last, "%s: ", name);

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    grpc->text.len = p - grpc->text.data;
}
