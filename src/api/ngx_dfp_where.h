/*
 * Where is it: GET and DELETE of /oapi/v1/cache?url=...
 */

#ifndef NGX_DFP_WHERE_H
#define NGX_DFP_WHERE_H


#include "ngx_dfp_api.h"


#define NGX_DFP_WHERE_TIMEOUT  20000    /* ms; Harbor waits 30 s */
#define NGX_DFP_WHERE_LATE     1000     /* ms after it, for the last reports */
#define NGX_DFP_WHERE_KEEP     600      /* s, of the job in Redis */


/*
 * The token has been checked: posts a job for each nginx that has a cache,
 * waits for its end, and answers with what each of them has reported.
 */
void ngx_dfp_where(ngx_dfp_api_t *api);


#endif /* NGX_DFP_WHERE_H */
