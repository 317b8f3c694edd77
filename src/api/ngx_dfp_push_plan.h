/*
 * Which jobs the pushes of a notification become.
 */

#ifndef NGX_DFP_PUSH_PLAN_H
#define NGX_DFP_PUSH_PLAN_H


#include "ngx_dfp_api.h"

#include "dfp_push.h"


/* A push, and a policy that it matches. */
typedef struct {
    dfp_push_t        *push;
    ngx_dfp_policy_t  *policy;
    dfp_str_t          url;         /* of the manifest, in the registry */
    int64_t            id;          /* of the job */
    const char        *ignored;     /* why there is no job; NULL: there is */
    ngx_uint_t         kept;        /* jobs, if these are too many to keep it */
    ngx_uint_t         most;        /* the limit of them */
    unsigned           created:1;   /* by this request */
} ngx_dfp_push_job_t;


typedef struct {
    dfp_push_t        *pushes;
    size_t             n;
    ngx_array_t        jobs;        /* push_job_t */
    ngx_uint_t         next;        /* of jobs, that is to be stored */
} ngx_dfp_push_plan_t;


/* Sets the jobs of PLAN, and why its other pushes are ignored. DFP_ERROR: no
 * memory. */
dfp_rc_t ngx_dfp_push_make(ngx_dfp_api_t *api, ngx_dfp_push_plan_t *plan);


#endif /* NGX_DFP_PUSH_PLAN_H */
