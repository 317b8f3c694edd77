/*
 * Text from outside, made fit for people and logs.
 */

#ifndef DFP_TEXT_H
#define DFP_TEXT_H


#include "dfp_mem.h"


#define DFP_TEXT_WRONG  0xfffd    /* what stands for wrong UTF-8 */


/*
 * The first character of S, which is not empty; returns its length. Wrong
 * UTF-8 (Unicode, table 3-7) is DFP_TEXT_WRONG, once for as many bytes as
 * could have begun a character (3.9, "maximal subpart").
 */
size_t dfp_text_char(const char *s, size_t len, uint32_t *ch);

/*
 * S with one blank between two words, without controls and what cannot be seen
 * but changes how its neighbours look, with U+FFFD for wrong UTF-8, without
 * the secrets of URLs (dfp_url_redact()), and at most MAX bytes of that, cut
 * between characters. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_text_clean(dfp_mem_t *mem, dfp_str_t s, size_t max,
    dfp_str_t *text);


#endif /* DFP_TEXT_H */
