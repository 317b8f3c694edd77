/*
 * An answer that is old when it is complete: while its body came, another request
 * has stored the same entry.  It is passed on, and not stored: a slow client does
 * not replace what a job has put there since.
 */

#ifndef NGX_HTTP_DFPREHEAT_OVERTAKEN_H
#define NGX_HTTP_DFPREHEAT_OVERTAKEN_H


#include "ngx_http_dfpreheat_context.h"


/* Installs the header filter, for locations that are bound to origins or follow
 * redirects. */
void ngx_http_dfpreheat_overtaken_init(void);


#endif /* NGX_HTTP_DFPREHEAT_OVERTAKEN_H */
