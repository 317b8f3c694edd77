/*
 * Pages of a list.
 */

#include <inttypes.h>

#include "dfp_escape.h"
#include "dfp_page.h"


static dfp_rc_t dfp_page_value(dfp_str_t text, const char *name, int64_t max,
    int64_t *value, dfp_err_t *err);
static void dfp_page_target(dfp_buf_t *b, const dfp_page_t *page,
    const char *path, dfp_str_t filters, int64_t number);


dfp_rc_t
dfp_page_parse(dfp_str_t number, dfp_str_t size, int64_t most,
    dfp_page_t *page, dfp_err_t *err)
{
    dfp_rc_t  rc;

    page->number = 1;
    page->size = DFP_PAGE_SIZE;

    rc = dfp_page_value(number, "page", DFP_PAGE_MAX, &page->number, err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_page_value(size, "per_page", DFP_PAGE_MAX_SIZE, &page->size, err);

    if (page->size > most) {
        page->size = most;
    }

    return rc;
}


static dfp_rc_t
dfp_page_value(dfp_str_t text, const char *name, int64_t max, int64_t *value,
    dfp_err_t *err)
{
    size_t   i;
    int64_t  n;

    n = 0;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] >= '0' && text.data[i] <= '9') {
            n = n * 10 + (text.data[i] - '0');
        }

        if (text.data[i] < '0' || text.data[i] > '9' || n > max) {
            return dfp_invalid(err, "%s must be an integer between 1 and %"
                               PRId64, name, max);
        }
    }

    if (n > 0) {
        *value = n;
    }

    return DFP_OK;
}


int64_t
dfp_page_before(const dfp_page_t *page)
{
    return (page->number - 1) * page->size;
}


void
dfp_page_filter(dfp_buf_t *b, const char *name, dfp_str_t value)
{
    dfp_str_t  escaped;

    if (value.len == 0) {
        return;
    }

    if (dfp_escape(b->mem, value, &escaped) != DFP_OK) {
        b->failed = 1;
        return;
    }

    dfp_buf_cstr(b, "&");
    dfp_buf_cstr(b, name);
    dfp_buf_cstr(b, "=");
    dfp_buf_str(b, escaped);
}


void
dfp_page_link(dfp_buf_t *b, const dfp_page_t *page, const char *path,
    dfp_str_t filters, int64_t total)
{
    dfp_page_target(b, page, path, filters,
                    page->number > 1 ? page->number - 1 : 1);
    dfp_buf_cstr(b, "prev,");
    dfp_page_target(b, page, path, filters, page->number + 1);
    dfp_buf_cstr(b, "next,");
    dfp_page_target(b, page, path, filters, 1);
    dfp_buf_cstr(b, "first");

    if (total >= 0) {
        dfp_buf_cstr(b, ",");
        dfp_page_target(b, page, path, filters,
                        total / page->size + (total % page->size > 0));
        dfp_buf_cstr(b, "last");
    }
}


static void
dfp_page_target(dfp_buf_t *b, const dfp_page_t *page, const char *path,
    dfp_str_t filters, int64_t number)
{
    dfp_buf_cstr(b, "<");
    dfp_buf_cstr(b, path);
    dfp_buf_cstr(b, "?page=");
    dfp_buf_int(b, number);
    dfp_buf_cstr(b, "&per_page=");
    dfp_buf_int(b, page->size);
    dfp_buf_str(b, filters);
    dfp_buf_cstr(b, ">;rel=");
}
