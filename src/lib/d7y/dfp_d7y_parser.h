/*
 * Shared by the files that print and parse messages of Dragonfly, and by
 * dfp_scope.c; private to them.
 */

#ifndef DFP_D7Y_PARSER_H
#define DFP_D7Y_PARSER_H


#include <arpa/inet.h>

#include "dfp_d7y.h"


/* A URL that dfp_url_parse_any() accepts: parsed, and its parts as they were
 * given. */
typedef struct {
    dfp_url_t    url;
    dfp_str_t    authority;
    dfp_str_t    path;          /* may be empty */
    dfp_str_t    query;         /* without "?"; data is NULL when absent */
    dfp_str_t    fragment;      /* without "#"; likewise */
} dfp_d7y_url_t;


/* Splits a filter at "&" into names, without empty ones. The list is in MEM,
 * the names point into FILTER. DFP_ERROR: no memory. */
dfp_rc_t dfp_d7y_names(dfp_mem_t *mem, dfp_str_t filter, dfp_str_t **names,
    size_t *n);

/* Splits TEXT; the parts point into it. DFP_INVALID: dfp_url_parse_any()
 * refuses it. DFP_ERROR: no memory. */
dfp_rc_t dfp_d7y_url_split(dfp_mem_t *mem, dfp_str_t text, dfp_d7y_url_t *u);

/* The URL as dfdaemon hashes it for a task, without the parameters NAMES;
 * *TEXT is in MEM. DFP_ERROR: no memory. */
dfp_rc_t dfp_d7y_url_print(dfp_mem_t *mem, const dfp_d7y_url_t *u,
    const dfp_str_t *names, size_t n, dfp_str_t *text);

/* The URL as the scheduler hashes it. DFP_DECLINED: the scheduler writes its
 * query in another way than *TEXT has it. */
dfp_rc_t dfp_d7y_url_print_go(dfp_mem_t *mem, const dfp_d7y_url_t *u,
    const dfp_str_t *names, size_t n, dfp_str_t *text);

/* Appends the query of U, with "?" unless it is empty, without the parameters
 * NAMES. DFP_DECLINED: the scheduler writes it in another way. DFP_ERROR: no
 * memory. */
dfp_rc_t dfp_d7y_print_query(dfp_buf_t *b, dfp_mem_t *mem,
    const dfp_d7y_url_t *u, const dfp_str_t *names, size_t n);

static inline int
dfp_d7y_one_of(char ch, const char *list)
{
    return ch != '\0' && strchr(list, ch) != NULL;
}


#endif /* DFP_D7Y_PARSER_H */
