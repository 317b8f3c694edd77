/*
 * Jobs about tasks, and the distribution of an image: their fields, and the ids of
 * their tasks.
 */

#include "dfp_d7y.h"
#include "dfp_json.h"
#include "job_test.h"


#define URL   "https://files.lan/a?b=1"
#define ID_URL  "823560725ba3c38d3433f173a114f021"                                \
                "6995590e30177c1d69df38c4fc8106ff"
#define NONE  "invalid params: task_id, content_for_calculating_task_id or url "  \
              "is required"


static dfp_rc_t
take(const char *type, const char *args, dfp_job_t *job)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"type\":\"");
    dfp_buf_cstr(&b, type);
    dfp_buf_cstr(&b, "\",\"args\":");
    dfp_buf_cstr(&b, args);
    dfp_buf_cstr(&b, "}");

    return dfp_job_parse(dfp_test_mem(), dfp_buf_value(&b), HOUR, job, &err);
}


static const char *
shown(dfp_job_t *job, int redact)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    (void) dfp_job_print_args(&b, job, redact);
    dfp_buf_append(&b, "", 1);

    return b.data;
}


static const char *
task_of(dfp_job_t *job)
{
    dfp_str_t  id;

    CHECK_INT(dfp_d7y_job_task(dfp_test_mem(), job, &id), DFP_OK);

    return id.len ? id.data : "";
}


TEST("what a task is: its url, or what its id is made from, or its id")
{
    dfp_job_t  job;

    CHECK_INT(take("get_task", "{\"url\":\"" URL "\",\"task_id\":\"x\"}", &job),
              DFP_OK);
    CHECK_INT(job.action, DFP_JOB_GET_TASK);
    CHECK_INT(job.type, DFP_JOB_FILE);
    CHECK_INT(job.scope, DFP_SCOPE_ALL_PEERS);

    /* printf 'https://files.lan/a?b=1STANDARD' | sha256sum */

    CHECK_TEXT(task_of(&job), ID_URL);

    CHECK_INT(take("delete_task", "{\"task_id\":\"x\","
                   "\"content_for_calculating_task_id\":\"a\"}", &job), DFP_OK);
    CHECK_TEXT(task_of(&job), "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72"
                              "b9807785afee48bb");

    CHECK_INT(take("delete_task", "{\"task_id\":\"x\"}", &job), DFP_OK);
    CHECK_STR(job.task_id, "x");
    CHECK_TEXT(task_of(&job), "x");
}


TEST("a manifest url is an image, anything else a file")
{
    dfp_job_t  job;

    CHECK_INT(take("get_task", "{\"url\":\"https://r.lan/v2/a/manifests/1\"}",
                   &job), DFP_OK);
    CHECK_INT(job.type, DFP_JOB_IMAGE);

    CHECK_INT(take("get_task", "{\"url\":\"https://r.lan/v2/a/blobs/1\"}", &job),
              DFP_OK);
    CHECK_INT(job.type, DFP_JOB_FILE);

    CHECK_INT(take("get_task", "{\"url\":\"r.lan/a:1\"}", &job), DFP_INVALID);
    CHECK_SAYS(err.text, "args.url");
}


TEST("without any of them it is refused in the manager's words")
{
    size_t     i;
    dfp_job_t  job;

    static const char  *none[] = {
        "null", "{}", "{\"url\":\"\",\"task_id\":null}",
        "{\"content_for_calculating_task_id\":\"\"}"
    };

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        CHECK_INT(take("get_task", none[i], &job), DFP_INVALID);
        CHECK_TEXT(err.text, NONE);
        CHECK_INT(take("delete_task", none[i], &job), DFP_INVALID);
        CHECK_TEXT(err.text, NONE);
    }
}


TEST("args are printed as the manager does, and are read again")
{
    dfp_job_t    job, again;
    const char  *text;

    CHECK_INT(take("get_task", "{\"url\":\"" URL "\",\"tag\":\"t\","
                   "\"filtered_query_params\":\"f\",\"piece_length\":4194304}",
                   &job), DFP_OK);
    text = shown(&job, 0);
    CHECK_TEXT(text, "{\"action\":\"get_task\",\"application\":\"\","
        "\"concurrent_peer_count\":500,"
        "\"content_for_calculating_task_id\":null,"
        "\"filtered_query_params\":\"f\",\"piece_length\":4194304,"
        "\"tag\":\"t\",\"task_id\":\"\",\"timeout\":3600000000000,"
        "\"url\":\"" URL "\"}");

    CHECK_INT(dfp_job_parse_args(dfp_test_mem(), dfp_test_str(text), &again,
                                 &err), DFP_OK);
    CHECK_INT(again.action, DFP_JOB_GET_TASK);
    CHECK_TEXT(shown(&again, 0), text);
    CHECK_TEXT(task_of(&again), task_of(&job));
}


TEST("a url that was found is looked up, and is not the task's")
{
    dfp_job_t    job, again;
    const char  *text;

    CHECK_INT(take("delete_task", "{\"task_id\":\"x\"}", &job), DFP_OK);
    job.found_url = DFP_STR(URL);
    text = shown(&job, 0);
    CHECK_HAS(text, "\"found_url\":\"" URL "\"");
    CHECK_HAS(text, "\"url\":\"\"");

    CHECK_INT(dfp_job_parse_args(dfp_test_mem(), dfp_test_str(text), &again,
                                 &err), DFP_OK);
    CHECK_STR(again.url, URL);
    CHECK_TEXT(task_of(&again), "x");

    /* a client cannot set it */

    CHECK_INT(take("delete_task", "{\"task_id\":\"x\",\"found_url\":\"" URL
                   "\",\"action\":\"look\"}", &job), DFP_OK);
    CHECK_STR(job.found_url, "");
    CHECK_INT(job.action, DFP_JOB_DELETE_TASK);
}


TEST("a job that preheats is found by the id of its only url")
{
    dfp_job_t  job;

    CHECK_INT(take("preheat", "{\"type\":\"file\",\"url\":\"" URL "\"}", &job),
              DFP_OK);
    CHECK_TEXT(task_of(&job), ID_URL);

    CHECK_INT(take("preheat", "{\"type\":\"file\",\"urls\":[\"" URL "\"]}",
                   &job), DFP_OK);
    CHECK_TEXT(task_of(&job), ID_URL);

    CHECK_INT(take("preheat", "{\"type\":\"file\",\"urls\":[\"" URL "\",\""
                   URL "2\"]}", &job), DFP_OK);
    CHECK_TEXT(task_of(&job), "");

    CHECK_INT(take("preheat", "{\"type\":\"file\",\"url\":"
                   "\"https://files.lan/a?X-Amz-Signature=secret\"}", &job),
              DFP_OK);
    CHECK_TEXT(task_of(&job), "");
}


TEST("get_image_distribution: an image, with credentials")
{
    dfp_job_t  job;

    CHECK_INT(take("get_image_distribution", "{\"url\":\"docker://r.lan/a:1\","
                   "\"username\":\"u\",\"password\":\"p\","
                   "\"platform\":\"linux/arm64\","
                   "\"concurrent_layer_count\":3}", &job), DFP_OK);
    CHECK_INT(job.action, DFP_JOB_DISTRIBUTION);
    CHECK_INT(job.type, DFP_JOB_IMAGE);
    CHECK_STR(job.url, "r.lan/a:1");
    CHECK_INT(job.concurrent_task_count, 3);
    CHECK_HAS(shown(&job, 1), "\"password\":\"***\"");
    CHECK_HAS(shown(&job, 1), "\"action\":\"get_image_distribution\"");

    CHECK_INT(take("get_image_distribution", "{}", &job), DFP_INVALID);
    CHECK_SAYS(err.text, "args.url | required");
    CHECK_INT(take("get_image_distribution", "{\"url\":\"" URL "\"}", &job),
              DFP_INVALID);
    CHECK_SAYS(err.text, "args.url | manifest");
}


static int
run_parse(dfp_mem_t *mem, void *data)
{
    dfp_rc_t   rc;
    dfp_err_t  error;
    dfp_job_t  job;
    dfp_str_t  id;

    rc = dfp_job_parse(mem, *(dfp_str_t *) data, HOUR, &job, &error);

    return rc == DFP_OK ? dfp_d7y_job_task(mem, &job, &id) : rc;
}


TEST("without memory there is no job, and no id")
{
    dfp_str_t  body = DFP_STR("{\"type\":\"get_task\",\"args\":{\"url\":\""
                              URL "\",\"task_id\":\"x\"}}");
    dfp_str_t  content = DFP_STR("{\"type\":\"get_task\",\"args\":{"
                                 "\"content_for_calculating_task_id\":\"x\"}}");

    dfp_test_oom(run_parse, &body);
    dfp_test_oom(run_parse, &content);
}
