/*
 * Metrics for Prometheus: the handler of a location with dfpreheat_status.
 */

#ifndef NGX_DFP_STATUS_H
#define NGX_DFP_STATUS_H


#include "ngx_dfp_types.h"


ngx_int_t ngx_dfp_status_handler(ngx_http_request_t *r);


#endif /* NGX_DFP_STATUS_H */
