/*
 * What the module knows of a request: kept through all internal redirects.
 */

#ifndef NGX_DFP_STATE_H
#define NGX_DFP_STATE_H


#include "ngx_dfp_context.h"


/* Lives in the pool of its request. */
typedef struct {
    ngx_http_request_t  *r;
    void                *access;        /* the question to the registry */
    ngx_str_t            nonce;         /* of a rehearsal's request to this
                                           front; "": it is another one */
    unsigned             call:1;        /* a subrequest of a call */
    unsigned             uncached:1;    /* only the origin may answer it, and
                                           the answer is not stored */
    unsigned             listed:1;      /* only calls may read it from the
                                           cache */
    unsigned             login:1;       /* GET /v2/ of a public cache */
    unsigned             answered:1;    /* the cache itself answers that */
    unsigned             sent:1;        /* the body of that answer */
} ngx_dfp_state_t;


/* The state of R. NULL: it has none. */
ngx_dfp_state_t *ngx_dfp_state_get(ngx_http_request_t *r);

/* The state of R, which is made where there is none. NULL: no memory. */
ngx_dfp_state_t *ngx_dfp_state_create(ngx_http_request_t *r);

/* Whether R is the subrequest of a call. */
ngx_uint_t ngx_dfp_state_call(ngx_http_request_t *r);


#endif /* NGX_DFP_STATE_H */
