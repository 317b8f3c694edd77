/*
 * A synthetic main request without a client, with one subrequest: what a call
 * needs to use nginx's upstreams. It knows nothing of the call.
 */

#ifndef NGX_DFP_REQUEST_H
#define NGX_DFP_REQUEST_H


#include "ngx_dfp_secrets.h"


typedef struct ngx_dfp_request_s  ngx_dfp_request_t;

/* Lives in the pool of its nginx request, whose module context it is. */
struct ngx_dfp_request_s {
    ngx_http_request_t         *r;

    /* the owner's; the handlers are not called when DATA is NULL */

    void                       *data;
    /* SR, the subrequest, has ended with RC; nginx may say so twice */

    void                      (*answered)(void *data, ngx_http_request_t *sr,
                                    ngx_int_t rc);

    /* R is being freed */

    void                      (*closed)(void *data);
    ngx_event_t                 begin;

    /* private */

    ngx_socket_t                peer;      /* the client's end; -1: closed */
    ngx_event_t                 blocked;
    ngx_http_post_subrequest_t  ps;
};


/*
 * Makes the request in the server of CTX. Its log lines name the job and
 * SHOWN, the URL as it may be logged, and SECRETS are masked in them. SHOWN
 * and SECRETS, which may be NULL, are copied. NULL: no connection is free, or
 * no memory.
 */
ngx_dfp_request_t *ngx_dfp_request_create(ngx_http_conf_ctx_t *ctx,
    ngx_log_t *log, int64_t job, ngx_str_t *shown, ngx_array_t *secrets);

/* Makes the subrequest, for the uri and args of the main request. NGX_ERROR:
 * no memory. */
ngx_int_t ngx_dfp_request_subrequest(ngx_dfp_request_t *request,
    ngx_http_request_t **sr);

/* The request whose subrequest SR is. NULL: SR is another request. */
ngx_dfp_request_t *ngx_dfp_request_get(ngx_http_request_t *sr);

/* The DATA of that request. NULL: SR is another request, or the owner is
 * gone. */
void *ngx_dfp_request_data(ngx_http_request_t *sr);

/* Ends the request after its subrequest has ended. nginx frees it now, or when
 * what it does in the background is done. */
void ngx_dfp_request_finish(ngx_dfp_request_t *request);

/* Ends the request now, whatever it is doing; while a thread writes its file,
 * nginx frees it later. The caller runs the connection's posted requests
 * afterwards. */
void ngx_dfp_request_abort(ngx_dfp_request_t *request);


#endif /* NGX_DFP_REQUEST_H */
