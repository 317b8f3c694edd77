/*
 * Pauses between tries.
 */

#ifndef NGX_DFP_PAUSE_H
#define NGX_DFP_PAUSE_H


#include "ngx_dfp_types.h"


/* The pause in ms before the next try, after TRIES of them: BASE, doubled each
 * time up to MAX; then 50 to 150 per cent of that, at random. */
ngx_msec_t ngx_dfp_pause(ngx_uint_t tries, ngx_msec_t base, ngx_msec_t max);


#endif /* NGX_DFP_PAUSE_H */
