#include "dfp_buf.h"
#include "dfp_hex.h"
#include "dfp_oci.h"


static dfp_rc_t dfp_oci_link_next(dfp_str_t link, dfp_str_t *target);
static const char *dfp_oci_link_params(const char *p, const char *last,
    int *next);
static const char *dfp_oci_link_value(const char *p, const char *last,
    dfp_str_t *value);
static const char *dfp_oci_link_blanks(const char *p, const char *last);
static int dfp_oci_link_has(dfp_str_t list, dfp_str_t word);
static int dfp_oci_same_path(dfp_str_t a, dfp_str_t b);
static int dfp_oci_path_byte(dfp_str_t path, size_t *i);


dfp_rc_t
dfp_oci_next_page(dfp_mem_t *mem, const dfp_url_t *page, dfp_str_t link,
    dfp_url_t *next, dfp_err_t *err)
{
    dfp_rc_t   rc;
    dfp_buf_t  b;
    dfp_str_t  text;
    dfp_url_t  target;

    static const char  what[] = "the list of referrers: its next page";

    if (dfp_oci_link_next(link, &text) != DFP_OK) {
        return DFP_DECLINED;
    }

    rc = dfp_url_join(mem, page, text, what, &target, err);
    if (rc != DFP_OK) {
        return rc;
    }

    if (!dfp_oci_same_path(target.path, page->path)
        || target.query.len == 0)
    {
        return dfp_invalid(err, "%s must have the same path, and a query",
                           what);
    }

    dfp_buf_init(&b, mem, page->href.len + target.query.len + 1, 0);
    dfp_buf_str(&b, page->origin);
    dfp_buf_str(&b, page->path);
    dfp_buf_cstr(&b, "?");
    dfp_buf_str(&b, target.query);

    return b.failed ? DFP_ERROR
                    : dfp_url_parse(mem, dfp_buf_value(&b), what, next, err);
}


/* The target of the link whose relation is "next"; DFP_DECLINED: there is none. */

static dfp_rc_t
dfp_oci_link_next(dfp_str_t link, dfp_str_t *target)
{
    int          next;
    const char  *p, *last, *end;

    p = link.data;
    last = link.data + link.len;

    for ( ;; ) {

        while (p < last && (*p == ',' || *p == ' ' || *p == '\t')) {
            p++;
        }

        end = (p < last && *p == '<') ? memchr(p, '>', last - p) : NULL;

        if (end == NULL) {
            return DFP_DECLINED;
        }

        *target = (dfp_str_t) { end - p - 1, p + 1 };

        p = dfp_oci_link_params(end + 1, last, &next);

        if (next) {
            return DFP_OK;
        }
    }
}


/* Returns what follows the link. The first "rel" counts. */

static const char *
dfp_oci_link_params(const char *p, const char *last, int *next)
{
    int          rel;
    dfp_str_t    name, value;
    const char  *start;

    rel = 0;
    *next = 0;

    for ( ;; ) {

        p = dfp_oci_link_blanks(p, last);

        if (p == last || *p != ';') {
            return p;
        }

        start = p = dfp_oci_link_blanks(p + 1, last);

        while (p < last && !strchr("=;, \t", *p)) {
            p++;
        }

        name = (dfp_str_t) { p - start, start };
        value = DFP_STR("");

        p = dfp_oci_link_blanks(p, last);

        if (p < last && *p == '=') {
            p = dfp_oci_link_value(dfp_oci_link_blanks(p + 1, last), last,
                                   &value);
        }

        if (!rel && dfp_str_case_eq(name, DFP_STR("rel"))) {
            rel = 1;
            *next = dfp_oci_link_has(value, DFP_STR("next"));
        }
    }
}


/* A token, or a quoted string, in which the escaped characters stay so. */

static const char *
dfp_oci_link_value(const char *p, const char *last, dfp_str_t *value)
{
    const char  *start;

    if (p < last && *p == '"') {

        for (start = ++p; p < last && *p != '"'; p++) {
            p += (*p == '\\' && last - p > 1);
        }

        *value = (dfp_str_t) { p - start, start };

        return p + (p < last);
    }

    for (start = p; p < last && !strchr(";, \t", *p); p++) { /* void */ }

    *value = (dfp_str_t) { p - start, start };

    return p;
}


static const char *
dfp_oci_link_blanks(const char *p, const char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}


/* A relation may have several types. */

static int
dfp_oci_link_has(dfp_str_t list, dfp_str_t word)
{
    const char  *p, *last;

    last = list.data + list.len;

    for (p = list.data; p <= last; p++) {
        if (dfp_str_case_eq(dfp_str_until(&p, last, " "), word)) {
            return 1;
        }
    }

    return 0;
}


/* The ":" of the digest may be escaped in one of them. */

static int
dfp_oci_same_path(dfp_str_t a, dfp_str_t b)
{
    size_t  i, j;

    i = 0;
    j = 0;

    while (i < a.len && j < b.len) {
        if (dfp_oci_path_byte(a, &i) != dfp_oci_path_byte(b, &j)) {
            return 0;
        }
    }

    return i == a.len && j == b.len;
}


/* What the path has at I, unescaped; I is moved behind it. */

static int
dfp_oci_path_byte(dfp_str_t path, size_t *i)
{
    int  byte;

    if (path.data[*i] == '%' && path.len - *i > 2) {
        byte = dfp_hex_byte(path.data + *i + 1);

        if (byte >= 0) {
            *i += 3;
            return byte;
        }
    }

    return (unsigned char) path.data[(*i)++];
}
