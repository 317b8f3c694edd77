/*
 * UTF-8 that may be malformed.
 */

#include "dfp_utf8.h"
#include "dfp_test.h"


static void
check_char(int line, dfp_str_t s, size_t len, uint32_t code)
{
    size_t     got;
    uint32_t   ch;
    dfp_str_t  copy;

    copy.len = s.len;
    copy.data = dfp_test_alloc(NULL, s.len);
    memcpy((char *) copy.data, s.data, s.len);

    got = dfp_utf8_decode(copy.data, copy.len, &ch);

    if (got != len || ch != code) {
        printf("# line %d: %zu bytes, U+%04X\n", line, got, ch);
        CHECK(0);
    }
}


#define CHECK_CHAR(s, len, code)                                              \
    check_char(__LINE__, DFP_STR(s), len, code)

#define CHECK_MALFORMED(s, len)  CHECK_CHAR(s, len, DFP_UTF8_MALFORMED)


TEST("characters of one to four bytes, at the edges of each")
{
    CHECK_CHAR("\0", 1, 0);
    CHECK_CHAR("a", 1, 'a');
    CHECK_CHAR("\x7f", 1, 0x7f);
    CHECK_CHAR("\xc2\x80", 2, 0x80);
    CHECK_CHAR("\xdf\xbf", 2, 0x7ff);
    CHECK_CHAR("\xe0\xa0\x80", 3, 0x800);
    CHECK_CHAR("\xed\x9f\xbf", 3, 0xd7ff);
    CHECK_CHAR("\xee\x80\x80", 3, 0xe000);
    CHECK_CHAR("\xef\xbf\xbd", 3, 0xfffd);
    CHECK_CHAR("\xef\xbf\xbf", 3, 0xffff);
    CHECK_CHAR("\xf0\x90\x80\x80", 4, 0x10000);
    CHECK_CHAR("\xf4\x8f\xbf\xbf", 4, 0x10ffff);
}


TEST("malformed UTF-8 is one character as long as it could have been one")
{
    CHECK_MALFORMED("\x80", 1);
    CHECK_MALFORMED("\xc0\x80", 1);
    CHECK_MALFORMED("\xc1\xbf", 1);
    CHECK_MALFORMED("\xc2", 1);
    CHECK_MALFORMED("\xc2\x41", 1);
    CHECK_MALFORMED("\xe0\x9f\xbf", 1);
    CHECK_MALFORMED("\xe0\xa0", 2);
    CHECK_MALFORMED("\xe0\xa0\x41", 2);
    CHECK_MALFORMED("\xed\xa0\x80", 1);
    CHECK_MALFORMED("\xf0\x8f\xbf\xbf", 1);
    CHECK_MALFORMED("\xf0\x90\x80", 3);
    CHECK_MALFORMED("\xf0\x90\x41", 2);
    CHECK_MALFORMED("\xf4\x90\x80\x80", 1);
    CHECK_MALFORMED("\xf5\x80\x80\x80", 1);
    CHECK_MALFORMED("\xff", 1);
}
