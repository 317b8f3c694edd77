/*
 * What may not be stored as a manifest: an answer of another type, a body that is
 * no manifest, or not the one that the URL's digest names. It is passed on as it
 * is, and what the cache has already stays.
 */

#ifndef NGX_DFP_MANIFEST_H
#define NGX_DFP_MANIFEST_H


#include "ngx_dfp_target.h"


/* Why the answer of SR is not stored: NGX_AGAIN: another try may go better;
 * NGX_DECLINED: it will not. NGX_OK: not for what it is; REASON is not set. */
ngx_int_t ngx_dfp_manifest_refused(ngx_http_request_t *sr,
    const char **reason);

/* Installs the filter. */
void ngx_dfp_manifest_init(void);


#endif /* NGX_DFP_MANIFEST_H */
