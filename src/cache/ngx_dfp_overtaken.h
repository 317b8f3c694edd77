/*
 * An answer that is old when it is complete: while its body came, another request
 * has stored the same entry.  It is passed on, and not stored: a slow client does
 * not replace what a job has put there since.
 */

#ifndef NGX_DFP_OVERTAKEN_H
#define NGX_DFP_OVERTAKEN_H


#include "ngx_dfp_context.h"


/* Installs the header filter, for locations that are bound to origins or follow
 * redirects. */
void ngx_dfp_overtaken_init(void);


#endif /* NGX_DFP_OVERTAKEN_H */
