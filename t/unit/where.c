/*
 * Where an image is: the answer, of what each nginx has reported.
 */

#include "dfp_where.h"
#include "dfp_test.h"


#define TASK(url)                                                             \
    "{\"hostname\":\"one\",\"ip\":\"192.0.2.1\",\"url\":\"" url "\"}"
#define HELD(url, size)                                                       \
    "{\"age\":5,\"hostname\":\"one\",\"ip\":\"192.0.2.1\","                   \
    "\"last_used_at\":null,\"size\":" size ",\"url\":\"" url "\","            \
    "\"valid\":true}"
#define CACHED(url, size)                                                     \
    "{\"age\":5,\"last_used_at\":null,\"size\":" size ",\"url\":\"" url "\"," \
    "\"valid\":true}"
#define RESULTS(failed, done)                                                 \
    "{\"failure_tasks\":[" failed "],\"images\":[{\"digest\":\"sha256:1\","   \
    "\"url\":\"a:1\"}],\"scheduler_cluster_id\":1,\"success_tasks\":[" done   \
    "]}"


static const char *
answer(const char **results, size_t n)
{
    size_t        i;
    dfp_buf_t     b;
    dfp_where_t  *where;

    where = dfp_test_alloc(NULL, (n + 1) * sizeof(dfp_where_t));

    for (i = 0; i < n; i++) {
        where[i].hostname = DFP_STR("one");
        where[i].ip = DFP_STR("192.0.2.1");
        where[i].cluster = 1;
        where[i].results = dfp_test_str(results[i]);
        where[i].error = DFP_STR("");
    }

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);

    CHECK_INT(dfp_where_print(&b, where, n), DFP_OK);

    dfp_buf_append(&b, "", 1);

    return b.data;
}


TEST("what one nginx has")
{
    const char  *results = RESULTS("", HELD("a", "1") "," TASK("b"));

    CHECK_TEXT(answer(&results, 1),
        "{\"image\":{\"layers\":[{\"url\":\"a\"},{\"url\":\"b\"}]},\"peers\":"
        "[{\"cached_layers\":[" CACHED("a", "1") "],\"error\":\"\","
        "\"hostname\":\"one\",\"images\":[{\"digest\":\"sha256:1\",\"url\":"
        "\"a:1\"}],\"ip\":\"192.0.2.1\",\"scheduler_cluster_id\":1}]}");
}


TEST("layers of several nginx are listed once")
{
    const char  *results[] = {
        RESULTS("", TASK("a") "," TASK("b")),
        RESULTS(TASK("c"), HELD("b", "2") "," HELD("d", "3"))
    };

    CHECK_HAS(answer(results, 2),
        "{\"image\":{\"layers\":[{\"url\":\"a\"},{\"url\":\"b\"},{\"url\":"
        "\"d\"},{\"url\":\"c\"}]},");
    CHECK_HAS(answer(results, 2), "{\"cached_layers\":[],");
    CHECK_HAS(answer(results, 2),
              "{\"cached_layers\":[" CACHED("b", "2") "," CACHED("d", "3")
              "],");
}


TEST("without nginx there is nothing")
{
    CHECK_TEXT(answer(NULL, 0), "{\"image\":{\"layers\":[]},\"peers\":[]}");
}


TEST("an nginx that has reported nothing")
{
    const char  *results = "";

    CHECK_TEXT(answer(&results, 1),
        "{\"image\":{\"layers\":[]},\"peers\":[{\"cached_layers\":[],\"error\":"
        "\"\",\"hostname\":\"one\",\"ip\":\"192.0.2.1\","
        "\"scheduler_cluster_id\":1}]}");
}


TEST("entries that were left out are counted")
{
    const char  *results = "{\"success_tasks\":[],\"success_tasks_omitted\":7}";

    CHECK_HAS(answer(&results, 1), "\"layers_omitted\":7,");
}


static int
run_print(dfp_mem_t *mem, void *data)
{
    dfp_rc_t      rc;
    dfp_buf_t     b;
    dfp_where_t   where;

    memset(&where, 0, sizeof(where));
    where.results = *(dfp_str_t *) data;

    dfp_buf_init(&b, mem, 0, 0);
    rc = dfp_where_print(&b, &where, 1);

    return rc;
}


TEST("without memory there is no answer")
{
    dfp_str_t  results = DFP_STR(RESULTS("", HELD("a", "1") "," TASK("b")));

    dfp_test_oom(run_print, &results);
}


TEST("results that are no results are an error")
{
    size_t  i;

    static const char  *bad[] = { "[]", "{", "1", "x", "{\"a\":\"\xff\"}" };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_HAS(answer(&bad[i], 1), "\"error\":\"its results are not valid");
    }
}


TEST("fields of other types are ignored")
{
    size_t  i;

    static const char  *odd[] = {
        "{}", "{\"success_tasks\":1}", "{\"success_tasks\":[1,null,[],{}]}",
        "{\"success_tasks\":[{\"url\":1}],\"failure_tasks\":{}}"
    };

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        CHECK_HAS(answer(&odd[i], 1),
                  "{\"image\":{\"layers\":[]},\"peers\":[{\"cached_layers\":[],"
                  "\"error\":\"\",");
    }
}
