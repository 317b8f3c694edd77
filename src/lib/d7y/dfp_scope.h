/*
 * The peers of a job among the hosts of a scheduler, by scope, ips, count and
 * percentage, as the documentation of Dragonfly's preheat API describes.
 */

#ifndef DFP_SCOPE_H
#define DFP_SCOPE_H


#include "dfp_d7y.h"


typedef struct {
    const dfp_d7y_host_t  **hosts;     /* those that were chosen */
    size_t                  n;
    dfp_str_t              *missing;   /* args.ips that no host has */
    size_t                  nmissing;
    const dfp_d7y_host_t  **unusable;  /* meant, but without an address or a
                                          port; who wants one or some of many
                                          means those that can be used */
    size_t                  nunusable;
} dfp_scope_t;


/*
 * Chooses the peers; lists are in MEM, hosts are those of HOSTS. DFP_ERROR: no
 * memory.
 *
 *   single_seed_peer: all seed peers; dfp_ring.h says which of them gets a task,
 *   and which is next if that fails.
 *   all_seed_peers: seed peers. all_peers: peers that are not seed peers.
 *
 * Of the latter two, those whose address is in args.ips, in any spelling;
 * without ips, args.count of them, or args.percentage (rounded down, at least
 * one), or all. ips takes precedence over count, count over percentage; a
 * count that is too large means all. For single_seed_peer these fields are
 * ignored. Hosts with the same id, or the same address and port, count once.
 * If not all are chosen, the choice depends on their ids only (rendezvous
 * hashing), so that the next job chooses the same ones.
 */
dfp_rc_t dfp_scope_pick(dfp_mem_t *mem, const dfp_job_t *job,
    const dfp_d7y_host_t *hosts, size_t n, dfp_scope_t *scope);


#endif /* DFP_SCOPE_H */
