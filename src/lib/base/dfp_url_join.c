/*
 * The targets of redirects: references that are relative to a URL.
 */

#include "dfp_buf.h"
#include "dfp_url.h"


static int dfp_url_has_scheme(dfp_str_t text);
static dfp_str_t dfp_url_directory(dfp_str_t path);


dfp_rc_t
dfp_url_join(dfp_mem_t *mem, const dfp_url_t *base, dfp_str_t text,
    const char *what, dfp_url_t *url, dfp_err_t *err)
{
    dfp_buf_t  b;

    if (dfp_url_has_scheme(text)) {
        return dfp_url_parse_any(mem, text, what, url, err);
    }

    /* longer than a URL may be, whatever it is resolved against */

    if (text.len > DFP_URL_MAX_LEN) {
        return dfp_invalid(err, "%s must not be longer than %d bytes", what,
                           DFP_URL_MAX_LEN);
    }

    dfp_buf_init(&b, mem, base->href.len + text.len + sizeof("https:"), 0);

    if (text.len > 1 && text.data[0] == '/' && text.data[1] == '/') {
        dfp_buf_cstr(&b, base->tls ? "https:" : "http:");

    } else {
        dfp_buf_str(&b, base->origin);

        if (text.len == 0 || text.data[0] == '?' || text.data[0] == '#') {
            dfp_buf_str(&b, base->path);

        } else if (text.data[0] != '/') {
            dfp_buf_str(&b, dfp_url_directory(base->path));
        }

        if ((text.len == 0 || text.data[0] == '#') && base->query.data) {
            dfp_buf_cstr(&b, "?");
            dfp_buf_str(&b, base->query);
        }
    }

    dfp_buf_str(&b, text);

    if (b.failed) {
        return DFP_ERROR;
    }

    return dfp_url_parse_any(mem, dfp_buf_value(&b), what, url, err);
}


/* RFC 3986, 3.1: a letter, then letters, digits, "+", "-" and "." up to ":". */

static int
dfp_url_has_scheme(dfp_str_t text)
{
    char    ch;
    size_t  i;

    for (i = 0; i < text.len; i++) {
        ch = text.data[i];

        if (ch == ':') {
            return i > 0;
        }

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')) {
            continue;
        }

        if (i == 0 || !((ch >= '0' && ch <= '9') || ch == '+' || ch == '-'
                        || ch == '.'))
        {
            return 0;
        }
    }

    return 0;
}


/* The path up to its last "/", inclusive. */

static dfp_str_t
dfp_url_directory(dfp_str_t path)
{
    while (path.len && path.data[path.len - 1] != '/') {
        path.len--;
    }

    return path;
}
