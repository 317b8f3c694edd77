/*
 * The key of an entry of the cache. Two requests have the same key where they
 * are sent to the same upstream for the same origin with the same method, path
 * and query, byte for byte, but for the query's parameter "ns".
 */

#ifndef DFP_KEY_H
#define DFP_KEY_H


#include "dfp_mem.h"


typedef struct {
    dfp_str_t    upstream;      /* "http://backend:5000" */
    dfp_str_t    origin;        /* "https://registry.lan", or "" */
    dfp_str_t    uri;           /* path and query as they are sent */
    unsigned     head:1;        /* the answer has no body: HEAD */
    unsigned     share_blobs:1; /* a blob's repository is left out */
} dfp_key_t;


/*
 * "[HEAD ]UPSTREAM ORIGIN/PATH?QUERY". PATH is "/v2/blobs/DIGEST" of a blob that is
 * shared, and " shared" follows then. Parameters "ns=..." of the query are
 * left out, in this spelling only: another one is another request. Where the
 * URI has a "#" it stays as it is. Keys are written to disk: what dfp_url_redact() hides
 * in the URI is hidden, and then " " and SHA-256 of the URI follow, in hex; so
 * it does where the URI has bytes up to and with the space, or 7f. Allocated
 * from MEM. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_key(dfp_mem_t *mem, const dfp_key_t *parts, dfp_str_t *key);


#endif /* DFP_KEY_H */
