/*
 * What an error reply of Redis means for the connection. Texts are what Redis
 * sends, with its code first.
 */

#ifndef NGX_DFP_ERROR_H
#define NGX_DFP_ERROR_H


#include "ngx_dfp_types.h"


/* Why Redis, although it answers, must not be used. */
typedef enum {
    NGX_DFP_NOT_REFUSED = 0,
    NGX_DFP_REFUSED_RIGHTS,      /* of the user */
    NGX_DFP_REFUSED_SCHEMA       /* another version of the data */
} ngx_dfp_refused_e;


/* Whether Redis cannot be used now: LOADING, READONLY, MASTERDOWN, BUSY,
 * MISCONF, NOREPLICAS, OOM, also from within a script. */
ngx_uint_t ngx_dfp_error_unavailable(const char *text);

/* Whether Redis refuses this user or this module: NOPERM, NOAUTH, WRONGPASS,
 * the same from within a script, or DFPSCHEMA of our own scripts. */
ngx_dfp_refused_e ngx_dfp_error_refused(const char *text);


#endif /* NGX_DFP_ERROR_H */
