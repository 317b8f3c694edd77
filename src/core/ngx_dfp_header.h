/*
 * Headers by name.
 */

#ifndef NGX_DFP_HEADER_H
#define NGX_DFP_HEADER_H


#include "ngx_dfp_types.h"


/* The next header NAME, in any letter case, from the N-th of all HEADERS on; N is
 * set for the next search. NULL: there is none. */
ngx_table_elt_t *ngx_dfp_header_find(ngx_list_t *headers, ngx_str_t *name,
    ngx_uint_t *n);


#endif /* NGX_DFP_HEADER_H */
