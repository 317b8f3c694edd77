/*
 * One request of the Open API, and its answer. The handlers of the API share
 * this; what comes before them (route, token) is in ngx_dfp_handler.c.
 */

#ifndef NGX_DFP_API_H
#define NGX_DFP_API_H


#include "ngx_dfp_follow.h"
#include "ngx_dfp_guard.h"


#define NGX_HTTP_UNPROCESSABLE  422     /* RFC 9110, 15.5.21 */
#define NGX_DFP_RETRY_LATER     "10"    /* s, Retry-After of 429 and 503 */


typedef struct ngx_dfp_api_s     ngx_dfp_api_t;
typedef struct ngx_dfp_stream_s  ngx_dfp_stream_t;

typedef void (*ngx_dfp_api_pt)(ngx_dfp_api_t *api);

/* In the pool of the request, which is held until the answer has been sent. */
struct ngx_dfp_api_s {
    ngx_http_request_t      *r;        /* the first field of a context */
    ngx_dfp_main_conf_t     *conf;
    ngx_dfp_store_t         *store;
    ngx_dfp_auth_t           auth;
    ngx_dfp_op_t             op;
    ngx_dfp_op_pt            replied;  /* the next step after op */
    ngx_dfp_api_pt           next;     /* the next step after auth or body */
    ngx_dfp_api_pt           too_large;    /* ... after a body that is not read;
                                          NULL: 413 */
    dfp_mem_t                mem;      /* of the request's pool */
    ngx_str_t                url;      /* the parameter of the query */
    ngx_str_t                body;
    size_t                   size;     /* allocated for body */
    dfp_job_t                job;      /* as it was posted */
    ngx_dfp_stored_job_t     stored;   /* the job as it is in Redis */
    ngx_dfp_job_list_t       list;
    dfp_buf_t                filters;  /* of the list, for Link */
    dfp_job_about_t          change;   /* of the job, as it was sent */
    ngx_uint_t               tries;    /* of a change */
    ngx_uint_t               changed;  /* by somebody else, meanwhile */
    dfp_token_t              token;    /* as it was posted */
    ngx_dfp_stored_token_t   stored_token;
    char                     secret[DFP_TOKEN_LEN + 1];    /* of the token */
    int64_t                  cluster;  /* the id in the path */
    void                    *data;     /* the handler's own */
    ngx_dfp_follower_t       follower; /* of the job */
    ngx_dfp_guard_t          guard;    /* while the request waits */
    ngx_dfp_op_pt            awaited;  /* the next step after the wait */
    ngx_dfp_api_pt           show;     /* answers with the job that was waited
                                          for */
    ngx_msec_t               wait;     /* for the end of the job, at most */
    ngx_dfp_stream_t        *stream;   /* of events; NULL: none */
    int64_t                  shown;    /* updated, of the last event */
    unsigned                 behind:1;     /* the client has missed events */
    unsigned                 waits:1;      /* a parameter was given */
    unsigned                 gate:1;       /* only success is a 2xx */
    unsigned                 settled:1;    /* the job, by this request */
};


/*
 * All functions of the API that take an api_t may run within the content
 * handler, so none of them runs posted requests. Only the callbacks that
 * Redis calls (ngx_dfp_api_replied(), auth) do so, after the next step has
 * returned.
 */

/* The context of R, which becomes that of the module. NULL: no memory, or no
 * store. */
ngx_dfp_api_t *ngx_dfp_api_create(ngx_http_request_t *r);

/* From now on the request ends when the client closes its connection. NGX_ERROR:
 * no memory. */
ngx_int_t ngx_dfp_api_listen(ngx_dfp_api_t *api);

/* Sends what is in B, which may be empty, with STATUS, and finalizes the request:
 * API must not be used any more. It is JSON, unless the request has another type
 * for its answer. */
void ngx_dfp_api_send(ngx_dfp_api_t *api, ngx_uint_t status, dfp_buf_t *b);

/* The same with {"message": TEXT}, or with status 422 {"errors": TEXT}, as
 * Dragonfly's manager does. */
void ngx_dfp_api_error(ngx_dfp_api_t *api, ngx_uint_t status,
    const char *text);

/* The same for an operation of the store that ended with RC: 503 for
 * NGX_ABORT, otherwise 500. */
void ngx_dfp_api_store_error(ngx_dfp_api_t *api, ngx_int_t rc);

/* A new UUID, as text, in the request's pool. NGX_ERROR: no memory, or no
 * random numbers. */
ngx_int_t ngx_dfp_api_uuid(ngx_dfp_api_t *api, ngx_str_t *uuid);

/* Adds a header to the answer. NAME and VALUE must live as long as the
 * request. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_api_header(ngx_dfp_api_t *api, const char *name,
    const char *value);

/* $dfpreheat_token_name and $dfpreheat_job_id (DATA is 1), for access logs:
 * the token that a request of the API was sent with, if there is one, and the
 * job that it created, or whose id is in its path. */
ngx_int_t ngx_dfp_api_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* NGX_DFP_API_H */
