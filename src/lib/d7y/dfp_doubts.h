/*
 * Peers that have not answered when they were asked whether they live, so that
 * the next jobs of this worker need not find out anew: the last ones, each for a
 * minute.
 */

#ifndef DFP_DOUBTS_H
#define DFP_DOUBTS_H


#include "dfp_mem.h"


#define DFP_DOUBTS_MAX   64       /* peers */
#define DFP_DOUBTS_NAME  64       /* bytes: "[IP]:port" */
#define DFP_DOUBTS_MS    60000    /* ms */


typedef struct {
    char       name[DFP_DOUBTS_NAME];
    size_t     len;         /* 0: this place is free */
    uint64_t   since;       /* ms of a clock that is never set back */
} dfp_doubt_t;


/* Zeroed: there are none. */
typedef struct {
    dfp_doubt_t  list[DFP_DOUBTS_MAX];
} dfp_doubts_t;


/* The peer NAME does not answer NOW. One that is too long is not kept; if there
 * is no place, the oldest one is forgotten. */
void dfp_doubts_add(dfp_doubts_t *doubts, dfp_str_t name, uint64_t now);

/* It has answered. */
void dfp_doubts_remove(dfp_doubts_t *doubts, dfp_str_t name);

/* Whether it did not answer, within the last minute. */
int dfp_doubts_has(const dfp_doubts_t *doubts, dfp_str_t name, uint64_t now);


#endif /* DFP_DOUBTS_H */
