/*
 * Server-Sent Events of a job: GET /oapi/v1/jobs/:id/events.
 */

#ifndef NGX_DFP_EVENTS_H
#define NGX_DFP_EVENTS_H


#include "ngx_dfp_api.h"


/* The token has been checked: sends the job's state, its progress and its end;
 * api->stored.id is 0 if the id in the path is no number. */
void ngx_dfp_events(ngx_dfp_api_t *api);


#endif /* NGX_DFP_EVENTS_H */
