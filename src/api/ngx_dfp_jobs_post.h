/*
 * POST /oapi/v1/jobs: the body becomes a job, whose type says how it is answered.
 */

#ifndef NGX_DFP_JOBS_POST_H
#define NGX_DFP_JOBS_POST_H


#include "ngx_dfp_api.h"


#define NGX_DFP_DRY_TIMEOUT  INT64_C(300000000000)    /* ns, of a dry run */
#define NGX_DFP_DRY_KEEP     600    /* s, after its end */


/* The token has been checked: reads the body, stores the job, answers with
 * it, or for get_image_distribution with what it has found. */
void ngx_dfp_jobs_create(ngx_dfp_api_t *api);


#endif /* NGX_DFP_JOBS_POST_H */
