/*
 * Results of get_task, delete_task and get_image_distribution, of several parts.
 */

#include "dfp_told.h"
#include "dfp_test.h"


#define ONE    "{\"IsFinished\":true,\"hostname\":\"one\"}"
#define TWO    "{\"IsFinished\":false,\"hostname\":\"two\"}"
#define LAYER  "{\"url\":\"a\"}"
#define OTHER  "{\"url\":\"b\"}"


static dfp_told_t *
parts(const char **results, const char **errors, size_t n)
{
    size_t       i;
    dfp_told_t  *told;

    told = dfp_test_alloc(NULL, (n + 1) * sizeof(dfp_told_t));
    memset(told, 0, (n + 1) * sizeof(dfp_told_t));

    for (i = 0; i < n; i++) {
        told[i].hostname = DFP_STR("host");
        told[i].ip = DFP_STR("192.0.2.1");
        told[i].cluster = 1;
        told[i].results = dfp_test_str(results[i]);
        told[i].error = dfp_test_str(errors[i]);
    }

    return told;
}


static const char *
printed(dfp_told_t *told, size_t n)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);

    CHECK_INT(dfp_told_print(&b, told, n), DFP_OK);

    dfp_buf_append(&b, "", 1);

    return b.data;
}


static const char *
distribution(dfp_told_t *told, size_t n, size_t expected)
{
    size_t     layers;
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);

    CHECK_INT(dfp_told_distribution(&b, told, n, &layers), DFP_OK);
    CHECK_INT(layers, expected);

    dfp_buf_append(&b, "", 1);

    return b.data;
}


TEST("lists of several parts are one list")
{
    const char  *errors[] = { "", "", "" };
    const char  *results[] = {
        "{\"failure_tasks\":[],\"peers\":[" ONE "],\"peers_omitted\":2,"
        "\"scheduler_cluster_id\":1}",
        "{\"failure_tasks\":[],\"peers\":[],\"scheduler_cluster_id\":1}",
        "{\"failure_tasks\":[],\"peers\":[" TWO "],\"peers_omitted\":1,"
        "\"scheduler_cluster_id\":1}"
    };

    CHECK_TEXT(printed(parts(results, errors, 3), 3),
        "{\"scheduler_cluster_id\":1,\"failure_tasks\":[],\"peers\":[" ONE ","
        TWO "],\"peers_omitted\":3}");
}


TEST("parts without results are failures, or unreachable")
{
    dfp_told_t  *told;
    const char  *errors[] = { "", "too late", "gone" };
    const char  *results[] = {
        "{\"failure_tasks\":[],\"success_tasks\":[" ONE "]}", "", "" };

    told = parts(results, errors, 3);
    told[2].away = 1;

    CHECK_TEXT(printed(told, 3),
        "{\"scheduler_cluster_id\":1,\"failure_tasks\":[{\"description\":"
        "\"too late\",\"host_type\":\"normal\",\"hostname\":\"host\","
        "\"ip\":\"192.0.2.1\"}],\"success_tasks\":[" ONE "],"
        "\"unreachable\":[{\"description\":\"gone\",\"host_type\":"
        "\"normal\",\"hostname\":\"host\",\"ip\":\"192.0.2.1\"}]}");
}


TEST("results that are none are left out")
{
    const char  *errors[] = { "", "", "", "" };
    const char  *results[] = { "{", "[]", "{\"peers\":{},\"x\":[1]}",
                               "{\"peers\":[1,null],\"peers_omitted\":\"a\"}" };

    CHECK_TEXT(printed(parts(results, errors, 4), 4),
        "{\"scheduler_cluster_id\":1,\"failure_tasks\":[],\"peers\":"
        "[1,null]}");
}


TEST("the distribution of an image has each layer once")
{
    dfp_told_t  *told;
    const char  *errors[] = { "", "", "it is late" };
    const char  *results[] = {
        "{\"layers\":[" LAYER "],\"peers\":[{\"cached_layers\":[" LAYER
        "],\"hostname\":\"one\",\"ip\":\"1\"}]}",
        "{\"failure_tasks\":[{\"description\":\"why\",\"hostname\":\"two\","
        "\"ip\":\"2\"}],\"layers\":[" LAYER "," OTHER ",{},1],\"peers\":[1]}",
        ""
    };

    told = parts(results, errors, 3);
    told[1].cluster = 2;

    CHECK_TEXT(distribution(told, 3, 2),
        "{\"image\":{\"layers\":[" LAYER "," OTHER "]},\"peers\":["
        "{\"cached_layers\":[" LAYER "],\"hostname\":\"one\",\"ip\":\"1\","
        "\"scheduler_cluster_id\":1},"
        "{\"cached_layers\":[],\"error\":\"why\",\"hostname\":\"two\","
        "\"ip\":\"2\",\"scheduler_cluster_id\":2},"
        "{\"cached_layers\":[],\"error\":\"it is late\",\"hostname\":\"host\","
        "\"ip\":\"192.0.2.1\",\"scheduler_cluster_id\":1}]}");
}


static int
run_print(dfp_mem_t *mem, void *data)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, 0, 0);

    return dfp_told_print(&b, data, 2);
}


static int
run_distribution(dfp_mem_t *mem, void *data)
{
    size_t     layers;
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, 0, 0);

    return dfp_told_distribution(&b, data, 2, &layers);
}


TEST("without memory there is no answer")
{
    dfp_told_t  *told;
    const char  *errors[] = { "", "why" };
    const char  *results[] = { "{\"layers\":[" LAYER "],\"peers\":[{}]}", "" };

    told = parts(results, errors, 2);

    dfp_test_oom(run_print, told);
    dfp_test_oom(run_distribution, told);
}
