/*
 * Buffers, and JSON printed into them.
 */

#include "dfp_buf.h"
#include "dfp_test.h"


static dfp_str_t
json_of(dfp_str_t s)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_json(&b, s);
    CHECK(!b.failed);

    return dfp_buf_value(&b);
}


#define CHECK_JSON(in, out)  CHECK_STR(json_of(DFP_STR(in)), out)


TEST("an empty buffer has an empty value")
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    CHECK_INT(dfp_buf_value(&b).len, 0);
    CHECK(!b.failed);
    CHECK_INT(dfp_test_allocs, 0);

    dfp_buf_str(&b, DFP_STR_NULL);
    dfp_buf_cstr(&b, "");
    CHECK_INT(dfp_buf_value(&b).len, 0);
    CHECK(!b.failed);
}


TEST("what is appended comes out in order")
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 1, 0);
    dfp_buf_append(&b, "ab\0c", 4);
    dfp_buf_str(&b, DFP_STR("-str-"));
    dfp_buf_cstr(&b, "cstr");
    dfp_buf_int(&b, -7);

    CHECK(!b.failed);
    CHECK_STR(dfp_buf_value(&b), "ab\0c-str-cstr-7");
}


TEST("a buffer grows far past its first size, and allocates rarely")
{
    int        i;
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 10, 0);

    for (i = 0; i < 100000; i++) {
        dfp_buf_append(&b, "0123456789", 10);
    }

    CHECK(!b.failed);
    CHECK_INT(b.len, 1000000);
    CHECK(memcmp(b.data + 999990, "0123456789", 10) == 0);
    CHECK(dfp_test_allocs < 20);
}


TEST("a buffer takes its maximum to the byte, and not one more")
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 1000, 100);
    CHECK_INT(b.size, 100);

    dfp_buf_append(&b, "0123456789", 10);
    dfp_buf_append(&b, b.data, 10);

    while (b.len < 100) {
        dfp_buf_append(&b, "0123456789", 10);
    }

    CHECK(!b.failed);
    CHECK_INT(b.len, 100);

    dfp_buf_append(&b, "x", 1);
    CHECK(b.failed);
    CHECK_INT(b.len, 100);
}


TEST("after a failure nothing is appended, though there would be room")
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 8);
    dfp_buf_cstr(&b, "12345");
    dfp_buf_cstr(&b, "6789");
    CHECK(b.failed);

    dfp_buf_cstr(&b, "6");
    CHECK_STR(dfp_buf_value(&b), "12345");
}


TEST("no memory is told by failed, and what was written stays")
{
    dfp_buf_t  b;

    dfp_test_fail(1);
    dfp_buf_init(&b, dfp_test_mem(), 10, 0);
    CHECK(b.failed);
    CHECK_INT(dfp_buf_value(&b).len, 0);

    dfp_test_fail(2);
    dfp_buf_init(&b, dfp_test_mem(), 64, 0);
    dfp_buf_cstr(&b, "kept");
    CHECK(!b.failed);
    dfp_buf_append(&b, "0123456789012345678901234567890123456789"
                       "0123456789012345678901234567890123456789", 80);
    CHECK(b.failed);
    CHECK_STR(dfp_buf_value(&b), "kept");
}


TEST("an append whose length would overflow fails")
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_cstr(&b, "x");
    dfp_buf_append(&b, "x", SIZE_MAX - 1);
    CHECK(b.failed);
    CHECK_STR(dfp_buf_value(&b), "x");
}


TEST("integers print from the smallest to the largest")
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_int(&b, INT64_MIN);
    dfp_buf_cstr(&b, " ");
    dfp_buf_int(&b, 0);
    dfp_buf_cstr(&b, " ");
    dfp_buf_int(&b, INT64_MAX);

    CHECK_STR(dfp_buf_value(&b),
              "-9223372036854775808 0 9223372036854775807");
}


TEST("JSON strings: quotes, backslashes and control characters are escaped")
{
    CHECK_JSON("", "\"\"");
    CHECK_JSON("plain text", "\"plain text\"");
    CHECK_JSON("say \"x\"", "\"say \\\"x\\\"\"");
    CHECK_JSON("a\\b", "\"a\\\\b\"");
    CHECK_JSON("a/b", "\"a/b\"");
    CHECK_JSON("\n\r\t", "\"\\n\\r\\t\"");
    CHECK_JSON("\0\1\x1f\b\f", "\"\\u0000\\u0001\\u001f\\u0008\\u000c\"");
    CHECK_JSON("\x7f", "\"\x7f\"");
    CHECK_SAME(json_of(DFP_STR_NULL), DFP_STR("\"\""));
}


TEST("JSON strings: UTF-8 of every length passes as it is")
{
    CHECK_JSON("\xc3\xa9", "\"\xc3\xa9\"");
    CHECK_JSON("\xc2\x80\xdf\xbf", "\"\xc2\x80\xdf\xbf\"");
    CHECK_JSON("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
               "\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"");
    CHECK_JSON("\xf0\x90\x80\x80\xf3\xbf\xbf\xbf\xf4\x8f\xbf\xbf",
               "\"\xf0\x90\x80\x80\xf3\xbf\xbf\xbf\xf4\x8f\xbf\xbf\"");
}


#define U  "\xef\xbf\xbd"

TEST("JSON strings: each byte that is no UTF-8 becomes U+FFFD")
{
    CHECK_JSON("\x80", "\"" U "\"");
    CHECK_JSON("a\xff" "b", "\"a" U "b\"");
    CHECK_JSON("\xc3", "\"" U "\"");                       /* cut off */
    CHECK_JSON("\xc3\"", "\"" U "\\\"\"");
    CHECK_JSON("\xe2\x82", "\"" U U "\"");
    CHECK_JSON("\xf0\x9f\x98", "\"" U U U "\"");
    CHECK_JSON("\xc0\x80", "\"" U U "\"");                 /* overlong */
    CHECK_JSON("\xc1\xbf", "\"" U U "\"");
    CHECK_JSON("\xe0\x9f\xbf", "\"" U U U "\"");
    CHECK_JSON("\xf0\x8f\xbf\xbf", "\"" U U U U "\"");
    CHECK_JSON("\xed\xa0\x80", "\"" U U U "\"");           /* a surrogate */
    CHECK_JSON("\xf4\x90\x80\x80", "\"" U U U U "\"");     /* over U+10FFFF */
    CHECK_JSON("\xf5\x80\x80\x80", "\"" U U U U "\"");
    CHECK_JSON("\xe2\x82\x41", "\"" U U "A\"");
    CHECK_JSON("\xe2\x41\x82", "\"" U "A" U "\"");
    CHECK_JSON("\xf0\x9f\x98\x41", "\"" U U U "A\"");
}


TEST("JSON strings: a failure in the middle is seen at the end")
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 6);
    dfp_buf_json(&b, DFP_STR("1234"));
    CHECK(!b.failed);

    dfp_buf_init(&b, dfp_test_mem(), 0, 5);
    dfp_buf_json(&b, DFP_STR("1234"));
    CHECK(b.failed);
}


TEST("a copy of a string is NUL-terminated, and may be of nothing")
{
    CHECK_TEXT(dfp_strdup(dfp_test_mem(), "abcdef", 3), "abc");
    CHECK_TEXT(dfp_strdup(dfp_test_mem(), NULL, 0), "");

    dfp_test_fail(1);
    CHECK(dfp_strdup(dfp_test_mem(), "abc", 3) == NULL);
}


TEST("an error is a sentence, cut where it is too long")
{
    char       text[2 * DFP_ERR_LEN];
    dfp_err_t  err;

    CHECK_INT(dfp_invalid(&err, "args.count must be between %d and %d", 1, 200),
              DFP_INVALID);
    CHECK_TEXT(err.text, "args.count must be between 1 and 200");

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';

    CHECK_INT(dfp_invalid(&err, "%s", text), DFP_INVALID);
    CHECK_INT(strlen(err.text), DFP_ERR_LEN - 1);
}


TEST("strings are equal by their bytes; a missing one equals an empty one")
{
    CHECK(dfp_str_eq(DFP_STR("a\0b"), DFP_STR("a\0b")));
    CHECK(!dfp_str_eq(DFP_STR("a\0b"), DFP_STR("a\0c")));
    CHECK(!dfp_str_eq(DFP_STR("a"), DFP_STR("ab")));
    CHECK(dfp_str_eq(DFP_STR_NULL, DFP_STR("")));
}
