/*
 * Pages of a list, as Dragonfly's manager has them: the parameters page and
 * per_page, and the header Link (RFC 8288).
 */

#ifndef DFP_PAGE_H
#define DFP_PAGE_H


#include "dfp_buf.h"


#define DFP_PAGE_SIZE      10                        /* without per_page */
#define DFP_PAGE_MAX_SIZE  10000000                  /* that is accepted */
#define DFP_PAGE_MAX       INT64_C(100000000000)     /* number of a page */


typedef struct {
    int64_t    number;      /* from 1 */
    int64_t    size;        /* elements of a page */
} dfp_page_t;


/*
 * Parses the values NUMBER and SIZE of page and per_page; "" and 0 mean that
 * they are not given. A size of more than MOST is MOST. DFP_INVALID: err names
 * the parameter.
 */
dfp_rc_t dfp_page_parse(dfp_str_t number, dfp_str_t size, int64_t most,
    dfp_page_t *page, dfp_err_t *err);

/* How many elements are on the pages before. */
int64_t dfp_page_before(const dfp_page_t *page);

/* Appends a parameter of the list's query, escaped: "&state=active". If VALUE
 * is "", it is not given. */
void dfp_page_filter(dfp_buf_t *b, const char *name, dfp_str_t value);

/*
 * Appends the value of Link for a list of TOTAL elements at PATH with FILTERS,
 * which dfp_page_filter() has made. As the manager has it, the first page is
 * its own previous one, and each page has a next one. A negative TOTAL is
 * unknown: then there is no last page.
 */
void dfp_page_link(dfp_buf_t *b, const dfp_page_t *page, const char *path,
    dfp_str_t filters, int64_t total);


#endif /* DFP_PAGE_H */
