/*
 * Changes of jobs as Server-Sent Events.
 */

#ifndef NGX_DFP_PRINT_EVENTS_H
#define NGX_DFP_PRINT_EVENTS_H


#include "ngx_dfp_print.h"

#include "dfp_changes.h"


/* Appends the events of N changes; LIST has those of the jobs that are listed and
 * exist, in the same order. Without memory B has failed. */
void ngx_dfp_print_events(dfp_buf_t *b, dfp_change_t *changes, ngx_uint_t n,
    ngx_dfp_job_list_t *list);


#endif /* NGX_DFP_PRINT_EVENTS_H */
