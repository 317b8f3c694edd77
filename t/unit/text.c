/*
 * Text for people and logs.
 */

#include "dfp_text.h"
#include "dfp_test.h"


static dfp_str_t  text;


static dfp_str_t
clean(dfp_str_t s, size_t max)
{
    dfp_str_t  copy;

    /* a block of its own, so that its end is seen */

    copy.len = s.len;
    copy.data = dfp_test_alloc(NULL, s.len);

    if (s.len) {
        memcpy((char *) copy.data, s.data, s.len);
    }

    CHECK_INT(dfp_text_clean(dfp_test_mem(), copy, max, &text), DFP_OK);
    CHECK(text.len <= max);
    CHECK(text.data != copy.data);

    return text;
}


#define CHECK_CLEAN(in, out)  CHECK_STR(clean(DFP_STR(in), 100), out)


TEST("a plain word stays as it is, and so do words")
{
    CHECK_CLEAN("", "");
    CHECK_CLEAN("seed-1", "seed-1");
    CHECK_CLEAN("404 Not Found", "404 Not Found");
    CHECK_CLEAN("\xe2\x82\xac 5", "\xe2\x82\xac 5");
    CHECK_SAME(clean(DFP_STR_NULL, 10), DFP_STR(""));
}


TEST("white space is one blank between two words, and none at the ends")
{
    CHECK_CLEAN("  a \t\r\n\v\f b  ", "a b");
    CHECK_CLEAN("a\nb", "a b");
    CHECK_CLEAN(" ", "");
    CHECK_CLEAN("\n\n\n", "");
}


TEST("controls and what is not seen are left out")
{
    CHECK_CLEAN("a\0b", "ab");
    CHECK_CLEAN("\x1b[31mred\x7f", "[31mred");
    CHECK_CLEAN("a\xc2\x80\xc2\x9f" "b", "ab");
    CHECK_CLEAN("a\xe2\x80\xae" "b\xef\xbb\xbf", "ab");
    CHECK_CLEAN("a\xe2\x80\xa8" "b", "ab");
    CHECK_CLEAN("a\xf3\xa0\x81\x81" "b", "ab");
    CHECK_CLEAN("\x01\x02", "");
}


TEST("wrong UTF-8 is U+FFFD")
{
    CHECK_CLEAN("a\xff" "b", "a\xef\xbf\xbd" "b");
    CHECK_CLEAN("\xe2\x82", "\xef\xbf\xbd");
    CHECK_CLEAN("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");
    CHECK_CLEAN("\xef\xbf\xbd", "\xef\xbf\xbd");
}


TEST("the secrets of URLs are hidden, wherever a URL stands")
{
    CHECK_CLEAN("Get \"https://a.lan/x?X-Amz-Signature=abc&b=1\": EOF",
                "Get \"https://a.lan/x?X-Amz-Signature=***&b=1\": EOF");
    CHECK_CLEAN("https://u:p@a.lan/", "https://***@a.lan/");
    CHECK_CLEAN("url=(https://u:p@a.lan/)", "url=(https://***@a.lan/)");
    CHECK_CLEAN("for url (http://a.lan/?token=1)", "for url (http://a.lan/"
                "?token=***");
    CHECK_CLEAN("token=1", "token=1");
}


TEST("a long text is cut between characters, and behind a word")
{
    CHECK_STR(clean(DFP_STR("abcdef"), 6), "abcdef");
    CHECK_STR(clean(DFP_STR("abcdef"), 5), "abcde");
    CHECK_STR(clean(DFP_STR("abcd ef"), 5), "abcd");
    CHECK_STR(clean(DFP_STR("ab\xe2\x82\xac"), 5), "ab\xe2\x82\xac");
    CHECK_STR(clean(DFP_STR("ab\xe2\x82\xac"), 4), "ab");
    CHECK_STR(clean(DFP_STR("\xe2\x82\xac"), 2), "");
    CHECK_STR(clean(DFP_STR("abc"), 0), "");
}


TEST("a password is seen although the text is cut before its \"@\"")
{
    CHECK_STR(clean(DFP_STR("a https://user:password@a.lan/"), 20),
              "a https://***@a.lan/");
    CHECK_STR(clean(DFP_STR("a https://user:password@a.lan/"), 15),
              "a https://***@a");
}


static int
run(dfp_mem_t *mem, void *data)
{
    return dfp_text_clean(mem, dfp_test_str(data), 20, &text);
}


TEST("no memory is an error")
{
    char  value[1000] = { 0 };

    dfp_test_oom(run, "plain");
    dfp_test_oom(run, "two words");
    dfp_test_oom(run, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    dfp_test_oom(run, "a (https://user:password@a.lan/?token=1&sig=2) b c d");

    memset(value, 'a', sizeof(value) - 1);
    dfp_test_oom(run, value);

    memset(value, '\xff', sizeof(value) - 1);
    dfp_test_oom(run, value);
}
