/*
 * Secrets are removed from texts.
 */

#include "dfp_buf.h"
#include "dfp_mask.h"


#define DFP_MASK_STARS  "***"


static size_t dfp_mask_at(const char *p, const char *last,
    const dfp_str_t *secrets, size_t n);


dfp_rc_t
dfp_mask(dfp_mem_t *mem, dfp_str_t text, const dfp_str_t *secrets, size_t n,
    dfp_str_t *masked)
{
    size_t       len;
    dfp_buf_t    b;
    const char  *p, *last, *plain;

    *masked = text;

    if (text.len == 0 || n == 0) {
        return DFP_OK;
    }

    dfp_buf_init(&b, mem, 0, 0);

    p = text.data;
    last = p + text.len;
    plain = p;

    while (p < last) {
        len = dfp_mask_at(p, last, secrets, n);

        if (len == 0) {
            p++;
            continue;
        }

        dfp_buf_append(&b, plain, p - plain);
        dfp_buf_cstr(&b, DFP_MASK_STARS);

        p += len;
        plain = p;
    }

    if (plain == text.data) {
        return DFP_OK;
    }

    dfp_buf_append(&b, plain, p - plain);

    if (b.failed) {
        return DFP_ERROR;
    }

    *masked = dfp_buf_value(&b);

    return DFP_OK;
}


void
dfp_mask_in_place(char *text, size_t len, const dfp_str_t *secrets, size_t n)
{
    char    *p, *last;
    size_t   found;

    last = text + len;

    for (p = text; p < last; p += found ? found : 1) {
        found = dfp_mask_at(p, last, secrets, n);
        memset(p, '*', found);
    }
}


dfp_str_t
dfp_mask_end(dfp_str_t text, const dfp_str_t *secrets, size_t n)
{
    size_t  i, len, cut;

    cut = 0;

    for (i = 0; i < n; i++) {

        len = (secrets[i].len < text.len) ? secrets[i].len : text.len;

        for ( /* void */ ; len > cut && len >= DFP_MASK_MIN; len--) {
            if (memcmp(text.data + text.len - len, secrets[i].data, len) == 0) {
                cut = len;
            }
        }
    }

    text.len -= cut;

    return text;
}


/* The length of the longest secret at P; 0: none. */

static size_t
dfp_mask_at(const char *p, const char *last, const dfp_str_t *secrets,
    size_t n)
{
    size_t  i, len;

    len = 0;

    for (i = 0; i < n; i++) {
        if (secrets[i].len >= DFP_MASK_MIN && secrets[i].len > len
            && (size_t) (last - p) >= secrets[i].len
            && memcmp(p, secrets[i].data, secrets[i].len) == 0)
        {
            len = secrets[i].len;
        }
    }

    return len;
}
