/*
 * Changes of a job: PATCH and DELETE of /oapi/v1/jobs/:id.
 */

#ifndef NGX_DFP_JOBS_CHANGE_H
#define NGX_DFP_JOBS_CHANGE_H


#include "ngx_dfp_api.h"


#define NGX_DFP_CHANGE_TRIES  5    /* if others change the job, too */


/* Changes bio and user_id, and answers with the job. */
void ngx_dfp_jobs_patch(ngx_dfp_api_t *api);

/* Deletes the job; whoever runs it stops. */
void ngx_dfp_jobs_delete(ngx_dfp_api_t *api);


#endif /* NGX_DFP_JOBS_CHANGE_H */
