/*
 * The peers that the scheduler of a cluster has listed within the last hour, as
 * one text for all nginx: a line "SEEN TYPE PORT IP HOSTNAME" for each. SEEN is
 * in seconds since 1970, TYPE is "s" for a seed peer and "n" for others. Lines
 * that are none, or too old, are skipped.
 */

#ifndef DFP_KNOWN_H
#define DFP_KNOWN_H


#include "dfp_d7y.h"


#define DFP_KNOWN_SECONDS  3600    /* s that a peer is known */
#define DFP_KNOWN_FRESH    300     /* s after which a peer is seen anew */


typedef struct {
    dfp_d7y_host_t   host;         /* without id */
    int64_t          seen;
    unsigned         listed:1;     /* now */
    unsigned         lives:1;      /* it is not, and has answered */
    unsigned         lost:1;       /* it is to be forgotten */
} dfp_known_peer_t;


typedef struct {
    dfp_known_peer_t  *list;       /* by IP address and port */
    size_t             n;
    unsigned           changed:1;  /* it is to be stored again */
} dfp_known_t;


/* Parses TEXT, to which the strings of KNOWN point. DFP_ERROR: no memory. */
dfp_rc_t dfp_known_parse(dfp_mem_t *mem, dfp_str_t text, int64_t now,
    dfp_known_t *known);

/* Notes which peers the scheduler lists NOW; a new one changes KNOWN. */
void dfp_known_listed(dfp_known_t *known, const dfp_d7y_host_t *hosts,
    size_t n, int64_t now);

/* Whether JOB is about the peer. */
int dfp_known_meant(const dfp_known_peer_t *peer, const dfp_job_t *job);

/* Prints the N HOSTS, and those of KNOWN that are neither listed nor lost, at
 * most DFP_D7Y_MAX_HOSTS. DFP_ERROR: no memory. */
dfp_rc_t dfp_known_print(dfp_mem_t *mem, const dfp_known_t *known,
    const dfp_d7y_host_t *hosts, size_t n, int64_t now, dfp_str_t *text);


#endif /* DFP_KNOWN_H */
