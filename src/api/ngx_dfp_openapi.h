/*
 * GET /oapi/v1/openapi.yaml: docs/openapi.yaml, which describes this API.
 */

#ifndef NGX_DFP_OPENAPI_H
#define NGX_DFP_OPENAPI_H


#include "ngx_dfp_api.h"


/* Sends the document that the module was built with, as application/yaml (RFC
 * 9512), with an entity tag. */
void ngx_dfp_openapi(ngx_dfp_api_t *api);


#endif /* NGX_DFP_OPENAPI_H */
