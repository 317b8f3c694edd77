/*
 * What a path means to a registry, which decides which answers a shared cache
 * may store.
 */

#ifndef DFP_PATH_H
#define DFP_PATH_H


#include "dfp_oci.h"


typedef enum {
    DFP_PATH_FILE = 0,          /* not a registry's path */
    DFP_PATH_MANIFEST,          /* /v2/NAME/manifests/TAG, or a digest */
    DFP_PATH_BLOB,              /* /v2/NAME/blobs/DIGEST */
    DFP_PATH_LOGIN,             /* /v2/, which clients request first */
    DFP_PATH_OTHER              /* another path of a registry: never cached */
} dfp_path_kind_t;


typedef struct {
    dfp_path_kind_t  kind;
    dfp_str_t        repository;    /* MANIFEST, BLOB: "/v2/team/app" */
    unsigned         digest:1;      /* MANIFEST, BLOB: not by a tag */
    dfp_str_t        name;          /* MANIFEST, BLOB: "team/app" */
} dfp_path_t;


/*
 * Classifies PATH, as it is sent to the origin, without a query. Every path
 * below /v2/ is a registry's; a path below a prefix, as /prefix/v2/, is one if
 * it has the form of a registry's. If a name, tag or digest does not follow
 * the grammar of the distribution specification, the path is OTHER. The
 * repository and its name point into PATH.
 */
void dfp_path_read(dfp_str_t path, dfp_path_t *result);

/* Whether QUERY has a parameter that only token services use: "service",
 * "scope", "account", "client_id", "offline_token" or "grant_type". */
int dfp_path_token_query(dfp_str_t query);


#endif /* DFP_PATH_H */
