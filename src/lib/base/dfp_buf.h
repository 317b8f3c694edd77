/*
 * A growing byte buffer in a dfp_mem_t, with what is needed to print JSON.
 *
 * Appending never fails visibly: once there is no memory (or the limit is
 * passed) `failed` is set and further appends do nothing; look at it once at
 * the end.
 */

#ifndef DFP_BUF_H
#define DFP_BUF_H


#include "dfp_mem.h"


typedef struct {
    dfp_mem_t   *mem;
    char        *data;
    size_t       len;
    size_t       size;
    size_t       max;       /* bytes; 0: no limit */
    unsigned     failed:1;
} dfp_buf_t;


void dfp_buf_init(dfp_buf_t *b, dfp_mem_t *mem, size_t size, size_t max);

void dfp_buf_append(dfp_buf_t *b, const char *data, size_t len);
void dfp_buf_str(dfp_buf_t *b, dfp_str_t s);

/* inline, so that the length of a literal is known */
static inline void
dfp_buf_cstr(dfp_buf_t *b, const char *s)
{
    dfp_buf_append(b, s, strlen(s));
}

void dfp_buf_int(dfp_buf_t *b, int64_t n);

/* A JSON string with its quotes (RFC 8259, section 7). Bytes that are not
 * valid UTF-8 are printed as U+FFFD, so the result is always valid JSON. */
void dfp_buf_json(dfp_buf_t *b, dfp_str_t s);

/* What was written; not NUL-terminated. */
dfp_str_t dfp_buf_value(dfp_buf_t *b);


#endif /* DFP_BUF_H */
