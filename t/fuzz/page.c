/*
 * Parameters of a list: page, per_page and a filter, one in each line.
 */

#include "dfp_page.h"
#include "dfp_fuzz.h"


#define FUZZ_MOST  1000


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       i;
    dfp_rc_t     rc;
    dfp_buf_t    filters, b;
    dfp_err_t    err;
    dfp_str_t    number, length, value, link;
    const char  *p, *last;
    dfp_page_t   page;

    p = (const char *) data;
    last = p + size;

    number = dfp_str_until(&p, last, "\n");
    p += (p < last);
    length = dfp_str_until(&p, last, "\n");
    p += (p < last);
    value.data = p;
    value.len = last - p;

    rc = dfp_page_parse(number, length, FUZZ_MOST, &page, &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(strlen(err.text) > 0);
        return 0;
    }

    MUST(page.number >= 1 && page.number <= DFP_PAGE_MAX);
    MUST(page.size >= 1 && page.size <= FUZZ_MOST);
    MUST(dfp_page_before(&page) >= 0);

    dfp_buf_init(&filters, dfp_fuzz_mem(), 0, 0);
    dfp_page_filter(&filters, "type", value);

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_page_link(&b, &page, "/list", dfp_buf_value(&filters),
                  (int64_t) size);

    MUST(!filters.failed && !b.failed);

    /* nothing in it ends the header, or a link */

    link = dfp_buf_value(&b);

    for (i = 0; i < link.len; i++) {
        MUST(link.data[i] > ' ' && link.data[i] < 127);
    }

    for (i = 0; i < filters.len; i++) {
        MUST(filters.data[i] != '>');
    }

    dfp_fuzz_free();

    return 0;
}
