/*
 * Headers of answers as they came.
 */

#include "dfp_head.h"
#include "dfp_test.h"


#define HEAD                                                                  \
    "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nx-commit:  abc \r\nX-Commit: def\r\n"  \
    "X-Commits: 2\r\n\r\n"


TEST("a value is found by its name, in any letter case")
{
    dfp_str_t  head = DFP_STR(HEAD);

    CHECK_STR(dfp_head_value(head, DFP_STR("etag")), "\"1\"");
    CHECK_STR(dfp_head_value(head, DFP_STR("X-COMMIT")), "abc");
    CHECK(dfp_head_value(head, DFP_STR("X-Com")).data == NULL);
    CHECK(dfp_head_value(head, DFP_STR("HTTP/1.1 200 OK\r\nETag")).data == NULL);
    CHECK(dfp_head_value(DFP_STR("a: b"), DFP_STR("a")).data == NULL);
    CHECK(dfp_head_value(DFP_STR_NULL, DFP_STR("a")).data == NULL);
    CHECK_STR(dfp_head_value(DFP_STR("a:\r\n"), DFP_STR("a")), "");
    CHECK_STR(dfp_head_value(DFP_STR("x\na:b\n\n"), DFP_STR("a")), "b");
}


TEST("fields take the place of all lines with their names")
{
    dfp_str_t         out;
    dfp_head_field_t  fields[] = {
        { DFP_STR("X-Commit"), DFP_STR("123") },
        { DFP_STR("X-Size"), DFP_STR("") }
    };

    CHECK_INT(dfp_head_replace(dfp_test_mem(), DFP_STR(HEAD), fields, 2, &out),
              DFP_OK);
    CHECK_STR(out, "HTTP/1.1 200 OK\r\nX-Commit: 123\r\nX-Size: \r\n"
                   "ETag: \"1\"\r\nX-Commits: 2\r\n\r\n");

    CHECK_INT(dfp_head_replace(dfp_test_mem(), DFP_STR(HEAD), fields, 0, &out),
              DFP_OK);
    CHECK_STR(out, HEAD);

    /* what follows the last line is kept */

    CHECK_INT(dfp_head_replace(dfp_test_mem(), DFP_STR("HTTP/1.0 200\nx-size: 2\nab"),
                               fields + 1, 1, &out), DFP_OK);
    CHECK_STR(out, "HTTP/1.0 200\nX-Size: \r\nab");
}


TEST("what has no status line is refused")
{
    dfp_str_t  out;

    CHECK_INT(dfp_head_replace(dfp_test_mem(), DFP_STR("Status: 200\r\n\r\n"), NULL,
                               0, &out), DFP_INVALID);
    CHECK_INT(dfp_head_replace(dfp_test_mem(), DFP_STR("HTTP/1.1 200"), NULL, 0,
                               &out), DFP_INVALID);
    CHECK_INT(dfp_head_replace(dfp_test_mem(), DFP_STR_NULL, NULL, 0, &out),
              DFP_INVALID);
}


static int
replace_in(dfp_mem_t *mem, void *data)
{
    dfp_str_t         out;
    dfp_head_field_t  field = { DFP_STR("X-Commit"), DFP_STR("123") };

    (void) data;

    return dfp_head_replace(mem, DFP_STR(HEAD), &field, 1, &out);
}


TEST("no memory is an error of its own")
{
    dfp_test_oom(replace_in, NULL);
}
