/*
 * Lists of the API: page and per_page of the query, and the headers that tell
 * about the other pages.
 */

#ifndef NGX_DFP_PAGE_H
#define NGX_DFP_PAGE_H


#include "ngx_dfp_api.h"

#include "dfp_page.h"


/* Parses the page that the query of API asks for; a page has at most MOST
 * elements. DFP_INVALID: err names the parameter; DFP_ERROR: no memory. */
dfp_rc_t ngx_dfp_page_parse(ngx_dfp_api_t *api, int64_t most,
    dfp_page_t *page, dfp_err_t *err);

/*
 * Adds Link and X-Total-Count to the answer, the list at PATH with FILTERS (see
 * dfp_page.h). A negative TOTAL is unknown, because not all elements were
 * compared with the filters: then X-Incomplete-Results says so. NGX_ERROR: no
 * memory.
 */
ngx_int_t ngx_dfp_page_headers(ngx_dfp_api_t *api, const dfp_page_t *page,
    const char *path, dfp_buf_t *filters, int64_t total);


#endif /* NGX_DFP_PAGE_H */
