/*
 * The URL parser. It writes each URL in one canonical form, so that equal
 * origins are equal strings.
 */

#include <arpa/inet.h>
#include <stdio.h>

#include "dfp_char.h"
#include "dfp_hex.h"
#include "dfp_url.h"


#define DFP_LABEL_MAX_LEN   63
#define DFP_PORT_MAX        65535
#define DFP_PORT_MAX_LEN    (sizeof("65535") - 1)
#define DFP_HTTP_PORT       80
#define DFP_HTTPS_PORT      443

/* with its brackets, as inet_ntop() writes it */
#define DFP_HOST_BUF_LEN    (DFP_HOST_MAX_LEN + 1)


/* The parts of the text. They point into it, except for the host, whose
 * canonical form is in HOST. */
typedef struct {
    unsigned     tls;
    unsigned     port;
    dfp_str_t    authority;
    dfp_str_t    path;
    dfp_str_t    query;
    size_t       host_len;
    char         host[DFP_HOST_BUF_LEN];
} dfp_url_parts_t;


static dfp_rc_t dfp_url_check_text(dfp_str_t text, const char *what,
    dfp_err_t *err);
static dfp_rc_t dfp_url_split(dfp_str_t text, const char *what,
    dfp_url_parts_t *parts, dfp_err_t *err);
static dfp_rc_t dfp_url_parse_authority(dfp_url_parts_t *parts,
    const char *what, dfp_err_t *err);
static dfp_rc_t dfp_url_parse_ipv6(dfp_url_parts_t *parts, dfp_str_t host,
    const char *what, dfp_err_t *err);
static dfp_rc_t dfp_url_parse_name(dfp_url_parts_t *parts, dfp_str_t host,
    const char *what, dfp_err_t *err);
static int dfp_url_label_valid(const char *p, size_t len);
static int dfp_url_label_numeric(const char *p, size_t len);
static dfp_rc_t dfp_url_parse_port(dfp_url_parts_t *parts, dfp_str_t port,
    const char *what, dfp_err_t *err);
static dfp_rc_t dfp_url_check_path(dfp_str_t path, const char *what,
    dfp_err_t *err);
static int dfp_url_is_dots(const char *p, size_t len);
static dfp_rc_t dfp_url_compose(dfp_mem_t *mem, const dfp_url_parts_t *parts,
    const char *what, dfp_url_t *url, dfp_err_t *err);
static char *dfp_url_copy(char *p, dfp_str_t s, dfp_str_t *part);


dfp_rc_t
dfp_url_parse(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_url_t *url, dfp_err_t *err)
{
    dfp_rc_t  rc;

    rc = dfp_url_parse_any(mem, text, what, url, err);
    if (rc != DFP_OK) {
        return rc;
    }

    return dfp_url_check_path(url->path, what, err);
}


dfp_rc_t
dfp_url_parse_any(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_url_t *url, dfp_err_t *err)
{
    dfp_url_parts_t  parts;

    memset(url, 0, sizeof(dfp_url_t));

    if (dfp_url_check_text(text, what, err) != DFP_OK
        || dfp_url_split(text, what, &parts, err) != DFP_OK
        || dfp_url_parse_authority(&parts, what, err) != DFP_OK)
    {
        return DFP_INVALID;
    }

    return dfp_url_compose(mem, &parts, what, url, err);
}


/* Checks that apply to all parts of a URL. */

static dfp_rc_t
dfp_url_check_text(dfp_str_t text, const char *what, dfp_err_t *err)
{
    int     ch;
    size_t  i;

    if (text.len == 0) {
        return dfp_invalid(err, "%s must be an http or https URL", what);
    }

    if (text.len > DFP_URL_MAX_LEN) {
        return dfp_invalid(err, "%s must not be longer than %d bytes", what,
                           DFP_URL_MAX_LEN);
    }

    for (i = 0; i < text.len; i++) {

        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f) {
            return dfp_invalid(err, "%s must consist of printable ASCII "
                               "characters; escape others with %%", what);
        }

        if (text.data[i] != '%') {
            continue;
        }

        ch = (text.len - i < 3) ? -1 : dfp_hex_byte(&text.data[i + 1]);

        if (ch < 0) {
            return dfp_invalid(err, "%s has a %% that is not followed by two "
                               "hexadecimal digits", what);
        }

        if (ch == '\0' || ch == '\n' || ch == '\r') {
            return dfp_invalid(err, "%s must not contain %%%02X", what, ch);
        }
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_url_split(dfp_str_t text, const char *what, dfp_url_parts_t *parts,
    dfp_err_t *err)
{
    size_t       i;
    const char  *p, *last, *end;

    static const dfp_str_t  schemes[] = {
        { sizeof("http://") - 1, "http://" },
        { sizeof("https://") - 1, "https://" }
    };

    for (i = 0; i < 2; i++) {
        if (dfp_str_case_starts(text, schemes[i])) {
            break;
        }
    }

    if (i == 2) {
        return dfp_invalid(err, "%s must be an http or https URL", what);
    }

    parts->tls = i;

    p = text.data + schemes[i].len;
    last = text.data + text.len;

    end = memchr(p, '#', last - p);
    if (end) {
        last = end;
    }

    parts->authority.data = p;

    while (p < last && *p != '/' && *p != '?') {
        p++;
    }

    parts->authority.len = p - parts->authority.data;
    parts->path.data = p;

    while (p < last && *p != '?') {
        p++;
    }

    parts->path.len = p - parts->path.data;

    if (parts->path.len == 0) {
        parts->path = DFP_STR("/");
    }

    parts->query = (p < last) ? (dfp_str_t) { last - p - 1, p + 1 }
                              : DFP_STR_NULL;

    return DFP_OK;
}


static dfp_rc_t
dfp_url_parse_authority(dfp_url_parts_t *parts, const char *what,
    dfp_err_t *err)
{
    dfp_rc_t     rc;
    dfp_str_t    host, port;
    const char  *p, *last, *end;

    p = parts->authority.data;
    last = p + parts->authority.len;

    if (memchr(p, '@', last - p)) {
        return dfp_invalid(err, "%s must not contain a user name or a "
                           "password", what);
    }

    if (p < last && *p == '[') {
        end = memchr(p, ']', last - p);
        if (end == NULL) {
            return dfp_invalid(err, "%s has a [ without a ]", what);
        }

        end++;
        host = (dfp_str_t) { end - p, p };
        rc = dfp_url_parse_ipv6(parts, host, what, err);

    } else {
        end = memchr(p, ':', last - p);
        if (end == NULL) {
            end = last;
        }

        host = (dfp_str_t) { end - p, p };
        rc = dfp_url_parse_name(parts, host, what, err);
    }

    if (rc != DFP_OK) {
        return rc;
    }

    if (end == last) {
        parts->port = parts->tls ? DFP_HTTPS_PORT : DFP_HTTP_PORT;
        return DFP_OK;
    }

    if (*end != ':') {
        return dfp_invalid(err, "%s has something other than a port after "
                           "its address", what);
    }

    port = (dfp_str_t) { last - end - 1, end + 1 };

    return dfp_url_parse_port(parts, port, what, err);
}


/* An address can be written in several ways; inet_ntop() has one. */

static dfp_rc_t
dfp_url_parse_ipv6(dfp_url_parts_t *parts, dfp_str_t host, const char *what,
    dfp_err_t *err)
{
    char             text[INET6_ADDRSTRLEN];
    size_t           len;
    struct in6_addr  addr;

    len = host.len - 2;

    if (len < sizeof(text)) {
        memcpy(text, host.data + 1, len);
        text[len] = '\0';

        if (inet_pton(AF_INET6, text, &addr) == 1
            && inet_ntop(AF_INET6, &addr, text, sizeof(text)))
        {
            parts->host_len = snprintf(parts->host, sizeof(parts->host),
                                       "[%s]", text);
            return DFP_OK;
        }
    }

    return dfp_invalid(err, "%s has no valid IPv6 address between [ and ]",
                       what);
}


static dfp_rc_t
dfp_url_parse_name(dfp_url_parts_t *parts, dfp_str_t host, const char *what,
    dfp_err_t *err)
{
    size_t          i, start;
    struct in_addr  addr;

    if (host.len == 0) {
        return dfp_invalid(err, "%s has no host", what);
    }

    if (host.len > DFP_HOST_MAX_LEN) {
        return dfp_invalid(err, "%s must not have a host longer than %d bytes",
                           what, DFP_HOST_MAX_LEN);
    }

    start = 0;

    for (i = 0; i <= host.len; i++) {

        if (i < host.len && host.data[i] != '.') {
            parts->host[i] = dfp_lower(host.data[i]);
            continue;
        }

        if (!dfp_url_label_valid(parts->host + start, i - start)) {
            return dfp_invalid(err, "%s has a host that is neither a DNS name "
                               "nor an IP address", what);
        }

        if (i < host.len) {
            parts->host[i] = '.';
            start = i + 1;
        }
    }

    parts->host[host.len] = '\0';
    parts->host_len = host.len;

    /* 127.1, 2130706433 and 0x7f.0.0.1 are addresses to some resolvers, and
     * 010.0.0.1 is not the same one to all: what ends in a number must be
     * four plain ones */

    if (dfp_url_label_numeric(parts->host + start, host.len - start)
        && inet_pton(AF_INET, parts->host, &addr) != 1)
    {
        return dfp_invalid(err, "%s has a host that ends in a number but is "
                           "not an IPv4 address such as 192.0.2.1", what);
    }

    return DFP_OK;
}


/* A label in lower case. Service names in container networks may have an
 * underscore, which resolvers and registries accept. */

static int
dfp_url_label_valid(const char *p, size_t len)
{
    size_t  i;

    if (len == 0 || len > DFP_LABEL_MAX_LEN) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9')
              || p[i] == '-' || p[i] == '_'))
        {
            return 0;
        }
    }

    return p[0] != '-' && p[len - 1] != '-';
}


static int
dfp_url_label_numeric(const char *p, size_t len)
{
    int     hex;
    size_t  i;

    hex = (len >= 2 && p[0] == '0' && p[1] == 'x');

    for (i = hex ? 2 : 0; i < len; i++) {
        if (!((p[i] >= '0' && p[i] <= '9')
              || (hex && p[i] >= 'a' && p[i] <= 'f')))
        {
            return 0;
        }
    }

    return 1;
}


static dfp_rc_t
dfp_url_parse_port(dfp_url_parts_t *parts, dfp_str_t port, const char *what,
    dfp_err_t *err)
{
    size_t    i;
    unsigned  n;

    if (port.len == 0 || port.len > DFP_PORT_MAX_LEN || port.data[0] == '0') {
        goto invalid;
    }

    n = 0;

    for (i = 0; i < port.len; i++) {
        if (port.data[i] < '0' || port.data[i] > '9') {
            goto invalid;
        }

        n = n * 10 + (port.data[i] - '0');
    }

    if (n > DFP_PORT_MAX) {
        goto invalid;
    }

    parts->port = n;

    return DFP_OK;

invalid:

    return dfp_invalid(err, "%s must have a port between 1 and %d, or none",
                       what, DFP_PORT_MAX);
}


/*
 * Refuses what a proxy, a cache and an origin may resolve to different paths.
 * Without %25 nothing can be escaped twice. An escaped "/" may be part of a
 * name (in GitLab's projects), but some servers take it for a separator.
 */

static dfp_rc_t
dfp_url_check_path(dfp_str_t path, const char *what, dfp_err_t *err)
{
    int          ch;
    const char  *p, *last, *segment;

    p = path.data;
    last = p + path.len;

    for (segment = ++p; p <= last; p++) {

        ch = (p < last) ? *p : '/';

        if (ch == '%') {
            ch = dfp_hex_byte(p + 1);

            if (ch == '\\' || ch == '%') {
                return dfp_invalid(err, "%s must not have an escaped \"%c\" "
                                   "(%%%02X) in its path", what, ch, ch);
            }

        } else if (ch == '\\') {
            return dfp_invalid(err, "%s must not have \"\\\" in its path",
                               what);
        }

        /* some servers remove what follows a ";" in a segment */

        if (ch != '/' && ch != ';') {
            continue;
        }

        if (dfp_url_is_dots(segment, p - segment)) {
            return dfp_invalid(err, "%s must not have \".\" or \"..\" as a "
                               "path segment", what);
        }

        if (ch == '/') {
            segment = p + (p < last && *p == '%' ? 3 : 1);
        }
    }

    return DFP_OK;
}


/* Whether a segment is "." or "..", plain or escaped. */

static int
dfp_url_is_dots(const char *p, size_t len)
{
    size_t  i, dots;

    dots = 0;

    for (i = 0; i < len; dots++) {

        if (p[i] == '.') {
            i++;

        } else if (p[i] == '%' && dfp_hex_byte(p + i + 1) == '.') {
            i += 3;

        } else {
            return 0;
        }
    }

    return dots == 1 || dots == 2;
}


/* All strings of a URL are parts of href. */

static dfp_rc_t
dfp_url_compose(dfp_mem_t *mem, const dfp_url_parts_t *parts,
    const char *what, dfp_url_t *url, dfp_err_t *err)
{
    char       *p, *start;
    char        port[sizeof(":65535")];
    size_t      len;
    dfp_str_t   scheme, host, suffix;

    url->tls = parts->tls;
    url->port = parts->port;
    url->default_port =
               (parts->port == (parts->tls ? DFP_HTTPS_PORT : DFP_HTTP_PORT));

    scheme = parts->tls ? DFP_STR("https://") : DFP_STR("http://");
    suffix = (dfp_str_t) { 0, port };
    host = (dfp_str_t) { parts->host_len, parts->host };

    if (!url->default_port) {
        suffix.len = snprintf(port, sizeof(port), ":%u", parts->port);
    }

    len = scheme.len + host.len + suffix.len + parts->path.len;

    if (parts->query.data) {
        len += 1 + parts->query.len;
    }

    /* the canonical form may be longer, by "/" or an IPv6 address */

    if (len > DFP_URL_MAX_LEN) {
        return dfp_invalid(err, "%s must not be longer than %d bytes", what,
                           DFP_URL_MAX_LEN);
    }

    start = mem->alloc(mem->ctx, len + 1);
    if (start == NULL) {
        return DFP_ERROR;
    }

    p = dfp_url_copy(start, scheme, &scheme);
    p = dfp_url_copy(p, host, &url->host);
    p = dfp_url_copy(p, suffix, &suffix);

    url->origin = (dfp_str_t) { p - start, start };
    url->authority = (dfp_str_t) { p - url->host.data, url->host.data };

    p = dfp_url_copy(p, parts->path, &url->path);

    if (parts->query.data) {
        *p++ = '?';
        p = dfp_url_copy(p, parts->query, &url->query);
    }

    *p = '\0';
    url->href = (dfp_str_t) { len, start };

    return DFP_OK;
}


/* Copies S to P, where it becomes PART; returns its end. */

static char *
dfp_url_copy(char *p, dfp_str_t s, dfp_str_t *part)
{
    memcpy(p, s.data, s.len);
    *part = (dfp_str_t) { s.len, p };

    return p + s.len;
}


dfp_rc_t
dfp_url_dup(dfp_mem_t *mem, const dfp_url_t *from, dfp_url_t *to)
{
    size_t      i;
    const char *copy;
    dfp_str_t  *part[] = { &to->host, &to->path, &to->query, &to->origin,
                           &to->authority, &to->href };

    copy = dfp_strdup(mem, from->href.data, from->href.len);
    if (copy == NULL) {
        return DFP_ERROR;
    }

    *to = *from;

    for (i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
        if (part[i]->data) {
            part[i]->data = copy + (part[i]->data - from->href.data);
        }
    }

    return DFP_OK;
}
