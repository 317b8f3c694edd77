/*
 * Base64 (RFC 4648, section 4).
 */

#ifndef DFP_BASE64_H
#define DFP_BASE64_H


#include "dfp_mem.h"


/*
 * Decodes TEXT to OUT, which has room for as many bytes as TEXT has; *LEN is how
 * many there are. As in docker, line breaks are ignored. The padding is either
 * complete or absent. DFP_INVALID: TEXT is not base64.
 */
dfp_rc_t dfp_base64_decode(dfp_str_t text, char *out, size_t *len);


#endif /* DFP_BASE64_H */
