/*
 * Strings, and errors as sentences.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE    /* memmem() */
#endif

#include <stdarg.h>
#include <stdio.h>

#include "dfp_mem.h"


int
dfp_str_cmp(dfp_str_t a, dfp_str_t b)
{
    int     order;
    size_t  len;

    len = a.len < b.len ? a.len : b.len;
    order = len ? memcmp(a.data, b.data, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}


const char *
dfp_str_find(dfp_str_t s, const char *part)
{
    return s.len ? memmem(s.data, s.len, part, strlen(part)) : NULL;
}


const char *
dfp_str_find_last(dfp_str_t s, const char *part)
{
    const char  *p, *found;

    found = NULL;

    while ((p = dfp_str_find(s, part))) {
        found = p;

        s.len -= p + 1 - s.data;
        s.data = p + 1;
    }

    return found;
}


dfp_str_t
dfp_str_until(const char **p, const char *last, const char *ends)
{
    size_t     n;
    dfp_str_t  text;

    n = strlen(ends);
    text.data = *p;

    while (*p < last && memchr(ends, **p, n) == NULL) {
        (*p)++;
    }

    text.len = *p - text.data;

    return text;
}


char *
dfp_strdup(dfp_mem_t *mem, const char *data, size_t len)
{
    char  *copy;

    copy = mem->alloc(mem->ctx, len + 1);
    if (copy == NULL) {
        return NULL;
    }

    /* the data of an empty string may be NULL */

    if (len) {
        memcpy(copy, data, len);
    }

    copy[len] = '\0';

    return copy;
}


dfp_rc_t
dfp_invalid(dfp_err_t *err, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);

    return DFP_INVALID;
}
