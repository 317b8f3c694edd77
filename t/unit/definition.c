/*
 * Definitions of clusters: how they are printed, and what two instances tell
 * about each other by them.
 */

#include "dfp_definition.h"
#include "dfp_test.h"


#define OURS  "1 cluster=11111111 origins=22222222 keys=33333333;"            \
              "7 cluster=44444444 origins=55555555 keys=66666666"


static dfp_difference_t  difference;


static dfp_rc_t
differs_from(const char *theirs)
{
    memset(&difference, 0xa5, sizeof(dfp_difference_t));

    return dfp_definition_differs(DFP_STR(OURS), dfp_test_str(theirs),
                                  &difference);
}


static void
check_differs(const char *theirs, const char *cluster, const char *aspects)
{
    if (CHECK_INT(differs_from(theirs), DFP_OK)) {
        CHECK_SAME(difference.cluster, dfp_test_str(cluster));
        CHECK_TEXT(difference.aspects, aspects);
    }
}


static void
check_same(const char *theirs)
{
    if (!CHECK_INT(differs_from(theirs), DFP_DECLINED)) {
        dfp_test_print("theirs", dfp_test_str(theirs));
    }
}


TEST("a definition has a short hash of each aspect")
{
    dfp_buf_t  one, all;

    dfp_buf_init(&one, dfp_test_mem(), 0, 0);
    dfp_buf_init(&all, dfp_test_mem(), 0, 0);

    CHECK_INT(dfp_definition_aspect(&one, "origins", DFP_STR("abc")), DFP_OK);
    CHECK_INT(dfp_definition_aspect(&one, "keys", DFP_STR("")), DFP_OK);
    CHECK_STR(dfp_buf_value(&one), "origins=ba7816bf keys=e3b0c442");

    dfp_definition_cluster(&all, 1, dfp_buf_value(&one));
    dfp_definition_cluster(&all, INT64_MAX, DFP_STR("keys=ba7816bf"));
    CHECK_STR(dfp_buf_value(&all), "1 origins=ba7816bf keys=e3b0c442;"
                                   "9223372036854775807 keys=ba7816bf");
}


TEST("equal definitions do not differ, in any order")
{
    check_same(OURS);
    check_same("7 keys=66666666 cluster=44444444 origins=55555555;"
               "1 keys=33333333 origins=22222222 cluster=11111111");
}


TEST("the aspects that differ are named, in our order")
{
    check_differs("1 cluster=11111111 origins=2222222f keys=33333333", "1",
                  "origins");
    check_differs("1 keys=f origins=f cluster=f", "1",
                  "cluster, origins, keys");
    check_differs("1 cluster=11111111 origins= keys=33333333", "1",
                  "origins");
    check_differs("1 cluster=11111111 origins keys=33333333x", "1",
                  "origins, keys");
}


TEST("the first cluster that differs is named")
{
    check_differs("7 keys=f;1 keys=f", "1", "keys");
    check_differs("7 keys=f;1 keys=33333333", "7", "keys");
    check_differs("3 keys=f;7 keys=f", "7", "keys");
}


TEST("clusters that one does not have do not differ")
{
    check_same("");
    check_same("2 cluster=f origins=f keys=f");
    check_same("11 keys=f;77 keys=f;17 keys=f");
    check_same("7 cluster=44444444 origins=55555555 keys=66666666");
}


TEST("aspects that another release has, or has not, are not compared")
{
    check_same("1 cluster=11111111 colour=f");
    check_same("1");
    check_same("1 ");
    check_differs("1 colour=f keys=f", "1", "keys");
}


TEST("of what a hostile text repeats, the first counts")
{
    check_same("1 keys=33333333 keys=f;1 keys=f");
    check_differs("1 keys=f keys=33333333;1 keys=33333333", "1", "keys");
}


TEST("a text of any form is compared, and nothing of it is shown")
{
    size_t       i;
    static const char *const  texts[] = {
        ";", ";;;", " ", "=", "= ;", ";1", "1;1", " 1 keys=f", "1\tkeys=f",
        "01 keys=f", "+1 keys=f", "1  ", "1 =f", "1 keys\n=f", "1 KEYS=f"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_same(texts[i]);
    }

    check_differs("1  keys=\x1b[31m\xff\n", "1", "keys");
    check_differs(";1 keys", "1", "keys");
}


TEST("a text may contain NUL")
{
    CHECK_INT(dfp_definition_differs(DFP_STR(OURS), DFP_STR("1\0 keys=f"),
                                     &difference), DFP_DECLINED);
    CHECK_INT(dfp_definition_differs(DFP_STR(OURS), DFP_STR("1 keys=\0"),
                                     &difference), DFP_OK);
}


TEST("a text that is too long is not compared")
{
    dfp_str_t  text;

    text = text_of("1 keys=f %*s", DFP_DEFINITIONS_MAX, "");

    CHECK_INT(dfp_definition_differs(DFP_STR(OURS), text, &difference),
              DFP_DECLINED);

    text.len = DFP_DEFINITIONS_MAX;

    CHECK_INT(dfp_definition_differs(DFP_STR(OURS), text, &difference),
              DFP_OK);
}


TEST("names of aspects are listed as far as there is room")
{
    char       name[DFP_DEFINITION_NAMES + 1];
    dfp_str_t  ours, theirs;

    /* with "a, " before it and a NUL, the longest one that fits */

    memset(name, 'n', sizeof(name));
    name[DFP_DEFINITION_NAMES - 4] = '\0';

    ours = text_of("1 a=1 %s=1", name);
    theirs = text_of("1 a=2 %s=2", name);

    CHECK_INT(dfp_definition_differs(ours, theirs, &difference), DFP_OK);
    CHECK_INT(strlen(difference.aspects), DFP_DEFINITION_NAMES - 1);

    /* nothing fits after it */

    ours = text_of("1 a=1 %s=1 b=1", name);
    theirs = text_of("1 a=2 %s=2 b=2", name);

    CHECK_INT(dfp_definition_differs(ours, theirs, &difference), DFP_OK);
    CHECK_INT(strlen(difference.aspects), DFP_DEFINITION_NAMES - 1);

    ours = text_of("1 a=1 n%s=1 b=1", name);
    theirs = text_of("1 a=2 n%s=2 b=2", name);

    CHECK_INT(dfp_definition_differs(ours, theirs, &difference), DFP_OK);
    CHECK_TEXT(difference.aspects, "a");
}
