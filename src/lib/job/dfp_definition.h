/*
 * The definition of a cluster, in a form that instances can
 * compare: for each aspect a hash of its settings, as
 *
 *     engine=a4b3c2d1 cluster=1a2b3c4d origins=5e6f7081 keys=92a3b4c5
 *
 * The definitions of an instance are those of all of its clusters, each after
 * its id: "1 cluster=... origins=...;2 cluster=...". They are stored in Redis;
 * what another instance has stored is not trusted.
 *
 * Aspects that only one of two instances has are not compared: their releases
 * differ. A release that adds a setting therefore adds an aspect for it.
 */

#ifndef DFP_DEFINITION_H
#define DFP_DEFINITION_H


#include "dfp_buf.h"


#define DFP_DEFINITION_HASH_LEN  8        /* hexadecimal digits of an aspect */
#define DFP_DEFINITIONS_MAX      16384    /* bytes; 100 clusters need 12,000 */
#define DFP_DEFINITION_NAMES     128      /* bytes of the names of aspects */


/* What differs between two instances. */
typedef struct {
    dfp_str_t  cluster;                          /* its id, in OURS */
    char       aspects[DFP_DEFINITION_NAMES];    /* "origins, keys", a NUL */
} dfp_difference_t;


/* Appends the aspect NAME to a definition, with the hash of TEXT: its settings,
 * written the same way whatever their order in the configuration. DFP_ERROR:
 * OpenSSL failed. */
dfp_rc_t dfp_definition_aspect(dfp_buf_t *b, const char *name, dfp_str_t text);

/* Appends the definition of the cluster ID to those of an instance. */
void dfp_definition_cluster(dfp_buf_t *b, int64_t id, dfp_str_t definition);

/*
 * Compares the definitions of this instance with THEIRS, and fills in the first
 * cluster of OURS that is defined otherwise there; the names of aspects are
 * those of OURS. DFP_DECLINED: no cluster of both differs, or THEIRS is longer
 * than DFP_DEFINITIONS_MAX.
 */
dfp_rc_t dfp_definition_differs(dfp_str_t ours, dfp_str_t theirs,
    dfp_difference_t *difference);


#endif /* DFP_DEFINITION_H */
