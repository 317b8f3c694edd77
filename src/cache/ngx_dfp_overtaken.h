/*
 * Does not store an answer if another request has stored the same entry while
 * its body was received. The answer is sent on: a slow download does not
 * replace a newer entry.
 */

#ifndef NGX_DFP_OVERTAKEN_H
#define NGX_DFP_OVERTAKEN_H


#include "ngx_dfp_context.h"


/* Installs the header filter, for locations that are bound to origins or
 * follow redirects. */
void ngx_dfp_overtaken_init(void);


#endif /* NGX_DFP_OVERTAKEN_H */
