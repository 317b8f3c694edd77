/*
 * Jobs: POST /oapi/v1/jobs and GET /oapi/v1/jobs/:id.
 */

#ifndef NGX_DFP_JOBS_H
#define NGX_DFP_JOBS_H


#include "ngx_dfp_api.h"


/* The token has been checked: reads the body, stores the job, answers with
 * it. */
void ngx_dfp_jobs_create(ngx_dfp_api_t *api);

/* Answers with the job api->stored.id; 0: the id in the path is no number. */
void ngx_dfp_jobs_get(ngx_dfp_api_t *api);


#endif /* NGX_DFP_JOBS_H */
