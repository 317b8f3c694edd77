/*
 * One call of gRPC: one message goes out, any number come back, and how it has
 * ended is a status (gRPC's "gRPC over HTTP2" and its status codes).
 */

#ifndef NGX_DFP_GRPC_H
#define NGX_DFP_GRPC_H


#include "ngx_dfp_call.h"

#include "dfp_grpc.h"


typedef struct ngx_dfp_grpc_s  ngx_dfp_grpc_t;


/* Who is called. */
typedef struct {
    ngx_str_t           name;       /* "the peer 10.0.0.1:65000",
                                       with NUL */
    ngx_str_t           authority;  /* "10.0.0.1:65000" */
    struct sockaddr    *sockaddr;
    socklen_t           socklen;
    ngx_dfp_binding_t  *location;   /* that the call goes through */
    unsigned            tls:1;
} ngx_dfp_server_t;


struct ngx_dfp_grpc_s {

    /* set by ngx_dfp_grpc_create() */

    ngx_pool_t        *pool;       /* of the call */
    ngx_log_t         *log;

    /* set by the caller before the start */

    void             (*handler)(ngx_dfp_grpc_t *grpc);

    /* a message, good within this call only; DFP_INVALID: it makes no sense,
       the call ends and ERR tells why; DFP_ERROR: no memory */
    int              (*message)(ngx_dfp_grpc_t *grpc,
                           dfp_str_t message, dfp_err_t *err);

    /* or, instead of MESSAGE, what comes of it, nothing of which is kept */
    int              (*part)(ngx_dfp_grpc_t *grpc,
                           dfp_grpc_part_t *part, dfp_err_t *err);
    void              *data;
    int64_t            job;        /* for the log */
    ngx_array_t       *secrets;    /* that are sent; NULL: none */
    ngx_dfp_server_t  *server;     /* stays as long as the call */
    const char        *method;     /* "/package.Service/Method" */
    dfp_str_t          frame;      /* the message, with prefix */
    size_t             max;        /* bytes of one message */
    ngx_msec_t         timeout;

    /* the end, for HANDLER */

    int                status;     /* DFP_GRPC_... */
    ngx_str_t          text;       /* in words, "NAME: ..." */
    unsigned           unreached:1;    /* nobody is there */
    unsigned           unanswered:1;   /* nor has anybody else, as
                                          who has a wrong
                                          certificate */
    unsigned           broken:1;   /* it was there, and then it
                                      broke off */

    /* private */

    ngx_dfp_call_t    *call;
    dfp_mem_t          mem;
    dfp_grpc_reader_t  reader;
    dfp_err_t          err;
};


/* A call with a pool of its own, zeroed but for pool and log. NULL: no
 * memory. */
ngx_dfp_grpc_t *ngx_dfp_grpc_create(ngx_log_t *log);

/* NGX_OK: HANDLER will be called, once, and not before this has returned; then
 * the call is freed. NGX_AGAIN: no connection is free, or no memory; the call is
 * freed. */
ngx_int_t ngx_dfp_grpc_start(ngx_dfp_grpc_t *grpc);

/* Ends and frees a call that was not started, or whose handler has not been
 * called yet. The handler is not called. */
void ngx_dfp_grpc_cancel(ngx_dfp_grpc_t *grpc);


#endif /* NGX_DFP_GRPC_H */
