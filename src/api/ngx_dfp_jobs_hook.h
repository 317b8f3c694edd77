/*
 * The webhook of a new job.
 */

#ifndef NGX_DFP_JOBS_HOOK_H
#define NGX_DFP_JOBS_HOOK_H


#include "ngx_dfp_api.h"


/* Checks the webhook of API->job, if it has one, and seals it for the new job
 * API->stored. DFP_INVALID: ERR says what is wrong. DFP_ERROR: no memory. */
dfp_rc_t ngx_dfp_jobs_hook(ngx_dfp_api_t *api, dfp_err_t *err);


#endif /* NGX_DFP_JOBS_HOOK_H */
