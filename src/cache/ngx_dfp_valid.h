/*
 * How long an entry of the cache is valid: content that is named by a digest
 * does not expire, the manifest of a tag is valid for dfpreheat_tag_valid.
 */

#ifndef NGX_DFP_VALID_H
#define NGX_DFP_VALID_H


#include "ngx_dfp_storable.h"


#define NGX_DFP_DIGEST_VALID  31536000    /* s, at least */


/* Installs the header filter, which sets the time of answers that are stored,
 * and of entries that a 304 has renewed, in bound locations. */
void ngx_dfp_valid_init(void);


#endif /* NGX_DFP_VALID_H */
