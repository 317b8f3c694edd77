/*
 * Which seed peer a task belongs to: the same one that a scheduler of Dragonfly
 * picks, so that what was preheated is where a pull looks for it.
 *
 * The scheduler's rule (scheduler/resource/standard/seed_peer.go, with version
 * 1.0.0 of the Go package stathat.com/c/consistent): each seed peer has 20 points
 * on a ring, the CRC-32 (IEEE) of a number from 0 to 19 followed by "IP:port"; a
 * task belongs to the first point after the CRC-32 of its id.
 */

#ifndef DFP_RING_H
#define DFP_RING_H


#include "dfp_d7y.h"


#define DFP_RING_POINTS  20     /* of a seed peer */


typedef struct {
    uint32_t           hash;
    uint32_t           host;    /* index */
} dfp_ring_point_t;


typedef struct {
    dfp_ring_point_t  *points;  /* sorted */
    size_t             n;
} dfp_ring_t;


/* Builds the ring of N hosts, by their addresses and ports, in MEM. DFP_ERROR:
 * no memory. */
dfp_rc_t dfp_ring_create(dfp_mem_t *mem, const dfp_d7y_host_t *const *hosts,
    size_t n, dfp_ring_t *ring);

/* Sets ORDER to the indices of at most MAX hosts, each once: the one that the
 * task belongs to, and those that it would belong to without the ones before.
 * Returns how many there are. */
size_t dfp_ring_find(const dfp_ring_t *ring, dfp_str_t task_id, size_t *order,
    size_t max);


#endif /* DFP_RING_H */
