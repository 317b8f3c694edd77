/*
 * Percent-encoding.
 */

#include "dfp_char.h"
#include "dfp_escape.h"
#include "dfp_test.h"


TEST("a value of a query has unreserved characters as they are")
{
    dfp_str_t  out, plain = DFP_STR("plain-._~09AZ");

    CHECK_INT(dfp_escape(dfp_test_mem(), DFP_STR("a b/c+\xff\0"), &out),
              DFP_OK);
    CHECK_STR(out, "a%20b%2Fc%2B%FF%00");

    CHECK_INT(dfp_escape(dfp_test_mem(), plain, &out), DFP_OK);
    CHECK(out.data == plain.data);

    CHECK_INT(dfp_escape(dfp_test_mem(), DFP_STR_NULL, &out), DFP_OK);
    CHECK_INT(out.len, 0);
}


TEST("a URL that was typed has blanks and letters beyond ASCII escaped")
{
    dfp_str_t  out, plain = DFP_STR("http://a.lan/b%20c?d=e+f#g");

    CHECK_INT(dfp_escape_url(dfp_test_mem(),
                             DFP_STR("http://a.lan/b c\xc3\xa9?d= +%\"|"), &out),
              DFP_OK);
    CHECK_STR(out, "http://a.lan/b%20c%C3%A9?d=%20+%\"|");

    CHECK_INT(dfp_escape_url(dfp_test_mem(), plain, &out), DFP_OK);
    CHECK(out.data == plain.data);

    /* not what was copied with it */

    CHECK_INT(dfp_escape_url(dfp_test_mem(), DFP_STR(" /a\t\x7f "), &out), DFP_OK);
    CHECK_STR(out, " /a\t\x7f ");
    CHECK_INT(dfp_escape_url(dfp_test_mem(), DFP_STR_NULL, &out), DFP_OK);
    CHECK_INT(out.len, 0);
}


static int
escape_in(dfp_mem_t *mem, void *data)
{
    dfp_rc_t   rc;
    dfp_str_t  out;

    rc = dfp_escape(mem, DFP_STR("a b"), &out);

    return rc == DFP_OK ? dfp_escape_url(mem, DFP_STR("a b"), &out) : rc;
}


TEST("no memory is an error of its own")
{
    dfp_test_oom(escape_in, NULL);
}


TEST("classes of characters have ASCII only")
{
    int   i;
    char  ch;

    for (i = 1; i < 256; i++) {
        ch = (char) i;

        CHECK_INT(dfp_alnum(ch) != 0,
                  strchr("abcdefghijklmnopqrstuvwxyz0123456789"
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ", ch) != NULL);
        CHECK_INT(dfp_tchar(ch) != 0,
                  dfp_alnum(ch) || strchr("!#$%&'*+-.^_`|~", ch) != NULL);
        CHECK_INT(dfp_control(ch) != 0, (i < 32 && ch != '\t') || i == 127);
    }

    CHECK(!dfp_alnum('\0') && !dfp_tchar('\0') && dfp_control('\0'));
    CHECK(dfp_lower('A') == 'a' && dfp_lower('Z') == 'z');
    CHECK(dfp_lower('@') == '@' && dfp_lower('[') == '[');
    CHECK(dfp_lower('\xc3') == '\xc3');
}
