/*
 * Clusters as JSON, with the fields of Dragonfly's manager in its order, and
 * a status.
 */

#ifndef NGX_DFP_PRINT_CLUSTER_H
#define NGX_DFP_PRINT_CLUSTER_H


#include "ngx_dfp_api.h"


#define NGX_DFP_PRINT_MEMBERS  10000    /* of all clusters of an answer */


/* Appends CLUSTER; of MEMBERS those that it has are counted, and at most MOST of
 * them are listed. Without memory B has failed. */
void ngx_dfp_print_cluster(dfp_buf_t *b, ngx_dfp_cluster_t *cluster,
    ngx_dfp_stored_members_t *members, ngx_uint_t most);


#endif /* NGX_DFP_PRINT_CLUSTER_H */
