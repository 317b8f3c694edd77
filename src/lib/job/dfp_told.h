/*
 * What the parts of a job of a type of Dragonfly's manager other than preheat have
 * reported, together. Each has reported one object: of get_task
 *
 *   failure_tasks, peers, scheduler_cluster_id
 *
 * of delete_task failure_tasks, scheduler_cluster_id, success_tasks; and of
 * get_image_distribution
 *
 *   failure_tasks, layers, peers, scheduler_cluster_id
 *
 * and each of them unreachable, if there are such peers.
 *
 * The manager has no failure_tasks in the first one: it leaves out whom it could
 * not ask.
 */

#ifndef DFP_TOLD_H
#define DFP_TOLD_H


#include "dfp_buf.h"


/* One part. */
typedef struct {
    dfp_str_t    hostname;      /* of the only nginx that runs it; "": any can */
    dfp_str_t    ip;
    int64_t      cluster;
    dfp_str_t    results;       /* JSON; "": it has not reported any */
    dfp_str_t    error;         /* "": none */
    unsigned     away:1;        /* its nginx was unreachable */
} dfp_told_t;


/*
 * Appends the results of get_task or delete_task of the N parts of one cluster as
 * one object, the only element of the manager's list. Parts that have failed
 * without results are failures, or unreachable. Results that are not valid are left
 * out. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_told_print(dfp_buf_t *b, dfp_told_t *told, size_t n);

/*
 * Appends the answer to get_image_distribution: all layers once, in the order in
 * which they are found, and the peers that hold some of them; then, with an "error"
 * and no layers, the nginx that could not tell. *LAYERS is their number.
 * DFP_ERROR: no memory.
 */
dfp_rc_t dfp_told_distribution(dfp_buf_t *b, dfp_told_t *told, size_t n,
    size_t *layers);


#endif /* DFP_TOLD_H */
