/*
 * An answer of Server-Sent Events, which goes on until it is ended. One event
 * is sent at a time: whoever has more waits until the client has taken it, so
 * that a slow client needs no more memory than one event. A client that takes
 * nothing for nginx's send_timeout is given up.
 */

#ifndef NGX_DFP_STREAM_H
#define NGX_DFP_STREAM_H


#include "ngx_dfp_api.h"


#define NGX_DFP_STREAM_COMMENT  15000    /* ms between two comments */
#define NGX_DFP_STREAM_RETRY    "2000"   /* ms until a client comes back */
#define NGX_DFP_STREAM_TIME     3600000  /* ms; then the client comes back */


/* In the pool of the request. */
struct ngx_dfp_stream_s {
    ngx_http_request_t   *r;
    ngx_dfp_api_t        *api;
    ngx_dfp_api_pt        ready;      /* another event can be sent */
    ngx_pool_t           *pool;       /* of the event that is sent */
    dfp_mem_t             mem;        /* of this pool */
    ngx_buf_t            *buf;        /* NULL: a filter may have it still */
    ngx_event_t           comment;
    ngx_event_t           stalled;
    ngx_msec_t            until;      /* when it ends, in ngx_current_msec */
    unsigned              begun:1;    /* an event has been sent */
    unsigned              sending:1;  /* the client has not taken all */
    unsigned              partial:1;  /* the rest of an event has to follow */
    unsigned              ended:1;
};


/*
 * Sends the header of a stream, which is api->stream then. READY is called when
 * an event was refused with NGX_AGAIN and can be sent now. NGX_DONE: the request
 * is finalized or answered, and API must not be used any more.
 */
ngx_int_t ngx_dfp_stream_start(ngx_dfp_api_t *api, ngx_dfp_api_pt ready);

/* Begins the event NAME with ID in B; its data, without line breaks, is to be
 * appended. NGX_AGAIN: the client has not taken the event before; NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_stream_event(ngx_dfp_stream_t *stream, dfp_buf_t *b,
    const char *name, int64_t id);

/* Sends the event. NGX_DONE: the request is finalized. */
ngx_int_t ngx_dfp_stream_send(ngx_dfp_stream_t *stream, dfp_buf_t *b);

/* Room for LEN bytes of events, or parts of them, which are sent with
 * ngx_dfp_stream_put() then. NULL: no memory. The client must have taken what was
 * sent before. */
char *ngx_dfp_stream_room(ngx_dfp_stream_t *stream, size_t len);

/* Sends these bytes. The results are those of ngx_dfp_stream_send(). */
ngx_int_t ngx_dfp_stream_put(ngx_dfp_stream_t *stream, const char *data,
    size_t len);

/* Ends the answer and finalizes the request; at once if the client has not taken
 * all of it, unless ALL. */
void ngx_dfp_stream_end(ngx_dfp_stream_t *stream, ngx_uint_t all);


#endif /* NGX_DFP_STREAM_H */
