/*
 * Handlers of nginx's phases.
 */

#ifndef NGX_DFP_PHASE_H
#define NGX_DFP_PHASE_H


#include "ngx_dfp_types.h"


/* Adds HANDLER to PHASE of all requests, while the configuration is read.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_phase_handler(ngx_conf_t *cf, ngx_uint_t phase,
    ngx_http_handler_pt handler);


#endif /* NGX_DFP_PHASE_H */
