/*
 * POST /oapi/v1/jobs with the type get_image_distribution.
 */

#ifndef NGX_DFP_DISTRIBUTION_H
#define NGX_DFP_DISTRIBUTION_H


#include "ngx_dfp_api.h"


#define NGX_DFP_DISTRIBUTION_TIMEOUT  60000    /* ms */
#define NGX_DFP_DISTRIBUTION_LATE     1000     /* ms after it, for the last
                                                  reports */
#define NGX_DFP_DISTRIBUTION_KEEP     600      /* s, of the job in Redis */


/*
 * The body has been parsed, api->job: posts a job that is not listed, waits for its
 * end, and answers with what was found.
 */
void ngx_dfp_distribution(ngx_dfp_api_t *api);


#endif /* NGX_DFP_DISTRIBUTION_H */
