/*
 * What a scheduler tells of who holds what (StatImageResponse, StatFileResponse),
 * against the peers that a job is about. A cluster of a thousand peers and an image
 * of a hundred layers make 12 MB of it: it is read as it comes, and of it only a
 * bit for each pair is kept.
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


/* Puts HOSTS into the order that they have to have. */
void dfp_held_sort(dfp_d7y_host_t *hosts, size_t n);

/* Of an IMAGE, or of a file; all of it in MEM. HOSTS stay where they are as long.
 * NULL: no memory. */
dfp_held_t *dfp_held_create(dfp_mem_t *mem, const dfp_d7y_host_t *hosts,
    size_t n, int image);

/*
 * The next bytes of the reply, which ENDS with them or does not. A peer is one of
 * the hosts by address and name; one that is told of twice, or tells of a layer
 * twice, counts once. DFP_INVALID: err says what is wrong; DFP_ERROR: no memory.
 */
dfp_rc_t dfp_held_read(dfp_held_t *held, dfp_str_t part, int ends,
    dfp_err_t *err);

/* Whether this host holds this layer. Of two layers that are the same only one is
 * held by anybody. */
int dfp_held_by(const dfp_held_t *held, size_t host, size_t layer);


#endif /* DFP_HELD_H */
