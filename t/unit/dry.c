/*
 * Dry runs: how they are posted, and what their parts have found out, together.
 */

#include "dfp_dry.h"
#include "job_test.h"


#define TASK(url, held)                                                       \
    "{\"held\":" held ",\"media_type\":\"m\",\"size\":7,\"type\":\"layer\","  \
    "\"url\":\"" url "\"}"
#define FILE_TASK(url, held, size)                                            \
    "{\"held\":" held ",\"media_type\":null,\"size\":" size ","               \
    "\"type\":\"file\",\"url\":\"" url "\"}"
#define TARGET(name, held)                                                    \
    "{\"held\":" held ",\"hostname\":\"" name "\",\"ip\":\"192.0.2.1\"}"
#define RESULTS(targets, tasks)                                               \
    "{\"failure_tasks\":[],\"targets\":" targets ",\"tasks\":[" tasks "]}"


/* Of parts for the nginx "one", "two" ...; results "" are none. */

static const char *
told(const char **results, size_t n)
{
    size_t      i;
    dfp_buf_t   b;
    dfp_dry_t  *parts;

    static const char  *names[] = { "one", "two", "three" };

    parts = dfp_test_alloc(NULL, (n + 1) * sizeof(dfp_dry_t));

    for (i = 0; i < n; i++) {
        parts[i].results = dfp_test_str(results[i]);
        parts[i].hostname = dfp_test_str(names[i]);
        parts[i].ip = DFP_STR("192.0.2.1");
    }

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);

    CHECK_INT(dfp_dry_print(&b, parts, n), DFP_OK);

    dfp_buf_append(&b, "", 1);

    return b.data;
}


#define TOLD(expected, ...)                                                   \
    do {                                                                      \
        const char  *results[] = { __VA_ARGS__ };                             \
                                                                              \
        CHECK_TEXT(told(results, sizeof(results) / sizeof(results[0])),       \
                   expected);                                                 \
    } while (0)


TEST("dry_run is beside args, and true or false")
{
    dfp_job_t  job, again;

    TAKEN_TOP("\"dry_run\":true", &job);
    CHECK_INT(job.action, DFP_JOB_DRY);
    CHECK_HAS(printed(&job, 1, NULL), "{\"action\":\"dry_run\",\"application\":");

    /* the worker reads what is printed */

    CHECK_INT(dfp_job_parse_args(dfp_test_mem(),
                  dfp_test_str(printed(&job, 0, NULL)), &again, &err), DFP_OK);
    CHECK_INT(again.action, DFP_JOB_DRY);

    TAKEN_TOP("\"Dry_Run\":true", &job);
    CHECK_INT(job.action, DFP_JOB_DRY);
    TAKEN_TOP("\"dry_run\":false", &job);
    CHECK_INT(job.action, DFP_JOB_PREHEAT);
    TAKEN_TOP("\"dry_run\":null", &job);
    CHECK_INT(job.action, DFP_JOB_PREHEAT);
    TAKEN("\"dry_run\":7", &job);
    CHECK_INT(job.action, DFP_JOB_PREHEAT);
    TAKEN("\"action\":\"dry_run\"", &job);
    CHECK_INT(job.action, DFP_JOB_PREHEAT);

    REFUSED_TOP("\"dry_run\":1", "dry_run | true | false");
    REFUSED_TOP("\"dry_run\":\"true\"", "dry_run | true | false");
    REFUSED_TOP("\"dry_run\":[]", "dry_run | true | false");
}


TEST("a dry run has no webhook")
{
    dfp_job_t  job;

#define HOOK  ",\"webhook\":{\"url\":\"https://hooks.lan/a\",\"secret\":\"s\"}"

    REFUSED_TOP("\"dry_run\":true" HOOK, "webhook | dry_run");
    TAKEN_TOP("\"dry_run\":false" HOOK, &job);
    CHECK_INT(job.action, DFP_JOB_PREHEAT);
}


TEST("what one nginx holds")
{
    TOLD(",\"targets\":[" TARGET("one", "1") "],\"tasks\":[" TASK("a", "true")
         "," TASK("b", "false") "," TASK("c", "null") "]",
         RESULTS("[" TARGET("one", "1") "]", TASK("a", "true") ","
                 TASK("b", "false") "," TASK("c", "null")));
}


TEST("of several, all have to hold it")
{
    TOLD(",\"targets\":[" TARGET("one", "1") "," TARGET("two", "0") "],"
         "\"tasks\":[" TASK("a", "true") "," TASK("b", "false") "]",
         RESULTS("[" TARGET("one", "1") "]", TASK("a", "true") ","
                 TASK("b", "true")),
         RESULTS("[" TARGET("two", "0") "]", TASK("b", "false") ","
                 TASK("a", "true")));
}


TEST("who has told nothing makes it unknown, unless another one lacks it")
{
    TOLD(",\"targets\":[" TARGET("one", "1") "," TARGET("two", "null") ","
         TARGET("three", "null") "],\"tasks\":[" TASK("a", "null") ","
         TASK("b", "false") "]",
         RESULTS("[" TARGET("one", "1") "]", TASK("a", "true") ","
                 TASK("b", "false")),
         "", "{");
    TOLD(",\"targets\":[" TARGET("one", "null") "],\"tasks\":null", "");
    TOLD(",\"targets\":[" TARGET("one", "1") "," TARGET("two", "1") "],"
         "\"tasks\":[" TASK("a", "null") "," TASK("b", "null") "]",
         RESULTS("[" TARGET("one", "1") "]", TASK("a", "true")),
         RESULTS("[" TARGET("two", "1") "]", TASK("b", "true")));
}


TEST("URLs that look the same are told apart")
{
    TOLD(",\"targets\":[" TARGET("one", "1") "," TARGET("two", "2") "],"
         "\"tasks\":[" FILE_TASK("a?***", "true", "1") ","
         FILE_TASK("a?***", "false", "2") "," FILE_TASK("a?***", "null", "3")
         "]",
         RESULTS("[" TARGET("one", "1") "]",
                 FILE_TASK("a?***", "true", "null") ","
                 FILE_TASK("a?***", "false", "null")),
         RESULTS("[" TARGET("two", "2") "]", FILE_TASK("a?***", "true", "1")
                 "," FILE_TASK("a?***", "true", "2") ","
                 FILE_TASK("a?***", "true", "3")));
}


TEST("entries that were left out are counted")
{
    TOLD(",\"targets\":[" TARGET("one", "9") "," TARGET("two", "9") "],"
         "\"targets_omitted\":5,\"tasks\":[" TASK("a", "true") ","
         TASK("b", "null") "],\"tasks_omitted\":7",
         "{\"targets\":[" TARGET("one", "9") "],\"targets_omitted\":2,"
         "\"tasks\":[" TASK("a", "true") "],\"tasks_omitted\":8}",
         "{\"targets\":[" TARGET("two", "9") "],\"targets_omitted\":3,"
         "\"tasks\":[" TASK("a", "true") "," TASK("b", "true") "],"
         "\"tasks_omitted\":7}");
}


TEST("peers that are not known")
{
    dfp_buf_t  b;
    dfp_dry_t  part;

    memset(&part, 0, sizeof(part));
    part.results = DFP_STR(RESULTS("null", TASK("a", "null")));

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    CHECK_INT(dfp_dry_print(&b, &part, 1), DFP_OK);
    dfp_buf_append(&b, "", 1);

    CHECK_TEXT(b.data, ",\"targets\":null,\"tasks\":[" TASK("a", "null") "]");
}


TEST("fields of other types are ignored")
{
    size_t  i;

    static const char  *odd[] = {
        "{}", "{\"tasks\":1,\"targets\":{}}", "{\"tasks\":[1,null,[],{}]}",
        "{\"tasks\":[{\"url\":1}],\"tasks_omitted\":\"1\"}",
        "{\"tasks\":[],\"tasks_omitted\":-1}"
    };

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        CHECK_TEXT(told(&odd[i], 1), ",\"targets\":[" TARGET("one", "null")
                   "],\"tasks\":null");
    }

    TOLD(",\"targets\":[{\"held\":null,\"hostname\":1,\"ip\":null}],\"tasks\":"
         "[{\"held\":null,\"media_type\":null,\"size\":null,\"type\":null,"
         "\"url\":\"a\"}]",
         "{\"targets\":[{\"held\":\"1\",\"hostname\":1,\"ip\":[]}],\"tasks\":["
         "{\"held\":1,\"media_type\":{},\"size\":\"1\",\"type\":true,"
         "\"url\":\"a\"}]}");
}


static int
run_print(dfp_mem_t *mem, void *data)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, 0, 0);

    return dfp_dry_print(&b, data, 2);
}


TEST("without memory nothing is told")
{
    dfp_dry_t  parts[2];

    memset(parts, 0, sizeof(parts));
    parts[0].results = DFP_STR(RESULTS("null", TASK("a", "true")));
    parts[1].results = DFP_STR(RESULTS("null", TASK("b", "true")));

    dfp_test_oom(run_print, parts);
}
