/*
 * What a dry run tells: the tasks of a job and what is held of them, composed of
 * what each part of it has reported.
 */

#ifndef DFP_DRY_H
#define DFP_DRY_H


#include "dfp_buf.h"


/* A part of a dry run. */
typedef struct {
    dfp_str_t    results;     /* JSON, as it was reported; "": nothing */
    dfp_str_t    hostname;    /* of the only nginx that can run it; ... */
    dfp_str_t    ip;          /* "": any can */
} dfp_dry_t;


/*
 * Appends the members targets and tasks of a JSON object, each after a comma,
 * for the N parts of one cluster; and tasks_omitted and targets_omitted, where
 * the parts have not reported all of them. A task is held if all parts say so,
 * and is not if one says so. Fields of wrong types are null or left out; the
 * results may be anything. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_dry_print(dfp_buf_t *b, const dfp_dry_t *parts, size_t n);


#endif /* DFP_DRY_H */
