/*
 * Texts of others that may repeat what was sent to them: without its secrets.
 */

#ifndef DFP_MASK_H
#define DFP_MASK_H


#include "dfp_mem.h"


#define DFP_MASK_MIN  4     /* bytes of a secret: a shorter one is in any text */


/*
 * TEXT with "***" in place of each of the N secrets, the longest that fits first;
 * TEXT itself where there is none. Secrets of less than DFP_MASK_MIN bytes are
 * passed over. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_mask(dfp_mem_t *mem, dfp_str_t text, const dfp_str_t *secrets,
    size_t n, dfp_str_t *masked);

/* TEXT without the begin of a secret (DFP_MASK_MIN bytes or more of it) that it
 * ends in, where what followed was cut off. */
dfp_str_t dfp_mask_end(dfp_str_t text, const dfp_str_t *secrets, size_t n);

/* As dfp_mask() in place, for where there is no memory to take: what is hidden gets
 * stars of its own length. */
void dfp_mask_in_place(char *text, size_t len, const dfp_str_t *secrets,
    size_t n);


#endif /* DFP_MASK_H */
