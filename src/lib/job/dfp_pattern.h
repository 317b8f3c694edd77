/*
 * Patterns of images, as "team/app-*:v*": which pushes a policy is about. They are
 * those of Harbor's filters (doublestar):
 *
 *   *       any text without "/", also none
 *   **      any text; a "**" and the "/" after it also stand for no folder
 *   ?       one character that is not "/"
 *   {a,b}   a or b; braces are not nested
 *
 * A pattern is REPOSITORY, which means any tag, REPOSITORY:TAG, or
 * REPOSITORY@DIGEST. Only the last one is about what was pushed by its digest
 * alone, as the parts of an index are.
 */

#ifndef DFP_PATTERN_H
#define DFP_PATTERN_H


#include "dfp_mem.h"


#define DFP_PATTERNS_MAX     64      /* of a list, with what braces stand for */
#define DFP_PATTERN_MAX_LEN  512     /* bytes of one */


typedef struct {
    dfp_str_t       repository;
    dfp_str_t       reference;     /* of the tag, or the digest */
    unsigned        by_digest:1;
} dfp_pattern_t;


typedef struct {
    dfp_pattern_t   list[DFP_PATTERNS_MAX];
    size_t          n;
} dfp_patterns_t;


/* Parses patterns that are joined by commas, and adds them to PATTERNS; their
 * strings are in MEM. DFP_INVALID: err begins with WHAT. DFP_ERROR: no
 * memory. */
dfp_rc_t dfp_patterns_parse(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_patterns_t *patterns, dfp_err_t *err);

/* Whether one of PATTERNS is about the image that was pushed to REPOSITORY as
 * TAG; "": as DIGEST only. The time is at most proportional to the lengths of
 * all patterns times that of the name. */
int dfp_patterns_match(const dfp_patterns_t *patterns, dfp_str_t repository,
    dfp_str_t tag, dfp_str_t digest);

/* The same of the repository alone, whatever the tag is. */
int dfp_patterns_repository(const dfp_patterns_t *patterns,
    dfp_str_t repository);


#endif /* DFP_PATTERN_H */
