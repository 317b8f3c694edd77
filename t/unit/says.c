/*
 * CHECK_SAYS itself: which facts a message says.
 */

#include "dfp_test.h"


#define URL  "args.url must not be longer than 4096 bytes"


static int
says(const char *text, const char *facts)
{
    dfp_str_t  fact;

    return dfp_test_says(text, facts, &fact);
}


TEST("facts are found in their order")
{
    CHECK(says(URL, "args.url | 4096 bytes"));
    CHECK(says(URL, "args.url | not | longer | 4096"));
    CHECK(says(URL, URL));

    CHECK(!says(URL, "4096 bytes | args.url"));
    CHECK(!says(URL, "args.url | args.url"));
    CHECK(!says(URL, "args.url | 4096 bytes | bytes"));
}


TEST("the first fact that is not there is named")
{
    dfp_str_t  fact;

    CHECK(!dfp_test_says(URL, "args.url | 4097 | chars", &fact));
    CHECK_STR(fact, "4097");
}


TEST("names and numbers count as a whole")
{
    CHECK(!says(URL, "url"));
    CHECK(!says(URL, "args"));
    CHECK(!says(URL, "409"));
    CHECK(!says(URL, "096"));
    CHECK(!says(URL, "byte"));

    CHECK(!says("args.urls[1] is empty", "args.urls"));
    CHECK(says("args.urls[1] is empty", "args.urls[1]"));
    CHECK(!says("user_id is missing", "id"));
    CHECK(!says("no linux/arm/v7", "linux/arm"));
    CHECK(!says("no linux/arm/v7", "arm/v7"));

    /* a later place may be whole */

    CHECK(says("args.urls or args.url", "args.url"));
}


TEST("punctuation ends a name")
{
    CHECK(says("the limit is 10.", "10"));
    CHECK(says("\"a.lan\": wrong", "a.lan"));
    CHECK(says("(x, y)", "x | y"));
    CHECK(says("must not contain %00", "%00"));
}


TEST("an empty message says nothing, and nothing is no fact")
{
    CHECK(!says("", "a"));
    CHECK(!says("", ""));
    CHECK(!says(URL, ""));
    CHECK(!says(URL, "args.url | "));
}
