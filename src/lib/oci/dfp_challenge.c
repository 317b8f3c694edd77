/*
 * The challenges of a 401 (RFC 9110, section 11), and the one to answer. A
 * header is parsed from its beginning, one challenge after the other. A syntax
 * error ends it: it is not known where the next challenge begins.
 */

#include <stdio.h>

#include "dfp_challenge.h"
#include "dfp_char.h"


/* bytes of the list of challenges; the sentence around it fits into a
 * dfp_err_t, too */
#define DFP_CHALLENGE_OFFERS_LEN  400
#define DFP_CHALLENGE_MAX_SHOWN   32      /* bytes of a scheme's name in it */


/* the parameters that count, in the order of their names below */
enum {
    DFP_CHALLENGE_REALM = 0,
    DFP_CHALLENGE_SERVICE,
    DFP_CHALLENGE_SCOPE,
    DFP_CHALLENGE_ERROR,
    DFP_CHALLENGE_NVALUES
};


typedef struct {
    const char      *p;
    const char      *last;
    char            *out;       /* values are written here, one by one */
    dfp_str_t        scheme;
    dfp_str_t        names[DFP_CHALLENGE_MAX_PARAMS];
    size_t           nnames;
    dfp_str_t        values[DFP_CHALLENGE_NVALUES];
    unsigned         odd:1;     /* in one of them is no printable ASCII */
} dfp_challenge_reader_t;


typedef struct {
    size_t           len;
    char             text[DFP_CHALLENGE_OFFERS_LEN];
} dfp_challenge_offers_t;


static dfp_rc_t dfp_challenge_pick_from(dfp_mem_t *mem, dfp_str_t header,
    dfp_challenge_t *challenge, dfp_challenge_offers_t *offers);
static dfp_rc_t dfp_challenge_take(dfp_mem_t *mem, dfp_challenge_reader_t *r,
    dfp_challenge_t *challenge, dfp_challenge_offers_t *offers);
static void dfp_challenge_offer(dfp_challenge_offers_t *offers,
    dfp_str_t scheme, const char *why);
static dfp_rc_t dfp_challenge_read(dfp_challenge_reader_t *r);
static dfp_rc_t dfp_challenge_token68(dfp_challenge_reader_t *r);
static dfp_rc_t dfp_challenge_params(dfp_challenge_reader_t *r);
static dfp_rc_t dfp_challenge_param(dfp_challenge_reader_t *r, dfp_str_t name);
static dfp_rc_t dfp_challenge_quoted(dfp_challenge_reader_t *r, int *odd);
static dfp_rc_t dfp_challenge_end(dfp_challenge_reader_t *r);
static const char *dfp_challenge_blanks(const char *p, const char *last);
static dfp_str_t dfp_challenge_token(const char *p, const char *last);


static const dfp_str_t  dfp_challenge_names[DFP_CHALLENGE_NVALUES] = {
    { sizeof("realm") - 1, "realm" },
    { sizeof("service") - 1, "service" },
    { sizeof("scope") - 1, "scope" },
    { sizeof("error") - 1, "error" }
};


dfp_rc_t
dfp_challenge_pick(dfp_mem_t *mem, const dfp_str_t *headers, size_t n,
    dfp_challenge_t *challenge, dfp_err_t *err)
{
    size_t                  i;
    dfp_challenge_offers_t  offers;

    memset(challenge, 0, sizeof(dfp_challenge_t));
    memset(&offers, 0, sizeof(dfp_challenge_offers_t));

    for (i = 0; i < n && i < DFP_CHALLENGE_MAX_HEADERS; i++) {

        if (dfp_challenge_pick_from(mem, headers[i], challenge, &offers)
            == DFP_ERROR)
        {
            return DFP_ERROR;
        }

        if (challenge->scheme == DFP_CHALLENGE_BEARER) {
            return DFP_OK;
        }
    }

    if (challenge->scheme == DFP_CHALLENGE_BASIC) {
        return DFP_OK;
    }

    if (offers.len == 0) {
        (void) dfp_invalid(err, "it does not name the credentials that it "
                           "requires (WWW-Authenticate)");

    } else {
        (void) dfp_invalid(err, "it requires unsupported credentials: %s",
                           offers.text);
    }

    return DFP_DECLINED;
}


/* Sets CHALLENGE to what it finds; to a Basic only if it is not set yet. */

static dfp_rc_t
dfp_challenge_pick_from(dfp_mem_t *mem, dfp_str_t header,
    dfp_challenge_t *challenge, dfp_challenge_offers_t *offers)
{
    dfp_rc_t                rc;
    dfp_challenge_reader_t  r;

    if (header.len > DFP_CHALLENGE_MAX_LEN) {
        dfp_challenge_offer(offers, DFP_STR("something"), "header too long");
        return DFP_DECLINED;
    }

    if (header.len == 0) {
        return DFP_DECLINED;
    }

    /* no value is longer than its encoded form */

    r.out = mem->alloc(mem->ctx, header.len);
    if (r.out == NULL) {
        return DFP_ERROR;
    }

    r.p = header.data;
    r.last = header.data + header.len;

    for ( ;; ) {
        rc = dfp_challenge_read(&r);

        if (rc == DFP_INVALID) {
            dfp_challenge_offer(offers, r.scheme, "malformed");
        }

        if (rc != DFP_OK) {
            return rc;
        }

        rc = dfp_challenge_take(mem, &r, challenge, offers);

        if (rc == DFP_ERROR || challenge->scheme == DFP_CHALLENGE_BEARER) {
            return rc;
        }
    }
}


static dfp_rc_t
dfp_challenge_take(dfp_mem_t *mem, dfp_challenge_reader_t *r,
    dfp_challenge_t *challenge, dfp_challenge_offers_t *offers)
{
    dfp_rc_t         rc;
    dfp_err_t        err;
    dfp_challenge_t  found;

    memset(&found, 0, sizeof(dfp_challenge_t));

    if (dfp_str_case_eq(r->scheme, DFP_STR("Bearer"))) {
        found.scheme = DFP_CHALLENGE_BEARER;

    } else if (dfp_str_case_eq(r->scheme, DFP_STR("Basic"))) {
        found.scheme = DFP_CHALLENGE_BASIC;

    } else {
        dfp_challenge_offer(offers, r->scheme, NULL);
        return DFP_DECLINED;
    }

    if (r->odd) {
        dfp_challenge_offer(offers, r->scheme, "not printable ASCII");
        return DFP_DECLINED;
    }

    if (found.scheme == DFP_CHALLENGE_BEARER) {
        rc = dfp_url_parse(mem, r->values[DFP_CHALLENGE_REALM], "its realm",
                           &found.realm, &err);

        if (rc == DFP_INVALID) {
            dfp_challenge_offer(offers, r->scheme, err.text);
        }

        if (rc != DFP_OK) {
            return rc;
        }

    } else if (challenge->scheme == DFP_CHALLENGE_BASIC) {
        return DFP_DECLINED;
    }

    found.service = r->values[DFP_CHALLENGE_SERVICE];
    found.scope = r->values[DFP_CHALLENGE_SCOPE];
    found.error = r->values[DFP_CHALLENGE_ERROR];

    *challenge = found;

    return DFP_OK;
}


/* Appends "SCHEME (WHY)" to the list, unless it is too long. */

static void
dfp_challenge_offer(dfp_challenge_offers_t *offers, dfp_str_t scheme,
    const char *why)
{
    int     n;
    char   *p;
    size_t  room;

    if (scheme.len == 0) {
        scheme = DFP_STR("something");
    }

    if (scheme.len > DFP_CHALLENGE_MAX_SHOWN) {
        scheme.len = DFP_CHALLENGE_MAX_SHOWN;
    }

    p = offers->text + offers->len;
    room = sizeof(offers->text) - offers->len;

    n = snprintf(p, room, "%s%.*s%s%s%s", offers->len ? ", " : "",
                 (int) scheme.len, scheme.data, why ? " (" : "",
                 why ? why : "", why ? ")" : "");

    if (n < 0 || (size_t) n >= room) {
        *p = '\0';

    } else {
        offers->len += n;
    }
}


/* Parses one challenge. DFP_DECLINED: there are no more. */

static dfp_rc_t
dfp_challenge_read(dfp_challenge_reader_t *r)
{
    size_t  i;

    r->scheme = DFP_STR("");
    r->nnames = 0;
    r->odd = 0;

    for (i = 0; i < DFP_CHALLENGE_NVALUES; i++) {
        r->values[i] = DFP_STR("");
    }

    /* a list may have empty elements */

    while (dfp_challenge_end(r) == DFP_OK) {
        if (r->p == r->last) {
            return DFP_DECLINED;
        }

        r->p++;
    }

    r->scheme = dfp_challenge_token(r->p, r->last);
    if (r->scheme.len == 0) {
        return DFP_INVALID;
    }

    r->p += r->scheme.len;

    if (r->p == r->last || *r->p != ' ') {
        return dfp_challenge_end(r);
    }

    while (r->p < r->last && *r->p == ' ') {
        r->p++;
    }

    if (dfp_challenge_token68(r) == DFP_OK) {
        return DFP_OK;
    }

    return dfp_challenge_params(r);
}


/* "a=" and "a" are a token68, "a=b" is a parameter: the next character
 * decides. The value itself is not used. */

static dfp_rc_t
dfp_challenge_token68(dfp_challenge_reader_t *r)
{
    const char  *p, *start;

    start = r->p;
    p = start;

    while (p < r->last
           && (dfp_alnum(*p) || memchr("-._~+/", *p, 6)))
    {
        p++;
    }

    if (p == start) {
        return DFP_DECLINED;
    }

    while (p < r->last && *p == '=') {
        p++;
    }

    r->p = p;

    if (dfp_challenge_end(r) != DFP_OK) {
        r->p = start;
        return DFP_DECLINED;
    }

    return DFP_OK;
}


/*
 * Commas separate parameters as well as challenges. A token without "=" after
 * it is the scheme of the next challenge, and is not consumed.
 */

static dfp_rc_t
dfp_challenge_params(dfp_challenge_reader_t *r)
{
    int          comma;
    dfp_str_t    name;
    const char  *p;

    for (comma = 0; /* void */ ; comma = 1) {

        name = dfp_challenge_token(r->p, r->last);

        if (name.len) {
            p = dfp_challenge_blanks(r->p + name.len, r->last);

            if (p == r->last || *p != '=') {
                return comma ? DFP_OK : DFP_INVALID;
            }

            r->p = p + 1;

            if (dfp_challenge_param(r, name) != DFP_OK) {
                return DFP_INVALID;
            }
        }

        if (dfp_challenge_end(r) != DFP_OK) {
            return DFP_INVALID;
        }

        if (r->p == r->last) {
            return DFP_OK;
        }

        r->p = dfp_challenge_blanks(r->p + 1, r->last);
    }
}


/* Parses the value after the "=". */

static dfp_rc_t
dfp_challenge_param(dfp_challenge_reader_t *r, dfp_str_t name)
{
    int        odd;
    size_t     i;
    dfp_str_t  value, token;

    if (r->nnames == DFP_CHALLENGE_MAX_PARAMS) {
        return DFP_INVALID;
    }

    for (i = 0; i < r->nnames; i++) {
        if (dfp_str_case_eq(r->names[i], name)) {
            return DFP_INVALID;
        }
    }

    r->names[r->nnames++] = name;

    r->p = dfp_challenge_blanks(r->p, r->last);
    value.data = r->out;
    odd = 0;

    if (r->p < r->last && *r->p == '"') {
        if (dfp_challenge_quoted(r, &odd) != DFP_OK) {
            return DFP_INVALID;
        }

    } else {
        token = dfp_challenge_token(r->p, r->last);
        if (token.len == 0) {
            return DFP_INVALID;
        }

        memcpy(r->out, token.data, token.len);
        r->out += token.len;
        r->p += token.len;
    }

    value.len = r->out - value.data;

    for (i = 0; i < DFP_CHALLENGE_NVALUES; i++) {
        if (dfp_str_case_eq(dfp_challenge_names[i], name)) {
            r->values[i] = value;
            r->odd |= odd;
        }
    }

    return DFP_OK;
}


/* Tabs and bytes of 8-bit character sets are allowed here. RFC 6750 does not
 * have them in the values that are used, and they may get into a log, so they
 * set ODD. */

static dfp_rc_t
dfp_challenge_quoted(dfp_challenge_reader_t *r, int *odd)
{
    unsigned char  ch;

    r->p++;

    while (r->p < r->last) {
        ch = (unsigned char) *r->p++;

        if (ch == '"') {
            return DFP_OK;
        }

        if (ch == '\\') {
            if (r->p == r->last) {
                return DFP_INVALID;
            }

            ch = (unsigned char) *r->p++;
        }

        if (dfp_control((char) ch)) {
            return DFP_INVALID;
        }

        *odd |= (ch == '\t' || ch >= 0x80);
        *r->out++ = (char) ch;
    }

    return DFP_INVALID;
}


/* Skips the rest, up to a comma or the end of the header. */

static dfp_rc_t
dfp_challenge_end(dfp_challenge_reader_t *r)
{
    r->p = dfp_challenge_blanks(r->p, r->last);

    return (r->p == r->last || *r->p == ',') ? DFP_OK : DFP_INVALID;
}


static const char *
dfp_challenge_blanks(const char *p, const char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}


static dfp_str_t
dfp_challenge_token(const char *p, const char *last)
{
    const char  *start;

    for (start = p; p < last && dfp_tchar(*p); p++) { /* void */ }

    return (dfp_str_t) { p - start, start };
}
