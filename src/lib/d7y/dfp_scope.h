/*
 * Which peers a job goes to, out of those that a scheduler lists: by scope, ips,
 * count and percentage, as Dragonfly's documentation of its preheat API has it.
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
 * single_seed_peer: every seed peer (which one takes a task, and which comes next,
 * dfp_scope_order() tells). all_seed_peers: of the seed peers, all_peers: of the
 * others (never a seed), those whose address is in args.ips; or, without ips,
 * args.count of them, or args.percentage (rounded down, at least one), or all.
 * ips come before count, count before percentage; a count above what is there is
 * all; ips, count and percentage mean nothing for single_seed_peer. Hosts that
 * are listed twice (the same id, or address and port) count once. Fewer than all
 * are chosen by their ids alone (rendezvous hashing), so that the next job
 * chooses the same ones. An address matches in any spelling.
 */
dfp_rc_t dfp_scope_pick(dfp_mem_t *mem, const dfp_job_t *job,
    const dfp_d7y_host_t *hosts, size_t n, dfp_scope_t *scope);

/* In which order the chosen hosts are tried for a task, by its id (rendezvous
 * hashing): ORDER gets scope->n places in scope->hosts. A host that comes or goes
 * moves only its own tasks. */
void dfp_scope_order(const dfp_scope_t *scope, dfp_str_t task_id,
    size_t *order);


#endif /* DFP_SCOPE_H */
