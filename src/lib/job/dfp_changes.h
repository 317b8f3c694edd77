/*
 * Jobs that have changed and whose changes have not been shown yet: each once,
 * in the order of their first change, and no more than there is room for.
 */

#ifndef DFP_CHANGES_H
#define DFP_CHANGES_H


#include "dfp_mem.h"


/* What has happened to a job, several at once. */
#define DFP_CHANGE_CREATED   0x1
#define DFP_CHANGE_PROGRESS  0x2
#define DFP_CHANGE_END       0x4
#define DFP_CHANGE_DELETED   0x8

/* Those that are shown soon. */
#define DFP_CHANGE_URGENT                                                     \
    (DFP_CHANGE_CREATED|DFP_CHANGE_END|DFP_CHANGE_DELETED)


typedef struct {
    int64_t        id;
    unsigned       what;
} dfp_change_t;


typedef struct {
    dfp_change_t  *items;
    size_t         n;
    size_t         max;
    size_t         urgent;    /* of these */
} dfp_changes_t;


/* An empty list in ITEMS, which has room for MAX. */
void dfp_changes_init(dfp_changes_t *changes, dfp_change_t *items, size_t max);

/* The job ID has changed. DFP_DECLINED: there is no room for it. */
dfp_rc_t dfp_changes_add(dfp_changes_t *changes, int64_t id, unsigned what);

/* Moves the first N at most to ITEMS; URGENT: of those that are urgent only.
 * Returns how many. */
size_t dfp_changes_take(dfp_changes_t *changes, dfp_change_t *items, size_t n,
    int urgent);


#endif /* DFP_CHANGES_H */
