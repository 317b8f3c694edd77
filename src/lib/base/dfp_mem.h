/*
 * What all of the plain C shares: results, strings with a length, memory that
 * the caller provides, and errors as sentences.
 *
 * Nothing is freed piece by piece. A function allocates from the caller's
 * dfp_mem_t (an nginx pool, or the arena of a test), and everything lives as
 * long as that.
 */

#ifndef DFP_MEM_H
#define DFP_MEM_H


#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>


/*
 * The result of a function. No value is one of nginx's return codes, an HTTP
 * status, true or false: a comparison with one of those never holds.
 */
typedef enum {
    DFP_OK = -1000,
    DFP_ERROR = -1001,      /* out of memory, or a library failed */
    DFP_INVALID = -1002,    /* the input is wrong; dfp_err_t says how */
    DFP_DECLINED = -1003    /* not found, or not applicable */
} dfp_rc_t;

#define DFP_ERR_LEN   512


typedef struct {
    size_t       len;
    const char  *data;
} dfp_str_t;


typedef struct {
    /* NULL: no memory; the result is aligned for any type and not zeroed */
    void       *(*alloc)(void *ctx, size_t size);
    void        *ctx;
} dfp_mem_t;


/* An error as a sentence, with a NUL. If the input is wrong, it names the field
 * and the limit: "args.count must be between 1 and 200". */
typedef struct {
    char         text[DFP_ERR_LEN];
} dfp_err_t;


#define DFP_STR(literal)   (dfp_str_t) { sizeof(literal) - 1, literal }
#define DFP_STR_NULL       (dfp_str_t) { 0, NULL }


static inline dfp_str_t
dfp_cstr(const char *s)
{
    return (dfp_str_t) { strlen(s), s };
}


static inline int
dfp_str_eq(dfp_str_t a, dfp_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


static inline int
dfp_str_ends(dfp_str_t s, dfp_str_t end)
{
    return s.len >= end.len
           && memcmp(s.data + s.len - end.len, end.data, end.len) == 0;
}


/* The same in any letter case, of ASCII. */

static inline int
dfp_str_case_starts(dfp_str_t s, dfp_str_t start)
{
    return s.len >= start.len
           && strncasecmp(s.data, start.data, start.len) == 0;
}


static inline int
dfp_str_case_eq(dfp_str_t a, dfp_str_t b)
{
    return a.len == b.len && (a.len == 0 || dfp_str_case_starts(a, b));
}


/* As memcmp(); if one is the beginning of the other, the shorter one is
 * less. */
int dfp_str_cmp(dfp_str_t a, dfp_str_t b);

/* The first, or the last, place of PART in S, which may overlap with others;
 * NULL if there is none. */
const char *dfp_str_find(dfp_str_t s, const char *part);
const char *dfp_str_find_last(dfp_str_t s, const char *part);

/* The text from *P up to a character of ENDS or LAST; *P is moved there. */
dfp_str_t dfp_str_until(const char **p, const char *last, const char *ends);

/* A copy of LEN bytes in MEM with a NUL; NULL: no memory. */
char *dfp_strdup(dfp_mem_t *mem, const char *data, size_t len);

/* Formats an error, which is cut at its size. Returns DFP_INVALID, so that a
 * parser can end with "return dfp_invalid(err, ...)". */
dfp_rc_t dfp_invalid(dfp_err_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* DFP_MEM_H */
