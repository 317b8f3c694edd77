/*
 * A ring of text that several readers follow, each at its own pace: what is
 * appended overwrites the oldest.
 */

#ifndef DFP_FEED_H
#define DFP_FEED_H


#include "dfp_mem.h"


typedef struct {
    char      *data;
    size_t     size;
    uint64_t   end;     /* bytes that were appended so far */
} dfp_feed_t;


/* An empty feed in DATA, of SIZE bytes, at least 1. */
void dfp_feed_init(dfp_feed_t *feed, char *data, size_t size);

/* Appends S. Of a text that is larger than the feed only its end is kept. */
void dfp_feed_append(dfp_feed_t *feed, dfp_str_t s);

/* How many bytes there are from AT on, which is not beyond the end.
 * DFP_DECLINED: what begins there was overwritten. */
dfp_rc_t dfp_feed_left(dfp_feed_t *feed, uint64_t at, size_t *left);

/* Copies LEN bytes from AT on, which are there, to P. */
void dfp_feed_copy(dfp_feed_t *feed, uint64_t at, char *p, size_t len);


#endif /* DFP_FEED_H */
