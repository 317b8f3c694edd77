/*
 * Bytes a second that are shared: what may be read by those who wait for it, at
 * a time. Time is given by the caller, in milliseconds since any moment.
 */

#ifndef DFP_RATE_H
#define DFP_RATE_H


#include <stddef.h>
#include <stdint.h>


#define DFP_RATE_MAX  (INT64_C(1) << 40)    /* bytes a second; more is taken as
                                               this */


typedef struct {
    int64_t  rate;      /* bytes a second */
    int64_t  left;      /* bytes that may be read now; negative: so many have
                           been read in advance */
    int64_t  rest;      /* thousandths of a byte, of LEFT */
    int64_t  time;      /* ms, when LEFT was so */
} dfp_rate_t;


/* Begins at NOW with nothing. RATE: bytes a second, at least 1. */
void dfp_rate_init(dfp_rate_t *r, int64_t rate, int64_t now);

/* Adds what has come up to NOW, but saves no more than comes in MOST ms. */
void dfp_rate_pass(dfp_rate_t *r, int64_t now, int64_t most);

/* Takes an equal share for each of N, at least 1: bytes, 0 if there is not one
 * for each. */
int64_t dfp_rate_share(dfp_rate_t *r, size_t n);

/* Gives back BYTES of a share that were not read; negative: so many were read
 * beyond it. */
void dfp_rate_return(dfp_rate_t *r, int64_t bytes);

/* How long it takes until what was read in advance has come: ms. */
int64_t dfp_rate_wait(const dfp_rate_t *r);


#endif /* DFP_RATE_H */
