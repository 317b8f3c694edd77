/*
 * POST /oapi/v1/notifications: what registries tell about pushes becomes jobs, by
 * the policies of dfpreheat_policy.
 */

#ifndef NGX_DFP_PUSH_H
#define NGX_DFP_PUSH_H


#include "ngx_dfp_api.h"


#define NGX_DFP_PUSH_JOBS_MAX  100    /* of a request */


/*
 * The token has been checked: reads the body, and stores a job for each push and
 * each policy that it matches, unless there is one already. A registry sends again
 * what was not answered by 2xx, and nothing else meanwhile. So an event that
 * cannot become a job is answered by 200, with the reason, and so is a notification
 * of distribution that cannot be read. Only what may pass is an error, and a body
 * that no registry sends.
 */
void ngx_dfp_push(ngx_dfp_api_t *api);


#endif /* NGX_DFP_PUSH_H */
