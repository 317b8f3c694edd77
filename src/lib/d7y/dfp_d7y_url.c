/*
 * URLs as Dragonfly hashes them: dfdaemon as in the URL standard of the WHATWG
 * (by the crate url 2.5), the scheduler as in Go's net/url. For some URLs
 * these differ, and so do the tasks.
 */

#include <stdio.h>

#include "dfp_char.h"
#include "dfp_d7y_parser.h"
#include "dfp_escape.h"
#include "dfp_hex.h"


/* The printable ASCII characters of the percent-encode sets of the standard. */
#define DFP_D7Y_PATH_ENCODED      "\"<>`#?{}"
#define DFP_D7Y_FRAGMENT_ENCODED  "\"<>`"

/* What Go does not escape, besides letters and digits. A character that is in
 * neither list makes Go escape the whole part anew. */
#define DFP_D7Y_GO_PATH           "-_.~$&+,/:;=@"
#define DFP_D7Y_GO_FRAGMENT       "-_.~$&+,/:;=?@!()*"
#define DFP_D7Y_GO_ALSO           "!'()*[]%"

#define DFP_D7Y_GROUPS            8     /* of an IPv6 address */


static void dfp_d7y_print_host(dfp_buf_t *b, const dfp_url_t *url);
static void dfp_d7y_print_ipv6(dfp_buf_t *b, const unsigned char *ip);
static void dfp_d7y_print_path(dfp_buf_t *b, dfp_str_t path);
static int dfp_d7y_dots(dfp_str_t segment);
static void dfp_d7y_shorten(dfp_buf_t *b, size_t start);
static void dfp_d7y_print_escaped(dfp_buf_t *b, dfp_str_t s,
    const char *encoded);
static void dfp_d7y_print_go(dfp_buf_t *b, dfp_str_t s, const char *plain);


dfp_rc_t
dfp_d7y_url_split(dfp_mem_t *mem, dfp_str_t text, dfp_d7y_url_t *u)
{
    dfp_rc_t     rc;
    dfp_err_t    err;
    const char  *p, *last;

    rc = dfp_url_parse_any(mem, text, "the URL", &u->url, &err);
    if (rc != DFP_OK) {
        return rc;
    }

    p = text.data;
    last = text.data + text.len;

    p += u->url.tls ? sizeof("https://") - 1 : sizeof("http://") - 1;

    u->authority = dfp_str_until(&p, last, "/?#");
    u->path = dfp_str_until(&p, last, "?#");
    u->query = DFP_STR_NULL;
    u->fragment = DFP_STR_NULL;

    if (p < last && *p == '?') {
        p++;
        u->query = dfp_str_until(&p, last, "#");
    }

    if (p < last) {
        p++;
        u->fragment = dfp_str_until(&p, last, "");
    }

    return DFP_OK;
}


/* A path "/" is removed, with all "/" before it, also at the end of a
 * fragment. */

dfp_rc_t
dfp_d7y_url_print(dfp_mem_t *mem, const dfp_d7y_url_t *u,
    const dfp_str_t *names, size_t n, dfp_str_t *text)
{
    size_t     path;
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, u->url.href.len + u->fragment.len + 1, 0);

    dfp_buf_cstr(&b, u->url.tls ? "https://" : "http://");
    dfp_d7y_print_host(&b, &u->url);

    path = b.len;
    dfp_d7y_print_path(&b, u->path);
    path = b.len - path;

    if (dfp_d7y_print_query(&b, mem, u, names, n) == DFP_ERROR) {
        return DFP_ERROR;
    }

    if (u->fragment.data) {
        dfp_buf_cstr(&b, "#");
        dfp_d7y_print_escaped(&b, u->fragment, DFP_D7Y_FRAGMENT_ENCODED);
    }

    if (b.failed) {
        return DFP_ERROR;
    }

    if (path == 1) {
        while (b.data[b.len - 1] == '/') {
            b.len--;
        }
    }

    *text = dfp_buf_value(&b);

    return DFP_OK;
}


/* Go does not normalise default ports, letter case and dots. It keeps an empty
 * query, and removes an empty fragment. */

dfp_rc_t
dfp_d7y_url_print_go(dfp_mem_t *mem, const dfp_d7y_url_t *u,
    const dfp_str_t *names, size_t n, dfp_str_t *text)
{
    dfp_rc_t   rc;
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, u->url.href.len + u->fragment.len + 1, 0);

    dfp_buf_cstr(&b, u->url.tls ? "https://" : "http://");
    dfp_buf_str(&b, u->authority);
    dfp_d7y_print_go(&b, u->path, DFP_D7Y_GO_PATH);

    rc = dfp_d7y_print_query(&b, mem, u, names, n);
    if (rc == DFP_ERROR) {
        return DFP_ERROR;
    }

    if (u->query.data && u->query.len == 0) {
        dfp_buf_cstr(&b, "?");
    }

    if (u->fragment.len) {
        dfp_buf_cstr(&b, "#");
        dfp_d7y_print_go(&b, u->fragment, DFP_D7Y_GO_FRAGMENT);
    }

    *text = dfp_buf_value(&b);

    return b.failed ? DFP_ERROR : rc;
}


static void
dfp_d7y_print_host(dfp_buf_t *b, const dfp_url_t *url)
{
    char           text[INET6_ADDRSTRLEN];
    size_t         len;
    unsigned char  ip[sizeof(struct in6_addr)];

    if (url->host.data[0] == '[') {
        len = url->host.len - 2;
        memcpy(text, url->host.data + 1, len);
        text[len] = '\0';

        (void) inet_pton(AF_INET6, text, ip);
        dfp_d7y_print_ipv6(b, ip);

    } else {
        dfp_buf_str(b, url->host);
    }

    if (!url->default_port) {
        dfp_buf_cstr(b, ":");
        dfp_buf_int(b, url->port);
    }
}


/* Unlike inet_ntop(), the standard does not write ::ffff:192.0.2.1. */

static void
dfp_d7y_print_ipv6(dfp_buf_t *b, const unsigned char *ip)
{
    char      digits[sizeof("ffff")];
    size_t    i, start, zeros, longest;
    unsigned  group;

    start = DFP_D7Y_GROUPS;
    longest = 1;
    zeros = 0;

    for (i = 0; i < DFP_D7Y_GROUPS; i++) {
        zeros = (ip[2 * i] == 0 && ip[2 * i + 1] == 0) ? zeros + 1 : 0;

        if (zeros > longest) {
            longest = zeros;
            start = i + 1 - zeros;
        }
    }

    dfp_buf_cstr(b, "[");

    for (i = 0; i < DFP_D7Y_GROUPS; i++) {

        if (i == start) {
            dfp_buf_cstr(b, "::");
            i += longest - 1;
            continue;
        }

        if (i && i != start + longest) {
            dfp_buf_cstr(b, ":");
        }

        group = ip[2 * i] * 256u + ip[2 * i + 1];
        (void) snprintf(digits, sizeof(digits), "%x", group);
        dfp_buf_cstr(b, digits);
    }

    dfp_buf_cstr(b, "]");
}


/* A "\" counts as "/". */

static void
dfp_d7y_print_path(dfp_buf_t *b, dfp_str_t path)
{
    int          dots;
    size_t       start;
    dfp_str_t    segment;
    const char  *p, *last;

    start = b->len;
    dfp_buf_cstr(b, "/");

    p = path.data;
    last = p + path.len;
    p += (p < last);

    for ( ;; ) {
        segment = dfp_str_until(&p, last, "/\\");
        dots = dfp_d7y_dots(segment);

        if (dots == 0) {
            dfp_d7y_print_escaped(b, segment, DFP_D7Y_PATH_ENCODED);
            dfp_buf_cstr(b, (p < last) ? "/" : "");
        }

        if (dots == 2) {
            dfp_d7y_shorten(b, start);
        }

        if (p == last) {
            return;
        }

        p++;
    }
}


/* The number of dots, if a segment has nothing else; they may be escaped. */

static int
dfp_d7y_dots(dfp_str_t segment)
{
    int     dots;
    size_t  i;

    dots = 0;

    for (i = 0; i < segment.len; dots++) {

        if (segment.data[i] == '.') {
            i++;

        } else if (segment.len - i > 2 && segment.data[i] == '%'
                   && segment.data[i + 1] == '2'
                   && (segment.data[i + 2] | 0x20) == 'e')
        {
            i += 3;

        } else {
            return 0;
        }
    }

    return dots > 2 ? 0 : dots;
}


/* Removes the last segment of a path that begins at START. (The crate keeps
 * one like "c:", for file: URLs. Paths of jobs have no dots.) */

static void
dfp_d7y_shorten(dfp_buf_t *b, size_t start)
{
    if (b->failed || b->len == start + 1) {
        return;
    }

    do {
        b->len--;
    } while (b->data[b->len - 1] != '/');
}


static void
dfp_d7y_print_escaped(dfp_buf_t *b, dfp_str_t s, const char *encoded)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {

        if (dfp_d7y_one_of(s.data[i], encoded)) {
            dfp_escape_byte(b, s.data[i]);

        } else {
            dfp_buf_append(b, &s.data[i], 1);
        }
    }
}


/* If there is a character that Go escapes, it decodes all and escapes it
 * anew. */

static void
dfp_d7y_print_go(dfp_buf_t *b, dfp_str_t s, const char *plain)
{
    char    ch;
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (!dfp_alnum(s.data[i]) && !dfp_d7y_one_of(s.data[i], plain)
            && !dfp_d7y_one_of(s.data[i], DFP_D7Y_GO_ALSO))
        {
            break;
        }
    }

    if (i == s.len) {
        dfp_buf_str(b, s);
        return;
    }

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if (ch == '%') {
            ch = (char) dfp_hex_byte(&s.data[i + 1]);
            i += 2;
        }

        if (dfp_alnum(ch) || dfp_d7y_one_of(ch, plain)) {
            dfp_buf_append(b, &ch, 1);

        } else {
            dfp_escape_byte(b, ch);
        }
    }
}
