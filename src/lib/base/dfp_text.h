/*
 * Text from outside, as it can be shown and logged.
 */

#ifndef DFP_TEXT_H
#define DFP_TEXT_H


#include "dfp_mem.h"


/*
 * A copy of S in MEM, as a single line of at most MAX bytes, cut between
 * characters: white space becomes one space between words; control characters
 * and invisible ones that change how others look are removed; malformed UTF-8
 * becomes U+FFFD; the secrets of URLs become "***" (dfp_url_redact()).
 * DFP_ERROR: no memory.
 */
dfp_rc_t dfp_text_clean(dfp_mem_t *mem, dfp_str_t s, size_t max,
    dfp_str_t *text);


#endif /* DFP_TEXT_H */
