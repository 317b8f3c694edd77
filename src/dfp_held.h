/*
 * What a scheduler tells of who holds what, against the peers that a job is about.
 */

#ifndef DFP_HELD_H
#define DFP_HELD_H


#include "dfp_d7y.h"


/* Puts HOSTS into the order that the others want them in. */
void dfp_held_sort(dfp_d7y_host_t *hosts, size_t n);

/* Whether HOLDER is one of HOSTS: by its address and its name. */
int dfp_held_by(const dfp_d7y_host_t *hosts, size_t n,
    const dfp_d7y_holder_t *holder);

/*
 * How many of HOSTS hold each of the layers of an image: COUNTS has a place for
 * each, in the order of stat->layers. Of a file there is one place, for those that
 * hold anything. A peer that is told of twice, or tells of a layer twice, counts
 * once. DFP_ERROR: no memory.
 */
int dfp_held_count(dfp_mem_t *mem, const dfp_d7y_host_t *hosts, size_t n,
    const dfp_d7y_stat_t *stat, size_t *counts);


#endif /* DFP_HELD_H */
