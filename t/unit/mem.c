/*
 * Strings.
 */

#include "dfp_test.h"


/* A copy without a NUL in a block of its own, so that its end is seen. */

static dfp_str_t
block(dfp_str_t s)
{
    char  *copy;

    copy = dfp_test_alloc(NULL, s.len);
    memcpy(copy, s.data, s.len);

    return (dfp_str_t) { s.len, copy };
}


static void
check_places(int line, dfp_str_t s, const char *part, int first, int last)
{
    const char  *found;

    s = block(s);

    found = dfp_str_find(s, part);
    if (!CHECK_INT(found ? found - s.data : -1, first)) {
        printf("#   in line %d\n", line);
    }

    found = dfp_str_find_last(s, part);
    if (!CHECK_INT(found ? found - s.data : -1, last)) {
        printf("#   in line %d\n", line);
    }
}


#define CHECK_PLACES(s, part, first, last)                                    \
    check_places(__LINE__, DFP_STR(s), part, first, last)


TEST("the first and the last place of a part are found")
{
    CHECK_PLACES("a/v2/b/v2/c", "/v2/", 1, 6);
    CHECK_PLACES("/v2/", "/v2/", 0, 0);
    CHECK_PLACES("aaa", "aa", 0, 1);
    CHECK_PLACES("/v2", "/v2/", -1, -1);
    CHECK_PLACES("a\0b", "b", 2, 2);
    CHECK_PLACES("b", "abc", -1, -1);

    CHECK(dfp_str_find(DFP_STR_NULL, "a") == NULL);
    CHECK(dfp_str_find_last(DFP_STR_NULL, "a") == NULL);
}


TEST("a text is read up to a character of a list, or to its end")
{
    dfp_str_t    s;
    const char  *p, *last;

    s = block(DFP_STR("name=value"));
    p = s.data;
    last = p + s.len;

    CHECK_STR(dfp_str_until(&p, last, "&="), "name");
    CHECK(*p == '=');
    p++;

    CHECK_STR(dfp_str_until(&p, last, "&="), "value");
    CHECK(p == last);
    CHECK_STR(dfp_str_until(&p, last, "&="), "");
}


TEST("texts are compared as wholes, at their ends, and in any letter case")
{
    CHECK(dfp_str_eq(DFP_STR_NULL, DFP_STR("")));
    CHECK(!dfp_str_eq(DFP_STR("a"), DFP_STR("A")));

    CHECK(dfp_str_ends(DFP_STR("a/tags/list"), DFP_STR("/tags/list")));
    CHECK(!dfp_str_ends(DFP_STR("list"), DFP_STR("/tags/list")));

    CHECK(dfp_str_case_eq(DFP_STR("Basic"), DFP_STR("bASIC")));
    CHECK(dfp_str_case_eq(DFP_STR_NULL, DFP_STR("")));
    CHECK(!dfp_str_case_eq(DFP_STR("Basi"), DFP_STR("Basic")));
    CHECK(!dfp_str_case_eq(DFP_STR("[a"), DFP_STR("{A")));

    CHECK(dfp_str_case_starts(DFP_STR("HTTPS://a"), DFP_STR("https://")));
    CHECK(!dfp_str_case_starts(DFP_STR("http"), DFP_STR("http:")));
}
