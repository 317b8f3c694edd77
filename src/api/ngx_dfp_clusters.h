/*
 * Clusters: GET /oapi/v1/clusters and /oapi/v1/clusters/:id. They are
 * configured in nginx; who is a member is in Redis.
 */

#ifndef NGX_DFP_CLUSTERS_H
#define NGX_DFP_CLUSTERS_H


#include "ngx_dfp_api.h"


#define NGX_DFP_CLUSTERS_PATH  "/oapi/v1/clusters"

#define NGX_DFP_CLUSTERS_ID                                                   \
    "the cluster id must be an integer between 1 and 9223372036854775807"


/* Answers with the page that the query asks for, by id. */
void ngx_dfp_clusters_list(ngx_dfp_api_t *api);

/* Answers with the cluster api->cluster; 0: the id in the path is no
 * number. */
void ngx_dfp_clusters_get(ngx_dfp_api_t *api);


#endif /* NGX_DFP_CLUSTERS_H */
