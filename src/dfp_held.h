/*
 * What a scheduler tells of who holds what, against the peers that a job is about.
 */

#ifndef DFP_HELD_H
#define DFP_HELD_H


#include "dfp_d7y.h"


/* Puts HOSTS into the order that dfp_held_count() wants them in. */
void dfp_held_sort(dfp_d7y_host_t *hosts, size_t n);

/*
 * How many of HOSTS (by address and name) hold each of the layers of an image: COUNTS has a place for
 * each, in the order of stat->layers. Of a file there is one place, for those that
 * hold anything. A peer that is told of twice, or tells of a layer twice, counts
 * once. Of what STAT tells of holders only what was counted is left. DFP_ERROR: no
 * memory.
 */
int dfp_held_count(dfp_mem_t *mem, const dfp_d7y_host_t *hosts, size_t n,
    dfp_d7y_stat_t *stat, size_t *counts);


#endif /* DFP_HELD_H */
