/*
 * The key of an entry of the cache. Two requests have the same key if they are
 * sent to the same upstream for the same origin with the same method, path and
 * query, compared byte for byte without the parameter "ns".
 */

#ifndef DFP_KEY_H
#define DFP_KEY_H


#include "dfp_mem.h"


typedef struct {
    dfp_str_t    upstream;      /* "http://backend:5000" */
    dfp_str_t    origin;        /* "https://registry.lan", or "" */
    dfp_str_t    uri;           /* path and query as they are sent */
    unsigned     head:1;        /* a HEAD request, whose answer has no body */
    unsigned     share_blobs:1; /* a blob's key is without its repository */
} dfp_key_t;


/*
 * Makes "[HEAD ]UPSTREAM ORIGIN/PATH?QUERY" in MEM. DFP_ERROR: no memory, or
 * OpenSSL failed.
 *
 * The path of a shared blob is "/v2/blobs/DIGEST", and " shared" is appended.
 * Parameters "ns=..." are removed from the query, in this spelling only:
 * another spelling is another request. A URI with a "#" is not changed.
 *
 * Keys are written to disk, so the secrets in the URI are replaced by
 * dfp_url_redact(). If this changed the URI, or if it has spaces or control
 * characters, " " and the SHA-256 of the original URI are appended, in
 * hexadecimal digits.
 */
dfp_rc_t dfp_key(dfp_mem_t *mem, const dfp_key_t *parts, dfp_str_t *key);


#endif /* DFP_KEY_H */
