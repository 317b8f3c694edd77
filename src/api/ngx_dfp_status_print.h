/*
 * The metrics as text, in the exposition format of Prometheus.
 */

#ifndef NGX_DFP_STATUS_PRINT_H
#define NGX_DFP_STATUS_PRINT_H


#include "ngx_dfp_store.h"

#include "dfp_buf.h"


#define NGX_DFP_STATUS_SIZE  16384    /* bytes, usually enough */


/* Prints all metrics; those that Redis tells only with STORED. */
void ngx_dfp_status_print(dfp_buf_t *b, ngx_dfp_stored_status_t *stored);


#endif /* NGX_DFP_STATUS_PRINT_H */
