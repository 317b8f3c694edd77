/*
 * Requests that fill an entry of the cache, of clients or of jobs: other
 * requests wait for the entry as long as the upstream is waited for.
 *
 * nginx releases a lock of proxy_cache_lock when it is older than
 * proxy_cache_lock_age; then the next request goes to the origin, too. Here
 * the lock is renewed from when its owner's request is made until its answer
 * has ended, or failed: proxy_read_timeout limits the silence. The lock of a
 * worker that has died expires as in nginx.
 *
 * A client that gives up before the answer begins does not end the fetch.
 *
 * If the origin has not answered in time, those who wait are told the same.
 * With nginx alone each of them would find that out, one after the other. After
 * another failure those of this worker are woken: the next one, or all of a
 * manifest.
 */

#ifndef NGX_DFP_FILL_H
#define NGX_DFP_FILL_H


#include "ngx_dfp_context.h"


/* Watches what R, whose upstream has been created, does with its entry, before
 * nginx opens that. */
void ngx_dfp_fill_begin(ngx_http_request_t *r);

/* Installs the header filter; those of others that watch the answer have to be
 * installed later. */
void ngx_dfp_fill_init(void);


#endif /* NGX_DFP_FILL_H */
