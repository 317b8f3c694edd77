/*
 * Secrets are removed from texts of other servers, which may repeat what was
 * sent to them.
 */

#ifndef DFP_MASK_H
#define DFP_MASK_H


#include "dfp_mem.h"


#define DFP_MASK_MIN  4     /* bytes of a secret; shorter ones occur anywhere */


/*
 * Replaces each of the N secrets in TEXT by "***". If several match at one
 * place, the longest is replaced. *MASKED is TEXT itself if nothing was
 * replaced, and allocated from MEM otherwise. Secrets of less than
 * DFP_MASK_MIN bytes are ignored. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_mask(dfp_mem_t *mem, dfp_str_t text, const dfp_str_t *secrets,
    size_t n, dfp_str_t *masked);

/* For a TEXT that was cut off: removes the beginning of a secret, at least
 * DFP_MASK_MIN bytes, from its end. */
dfp_str_t dfp_mask_end(dfp_str_t text, const dfp_str_t *secrets, size_t n);

/* As dfp_mask(), without an allocation: each byte of a secret becomes "*". */
void dfp_mask_in_place(char *text, size_t len, const dfp_str_t *secrets,
    size_t n);


#endif /* DFP_MASK_H */
