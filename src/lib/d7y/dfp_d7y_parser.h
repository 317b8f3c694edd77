/*
 * What the files that make and read Dragonfly's messages share, and the scope;
 * for nobody else.
 */

#ifndef DFP_D7Y_PARSER_H
#define DFP_D7Y_PARSER_H


#include <arpa/inet.h>

#include "dfp_d7y.h"


/* A URL that dfp_url_parse_any() takes, as it was given, and where it
 * leads. */
typedef struct {
    dfp_url_t    url;
    dfp_str_t    authority;
    dfp_str_t    path;          /* may be empty */
    dfp_str_t    query;         /* without "?"; data is NULL when absent */
    dfp_str_t    fragment;      /* without "#"; likewise */
} dfp_d7y_url_t;


/* The names that a filter consists of, which are parts of it. Empty ones are
 * left out. */
dfp_rc_t dfp_d7y_names(dfp_mem_t *mem, dfp_str_t filter, dfp_str_t **names,
    size_t *n);

/*
 * The canonical spelling of an address that something can listen at; returns
 * its length, or 0. An IPv4 address within an IPv6 one (::ffff:192.0.2.1) is
 * that. IP gets a NUL at its end.
 */
size_t dfp_d7y_ip(dfp_str_t text, char ip[INET6_ADDRSTRLEN]);

/* DFP_INVALID: dfp_url_parse_any() does not take it. */
dfp_rc_t dfp_d7y_url_split(dfp_mem_t *mem, dfp_str_t text, dfp_d7y_url_t *u);

/* The URL as dfdaemon hashes it for a task, without the parameters NAMES. */
dfp_rc_t dfp_d7y_url_print(dfp_mem_t *mem, const dfp_d7y_url_t *u,
    const dfp_str_t *names, size_t n, dfp_str_t *text);

/* The URL as the scheduler does. DFP_DECLINED: its query is not as above. */
dfp_rc_t dfp_d7y_url_print_go(dfp_mem_t *mem, const dfp_d7y_url_t *u,
    const dfp_str_t *names, size_t n, dfp_str_t *text);

/* The query of U, with its "?" where there is one. DFP_DECLINED: the scheduler
 * writes another. */
dfp_rc_t dfp_d7y_print_query(dfp_buf_t *b, dfp_mem_t *mem,
    const dfp_d7y_url_t *u, const dfp_str_t *names, size_t n);

static inline int
dfp_d7y_one_of(char ch, const char *list)
{
    return ch != '\0' && strchr(list, ch) != NULL;
}


#endif /* DFP_D7Y_PARSER_H */
