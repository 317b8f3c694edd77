/*
 * Times as RFC 3339 writes them.
 */

#ifndef DFP_TIME_H
#define DFP_TIME_H


#include "dfp_buf.h"


/*
 * Parses TEXT into milliseconds since 1970; finer fractions are cut off.
 * DFP_INVALID: not a time of RFC 3339, or outside the years 1970 to 9999.
 */
dfp_rc_t dfp_time_parse(dfp_str_t text, int64_t *ms);

/*
 * Appends a time in UTC with milliseconds, as 2026-11-25T00:44:02.120Z, from
 * milliseconds since 1970. A time outside the years 1970 to 9999 is printed as
 * the nearest one within them.
 */
void dfp_time_print(dfp_buf_t *b, int64_t ms);


#endif /* DFP_TIME_H */
