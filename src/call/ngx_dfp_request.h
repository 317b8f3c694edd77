/*
 * A main request without a client: what a call needs to use nginx's upstreams,
 * and nothing of what the call is about.
 */

#ifndef NGX_DFP_REQUEST_H
#define NGX_DFP_REQUEST_H


#include "ngx_dfp_secrets.h"


typedef struct ngx_dfp_request_s  ngx_dfp_request_t;

/* Lives in the pool of its nginx request, which has it as the module's context. */
struct ngx_dfp_request_s {
    ngx_http_request_t         *r;

    /* the owner's; the handlers are not called when DATA is NULL */

    void                       *data;
    void                      (*answered)(void *data, ngx_http_request_t *sr,
                                    ngx_int_t rc);   /* SR has ended with RC;
                                                        nginx may say so twice */
    void                      (*closed)(void *data);   /* R is being freed */
    ngx_event_t                 begin;

    /* private */

    ngx_socket_t                peer;      /* the client's end; -1: closed */
    ngx_event_t                 blocked;
    ngx_http_post_subrequest_t  ps;
};


/*
 * Makes the request in the server of CTX. Its log lines are like LOG's, with
 * the job and SHOWN, the URL as it may be logged, and without SECRETS (both are
 * copied; SECRETS may be NULL). NULL: no connection is free, or no memory.
 */
ngx_dfp_request_t *ngx_dfp_request_create(ngx_http_conf_ctx_t *ctx,
    ngx_log_t *log, int64_t job, ngx_str_t *shown, ngx_array_t *secrets);

/* Sets uri, args and unparsed_uri from a path with its query, by nginx's own
 * parser, so that the location and the cache key are those of a client's
 * request. */
ngx_int_t ngx_dfp_request_parse(ngx_http_request_t *r, ngx_str_t *uri);

/* Makes the one subrequest of the request, for the request's own uri and args.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_request_subrequest(ngx_dfp_request_t *request,
    ngx_http_request_t **sr);

/* The request that SR is the subrequest of; NULL: of none. */
ngx_dfp_request_t *ngx_dfp_request_get(ngx_http_request_t *sr);

/* The data of that request; NULL: of none, or its owner is gone. */
void *ngx_dfp_request_data(ngx_http_request_t *sr);

/* The end, when its subrequest has ended. */
void ngx_dfp_request_finish(ngx_dfp_request_t *request);

/* The end, now, whatever is under way. The caller runs the connection's posted
 * requests then. */
void ngx_dfp_request_abort(ngx_dfp_request_t *request);


#endif /* NGX_DFP_REQUEST_H */
