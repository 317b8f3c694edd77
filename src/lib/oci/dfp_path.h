/*
 * What a path is to a registry: which answers a shared cache may keep.
 */

#ifndef DFP_PATH_H
#define DFP_PATH_H


#include "dfp_oci.h"


typedef enum {
    DFP_PATH_FILE = 0,          /* not of a registry */
    DFP_PATH_MANIFEST,          /* /v2/NAME/manifests/TAG, or a digest */
    DFP_PATH_BLOB,              /* /v2/NAME/blobs/DIGEST */
    DFP_PATH_LOGIN,             /* /v2/, which clients ask for first */
    DFP_PATH_OTHER              /* of a registry, and never cached */
} dfp_path_kind_t;


typedef struct {
    dfp_path_kind_t  kind;
    dfp_str_t        repository;    /* MANIFEST, BLOB: "/v2/team/app" */
    unsigned         digest:1;      /* ... named by one, not by a tag */
    dfp_str_t        name;          /* likewise: "team/app" */
} dfp_path_t;


/*
 * Reads PATH, which is the same byte for byte when it is sent to the origin,
 * and has no query. Every path below /v2/ is a registry's; one below a prefix,
 * as /prefix/v2/, where it has the form of a registry's. A name, tag or digest
 * that does not follow the grammar of the distribution specification makes the
 * path OTHER. The repository and its name point into PATH.
 */
void dfp_path_read(dfp_str_t path, dfp_path_t *result);

/* Whether QUERY has a parameter that only a token service takes ("service",
 * "scope", "account", "client_id", "offline_token", "grant_type"). */
int dfp_path_token_query(dfp_str_t query);


#endif /* DFP_PATH_H */
