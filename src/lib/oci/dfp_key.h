/*
 * The key of an entry of the cache. Two requests have the same key if they are
 * sent to the same upstream for the same origin with the same method, path and
 * query, compared byte for byte without the parameter "ns" and those that a filter
 * names.
 */

#ifndef DFP_KEY_H
#define DFP_KEY_H


#include "dfp_mem.h"


typedef struct {
    dfp_str_t    upstream;      /* "http://backend:5000" */
    dfp_str_t    origin;        /* "https://registry.lan", or "" */
    dfp_str_t    uri;           /* path and query as they are sent */
    const dfp_str_t  *filter;   /* names of parameters that do not matter; ... */
    size_t            nfilter;  /* ... 0: all of them do */
    unsigned     head:1;        /* a HEAD request, whose answer has no body */
    unsigned     share_blobs:1; /* a blob's key is without its repository */
} dfp_key_t;


/*
 * Makes "[HEAD ]UPSTREAM ORIGIN/PATH?QUERY" in MEM. DFP_ERROR: no memory, or
 * OpenSSL failed.
 *
 * The path of a shared blob is "/v2/blobs/DIGEST", and " shared" is appended.
 * Parameters "ns=..." are removed from the query, in this spelling only:
 * another spelling is another request. Those that the filter names are removed in
 * any spelling that decodes to the name: of a signature nothing may be left. A URI
 * with a "#" is not changed.
 *
 * Keys are written to disk, so the secrets in the URI are replaced by
 * dfp_url_redact(). If this changed the URI, or if it has spaces or control
 * characters, " " and the SHA-256 of the original URI are appended, in
 * hexadecimal digits.
 */
dfp_rc_t dfp_key(dfp_mem_t *mem, const dfp_key_t *parts, dfp_str_t *key);

/*
 * Whether REST, which follows such a key in a longer one, is made of these N VALUES
 * and nothing else: each at most once, in any order, after at least one byte that
 * separates it. Bytes that separate are those that dfp_escape() escapes, but "%";
 * VALUES are escaped, and may be "".
 */
int dfp_key_rest(dfp_str_t rest, const dfp_str_t *values, size_t n);


#endif /* DFP_KEY_H */
