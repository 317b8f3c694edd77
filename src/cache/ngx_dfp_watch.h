/*
 * The body of an answer that is to be stored, while it comes from the
 * upstream: also one that is not sent on (HEAD), and one whose bytes threads
 * write into the file.
 */

#ifndef NGX_DFP_WATCH_H
#define NGX_DFP_WATCH_H


#include "ngx_dfp_context.h"


/* nginx puts the file into place when the body has come: until then each of
 * these may clear the upstream's "cacheable". */
typedef struct {
    /* some bytes of the body; NULL: they do not matter */
    void  (*bytes)(ngx_http_request_t *r, u_char *data, size_t len);

    /* all of it has come: called once, also for an empty one */
    void  (*end)(ngx_http_request_t *r);
} ngx_dfp_watcher_t;


/* Whether the body of R's answer can be watched: it comes by a pipe, as that
 * of proxy_pass does. */
ngx_uint_t ngx_dfp_watch_possible(ngx_http_request_t *r);

/* Adds WATCHER, which has to stay, in a header filter of R, where that is
 * possible. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_watch(ngx_http_request_t *r,
    const ngx_dfp_watcher_t *watcher);


#endif /* NGX_DFP_WATCH_H */
