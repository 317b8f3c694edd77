/*
 * Server-Sent Events of all listed jobs: GET /oapi/v1/events. What happens to
 * jobs is printed once for all streams of this worker, into a feed, in which each
 * stream has its own place. One that is too slow for the feed is told to load
 * the list of jobs again.
 */

#ifndef NGX_DFP_EVENTS_ALL_H
#define NGX_DFP_EVENTS_ALL_H


#include "ngx_dfp_api.h"


#define NGX_DFP_ALL_FEED   4194304    /* bytes, while there are streams */
#define NGX_DFP_ALL_CHUNK  32768      /* bytes that are sent at once */
#define NGX_DFP_ALL_TURN   100        /* streams in one turn of the event loop */
#define NGX_DFP_ALL_WAIT   5000       /* ms until this worker must hear of all
                                         jobs, or the answer is 503 */


/* The token has been checked. */
void ngx_dfp_events_all(ngx_dfp_api_t *api);


#endif /* NGX_DFP_EVENTS_ALL_H */
