/*
 * The reply of a scheduler about which hosts hold which layers
 * (StatImageResponse, StatFileResponse), for the peers of a job. For a thousand
 * peers and an image of a hundred layers it has 12 MB, so it is parsed as it
 * arrives, and only a bit is kept for each pair of peer and layer.
 */

#ifndef DFP_HELD_H
#define DFP_HELD_H


#include "dfp_d7y.h"


#define DFP_HELD_MAX_PEERS   20000    /* of one reply */
#define DFP_HELD_MAX_LAYERS  20000    /* of one image, and of one peer's */


typedef struct {

    /* the reply, when it is complete; a file counts as one layer */

    dfp_str_t                 *layers;      /* of an image: config first */
    size_t                     nlayers;
    size_t                    *counts;      /* of hosts that hold each */
    unsigned                   complete:1;

    /* private */

    const dfp_d7y_host_t      *hosts;
    size_t                     nhosts;
    size_t                     npeers;      /* that were told of */
    struct dfp_held_layer_s   *sorted;
    unsigned char             *bits;        /* of the pairs of host and layer */
    struct dfp_d7y_reader_s   *reader;
    unsigned                   image:1;
    unsigned                   known:1;     /* which layers there are */
} dfp_held_t;


/* Sorts HOSTS as dfp_held_create() requires. */
void dfp_held_sort(dfp_d7y_host_t *hosts, size_t n);

/* For an IMAGE or a file, in MEM. HOSTS must be sorted by dfp_held_sort(), and
 * stay unchanged as long as the result is used. NULL: no memory. */
dfp_held_t *dfp_held_create(dfp_mem_t *mem, const dfp_d7y_host_t *hosts,
    size_t n, int image);

/*
 * Takes the next bytes of the reply. ENDS: they are the last ones. A peer of
 * the reply is that host which has its address and name; duplicates of peers,
 * and of layers of a peer, are ignored. DFP_INVALID: err says what is wrong;
 * DFP_ERROR: no memory.
 */
dfp_rc_t dfp_held_read(dfp_held_t *held, dfp_str_t part, int ends,
    dfp_err_t *err);

/* Whether a host holds a layer. If an image has a layer twice, it is reported
 * for one of both. */
int dfp_held_by(const dfp_held_t *held, size_t host, size_t layer);

/* Whether it is this layer for which an image's layers of the same URL are
 * reported. Of a file, and of a layer that is there once, it is. */
int dfp_held_reported(const dfp_held_t *held, size_t layer);


#endif /* DFP_HELD_H */
