/*
 * Which clusters a new job is for, and which nginx of them: what create.lua
 * needs to choose those that are running.
 */

#ifndef NGX_DFP_CHOOSE_H
#define NGX_DFP_CHOOSE_H


#include "ngx_dfp_api.h"


/*
 * Sets, for the job that was posted, the clusters and the choice of the stored
 * job, and its scope if it has none and all of its clusters have the same
 * default. DFP_INVALID: the job names an unknown cluster, or has a field that
 * one of its clusters does not support. DFP_ERROR: no memory.
 */
dfp_rc_t ngx_dfp_choose(ngx_dfp_api_t *api, dfp_err_t *err);

/* The cluster with this id; NULL: there is none. */
ngx_dfp_cluster_t *ngx_dfp_choose_find(ngx_dfp_api_t *api, int64_t id);


#endif /* NGX_DFP_CHOOSE_H */
