/*
 * What a job asks of the bytes: args.digest, args.size, args.refresh; and what it
 * takes beside them: args.subjects; args.keep_until, args.verify.
 */

#include "job_test.h"


#define A64                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA256  "sha256:" A64
#define SHA512  "sha512:" A64 A64
#define IMAGE_ARGS  "\"type\":\"image\",\"url\":\"" IMAGE_URL "\""


static const char  hex[] = "args.digest | sha256 | 64 | sha512 | 128 | "
                           "lower-case";
static const char  one[] = "args.digest | args.size | one URL";
static const char  files[] = "args.digest | args.size | files | args.url";
static const char  flag[] = "args.refresh | true | false";
static const char  range[] = "args.size | integer | 1 | 4398046511104 bytes";


TEST("a file may have a digest and a size, which are printed as they were given")
{
    dfp_job_t  job;

    TAKEN("\"digest\":\"" SHA256 "\",\"size\":1000,\"refresh\":true", &job);
    CHECK_STR(job.digest, SHA256);
    CHECK_INT(job.size, 1000);
    CHECK_INT(job.refresh, 1);

    CHECK_HAS(printed(&job, 1, NULL), "\"count\":null,\"digest\":\"" SHA256
              "\",\"enable_task_id_based_blob_digest\":null,");
    CHECK_HAS(printed(&job, 1, NULL), "\"platform\":\"\",\"refresh\":true,"
              "\"scope\":\"\",\"size\":1000,\"tag\"");
    check_round_trip(&job);

    TAKEN("\"digest\":\"" SHA512 "\"", &job);
    CHECK_STR(job.digest, SHA512);
    check_round_trip(&job);
}


TEST("what is not given is not printed, and \"\", null and false mean that")
{
    dfp_job_t    job;
    const char  *text;

    TAKEN("\"digest\":\"\",\"size\":null,\"refresh\":false", &job);
    CHECK_INT(job.digest.len, 0);
    CHECK_INT(job.size, 0);
    CHECK_INT(job.refresh, 0);

    text = printed(&job, 1, NULL);
    CHECK(strstr(text, "\"digest") == NULL);
    CHECK(strstr(text, "size") == NULL);
    CHECK(strstr(text, "refresh") == NULL);

    TAKEN("\"refresh\":null", &job);
    CHECK_INT(job.refresh, 0);
}


TEST("a digest that cannot be checked is refused")
{
    REFUSED("\"digest\":\"" A64 "\"", hex);
    REFUSED("\"digest\":\"sha256:" A64 "a\"", hex);
    REFUSED("\"digest\":\"sha512:" A64 "\"", hex);
    REFUSED("\"digest\":\"md5:" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" "\"", hex);
    REFUSED("\"digest\":\"sha256:A"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            hex);
    REFUSED("\"digest\":1", "args.digest | string");
}


TEST("a size is a number of bytes")
{
    REFUSED("\"size\":0", range);
    REFUSED("\"size\":-1", range);
    REFUSED("\"size\":4398046511105", range);
    REFUSED("\"size\":\"1\"", range);
    REFUSED("\"size\":1.0", range);
}


TEST("a digest and a size are of one file")
{
    dfp_job_t  job;

    REFUSED("\"urls\":[\"http://files.lan/b\"],\"digest\":\"" SHA256 "\"", one);
    REFUSED("\"urls\":[\"http://files.lan/b\"],\"size\":1", one);
    REFUSED_ARGS("\"type\":\"file\",\"urls\":[\"http://files.lan/a\","
                 "\"http://files.lan/b\"],\"size\":1", one);

    TAKEN_ARGS("\"type\":\"file\",\"urls\":[\"http://files.lan/a\"],"
               "\"size\":1", &job);
    CHECK_INT(job.size, 1);

    REFUSED_ARGS(IMAGE_ARGS ",\"digest\":\"" SHA256 "\"", files);
    REFUSED_ARGS(IMAGE_ARGS ",\"size\":1", files);
}


TEST("anything may be refreshed, by true and nothing else")
{
    dfp_job_t  job;

    TAKEN_ARGS(IMAGE_ARGS ",\"refresh\":true", &job);
    CHECK_INT(job.refresh, 1);

    TAKEN("\"refresh\":true,\"urls\":[\"http://files.lan/b\"]", &job);
    CHECK_INT(job.refresh, 1);

    REFUSED("\"refresh\":1", flag);
    REFUSED("\"refresh\":\"true\"", flag);
    REFUSED("\"refresh\":{}", flag);
}


TEST("what refers to an image, and to nothing else")
{
    dfp_job_t  job;

    static const char  subjects[] = "args.subjects | true | false";

    TAKEN_ARGS(IMAGE_ARGS ",\"subjects\":true,\"success_threshold\":50", &job);
    CHECK_INT(job.subjects, 1);
    CHECK_HAS(printed(&job, 1, NULL),
              "\"subjects\":true,\"success_threshold\":50,");
    check_round_trip(&job);

    TAKEN("\"subjects\":false", &job);
    CHECK_INT(job.subjects, 0);
    CHECK(strstr(printed(&job, 1, NULL), "subjects") == NULL);

    REFUSED("\"subjects\":true", "args.subjects | images");
    REFUSED("\"subjects\":1", subjects);
}


TEST("what was pushed is nothing that a client can say")
{
    dfp_job_t  job;

    TAKEN_ARGS(IMAGE_ARGS ",\"pushed\":\"" SHA256 "\"", &job);
    CHECK_STR(job.pushed, "");

    job.pushed = DFP_STR(SHA256);
    CHECK_HAS(printed(&job, 1, NULL), ",\"pushed\":\"" SHA256 "\",");
    check_round_trip(&job);
}


TEST("a time until which it is kept, which is printed in UTC")
{
    dfp_job_t  job;

    static const char  times[] = "args.keep_until | RFC 3339";

    TAKEN_ARGS(IMAGE_ARGS ",\"keep_until\":\"2030-01-01T02:00:00+02:00\"", &job);
    CHECK_INT(job.keep_until, INT64_C(1893456000000));
    CHECK_HAS(printed(&job, 1, NULL), "\"ips\":null,\"keep_until\":"
              "\"2030-01-01T00:00:00.000Z\",\"object_storage\"");
    check_round_trip(&job);

    TAKEN("\"keep_until\":\"\"", &job);
    CHECK_INT(job.keep_until, 0);
    CHECK(strstr(printed(&job, 1, NULL), "keep_until") == NULL);

    TAKEN("\"keep_until\":null", &job);
    CHECK_INT(job.keep_until, 0);

    REFUSED("\"keep_until\":\"tomorrow\"", times);
    REFUSED("\"keep_until\":\"2030-01-01\"", times);
    REFUSED("\"keep_until\":1893456000", "args.keep_until | string");
}


TEST("what was preheated may be verified, but not in a dry run")
{
    dfp_job_t    job;
    const char  *text;

    TAKEN_ARGS(IMAGE_ARGS ",\"verify\":true", &job);
    CHECK_INT(job.verify, 1);
    CHECK_HAS(printed(&job, 1, NULL), "\"username\":\"\",\"verify\":true}");
    check_round_trip(&job);

    TAKEN("\"verify\":false", &job);
    CHECK_INT(job.verify, 0);

    text = printed(&job, 1, NULL);
    CHECK(strstr(text, "verify") == NULL);

    REFUSED("\"verify\":1", "args.verify | true | false");
    REFUSED("\"verify\":\"true\"", "args.verify | true | false");
}


TEST("task ids by the digest of a blob: on, off, or as the cluster has it")
{
    dfp_job_t  job;

    static const char  digests[] =
        "args.enable_task_id_based_blob_digest | true | false";

    TAKEN("\"enable_task_id_based_blob_digest\":true", &job);
    CHECK_INT(job.blob_digest, 1);
    CHECK_HAS(printed(&job, 1, NULL),
              "\"enable_task_id_based_blob_digest\":true,");
    check_round_trip(&job);

    TAKEN("\"Enable_Task_Id_Based_Blob_Digest\":false", &job);
    CHECK_INT(job.blob_digest, -1);
    CHECK_HAS(printed(&job, 1, NULL),
              "\"enable_task_id_based_blob_digest\":false,");
    check_round_trip(&job);

    TAKEN("\"enable_task_id_based_blob_digest\":null", &job);
    CHECK_INT(job.blob_digest, 0);
    check_round_trip(&job);

    REFUSED("\"enable_task_id_based_blob_digest\":1", digests);
    REFUSED("\"enable_task_id_based_blob_digest\":\"true\"", digests);
    REFUSED("\"enable_task_id_based_blob_digest\":[]", digests);
}
