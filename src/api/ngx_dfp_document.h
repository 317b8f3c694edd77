/*
 * docs/openapi.yaml as the module was built with it. embed.sh makes the C file of
 * it.
 */

#ifndef NGX_DFP_DOCUMENT_H
#define NGX_DFP_DOCUMENT_H


#include <stddef.h>


extern const char    ngx_dfp_document[];        /* without a NUL in it */
extern const size_t  ngx_dfp_document_len;
extern const char    ngx_dfp_document_tag[];    /* its entity tag (ETag) */


#endif /* NGX_DFP_DOCUMENT_H */
