/*
 * The list of jobs: GET /oapi/v1/jobs.
 */

#ifndef NGX_DFP_JOBS_LIST_H
#define NGX_DFP_JOBS_LIST_H


#include "ngx_dfp_api.h"


#define NGX_DFP_JOBS_PAGE  1000    /* jobs of a page at most */


/* Answers with the page that the query asks for, the newest jobs first. */
void ngx_dfp_jobs_list(ngx_dfp_api_t *api);


#endif /* NGX_DFP_JOBS_LIST_H */
