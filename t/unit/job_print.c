/*
 * Jobs: how they are printed, with their secrets and without, and what is to
 * be preheated.
 */

#include <jansson.h>

#include "job_test.h"


#define ALL_KEYS  21


static const char  every_arg[] =
    "{\"type\":\"preheat\",\"args\":{\"type\":\"image\","
    "\"url\":\"http://127.0.0.1:15000/v2/lab/multi/manifests/v1\","
    "\"piece_length\":8388608,\"tag\":\"t\",\"application\":\"app\","
    "\"filtered_query_params\":\"a&b\",\"headers\":{\"User-Agent\":\"1\"},"
    "\"username\":\"user\",\"password\":\"secret\","
    "\"platform\":\"linux/arm64\",\"scope\":\"all_seed_peers\","
    "\"ips\":[\"127.0.0.1\"],\"percentage\":50,\"count\":2,"
    "\"concurrent_task_count\":4,\"concurrent_peer_count\":10,"
    "\"enable_task_id_based_blob_digest\":true,"
    "\"timeout\":60000000000},\"bio\":\"bio text\",\"user_id\":1,"
    "\"scheduler_cluster_ids\":[1]}";


static const char *
stored(const char *args, int show)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);

    if (show) {
        dfp_job_args_show(&b, dfp_cstr(args));

    } else {
        dfp_job_args_store(&b, dfp_cstr(args));
    }

    dfp_buf_append(&b, "", 1);

    return b.data;
}


TEST("the default of filtered_query_params is not stored, but shown")
{
    dfp_job_t    job;
    const char  *whole, *text;

    TAKEN_BODY(DFP_STR("{\"type\":\"preheat\",\"args\":{\"type\":\"file\","
                       "\"url\":\"http://127.0.0.1:15009/file/a\"}}"), &job);

    whole = printed(&job, 1, NULL);
    text = stored(whole, 0);

    CHECK(strlen(text) == strlen(whole) - strlen(dfp_job_default_filter));
    CHECK_TEXT(stored(text, 1), whole);
    CHECK_TEXT(stored(whole, 1), whole);
}


TEST("other values of filtered_query_params are stored as they are")
{
    size_t  i;

    static const char *const  same[] = {
        "", "null", "{}", "{\"count\":null,\"filtered_query_params\":\"a\"}",
        "{\"count\":null,\"filtered_query_params\":\"a\",\"headers\":"
        "{\"x\":\"\",\"filtered_query_params\":\"\"}}",
        "{\"count\":null,\"filtered_query_params\":\"",
        "{\"application\":\",\\\"filtered_query_params\\\":\\\"\\\"\"}",
    };

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        CHECK_TEXT(stored(same[i], 0), same[i]);
        CHECK_TEXT(stored(same[i], 1), same[i]);
    }
}


TEST("a file job with nothing but a URL gets every default")
{
    dfp_job_t  job;

    TAKEN_BODY(DFP_STR("{\"type\":\"preheat\",\"args\":{\"type\":\"file\","
                       "\"url\":\"http://127.0.0.1:15009/file/a?size=1000\""
                       "}}"), &job);

    CHECK_INT(job.type, DFP_JOB_FILE);
    CHECK_INT(job.scope, DFP_SCOPE_DEFAULT);
    CHECK_INT(job.concurrent_task_count, 8);
    CHECK_INT(job.concurrent_peer_count, 500);
    CHECK_INT(job.timeout, HOUR);
    CHECK_INT(job.nclusters, 0);
    CHECK_INT(job.nurls, 0);
    CHECK_INT(job.nheaders, 0);
    CHECK_INT(job.nips, 0);
    CHECK_INT(job.count, 0);
    CHECK_INT(job.percentage, 0);
    CHECK_INT(job.piece_length, 0);
    CHECK_INT(job.user_id, 0);
    CHECK_INT(job.platforms.n, 0);
    CHECK_INT(job.platforms.all, 0);
    CHECK_STR(job.bio, "");
    CHECK_STR(job.username, "");
    CHECK_STR(job.password, "");

    CHECK_TEXT(printed(&job, 1, NULL),
        "{\"application\":\"\",\"concurrent_peer_count\":500,"
        "\"concurrent_task_count\":8,\"count\":null,"
        "\"enable_task_id_based_blob_digest\":null,"
        "\"filtered_query_params\":\"X-Amz-Algorithm&X-Amz-Credential&"
        "X-Amz-Date&X-Amz-Expires&X-Amz-SignedHeaders&X-Amz-Signature&"
        "X-Amz-Security-Token&X-Amz-User-Agent&X-Goog-Algorithm&"
        "X-Goog-Credential&X-Goog-Date&X-Goog-Expires&X-Goog-SignedHeaders&"
        "X-Goog-Signature&OSSAccessKeyId&Expires&Signature&SecurityToken&"
        "AccessKeyId&Signature&Expires&X-Obs-Date&X-Obs-Security-Token&"
        "q-sign-algorithm&q-ak&q-sign-time&q-key-time&q-header-list&"
        "q-url-param-list&q-signature&x-cos-security-token&ns\","
        "\"hdfs\":null,\"headers\":null,\"ips\":null,"
        "\"object_storage\":null,\"password\":\"\",\"percentage\":null,"
        "\"piece_length\":null,\"platform\":\"\","
        "\"scope\":\"\",\"tag\":\"\","
        "\"timeout\":3600000000000,\"type\":\"file\","
        "\"url\":\"http://127.0.0.1:15009/file/a?size=1000\",\"urls\":null,"
        "\"username\":\"\"}");

    check_round_trip(&job);
}


TEST("an image job with every argument is taken and printed as it was posted")
{
    dfp_job_t  job;

    TAKEN_BODY(DFP_STR(every_arg), &job);

    CHECK_STR(job.bio, "bio text");
    CHECK_INT(job.user_id, 1);
    CHECK_INT(job.nclusters, 1);
    CHECK_INT(job.clusters[0], 1);
    CHECK_INT(job.platforms.n, 1);
    CHECK_STR(job.platforms.list[0].arch, "arm64");

    CHECK_TEXT(printed(&job, 0, NULL),
        "{\"application\":\"app\",\"concurrent_peer_count\":10,"
        "\"concurrent_task_count\":4,\"count\":2,"
        "\"enable_task_id_based_blob_digest\":true,"
        "\"filtered_query_params\":\"a&b\",\"hdfs\":null,"
        "\"headers\":{\"User-Agent\":\"1\"},\"ips\":[\"127.0.0.1\"],"
        "\"object_storage\":null,\"password\":\"secret\","
        "\"percentage\":50,\"piece_length\":8388608,"
        "\"platform\":\"linux/arm64\",\"scope\":\"all_seed_peers\","
        "\"tag\":\"t\",\"timeout\":60000000000,\"type\":\"image\","
        "\"url\":\"http://127.0.0.1:15000/v2/lab/multi/manifests/v1\","
        "\"urls\":null,\"username\":\"user\"}");

    check_round_trip(&job);
}


TEST("what Harbor sends, with \"\", 0 and null in it, is taken")
{
    int        hidden;
    dfp_job_t  job;

    TAKEN_BODY(DFP_STR("{\"type\":\"preheat\",\"args\":{\"type\":\"image\","
        "\"url\":\"" IMAGE_URL "\",\"tag\":\"\","
        "\"filtered_query_params\":\"\","
        "\"headers\":{\"Authorization\":\"Bearer abc.def\"},\"scope\":\"\","
        "\"concurrent_count\":0,\"timeout\":0},"
        "\"scheduler_cluster_ids\":null}"), &job);

    CHECK_INT(job.scope, DFP_SCOPE_DEFAULT);
    CHECK_INT(job.timeout, HOUR);
    CHECK_SAME(job.filter, dfp_test_str(dfp_job_default_filter));
    CHECK_INT(job.nheaders, 1);
    CHECK_STR(job.headers[0].value, "Bearer abc.def");

    CHECK_HAS(printed(&job, 1, &hidden),
              "\"headers\":{\"Authorization\":\"***\"}");
    CHECK_INT(hidden, 1);
    check_round_trip(&job);
}


TEST("user name, password, credential headers and signatures are hidden")
{
    int          hidden;
    dfp_job_t    job;
    const char  *text;

    TAKEN("\"username\":\"robot\",\"password\":\"hunter2\","
          "\"urls\":[\"http://b.lan/c?Signature=hunter3&x=1\"],"
          "\"headers\":{\"User-Agent\":\"seen\",\"AUTHORIZATION\":\"hunter4\","
          "\"X-Registry-Auth\":\"hunter4\",\"x-token\":\"hunter4\","
          "\"X-Api-Key\":\"hunter4\",\"X-Secret\":\"hunter4\","
          "\"X-JFrog-Art-Api\":\"hunter4\",\"X-Password\":\"hunter4\","
          "\"X-Jwt\":\"hunter4\",\"X-Passwd\":\"hunter4\","
          "\"X-Pass\":\"hunter4\",\"X-PAT\":\"hunter4\","
          "\"X-Sig\":\"hunter4\",\"X-Bearer\":\"hunter4\","
          "\"X-Otp\":\"hunter4\",\"PRIVATE-TOKEN\":\"hunter4\","
          "\"X-Amz-Credential\":\"hunter4\",\"X-Session\":\"hunter4\","
          "\"X-Goog-Signature\":\"hunter4\",\"X-Empty-Token\":\"\"}", &job);

    text = printed(&job, 1, &hidden);
    CHECK_INT(hidden, 1);
    CHECK_HAS_NOT(text, "hunter");
    CHECK_HAS_NOT(text, "robot");
    CHECK_HAS(text, "\"User-Agent\":\"seen\"");
    CHECK_HAS(text, "\"X-JFrog-Art-Api\":\"***\"");
    CHECK_HAS(text, "\"X-Empty-Token\":\"\"");
    CHECK_HAS(text, "\"username\":\"***\"");
    CHECK_HAS(text, "\"password\":\"***\"");
    CHECK_HAS(text, "[\"http://b.lan/c?Signature=***&x=1\"]");

    text = printed(&job, 0, &hidden);
    CHECK_INT(hidden, 0);
    CHECK_HAS(text, "hunter2");
    CHECK_HAS(text, "hunter3");
    CHECK_HAS(text, "hunter4");
    check_round_trip(&job);
}


TEST("each kind of secret alone says that the job must be sealed")
{
    size_t     i;
    int        hidden;
    dfp_job_t  job;

    static const struct {
        const char  *fields;
        int          hidden;
    } jobs[] = {
        { "\"tag\":\"t\"", 0 },
        { "\"username\":\"u\"", 1 },
        { "\"password\":\"p\"", 1 },
        { "\"headers\":{\"User-Agent\":\"1\"}", 0 },
        { "\"headers\":{\"Authorization\":\"\"}", 0 },
        { "\"headers\":{\"Authorization\":\"b\"}", 1 },
        { "\"url\":\"http://a.lan/b?X-Amz-Signature=c\"", 1 },
        { "\"urls\":[\"http://a.lan/b\",\"http://a.lan/b?token=c\"]", 1 }
    };

    for (i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        TAKEN(jobs[i].fields, &job);
        (void) printed(&job, 1, &hidden);

        if (!CHECK_INT(hidden, jobs[i].hidden)) {
            printf("#   for %s\n", jobs[i].fields);
        }
    }
}


TEST("a value that looks like the mask is hidden all the same")
{
    int        hidden;
    dfp_job_t  job;

    TAKEN("\"password\":\"***\"", &job);
    (void) printed(&job, 1, &hidden);
    CHECK_INT(hidden, 1);
}


TEST("args have all keys of Dragonfly, sorted, and are valid JSON")
{
    void        *it;
    size_t       n;
    char         last[64];
    json_t      *root;
    dfp_job_t    job;

    TAKEN("\"tag\":\"\\\" \\\\ \\u0007 \xe2\x82\xac\",\"headers\":"
          "{\"X-Quote-Key\":\"\\\"\"}", &job);

    root = json_loads(printed(&job, 0, NULL), 0, NULL);
    if (!CHECK(root != NULL)) {
        return;
    }

    CHECK_TEXT(json_string_value(json_object_get(root, "tag")),
               "\" \\ \x07 \xe2\x82\xac");

    n = 0;
    last[0] = '\0';

    for (it = json_object_iter(root); it; it = json_object_iter_next(root, it))
    {
        CHECK(strcmp(last, json_object_iter_key(it)) < 0);
        (void) snprintf(last, sizeof(last), "%s", json_object_iter_key(it));
        n++;
    }

    CHECK_INT(n, ALL_KEYS);
    json_decref(root);

    check_round_trip(&job);
}


TEST("stored args that are damaged are refused, and called args")
{
    dfp_job_t  job;

    CHECK_INT(dfp_job_parse_args(dfp_test_mem(), DFP_STR("{\"type\":"), &job,
                                 &err), DFP_INVALID);
    CHECK_SAYS(err.text, "args | JSON | line 1");

    CHECK_INT(dfp_job_parse_args(dfp_test_mem(), DFP_STR("{" FILE_URL
                                 ",\"count\":201}"), &job, &err),
              DFP_INVALID);
    CHECK_SAYS(err.text, "args.count | integer | 1 | 200");
}


TEST("stored args keep a timeout that is over today's limit")
{
    dfp_job_t  job;

    CHECK_INT(dfp_job_parse_args(dfp_test_mem(), DFP_STR("{" FILE_URL
                                 ",\"timeout\":9000000000000000000}"), &job,
                                 &err), DFP_OK);
    CHECK_INT(job.timeout, INT64_C(9000000000000000000));
}


TEST("each URL is preheated once, url first")
{
    size_t      n;
    dfp_job_t   job;
    dfp_str_t  *urls;

    TAKEN("\"urls\":[\"http://b.lan/2\",\"http://files.lan/a\","
          "\"http://b.lan/1\",\"http://b.lan/2\",\"http://c.lan/long\"]",
          &job);

    CHECK_INT(dfp_job_urls(dfp_test_mem(), &job, &urls, &n), DFP_OK);
    CHECK_INT(n, 4);
    CHECK_STR(urls[0], "http://files.lan/a");
    CHECK_STR(urls[1], "http://b.lan/2");
    CHECK_STR(urls[2], "http://b.lan/1");
    CHECK_STR(urls[3], "http://c.lan/long");
}


TEST("10000 equal urls are one, and 10000 different ones are all there")
{
    int          i;
    char        *list, *p;
    size_t       n;
    dfp_job_t    job;
    dfp_str_t   *urls;

    TAKEN_ARGS(text_of("\"type\":\"file\",\"urls\":%s",
                       list_of("\"http://a.lan/b\"", DFP_JOB_MAX_URLS)).data,
               &job);
    CHECK_INT(dfp_job_urls(dfp_test_mem(), &job, &urls, &n), DFP_OK);
    CHECK_INT(n, 1);

    list = dfp_test_alloc(NULL, DFP_JOB_MAX_URLS * 32);
    p = list;

    for (i = 0; i < DFP_JOB_MAX_URLS; i++) {
        p += sprintf(p, "%s\"http://a.lan/%d\"", i ? "," : "",
                     DFP_JOB_MAX_URLS - i);
    }

    TAKEN_ARGS(text_of("\"type\":\"file\",\"urls\":[%s]", list).data, &job);
    CHECK_INT(dfp_job_urls(dfp_test_mem(), &job, &urls, &n), DFP_OK);
    CHECK_INT(n, DFP_JOB_MAX_URLS);
    CHECK_STR(urls[0], "http://a.lan/10000");
    CHECK_STR(urls[n - 1], "http://a.lan/1");
}


static const char  oom_body[] =
    "{\"type\":\"preheat\",\"bio\":\"b\",\"scheduler_cluster_ids\":[1,2],"
    "\"args\":{\"type\":\"file\",\"url\":\"http://a.lan/b\","
    "\"urls\":[\"http://a.lan/c?token=d\",\"http://a.lan/e\"],"
    "\"headers\":{\"User-Agent\":\"1\"},\"ips\":[\"10.0.0.1\"],\"tag\":\"t\","
    "\"platform\":\"linux/amd64\",\"username\":\"u\",\"password\":\"p\"}}";


static int
run_parse(dfp_mem_t *mem, void *data)
{
    int        rc;
    dfp_job_t  job;

    rc = dfp_job_parse(mem, DFP_STR(oom_body), DAY, &job, &err);

    if (rc == DFP_OK) {
        CHECK_INT(job.nurls, 2);
        CHECK_STR(job.urls[0], "http://a.lan/c?token=d");
        CHECK_STR(job.headers[0].name, "User-Agent");
        CHECK_STR(job.password, "p");
        CHECK_INT(job.nclusters, 2);
    }

    return rc;
}


static int
run_print(dfp_mem_t *mem, void *data)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, 0, 0);
    CHECK_INT(dfp_job_print_args(&b, data, 1), 1);

    return b.failed ? DFP_ERROR : DFP_OK;
}


static int
run_urls(dfp_mem_t *mem, void *data)
{
    size_t      n;
    dfp_str_t  *urls;

    return dfp_job_urls(mem, data, &urls, &n);
}


TEST("without memory a job is neither taken nor printed by halves")
{
    dfp_job_t  job;

    TAKEN_BODY(DFP_STR(oom_body), &job);

    dfp_test_oom(run_parse, NULL);
    dfp_test_oom(run_print, &job);
    dfp_test_oom(run_urls, &job);
}


/* jansson itself loses a byte, and says nothing, where it has no memory for a
 * token of more than 15 bytes; so these are short. */

static const char  lib_oom_body[] =
    "{\"type\":\"preheat\",\"bio\":\"b\",\"args\":{\"type\":\"file\","
    "\"url\":\"http://a/b\",\"urls\":[\"http://a/c\"],"
    "\"headers\":{\"User-Agent\":\"1\"},\"ips\":[\"10.0.0.1\"],\"count\":3,"
    "\"username\":\"u\",\"password\":\"p\"}}";


static int
run_lib_parse(dfp_mem_t *mem, void *data)
{
    int        rc;
    dfp_job_t  job;

    rc = dfp_job_parse(mem, DFP_STR(lib_oom_body), DAY, &job, &err);

    if (rc == DFP_OK) {
        CHECK_STR(job.url, "http://a/b");
        CHECK_INT(job.nurls, 1);
        CHECK_INT(job.nheaders, 1);
        CHECK_INT(job.count, 3);
        CHECK_STR(job.password, "p");
    }

    return rc;
}


TEST("when the JSON library has no memory nothing leaks")
{
    json_set_alloc_funcs(dfp_test_lib_malloc, dfp_test_lib_free);
    dfp_test_lib_oom(run_lib_parse, NULL);
    json_set_alloc_funcs(malloc, free);
}
