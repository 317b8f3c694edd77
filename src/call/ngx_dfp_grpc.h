/*
 * A gRPC call: one message is sent, any number are received, and it ends with
 * a status ("gRPC over HTTP2").
 */

#ifndef NGX_DFP_GRPC_H
#define NGX_DFP_GRPC_H


#include "ngx_dfp_call.h"

#include "dfp_grpc.h"


typedef struct ngx_dfp_grpc_s  ngx_dfp_grpc_t;


/* The server that is called. */
typedef struct {
    ngx_str_t           name;       /* "the peer 10.0.0.1:65000",
                                       with NUL */
    ngx_str_t           authority;  /* "10.0.0.1:65000" */
    struct sockaddr    *sockaddr;
    socklen_t           socklen;
    ngx_dfp_binding_t  *location;   /* through which it is called */
    unsigned            tls:1;
} ngx_dfp_server_t;


struct ngx_dfp_grpc_s {

    /* set by ngx_dfp_grpc_create() */

    ngx_pool_t        *pool;       /* of the call */
    ngx_log_t         *log;

    /* set by the caller before the start */

    void             (*handler)(ngx_dfp_grpc_t *grpc);

    /* a message, valid until this returns; DFP_INVALID: it is malformed, the
       call ends for the reason ERR; DFP_ERROR: no memory */
    dfp_rc_t         (*message)(ngx_dfp_grpc_t *grpc,
                           dfp_str_t message, dfp_err_t *err);

    /* instead of MESSAGE: the parts of messages as they arrive, valid until
       this returns */
    dfp_rc_t         (*part)(ngx_dfp_grpc_t *grpc,
                           dfp_grpc_part_t *part, dfp_err_t *err);
    void              *data;
    int64_t            job;        /* for the log */
    ngx_array_t       *secrets;    /* that are sent; NULL: none */
    ngx_dfp_server_t  *server;     /* lives as long as the call */
    const char        *method;     /* "/package.Service/Method" */
    dfp_str_t          frame;      /* the message, with prefix */
    size_t             max;        /* bytes of one message */
    ngx_msec_t         timeout;    /* of the whole call */
    unsigned           untold:1;   /* the server is not told the timeout */

    /* the end, for HANDLER */

    int                status;     /* DFP_GRPC_... */
    ngx_str_t          text;       /* the same in words: "NAME: ..." */
    unsigned           unreached:1;    /* no connection was made */
    unsigned           unanswered:1;   /* there was no answer: unreached,
                                          broken, a wrong certificate, ... */
    unsigned           broken:1;   /* the server closed the connection */
    unsigned           timedout:1; /* TIMEOUT passed */

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
 * the call is freed. NGX_AGAIN: no connection is free, or no memory; the call
 * is freed. */
ngx_int_t ngx_dfp_grpc_start(ngx_dfp_grpc_t *grpc);

/* Ends and frees a call that was not started, or whose handler has not been
 * called yet. The handler is not called. */
void ngx_dfp_grpc_cancel(ngx_dfp_grpc_t *grpc);


#endif /* NGX_DFP_GRPC_H */
