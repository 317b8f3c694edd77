/*
 * Where an image or a file is: the answer about it, made of what each part of a
 * job that looks for it (dfp_job_of_url()) has reported. Its shape is that of
 * get_image_distribution of Dragonfly's manager.
 */

#ifndef DFP_WHERE_H
#define DFP_WHERE_H


#include "dfp_buf.h"


/* One nginx that was asked. */
typedef struct {
    dfp_str_t    hostname;
    dfp_str_t    ip;
    int64_t      cluster;
    dfp_str_t    results;       /* JSON, an element of a job's results; "": it
                                   has not reported any */
    dfp_str_t    error;         /* "": none */
} dfp_where_t;


/*
 * Appends the answer: all layers once, in the order in which they are found,
 * and for each of the N nginx those that it has. An nginx whose results cannot
 * be read is given an error. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_where_print(dfp_buf_t *b, dfp_where_t *where, size_t n);


#endif /* DFP_WHERE_H */
