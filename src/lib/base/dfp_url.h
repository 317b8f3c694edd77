/*
 * http and https URLs (RFC 3986), strictly: whatever could be read in two
 * ways by two programs is refused.
 */

#ifndef DFP_URL_H
#define DFP_URL_H


#include "dfp_mem.h"


#define DFP_URL_MAX_LEN   4096
#define DFP_HOST_MAX_LEN  253

#define DFP_URL_MIN_SECRET  8


typedef struct {
    unsigned     tls:1;         /* https */
    unsigned     default_port:1;
    dfp_str_t    host;          /* lower case; IPv6 keeps its brackets, and is
                                   spelled as RFC 5952 recommends */
    uint16_t     port;          /* 80 or 443 where the URL has none */
    dfp_str_t    path;          /* as given, escapes kept; "/" when empty */
    dfp_str_t    query;         /* without "?"; data is NULL when absent */
    dfp_str_t    origin;        /* "https://registry.lan:8443": scheme, host
                                   and, where not the scheme's own, port */
    dfp_str_t    authority;     /* host[:port] as in origin: the Host header */
    dfp_str_t    href;          /* origin + path + ["?" query] */
} dfp_url_t;


/*
 * Parses an absolute http or https URL. Refused with a sentence in err that
 * begins with WHAT ("args.url ..."): over DFP_URL_MAX_LEN bytes, other
 * schemes, userinfo, a host that is not a DNS name, an IPv4 or a bracketed
 * IPv6 address, a host over DFP_HOST_MAX_LEN, a port outside 1..65535, bytes
 * outside printable ASCII, a broken % escape, %00 %0a %0d anywhere, and in the
 * path: "\", "." or ".." segments, plain or escaped (%2e), also before a ";"
 * and beside an escaped "/" (%2f), and an escaped "\" or "%" (%5c, %25). A
 * fragment is cut off. Strings are allocated from MEM. Returns DFP_OK,
 * DFP_INVALID, DFP_ERROR.
 */
dfp_rc_t dfp_url_parse(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_url_t *url, dfp_err_t *err);

/* The same with any path: for one that only the server behind it reads, and
 * that is not looked up among nginx's locations. */
dfp_rc_t dfp_url_parse_any(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_url_t *url, dfp_err_t *err);

/*
 * Where a redirect leads to: TEXT, the value of Location, as a reference of RFC
 * 3986, 4.2, that is relative to BASE. The path may be any, as above; "." and
 * ".." segments stay in it. DFP_INVALID: as above.
 */
dfp_rc_t dfp_url_join(dfp_mem_t *mem, const dfp_url_t *base, dfp_str_t text,
    const char *what, dfp_url_t *url, dfp_err_t *err);

/*
 * The URL as it may be shown and logged: the values of query parameters that
 * carry signatures or credentials (X-Amz-Signature, sig, private_token, hmac,
 * GoogleAccessId, ...; the names of Dragonfly's default filter list, and those
 * that object stores, CDNs and registries have; any letter case),
 * and a user name and password, become "***". TEXT need not be a valid URL.
 * *CHANGED is set when something was hidden, and then only; otherwise *OUT is
 * TEXT itself.
 */
dfp_rc_t dfp_url_redact(dfp_mem_t *mem, dfp_str_t text, dfp_str_t *out,
    int *changed);


/* A copy of FROM with its strings in MEM. DFP_ERROR: no memory. */
dfp_rc_t dfp_url_dup(dfp_mem_t *mem, const dfp_url_t *from, dfp_url_t *to);


/* The values that dfp_url_redact() hides, as they stand in TEXT and point into it:
 * at most MAX of them, and none of less than DFP_URL_MIN_SECRET bytes, which might
 * stand anywhere. DFP_ERROR: no memory. */
dfp_rc_t dfp_url_secrets(dfp_mem_t *mem, dfp_str_t text, dfp_str_t *list,
    size_t max, size_t *n);


#endif /* DFP_URL_H */
