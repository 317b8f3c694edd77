/*
 * Percent-encoding (RFC 3986, 2.1).
 */

#ifndef DFP_ESCAPE_H
#define DFP_ESCAPE_H


#include "dfp_buf.h"


/* Appends "%" and two upper-case hexadecimal digits. */
void dfp_escape_byte(dfp_buf_t *b, char ch);

/*
 * S as a value in a query string: all characters are escaped but the unreserved
 * ones of RFC 3986. *ESCAPED is S itself if nothing had to be escaped, and
 * allocated from MEM otherwise. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_escape(dfp_mem_t *mem, dfp_str_t s, dfp_str_t *escaped);

/* The same of a URL that somebody has typed: only blanks inside it and bytes beyond
 * ASCII are escaped, as browsers do. */
dfp_rc_t dfp_escape_url(dfp_mem_t *mem, dfp_str_t s, dfp_str_t *escaped);


#endif /* DFP_ESCAPE_H */
