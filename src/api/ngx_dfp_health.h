/*
 * GET /healthy. A request with a token tells whether jobs with this token would
 * be accepted now: it is how Harbor tests a connection.
 */

#ifndef NGX_DFP_HEALTH_H
#define NGX_DFP_HEALTH_H


#include "ngx_dfp_api.h"


#define NGX_DFP_HEALTH_WAIT  5000    /* ms for Redis, from when it was lost */


/* Answers 200 without a token, or with one that may post jobs; 401 with another
 * one, 503 while Redis is unavailable. */
void ngx_dfp_health(ngx_dfp_api_t *api);


#endif /* NGX_DFP_HEALTH_H */
