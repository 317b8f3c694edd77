/*
 * Jobs: what POST /oapi/v1/jobs takes and refuses.
 */

#include "dfp_json.h"
#include "job_test.h"


#define SHA  "sha256:" "0123456789abcdef0123456789abcdef"                     \
             "0123456789abcdef0123456789abcdef"


TEST("null is the same as not given, in every field")
{
    dfp_job_t  job;

    TAKEN_BODY(DFP_STR("{\"type\":\"preheat\",\"bio\":null,\"user_id\":null,"
        "\"scheduler_cluster_ids\":null,\"args\":{" FILE_URL ",\"urls\":null,"
        "\"tag\":null,\"application\":null,\"filtered_query_params\":null,"
        "\"headers\":null,\"username\":null,\"password\":null,"
        "\"platform\":null,\"scope\":null,\"ips\":null,\"count\":null,"
        "\"percentage\":null,\"piece_length\":null,\"timeout\":null,"
        "\"concurrent_task_count\":null,\"concurrent_peer_count\":null}}"),
        &job);

    CHECK_INT(job.concurrent_task_count, 8);
    CHECK_INT(job.concurrent_peer_count, 500);
    CHECK_INT(job.timeout, HOUR);
    CHECK_INT(job.count, 0);
    CHECK_STR(job.tag, "");
    CHECK_SAME(job.filter, dfp_test_str(dfp_job_default_filter));
}


TEST("a body that is not JSON is refused with the place")
{
    REFUSED_BODY(DFP_STR("{\"type\": x}"),
                 "body | JSON | line 1 | column 10 | syntax");
    REFUSED_BODY(DFP_STR("{\n  \"type\": \"preheat\",\n}"),
                 "body | JSON | line 3 | column 1 | syntax");
    REFUSED_BODY(DFP_STR(""), "body | JSON | line 1 | column 0 | end");
    REFUSED_BODY(DFP_STR_NULL, "body | JSON | line 1 | column 0 | end");
    REFUSED_BODY(DFP_STR("{\"type\":\"preheat\""),
                 "body | JSON | line 1 | column 17 | end");
    REFUSED_BODY(DFP_STR("{} {}"),
                 "body | JSON | line 1 | column 4 | trailing");
    REFUSED_BODY(DFP_STR("{\"bio\":\"\xff\"}"),
                 "body | JSON | line 1 | column 8 | UTF-8");
    REFUSED_BODY(DFP_STR("\xef\xbb\xbf{}"),
                 "body | JSON | line 1 | column 1 | syntax");
    REFUSED_BODY(DFP_STR("{\"user_id\":99999999999999999999}"),
                 "body | JSON | line 1 | column 31 | number");
    REFUSED_BODY(DFP_STR("{\"a\\u0000b\":1}"),
                 "body | JSON | line 1 | column 11 | name | NUL");
}


TEST("a body that is JSON but no object is refused")
{
    REFUSED_BODY(DFP_STR("[]"), "body | JSON object");
    REFUSED_BODY(DFP_STR("null"), "body | JSON object");
    REFUSED_BODY(DFP_STR("\"preheat\""), "body | JSON object");
    REFUSED_BODY(DFP_STR("1"), "body | JSON object");
}


TEST("an error in the JSON does not show the password beside it")
{
    dfp_job_t  job;

    CHECK_INT(parse(DFP_STR("{\"args\":{\"password\":\"hunter2\" \"b\"}}"),
                    &job), DFP_INVALID);
    CHECK_HAS_NOT(err.text, "hunter2");

    CHECK_INT(parse(DFP_STR("{\"args\":{\"password\":hunter2}}"), &job),
              DFP_INVALID);
    CHECK_HAS_NOT(err.text, "hunter2");
}


TEST("the last of two equal keys counts")
{
    dfp_job_t  job;

    TAKEN("\"tag\":\"one\",\"tag\":\"two\"", &job);
    CHECK_STR(job.tag, "two");
}


TEST("the letter case of keys does not matter, and the last of them counts")
{
    dfp_job_t  job;

    TAKEN_BODY(DFP_STR("{\"Type\":\"preheat\",\"BIO\":\"b\",\"User_Id\":7,"
        "\"Scheduler_Cluster_IDs\":[3],\"Args\":{\"TYPE\":\"file\","
        "\"URL\":\"http://files.lan/a\",\"Urls\":[\"http://files.lan/b\"],"
        "\"HEADERS\":{\"X-Api-Key\":\"k\"},\"UserName\":\"u\","
        "\"PassWord\":\"p\",\"Refresh\":true,\"COUNT\":2}}"), &job);
    CHECK_STR(job.bio, "b");
    CHECK_INT(job.user_id, 7);
    CHECK_INT(job.clusters[0], 3);
    CHECK_STR(job.url, "http://files.lan/a");
    CHECK_INT(job.nurls, 1);
    CHECK_STR(job.headers[0].name, "X-Api-Key");
    CHECK_STR(job.username, "u");
    CHECK_STR(job.password, "p");
    CHECK_INT(job.refresh, 1);
    CHECK_INT(job.count, 2);

    TAKEN("\"tag\":\"one\",\"TAG\":\"two\"", &job);
    CHECK_STR(job.tag, "two");
    TAKEN("\"TAG\":\"two\",\"tag\":\"one\"", &job);
    CHECK_STR(job.tag, "one");

    /* for Go, null leaves alone what was there */

    TAKEN("\"tag\":\"one\",\"TAG\":null", &job);
    CHECK_STR(job.tag, "one");

    TAKEN_BODY(DFP_STR("{\"type\":\"preheat\",\"args\":{" FILE_URL
        ",\"TAG\":null,\"COUNT\":null,\"Timeout\":null}}"), &job);
    CHECK_STR(job.tag, "");
    CHECK_INT(job.timeout, HOUR);
}


TEST("keys are folded as Go does: also the long s and the sign of Kelvin")
{
    dfp_job_t  job;

    TAKEN("\"concurrent_ta\u017f\u212a_count\":3", &job);
    CHECK_INT(job.concurrent_task_count, 3);
    TAKEN("\"i\xc5\xbfp\":1,\"ip\xc5\xbf\":[\"192.0.2.1\"]", &job);
    CHECK_INT(job.nips, 1);

    /* what only looks like it, begins so, or is a part of it is another one */

    TAKEN("\"t\xc3\xa4g\":\"x\",\"tags\":\"x\",\"ta\":\"x\",\"\":\"x\"", &job);
    CHECK_STR(job.tag, "");
    TAKEN("\"ta[\":\"x\",\"T@G\":\"x\",\"application\x60\":\"x\"", &job);
    CHECK_STR(job.tag, "");
}


TEST("fields that nobody knows are ignored")
{
    dfp_job_t  job;

    TAKEN("\"TA_G\":\"x\",\"hdfs\":{\"user\":\"u\"},\"new\":[1,{\"a\":2.5}]",
          &job);
    CHECK_STR(job.tag, "");
    CHECK_HAS(printed(&job, 0, NULL), "\"hdfs\":null");
}


TEST("JSON may be nested 32 levels deep, and no deeper")
{
    dfp_job_t  job;

    /* the body is the first level */

    TAKEN_TOP(text_of("\"x\":%s%s", repeated('[', DFP_JSON_MAX_DEPTH - 1),
                      repeated(']', DFP_JSON_MAX_DEPTH - 1)).data, &job);
    REFUSED_TOP(text_of("\"x\":%s%s", repeated('[', DFP_JSON_MAX_DEPTH),
                        repeated(']', DFP_JSON_MAX_DEPTH)).data,
                "body | nested | 32");
    TAKEN_TOP(text_of("\"x\":\"\\\"%s\"", repeated('[', 1000)).data, &job);
}


TEST("a body may have 32768 values, and not more")
{
    dfp_job_t  job;

    /* as they are counted, there are five but for the list's elements */

    TAKEN_TOP(text_of("\"x\":%s", list_of("0", DFP_JSON_MAX_VALUES - 5)).data,
              &job);
    REFUSED_TOP(text_of("\"x\":%s",
                        list_of("0", DFP_JSON_MAX_VALUES - 4)).data,
                "body | 32768 values");
    TAKEN_TOP(text_of("\"x\":\"%s\"",
                      repeated(',', DFP_JSON_MAX_VALUES * 2)).data, &job);
}


TEST("a job without type, or of another one, is refused")
{
    REFUSED_BODY(DFP_STR("{}"), "type | required | preheat");
    REFUSED_BODY(DFP_STR("{\"type\":\"\"}"), "type | required | preheat");
    REFUSED_BODY(DFP_STR("{\"type\":\"sync_peers\"}"),
                 "type | preheat | get_task");
    REFUSED_BODY(DFP_STR("{\"type\":\"Preheat\"}"), "type | preheat");
    REFUSED_BODY(DFP_STR("{\"type\":1}"), "type | preheat");
}


TEST("a job without args is refused")
{
    REFUSED_BODY(DFP_STR("{\"type\":\"preheat\"}"), "args | required");
    REFUSED_BODY(DFP_STR("{\"type\":\"preheat\",\"args\":null}"),
                 "args | required");
    REFUSED_BODY(DFP_STR("{\"type\":\"preheat\",\"args\":[]}"),
                 "args | object");
    REFUSED_ARGS("", "args.type | required | image | file");
    REFUSED_ARGS("\"type\":\"\"", "args.type | required | image | file");
    REFUSED_ARGS("\"type\":\"IMAGE\"", "args.type | image | file");
    REFUSED_ARGS("\"type\":true", "args.type | image | file");
}


TEST("an image is a manifest URL, or what people type, in url or urls")
{
    dfp_job_t  job;

    TAKEN_ARGS("\"type\":\"image\",\"url\":\"" IMAGE_URL "\",\"urls\":[]",
               &job);
    CHECK_STR(job.url, IMAGE_URL);

    TAKEN_ARGS("\"type\":\"image\",\"url\":\"alpine:3.19\","
               "\"urls\":[\"" IMAGE_URL "\",\"r.lan:5000/a/b\"]", &job);
    CHECK_STR(job.url, "alpine:3.19");
    CHECK_INT(job.nurls, 2);
    CHECK_STR(job.urls[1], "r.lan:5000/a/b");
    check_round_trip(&job);

    TAKEN_ARGS("\"type\":\"image\",\"url\":\"docker://alpine@" SHA "\","
               "\"urls\":[\"oci://r.lan/a/b:1\"]", &job);
    CHECK_STR(job.url, "alpine@" SHA);
    CHECK_STR(job.urls[0], "r.lan/a/b:1");
    CHECK_HAS(printed(&job, 1, NULL), "\"url\":\"alpine@" SHA "\"");

    REFUSED_ARGS("\"type\":\"image\"", "args.url | args.urls | required");
    REFUSED_ARGS("\"type\":\"image\",\"url\":\"\"",
                 "args.url | args.urls | required");
    REFUSED_ARGS("\"type\":\"image\",\"urls\":[\"" IMAGE_URL "\","
                 "\"http://a.lan/b\"]",
                 "args.urls[1] | manifest URL | "
                 "https://registry/v2/library/alpine/manifests/3.19");

    CHECK_INT(parse(DFP_STR("{\"type\":\"preheat\",\"args\":{\"type\":"
                            "\"image\",\"url\":\"http://a.lan/b\"}}"), &job),
              DFP_INVALID);
    CHECK_SAYS(err.text, "args.url | manifest URL");
}


TEST("a job may have 100 images, and not more")
{
    dfp_job_t  job;

    TAKEN_ARGS(text_of("\"type\":\"image\",\"urls\":%s",
                       list_of("\"alpine:3.19\"", DFP_JOB_MAX_IMAGES)).data,
               &job);
    CHECK_INT(job.nurls, DFP_JOB_MAX_IMAGES);

    REFUSED_ARGS(text_of("\"type\":\"image\",\"urls\":%s",
                         list_of("\"alpine:3.19\"",
                                 DFP_JOB_MAX_IMAGES + 1)).data,
                 "args.urls | 100 elements");
}


TEST("a file job needs url, urls or both")
{
    dfp_job_t  job;

    TAKEN_ARGS("\"type\":\"file\",\"urls\":[\"http://a.lan/b\","
               "\"http://a.lan/c\"]", &job);
    CHECK_STR(job.url, "");
    CHECK_INT(job.nurls, 2);
    CHECK_STR(job.urls[1], "http://a.lan/c");
    check_round_trip(&job);

    TAKEN("\"urls\":[\"http://a.lan/b\"]", &job);
    CHECK_STR(job.url, "http://files.lan/a");
    CHECK_INT(job.nurls, 1);
    check_round_trip(&job);

    REFUSED_ARGS("\"type\":\"file\"", "args.url | args.urls | required");
    REFUSED_ARGS("\"type\":\"file\",\"url\":\"\",\"urls\":[]",
                 "args.url | args.urls | required");
    REFUSED("\"urls\":\"http://a.lan/b\"", "args.urls | list");
    REFUSED("\"urls\":[\"http://a.lan/b\",1]", "args.urls[1] | string");
}


TEST("what is no http or https URL is refused by its place in the list")
{
    dfp_job_t  job;

    REFUSED("\"urls\":[\"http://a.lan/b\",\"ftp://a.lan/\"]",
            "args.urls[1] | http | https URL");
    REFUSED("\"urls\":[\"\"]", "args.urls[0] | http | https URL");
    REFUSED_ARGS("\"type\":\"file\",\"url\":\"not-a-url\"",
                 "args.url | http | https URL");
    REFUSED_ARGS("\"type\":\"file\",\"url\":\"http://a.lan/b c \"",
                 "args.url | printable ASCII | escape | %");
    REFUSED_ARGS("\"type\":\"file\",\"url\":\"http://a.lan/b\\tc\"",
                 "args.url | printable ASCII | escape | %");
    REFUSED_ARGS("\"type\":\"file\",\"url\":\"http://caf\xc3\xa9.lan/\"",
                 "args.url");
    REFUSED_ARGS("\"type\":\"file\",\"url\":\"file:///etc/passwd\"",
                 "args.url | http | https URL");
    REFUSED_ARGS("\"type\":\"file\",\"url\":5", "args.url | string");
    REFUSED_ARGS("\"type\":\"file\",\"url\":\"http://a.lan/\\r\\nX: y\"",
                 "args.url | CR | LF");
    REFUSED_ARGS("\"type\":\"file\",\"url\":\"http://a.lan/\\u0000\"",
                 "args.url | NUL");

    CHECK_INT(parse(DFP_STR("{\"type\":\"preheat\",\"args\":{\"type\":"
                            "\"file\",\"url\":\"http://u:hunter2@a.lan/\"}}"),
                    &job), DFP_INVALID);
    CHECK_HAS_NOT(err.text, "hunter2");
}


TEST("a URL may be 4096 bytes long, and not longer")
{
    dfp_job_t    job;
    const char  *path;

    path = repeated('x', DFP_URL_MAX_LEN - strlen("http://a.lan/"));

    TAKEN_ARGS(text_of("\"type\":\"file\",\"url\":\"http://a.lan/%s\"",
                       path).data, &job);
    CHECK_INT(job.url.len, DFP_URL_MAX_LEN);
    check_round_trip(&job);

    REFUSED_ARGS(text_of("\"type\":\"file\",\"url\":\"http://a.lan/%sx\"",
                         path).data, "args.url | 4096 bytes");
    REFUSED(text_of("\"urls\":[\"http://a.lan/%sx\"]", path).data,
            "args.urls[0] | 4096 bytes");
}


TEST("there may be 10000 urls, and not more")
{
    dfp_job_t  job;

    TAKEN(text_of("\"urls\":%s", list_of("\"http://a.lan/b\"",
                                         DFP_JOB_MAX_URLS)).data, &job);
    CHECK_INT(job.nurls, DFP_JOB_MAX_URLS);

    REFUSED(text_of("\"urls\":%s", list_of("\"http://a.lan/b\"",
                                           DFP_JOB_MAX_URLS + 1)).data,
            "args.urls | 10000 elements");
}


TEST("cluster ids: duplicates are ignored, the order stays, and 100 are the limit")
{
    dfp_job_t  job;

    TAKEN_TOP("\"scheduler_cluster_ids\":[3,1,3,2,1]", &job);
    CHECK_INT(job.nclusters, 3);
    CHECK_INT(job.clusters[0], 3);
    CHECK_INT(job.clusters[1], 1);
    CHECK_INT(job.clusters[2], 2);

    TAKEN_TOP("\"scheduler_cluster_ids\":[]", &job);
    CHECK_INT(job.nclusters, 0);

    TAKEN_TOP(text_of("\"scheduler_cluster_ids\":%s",
                      list_of("7", DFP_JOB_MAX_CLUSTERS)).data, &job);
    CHECK_INT(job.nclusters, 1);

    REFUSED_TOP(text_of("\"scheduler_cluster_ids\":%s",
                        list_of("7", DFP_JOB_MAX_CLUSTERS + 1)).data,
                "scheduler_cluster_ids | 100 elements");
    REFUSED_TOP("\"scheduler_cluster_ids\":[1,\"1\"]",
                "scheduler_cluster_ids[1] | integer | 1");
    REFUSED_TOP("\"scheduler_cluster_ids\":[0]",
                "scheduler_cluster_ids[0] | integer | 1");
    REFUSED_TOP("\"scheduler_cluster_ids\":[-1]",
                "scheduler_cluster_ids[0] | integer | 1");
    REFUSED_TOP("\"scheduler_cluster_ids\":[1.0]",
                "scheduler_cluster_ids[0] | integer | 1");
    REFUSED_TOP("\"scheduler_cluster_ids\":1", "scheduler_cluster_ids | list");
}


TEST("bio and user_id have limits")
{
    dfp_job_t  job;

    TAKEN_TOP(FILLED("bio", 1024), &job);
    CHECK_INT(job.bio.len, 1024);
    TAKEN_TOP("\"bio\":\"two\\nlines\"", &job);
    CHECK_STR(job.bio, "two\nlines");
    TAKEN_TOP("\"user_id\":9223372036854775807", &job);
    CHECK_INT(job.user_id, INT64_MAX);

    REFUSED_TOP(FILLED("bio", 1025), "bio | 1024 bytes");
    REFUSED_TOP("\"bio\":\"a\\u0000b\"", "bio | NUL");
    REFUSED_TOP("\"bio\":{}", "bio | string");
    REFUSED_TOP("\"user_id\":-1",
                "user_id | integer | 0 | 9223372036854775807");
    REFUSED_TOP("\"user_id\":\"1\"",
                "user_id | integer | 0 | 9223372036854775807");
}


TEST("texts are taken up to their limits")
{
    size_t       i;
    dfp_job_t    job;
    const char  *key;

    static const char *const  keys[] = {
        "tag", "application", "username", "password"
    };

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        key = keys[i];

        TAKEN(FILLED(key, DFP_JOB_MAX_TEXT), &job);
        check_round_trip(&job);

        REFUSED(FILLED(key, DFP_JOB_MAX_TEXT + 1),
                text_of("args.%s | 1024 bytes", key).data);
        CHECK_HAS_NOT(err.text, "xxx");
        REFUSED(text_of("\"%s\":1", key).data,
                text_of("args.%s | string", key).data);
        REFUSED(text_of("\"%s\":\"a\\rb\"", key).data,
                text_of("args.%s | CR | LF", key).data);
        REFUSED(text_of("\"%s\":\"a\\nb\"", key).data,
                text_of("args.%s | CR | LF", key).data);
        REFUSED(text_of("\"%s\":\"a\\u0000b\"", key).data,
                text_of("args.%s | NUL", key).data);
    }

    TAKEN(FILLED("filtered_query_params", DFP_JOB_MAX_FILTER), &job);
    CHECK_INT(job.filter.len, DFP_JOB_MAX_FILTER);
    REFUSED(FILLED("filtered_query_params", DFP_JOB_MAX_FILTER + 1),
            "args.filtered_query_params | 4096 bytes");
    REFUSED(FILLED("platform", DFP_JOB_MAX_TEXT + 1),
            "args.platform | 1024 bytes");
}


TEST("a user name must not contain a colon, a password may")
{
    dfp_job_t  job;

    TAKEN("\"username\":\"u\",\"password\":\"a:b\"", &job);
    CHECK_STR(job.password, "a:b");
    REFUSED("\"username\":\"u:v\"", "args.username | \":\"");
}


TEST("scopes are those of Dragonfly, and single_peer is all_peers")
{
    dfp_job_t  job;

    TAKEN("\"scope\":\"single_seed_peer\"", &job);
    CHECK_INT(job.scope, DFP_SCOPE_SINGLE_SEED_PEER);
    TAKEN("\"scope\":\"all_seed_peers\"", &job);
    CHECK_INT(job.scope, DFP_SCOPE_ALL_SEED_PEERS);
    TAKEN("\"scope\":\"all_peers\"", &job);
    CHECK_INT(job.scope, DFP_SCOPE_ALL_PEERS);

    TAKEN("\"scope\":\"single_peer\"", &job);
    CHECK_INT(job.scope, DFP_SCOPE_ALL_PEERS);
    CHECK_HAS(printed(&job, 0, NULL), "\"scope\":\"all_peers\"");

    REFUSED("\"scope\":\"everyone\"",
            "args.scope | single_seed_peer | all_seed_peers | all_peers | "
            "single_peer");
    REFUSED("\"scope\":1",
            "args.scope | single_seed_peer | all_seed_peers | all_peers | "
            "single_peer");
}


TEST("platforms are parsed, for files as well")
{
    dfp_job_t  job;

    TAKEN("\"platform\":\"linux/arm64/v8, linux/amd64\"", &job);
    CHECK_INT(job.platforms.n, 2);
    CHECK_STR(job.platform, "linux/arm64/v8, linux/amd64");
    check_round_trip(&job);

    TAKEN("\"platform\":\"all\"", &job);
    CHECK_INT(job.platforms.all, 1);

    CHECK_INT(parse(DFP_STR("{\"type\":\"preheat\",\"args\":{" FILE_URL
                            ",\"platform\":\"linux\"}}"), &job), DFP_INVALID);
    CHECK_SAYS(err.text, "args.platform | \"all\"");
}


TEST("ips are 1 to 100 addresses, kept as given")
{
    dfp_job_t  job;

    TAKEN("\"ips\":[\"10.0.0.1\",\"2001:DB8::1\",\"::ffff:192.0.2.1\"]",
          &job);
    CHECK_INT(job.nips, 3);
    CHECK_STR(job.ips[1], "2001:DB8::1");
    check_round_trip(&job);

    TAKEN(text_of("\"ips\":%s", list_of("\"10.0.0.1\"", 100)).data, &job);
    CHECK_INT(job.nips, 100);

    REFUSED(text_of("\"ips\":%s", list_of("\"10.0.0.1\"", 101)).data,
            "args.ips | 100 elements");
    REFUSED("\"ips\":[]", "args.ips | 1 | 100 elements");
    REFUSED("\"ips\":\"10.0.0.1\"", "args.ips | list");
    REFUSED("\"ips\":[1]", "args.ips[0] | string");
    REFUSED("\"ips\":[\"10.0.0.1\",\"not-an-ip\"]",
            "args.ips[1] | IPv4 | IPv6");
    REFUSED("\"ips\":[\"\"]", "args.ips[0] | IPv4 | IPv6");
    REFUSED("\"ips\":[\"10.0.0.256\"]", "args.ips[0] | IPv4 | IPv6");
    REFUSED("\"ips\":[\"10.1\"]", "args.ips[0] | IPv4 | IPv6");
    REFUSED("\"ips\":[\"fe80::1%eth0\"]", "args.ips[0] | IPv4 | IPv6");
    REFUSED("\"ips\":[\"10.0.0.1\\u0000x\"]", "args.ips[0] | NUL");
}


TEST("integers are taken within their limits only")
{
    size_t       i;
    char         facts[DFP_ERR_LEN];
    dfp_job_t    job;

    static const struct {
        const char  *key;
        long long    min;
        long long    max;
        int          zero;
        const char  *unit;
    } ints[] = {
        { "count", 1, 200, 0, "" },
        { "percentage", 1, 100, 0, "" },
        { "success_threshold", 1, 100, 0, "" },
        { "concurrent_task_count", 1, 100, 1, "" },
        { "concurrent_peer_count", 1, 1000, 1, "" },
        { "piece_length", 4194304, 67108864, 0, " bytes" },
        { "timeout", 1000000000, DAY, 1, " nanoseconds" }
    };

    for (i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {

#define INT(fmt, value)                                                       \
        text_of("\"%s\":" fmt, ints[i].key, value).data

        (void) snprintf(facts, sizeof(facts),
                        "args.%s | integer | %lld | %lld%s", ints[i].key,
                        ints[i].min, ints[i].max, ints[i].unit);

        TAKEN(INT("%lld", ints[i].min), &job);
        CHECK_HAS(printed(&job, 0, NULL), INT("%lld,", ints[i].min));
        check_round_trip(&job);

        TAKEN(INT("%lld", ints[i].max), &job);
        CHECK_HAS(printed(&job, 0, NULL), INT("%lld,", ints[i].max));
        check_round_trip(&job);

        REFUSED(INT("%lld", ints[i].max + 1), facts);
        REFUSED(INT("%d", -1), facts);
        REFUSED(INT("%lld.0", ints[i].min), facts);
        REFUSED(INT("\"%lld\"", ints[i].min), facts);
        REFUSED(INT("%s", "true"), facts);
        REFUSED(INT("%s", "\"\""), facts);
        REFUSED(INT("%s", "0.0"), facts);
        REFUSED(INT("%lld", (long long) INT64_MAX), facts);

        if (ints[i].min > 1) {
            REFUSED(INT("%lld", ints[i].min - 1), facts);
        }

        if (ints[i].zero) {
            TAKEN(INT("%d", 0), &job);

        } else {
            REFUSED(INT("%d", 0), facts);
        }

#undef INT
    }
}


TEST("a lower limit of the timeout lowers its default, too")
{
    dfp_job_t  job;

    CHECK_INT(dfp_job_parse(dfp_test_mem(), DFP_STR("{\"type\":\"preheat\","
                            "\"args\":{" FILE_URL "}}"), HOUR / 2, &job, &err),
              DFP_OK);
    CHECK_INT(job.timeout, HOUR / 2);

    CHECK_INT(dfp_job_parse(dfp_test_mem(), DFP_STR("{\"type\":\"preheat\","
                            "\"args\":{" FILE_URL ",\"timeout\":"
                            "1800000000001}}"), HOUR / 2, &job, &err),
              DFP_INVALID);
    CHECK_SAYS(err.text, "args.timeout | integer | 1000000000 | "
               "1800000000000 nanoseconds");
}
