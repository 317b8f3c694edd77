/*
 * UTF-8 that may be malformed.
 */

#ifndef DFP_UTF8_H
#define DFP_UTF8_H


#include <stddef.h>
#include <stdint.h>


#define DFP_UTF8_MALFORMED    UINT32_MAX        /* not a code point */
#define DFP_UTF8_REPLACEMENT  "\xef\xbf\xbd"    /* U+FFFD */


/*
 * Decodes the first character of S, which is not empty, and returns its length
 * in bytes. What is malformed (Unicode, table 3-7) is DFP_UTF8_MALFORMED, once
 * for as many bytes as could have begun a character (3.9, "maximal subpart").
 */
size_t dfp_utf8_decode(const char *s, size_t len, uint32_t *ch);


#endif /* DFP_UTF8_H */
