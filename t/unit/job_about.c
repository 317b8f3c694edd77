/*
 * What PATCH changes of a job.
 */

#include "job_test.h"


static dfp_job_about_t  change;


static int
parse_change(const char *body)
{
    err.text[0] = '\0';

    return dfp_job_parse_change(dfp_test_mem(), dfp_test_str(body), &change,
                                &err);
}


/* What the job tells after the change. */

static const char *
changed(const char *about, const char *body)
{
    dfp_buf_t        b;
    dfp_job_about_t  after;

    if (parse_change(body) != DFP_OK
        || dfp_job_change(dfp_test_mem(), dfp_test_str(about), &change, &after,
                          &err)
           != DFP_OK)
    {
        return err.text;
    }

    dfp_buf_init(&b, dfp_test_mem(), 16, 0);
    dfp_job_print_about(&b, &after);
    dfp_buf_append(&b, "", 1);

    return b.failed ? "no memory" : b.data;
}


#define ABOUT    ",\"bio\":\"a \\\"b\\\"\\n\",\"type\":\"preheat\",\"user_id\":7"
#define CHANGED(body, expected)                                               \
    CHECK_SAME(dfp_test_str(changed(ABOUT, body)), dfp_test_str(expected))
#define REFUSED_CHANGE(body, facts)                                           \
    do {                                                                      \
        CHECK_INT(parse_change(body), DFP_INVALID);                                  \
        CHECK_SAYS(err.text, facts);                                          \
    } while (0)


TEST("what is given is changed, the rest stays as it was")
{
    CHANGED("{}", ABOUT);
    CHANGED("{\"bio\":null,\"user_id\":null,\"type\":\"gc\"}", ABOUT);
    CHANGED("{\"bio\":\"new\"}",
            ",\"bio\":\"new\",\"type\":\"preheat\",\"user_id\":7");
    CHANGED("{\"BIO\":\"\",\"User_Id\":0}",
            ",\"bio\":\"\",\"type\":\"preheat\",\"user_id\":0");
    CHANGED("{\"user_id\":9223372036854775807}",
            ",\"bio\":\"a \\\"b\\\"\\n\",\"type\":\"preheat\","
            "\"user_id\":9223372036854775807");
}


TEST("a wrong change is refused")
{
    REFUSED_CHANGE("", "the body | JSON");
    REFUSED_CHANGE("[]", "the body | object");
    REFUSED_CHANGE("{\"bio\":1}", "bio");
    REFUSED_CHANGE("{\"user_id\":\"1\"}", "user_id");
    REFUSED_CHANGE("{\"user_id\":-1}", "user_id | 0");
    REFUSED_CHANGE("{\"user_id\":1.5}", "user_id");
}


TEST("a stored job that is something else is not changed")
{
    CHECK(parse_change("{\"bio\":\"new\"}") == DFP_OK);
    CHECK_INT(dfp_job_change(dfp_test_mem(), dfp_test_str(",\"bio\":"),
                             &change, &change, &err),
              DFP_INVALID);
}


TEST("a dry run stays one")
{
    static const char  about[] = ABOUT ",\"dry_run\":true";

    CHECK_INT(dfp_job_about_dry(dfp_test_str(about)), 1);
    CHECK_INT(dfp_job_about_dry(dfp_test_str(changed(about,
                  "{\"user_id\":1,\"dry_run\":false}"))), 1);

    CHECK_INT(dfp_job_about_dry(dfp_test_str(ABOUT)), 0);
    CHECK_INT(dfp_job_about_dry(dfp_test_str(changed(ABOUT,
                  "{\"bio\":\",\\\"dry_run\\\":true\",\"dry_run\":true}"))),
              0);
    CHECK_INT(dfp_job_about_dry(DFP_STR("")), 0);
}
