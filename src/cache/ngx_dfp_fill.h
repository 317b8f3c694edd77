/*
 * Requests that fill an entry of the cache, a client's or a job's: as long as bytes
 * of the answer arrive, other requests wait for them.
 *
 * nginx lets a lock of proxy_cache_lock go when it is older than
 * proxy_cache_lock_age, counted from its start; then the next request that waits
 * goes to the origin, too. Here the lock's time is moved on while its owner is
 * alive and receives. One whose worker has died is over after that age, as in
 * nginx itself.
 */

#ifndef NGX_DFP_FILL_H
#define NGX_DFP_FILL_H


#include "ngx_dfp_types.h"


/* Installs the header filter, which watches the fills of locations that are bound
 * to origins or follow redirects. */
void ngx_dfp_fill_init(void);


#endif /* NGX_DFP_FILL_H */
