/*
 * The content handler of the Open API: routes, methods and tokens.
 */

#ifndef NGX_DFP_HANDLER_H
#define NGX_DFP_HANDLER_H


#include "ngx_dfp_types.h"


/* The content handler of a location with "dfpreheat on". */
ngx_int_t ngx_dfp_handler(ngx_http_request_t *r);


#endif /* NGX_DFP_HANDLER_H */
