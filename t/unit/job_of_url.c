/*
 * Jobs that look for one URL in the caches.
 */

#include "job_test.h"


static int
of_url(const char *url, const char *platform, dfp_job_t *job)
{
    err.text[0] = '\0';

    return dfp_job_of_url(dfp_test_mem(), DFP_JOB_LOOK, dfp_test_str(url),
                          dfp_test_str(platform), INT64_C(20000000000), job,
                          &err);
}


static void
check_job(const char *url, dfp_job_type_t type, const char *shown, int line)
{
    dfp_job_t  job, again;

    dfp_test_check_int(of_url(url, "linux/arm64", &job), DFP_OK, line, url);
    dfp_test_check_int(job.type, type, line, "the type");
    dfp_test_check_str(job.url, dfp_test_str(shown), line, "the URL");

    /* the worker reads what is printed */

    dfp_test_check_int(dfp_job_parse_args(dfp_test_mem(),
                           dfp_test_str(printed(&job, 0, NULL)), &again, &err),
                       DFP_OK, line, err.text);
    dfp_test_check_int(again.action, DFP_JOB_LOOK, line, "the action");
    dfp_test_check_int(again.type, type, line, "the type");
    dfp_test_check_int(again.scope, DFP_SCOPE_ALL_PEERS, line, "the scope");
    dfp_test_check_int(again.platforms.n, 1, line, "the platform");
    dfp_test_check_str(again.url, dfp_test_str(shown), line, "the URL");
    CHECK_INT(again.timeout, INT64_C(20000000000));
    CHECK_INT(again.concurrent_task_count, DFP_JOB_TASKS_DEFAULT);
}


#define JOB(url, type, shown)   check_job(url, type, shown, __LINE__)
#define REFUSED_URL(url, platform, facts)                                     \
    do {                                                                      \
        dfp_job_t  job;                                                       \
                                                                              \
        CHECK_INT(of_url(url, platform, &job), DFP_INVALID);                  \
        CHECK_SAYS(err.text, facts);                                          \
    } while (0)


TEST("a manifest URL or a reference is an image")
{
    JOB(IMAGE_URL, DFP_JOB_IMAGE, IMAGE_URL);
    JOB("alpine:3.19", DFP_JOB_IMAGE, "alpine:3.19");
    JOB("docker://registry.lan/a/b", DFP_JOB_IMAGE, "registry.lan/a/b");
}


TEST("any other URL is a file")
{
    JOB("http://files.lan/a?b=c", DFP_JOB_FILE, "http://files.lan/a?b=c");
    JOB("https://registry.lan/v2/a/blobs/sha256:0", DFP_JOB_FILE,
        "https://registry.lan/v2/a/blobs/sha256:0");
}


TEST("errors name the parameter")
{
    REFUSED_URL("", "", "url | required");
    REFUSED_URL(text_of("http://files.lan/%s", repeated('x', 4096)).data, "",
                "url | 4096");
    REFUSED_URL("ftp://files.lan/a", "", "url");
    REFUSED_URL("http://files.lan/\n", "", "url");
    REFUSED_URL("http://user:password@files.lan/", "", "url");
    REFUSED_URL("docker://A B", "", "url");
    REFUSED_URL("https://registry.lan/v2/Alpine/manifests/1", "", "url");
    REFUSED_URL("alpine", "linux", "platform");
    REFUSED_URL("alpine", repeated('x', 1025), "platform | 1024");
}


TEST("a client cannot set the action of a job")
{
    dfp_job_t  job;

    TAKEN("\"action\":\"remove\"", &job);
    CHECK_INT(job.action, DFP_JOB_PREHEAT);
    CHECK_HAS_NOT(printed(&job, 0, NULL), "action");

    TAKEN("\"action\":7", &job);
    TAKEN_TOP("\"action\":\"look\"", &job);
    CHECK_INT(job.action, DFP_JOB_PREHEAT);
}


TEST("a removal is printed and read")
{
    dfp_job_t  job, again;

    CHECK_INT(dfp_job_of_url(dfp_test_mem(), DFP_JOB_REMOVE, DFP_STR("alpine"),
                             DFP_STR(""), 1000000000, &job, &err), DFP_OK);
    CHECK_HAS(printed(&job, 1, NULL),
              "{\"action\":\"remove\",\"application\":");
    CHECK_INT(dfp_job_parse_args(dfp_test_mem(),
                  dfp_test_str(printed(&job, 1, NULL)), &again, &err), DFP_OK);
    CHECK_INT(again.action, DFP_JOB_REMOVE);
}
