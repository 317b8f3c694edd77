/*
 * Pages of a list: what may be asked for, and the links to other pages.
 */

#include "dfp_page.h"
#include "dfp_test.h"


#define MOST  1000


static void
check_page(const char *number, const char *size, int64_t n, int64_t len,
    int line)
{
    dfp_err_t   err;
    dfp_page_t  page;

    if (dfp_test_check_int(dfp_page_parse(dfp_cstr(number), dfp_cstr(size),
                                          MOST, &page, &err),
                           DFP_OK, line, "the result"))
    {
        dfp_test_check_int(page.number, n, line, "the number");
        dfp_test_check_int(page.size, len, line, "the size");
    }
}


static void
check_wrong(const char *number, const char *size, const char *facts, int line)
{
    dfp_err_t   err;
    dfp_page_t  page;

    dfp_test_check_int(dfp_page_parse(dfp_cstr(number), dfp_cstr(size), MOST,
                                      &page, &err),
                       DFP_INVALID, line, "the result");
    dfp_test_check_says(err.text, facts, line, "the message");
}


#define PAGE(number, size, n, len)  check_page(number, size, n, len, __LINE__)
#define WRONG(number, size, facts)  check_wrong(number, size, facts, __LINE__)


static const char *
links(int64_t number, int64_t size, const char *name, const char *value,
    int64_t total)
{
    dfp_buf_t   b, filters;
    dfp_page_t  page = { number, size };

    dfp_buf_init(&filters, dfp_test_mem(), 0, 0);
    dfp_page_filter(&filters, name, dfp_cstr(value));

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_page_link(&b, &page, "/list", dfp_buf_value(&filters), total);
    dfp_buf_append(&b, "", 1);

    CHECK(!b.failed);

    return b.data;
}


TEST("without parameters it is the first page, of ten")
{
    PAGE("", "", 1, 10);
    PAGE("0", "0", 1, 10);
    PAGE("000", "", 1, 10);
}


TEST("a page is as large as it is asked for, up to a limit")
{
    PAGE("1", "1", 1, 1);
    PAGE("007", "50", 7, 50);
    PAGE("100000000000", "1000", INT64_C(100000000000), 1000);
    PAGE("2", "1001", 2, 1000);
    PAGE("2", "10000000", 2, 1000);
}


TEST("what is no number of a page is refused")
{
    WRONG("-1", "", "page | integer | between 1 and 100000000000");
    WRONG("+1", "", "page | integer");
    WRONG("1.0", "", "page | integer");
    WRONG(" 1", "", "page | integer");
    WRONG("a", "", "page | integer");
    WRONG("100000000001", "", "page | 100000000000");
    WRONG("99999999999999999999999999999", "", "page | 100000000000");
    WRONG("", "10000001", "per_page | between 1 and 10000000");
    WRONG("1", "many", "per_page | integer");
}


TEST("what is before a page")
{
    dfp_page_t  page = { 1, 10 };

    CHECK_INT(dfp_page_before(&page), 0);

    page.number = 4;
    CHECK_INT(dfp_page_before(&page), 30);

    page.number = DFP_PAGE_MAX;
    page.size = DFP_PAGE_MAX_SIZE;
    CHECK_INT(dfp_page_before(&page), INT64_C(999999999990000000));
}


TEST("links to the other pages, as the manager writes them")
{
    CHECK_TEXT(links(1, 3, "", "", 7),
               "</list?page=1&per_page=3>;rel=prev,"
               "</list?page=2&per_page=3>;rel=next,"
               "</list?page=1&per_page=3>;rel=first,"
               "</list?page=3&per_page=3>;rel=last");
    CHECK_HAS(links(9, 3, "", "", 7), "</list?page=8&per_page=3>;rel=prev,"
              "</list?page=10&per_page=3>;rel=next,");
    CHECK_HAS(links(1, 10, "", "", 0), "</list?page=0&per_page=10>;rel=last");
    CHECK_HAS(links(1, 10, "", "", 10), "</list?page=1&per_page=10>;rel=last");
    CHECK_HAS(links(1, 10, "", "", 11), "</list?page=2&per_page=10>;rel=last");
    CHECK_HAS(links(1, 10, "", "", INT64_MAX), ";rel=last");
}


TEST("links keep the filters")
{
    CHECK_HAS(links(2, 10, "state", "active", 30),
              "</list?page=3&per_page=10&state=active>;rel=next,");
    CHECK_HAS(links(2, 10, "type", "a>, b\r\n&", 30),
              "&type=a%3E%2C%20b%0D%0A%26>;rel=last");
}


TEST("a list of which the end is unknown has no last page")
{
    CHECK_TEXT(links(2, 10, "", "", -1),
               "</list?page=1&per_page=10>;rel=prev,"
               "</list?page=3&per_page=10>;rel=next,"
               "</list?page=1&per_page=10>;rel=first");
}


static int
run_link(dfp_mem_t *mem, void *data)
{
    dfp_buf_t   b;
    dfp_page_t  page = { 1, 10 };

    dfp_buf_init(&b, mem, 0, 0);
    dfp_page_filter(&b, "type", DFP_STR("a b"));
    dfp_page_link(&b, &page, "/list", DFP_STR("&a=b"), 1);

    return b.failed ? DFP_ERROR : DFP_OK;
}


TEST("without memory there are no links")
{
    dfp_test_oom(run_link, NULL);
}
