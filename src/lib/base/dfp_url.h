/*
 * http and https URLs (RFC 3986). The parser is strict: it refuses what two
 * programs may read in different ways.
 */

#ifndef DFP_URL_H
#define DFP_URL_H


#include "dfp_mem.h"


#define DFP_URL_MAX_LEN   4096
#define DFP_HOST_MAX_LEN  253

#define DFP_URL_MIN_SECRET  8     /* bytes; see dfp_url_secrets() */


typedef struct {
    unsigned     tls:1;         /* https */
    unsigned     default_port:1;
    dfp_str_t    host;          /* lower case; an IPv6 address has its brackets
                                   and the form that RFC 5952 recommends */
    uint16_t     port;          /* 80 or 443 if the URL has none */
    dfp_str_t    path;          /* as given, not decoded; "/" if empty */
    dfp_str_t    query;         /* without "?"; data is NULL if absent */
    dfp_str_t    origin;        /* "https://registry.lan:8443": scheme, host,
                                   and port unless it is the default one */
    dfp_str_t    authority;     /* host[:port] as in origin: the Host header */
    dfp_str_t    href;          /* origin + path + ["?" query] */
} dfp_url_t;


/*
 * Parses an absolute http or https URL; its strings are in MEM, the fragment
 * is removed. DFP_ERROR: no memory. DFP_INVALID: err begins with WHAT
 * ("args.url") and says which of these the URL has:
 *
 *   more than DFP_URL_MAX_LEN bytes, or bytes that are not printable ASCII;
 *   another scheme, or a user name or password;
 *   a host that is not a DNS name, an IPv4 address or an IPv6 address in
 *   brackets, or is longer than DFP_HOST_MAX_LEN; a port outside 1 to 65535;
 *   a "%" without two hexadecimal digits, or %00, %0a or %0d;
 *   in its path: "\"; a segment "." or "..", plain or escaped (%2e), also
 *   before a ";" or next to an escaped "/" (%2f); an escaped "\" or "%" (%5c,
 *   %25).
 */
dfp_rc_t dfp_url_parse(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_url_t *url, dfp_err_t *err);

/* The same without the conditions on the path, for a URL that only the origin
 * interprets: no location of nginx is looked up by it. */
dfp_rc_t dfp_url_parse_any(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_url_t *url, dfp_err_t *err);

/*
 * The target of a redirect: TEXT, the value of Location, is resolved against
 * BASE (RFC 3986, 4.2). The path is not checked, as above, and keeps its "."
 * and ".." segments. Results as above.
 */
dfp_rc_t dfp_url_join(dfp_mem_t *mem, const dfp_url_t *base, dfp_str_t text,
    const char *what, dfp_url_t *url, dfp_err_t *err);

/*
 * A URL as it may be shown and logged: a user name and password, and the
 * values of query parameters that carry signatures or credentials, become
 * "***". The names of such parameters are those of Dragonfly's default filter
 * list and of object stores, CDNs and registries (X-Amz-Signature, sig,
 * private_token, hmac, GoogleAccessId and so on), in any letter case. TEXT
 * need not be a valid URL. *CHANGED says whether something was replaced; if
 * not, *OUT is TEXT itself, otherwise it is in MEM. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_url_redact(dfp_mem_t *mem, dfp_str_t text, dfp_str_t *out,
    int *changed);


/* A copy of FROM with its strings in MEM. DFP_ERROR: no memory. */
dfp_rc_t dfp_url_dup(dfp_mem_t *mem, const dfp_url_t *from, dfp_url_t *to);


/*
 * Lists the values that dfp_url_redact() replaces: *N of them, at most MAX,
 * which point into TEXT. Values of less than DFP_URL_MIN_SECRET bytes are left
 * out: in other texts, such bytes could mean anything. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_url_secrets(dfp_mem_t *mem, dfp_str_t text, dfp_str_t *list,
    size_t max, size_t *n);


#endif /* DFP_URL_H */
