/*
 * A byte buffer that grows in a dfp_mem_t, and functions that print JSON into
 * it.
 *
 * Appending returns no error. If there is no memory, or the limit is exceeded,
 * "failed" is set and further appends do nothing; the caller checks it once, at
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


/* An empty buffer in MEM with room for SIZE bytes, which grows up to MAX bytes
 * (0: no limit). What it outgrows stays in MEM. */
void dfp_buf_init(dfp_buf_t *b, dfp_mem_t *mem, size_t size, size_t max);

void dfp_buf_append(dfp_buf_t *b, const char *data, size_t len);
void dfp_buf_str(dfp_buf_t *b, dfp_str_t s);

/* inline: the compiler computes the length of a literal */
static inline void
dfp_buf_cstr(dfp_buf_t *b, const char *s)
{
    dfp_buf_append(b, s, strlen(s));
}

/* Appends a number in decimal. */
void dfp_buf_int(dfp_buf_t *b, int64_t n);

/* Appends a JSON string with its quotes (RFC 8259, section 7). Each byte that
 * is not valid UTF-8 becomes U+FFFD, so the result is always valid JSON. */
void dfp_buf_json(dfp_buf_t *b, dfp_str_t s);

/* The content, without a NUL. It belongs to the buffer: the next append may
 * move it. */
dfp_str_t dfp_buf_value(dfp_buf_t *b);


#endif /* DFP_BUF_H */
