/*
 * Text from outside, made fit for people and logs.
 */

#ifndef DFP_TEXT_H
#define DFP_TEXT_H


#include "dfp_mem.h"


/*
 * S with one blank between two words, without controls and what cannot be seen
 * but changes how its neighbours look, with U+FFFD for wrong UTF-8, without
 * the secrets of URLs (dfp_url_redact()), and at most MAX bytes of that, cut
 * between characters. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_text_clean(dfp_mem_t *mem, dfp_str_t s, size_t max,
    dfp_str_t *text);


#endif /* DFP_TEXT_H */
