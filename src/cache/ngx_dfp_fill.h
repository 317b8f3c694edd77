/*
 * Requests that fill an entry of the cache, of clients or of jobs: other
 * requests wait for the entry as long as bytes of the answer arrive.
 *
 * nginx releases a lock of proxy_cache_lock when it is older than
 * proxy_cache_lock_age; then the next request goes to the origin, too. Here
 * the lock is renewed while its owner receives the answer. The lock of a
 * worker that has died expires as in nginx.
 */

#ifndef NGX_DFP_FILL_H
#define NGX_DFP_FILL_H


#include "ngx_dfp_types.h"


/* Installs the header filter, which watches the fills of locations that are
 * bound to origins or follow redirects. */
void ngx_dfp_fill_init(void);


#endif /* NGX_DFP_FILL_H */
