/*
 * A main request without a client: what a call needs to use nginx's upstreams,
 * and nothing of what the call is about.
 */

#ifndef NGX_DFP_REQUEST_H
#define NGX_DFP_REQUEST_H


#include "ngx_dfp_secrets.h"


typedef struct ngx_dfp_request_s  ngx_dfp_request_t;

/* Lives in the pool of its nginx request, which has it as the module's context
 * and calls CLOSED at its very end. */
struct ngx_dfp_request_s {
    ngx_http_request_t         *r;
    void                       *data;      /* whose it is; NULL: nobody's */
    void                      (*closed)(void *data);   /* not for nobody */
    ngx_socket_t                peer;      /* the client's end; -1: closed */
    ngx_event_t                 begin;     /* the owner's */
    ngx_event_t                 blocked;
    ngx_http_post_subrequest_t  ps;        /* the owner's */
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

/* What nginx has logged last about why the upstream failed, as "connect() failed
 * (111: Connection refused)"; "": nothing that could be shown. */
const char *ngx_dfp_request_trouble(ngx_dfp_request_t *request);

/* The end, when its subrequest has ended. */
void ngx_dfp_request_finish(ngx_dfp_request_t *request);

/* The end, now, whatever is under way. The caller runs the connection's posted
 * requests then. */
void ngx_dfp_request_abort(ngx_dfp_request_t *request);


#endif /* NGX_DFP_REQUEST_H */
