/*
 * Checks answers for manifests before they are stored. An answer of another
 * type, a body that is no manifest, or one with another digest than the URL's,
 * is sent on unchanged, but not stored; an entry that exists is kept.
 */

#ifndef NGX_DFP_MANIFEST_H
#define NGX_DFP_MANIFEST_H


#include "ngx_dfp_target.h"


/* Whether the answer of SR was refused, and why. NGX_AGAIN: it was, another
 * try may succeed; NGX_DECLINED: it was, for good; NGX_OK: it was not. REASON
 * lives as long as SR. */
ngx_int_t ngx_dfp_manifest_refused(ngx_http_request_t *sr,
    const char **reason);

/* Installs the header filter, for locations that are bound to origins or
 * follow redirects. */
void ngx_dfp_manifest_init(void);


#endif /* NGX_DFP_MANIFEST_H */
