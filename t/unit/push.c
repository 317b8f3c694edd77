/*
 * What registries tell about pushes.
 */

#include "dfp_push.h"
#include "dfp_buf.h"
#include "dfp_test.h"

#define DIGEST  "sha256:" "0123456789abcdef0123456789abcdef"                  \
                "0123456789abcdef0123456789abcdef"
#define HEX     "0123456789abcdef0123456789abcdef"                            \
                "0123456789abcdef0123456789abcdef"
#define TYPE    "application/vnd.oci.image.index.v1+json"

#define EVENT(more)                                                           \
    "{\"id\":\"1\",\"action\":\"push\",\"target\":{\"mediaType\":\"" TYPE     \
    "\",\"size\":1,\"digest\":\"" DIGEST "\",\"repository\":\"team/app\","    \
    "\"url\":\"http://r.lan:5000/v2/team/app/manifests/" DIGEST "\"" more     \
    "},\"request\":{\"host\":\"r.lan\"}}"
#define EVENTS(list)  "{\"events\":[" list "]}"

#define DATA                                                                  \
    "{\"resources\":[{\"digest\":\"" DIGEST "\",\"tag\":\"1\","               \
    "\"resource_url\":\"harbor.lan/team/app:1\"},{\"digest\":\"" DIGEST "\"," \
    "\"tag\":\"" DIGEST "\",\"resource_url\":\"harbor.lan/team/app@" DIGEST   \
    "\"}],\"repository\":{\"date_created\":1,\"name\":\"app\","               \
    "\"namespace\":\"team\",\"repo_full_name\":\"team/app\","                 \
    "\"repo_type\":\"private\"}}"


static dfp_push_t *
parsed(const char *text, size_t n)
{
    size_t       count;
    dfp_err_t    err;
    dfp_push_t  *pushes;

    if (!CHECK_INT(dfp_push_parse(dfp_test_mem(), dfp_test_str(text), &pushes,
                                  &count, &err), DFP_OK))
    {
        printf("#   %s\n", err.text);
        exit(1);
    }

    CHECK_INT(count, n);

    return pushes;
}


static const char *
refused(const char *text)
{
    size_t       count;
    dfp_err_t   *err;
    dfp_push_t  *pushes;

    err = dfp_test_alloc(NULL, sizeof(dfp_err_t));

    CHECK_INT(dfp_push_parse(dfp_test_mem(), dfp_test_str(text), &pushes,
                             &count, err), DFP_INVALID);

    return err->text;
}


static const char *
ignored(const char *text)
{
    const char  *why;

    why = parsed(text, 1)->ignored;

    return why ? why : "nothing";
}


TEST("distribution: a tag, and a digest")
{
    dfp_push_t  *push;

    push = parsed(EVENTS(EVENT(",\"tag\":\"v1\"") "," EVENT("")), 2);

    CHECK(push[0].ignored == NULL);
    CHECK_STR(push[0].registry, "http://r.lan:5000");
    CHECK_STR(push[0].base, "/v2/");
    CHECK_STR(push[0].repository, "team/app");
    CHECK_STR(push[0].tag, "v1");
    CHECK_STR(push[0].digest, DIGEST);

    CHECK(push[1].ignored == NULL);
    CHECK_STR(push[1].tag, "");
}


TEST("distribution: a registry below a path")
{
    dfp_push_t  *push;

    push = parsed(EVENTS(EVENT(",\"url\":\"http://r.lan/a/v2/team/app/"
                               "manifests/" DIGEST "\"")), 1);

    CHECK(push->ignored == NULL);
    CHECK_STR(push->registry, "http://r.lan");
    CHECK_STR(push->base, "/a/v2/");
}


TEST("distribution: no event")
{
    (void) parsed("{\"events\":[]}", 0);
}


TEST("distribution: what is ignored")
{
    CHECK_TEXT(ignored(EVENTS("{}")), "it is not a push");
    CHECK_TEXT(ignored(EVENTS("{\"action\":\"push\"}")), "it is not a push");
    CHECK_TEXT(ignored(EVENTS("{\"action\":\"pull\",\"target\":{}}")),
               "it is not a push");
    CHECK_TEXT(ignored(EVENTS(EVENT(",\"mediaType\":\"application/"
                                    "octet-stream\""))),
               "it is not a manifest");
    CHECK_SAYS(ignored(EVENTS(EVENT(",\"mediaType\":\"application/vnd."
                                    "docker.distribution.manifest.v1+json\""))),
               "schema 1");
    CHECK_SAYS(ignored(EVENTS(EVENT(",\"repository\":\"../a\""))),
               "repository");
    CHECK_SAYS(ignored(EVENTS(EVENT(",\"tag\":\"a/b\""))), "tag");
    CHECK_SAYS(ignored(EVENTS(EVENT(",\"digest\":\"md5:1\""))), "digest");
    CHECK_SAYS(ignored(EVENTS(EVENT(",\"url\":\"/v2/\""))), "URL");
    CHECK_SAYS(ignored(EVENTS(EVENT(",\"url\":\"http://r.lan/v2/other/"
                                    "manifests/1\""))), "URL");
}


TEST("names that are not valid are not shown")
{
    dfp_push_t  *push;

    push = parsed(EVENTS(EVENT(",\"tag\":\"<b>\"")), 1);

    CHECK_STR(push->repository, "");
    CHECK_STR(push->tag, "");
    CHECK_STR(push->digest, "");
}


TEST("Harbor: its default format")
{
    dfp_push_t  *push;

    push = parsed("{\"type\":\"PUSH_ARTIFACT\",\"occur_at\":1,\"operator\":"
                  "\"admin\",\"event_data\":" DATA "}", 2);

    CHECK(push[0].ignored == NULL);
    CHECK_STR(push[0].registry, "harbor.lan");
    CHECK_STR(push[0].base, "/v2/");
    CHECK_STR(push[0].repository, "team/app");
    CHECK_STR(push[0].tag, "1");
    CHECK_STR(push[0].digest, DIGEST);

    CHECK(push[1].ignored == NULL);
    CHECK_STR(push[1].tag, "");
}


TEST("Harbor: CloudEvents")
{
    dfp_push_t  *push;

    push = parsed("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":"
                  "\"/projects/1/webhook/policies/3\",\"type\":"
                  "\"harbor.artifact.pushed\",\"data\":" DATA "}", 2);

    CHECK(push[0].ignored == NULL);
    CHECK_STR(push[0].tag, "1");
}


TEST("Harbor: what is ignored")
{
    CHECK_TEXT(ignored("{\"type\":\"PULL_ARTIFACT\",\"event_data\":" DATA "}"),
               "it is not a push");
    CHECK_TEXT(ignored("{\"type\":\"PUSH_ARTIFACT\"}"), "it is not a push");
    CHECK_TEXT(ignored("{\"specversion\":\"1.0\",\"type\":"
                       "\"harbor.artifact.pulled\",\"data\":" DATA "}"),
               "it is not a push");
    CHECK_SAYS(ignored("{\"type\":\"PUSH_ARTIFACT\",\"event_data\":"
                       "{\"resources\":[{\"digest\":\"" DIGEST "\"}],"
                       "\"repository\":{\"repo_full_name\":\"a\"}}}"), "URL");
    (void) parsed("{\"type\":\"PUSH_ARTIFACT\",\"event_data\":{}}", 0);
}


TEST("Harbor: a host that is none")
{
    size_t      i;
    char        text[1024];

    static const char *const  hosts[] = {
        "", "harbor .lan", "harbor.lan:0", "user@harbor.lan",
        "\\u001b[2Jharbor.lan", "http:"
    };

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"type\":\"PUSH_ARTIFACT\","
                        "\"event_data\":{\"resources\":[{\"digest\":\"" DIGEST
                        "\",\"tag\":\"1\",\"resource_url\":\"%s/team/app:1\"}],"
                        "\"repository\":{\"repo_full_name\":\"team/app\"}}}",
                        hosts[i]);
        CHECK_SAYS(ignored(text), "URL");
    }
}


TEST("what is refused")
{
    size_t      i;
    dfp_buf_t   b;

    CHECK_SAYS(refused(""), "the body");
    CHECK_SAYS(refused("[]"), "the body | object");
    CHECK_SAYS(refused("{}"), "distribution | Harbor");
    CHECK_SAYS(refused("{\"events\":1}"), "events | list");
    CHECK_SAYS(refused("{\"events\":[1]}"), "events[0] | object");
    CHECK_SAYS(refused("{\"events\":[{\"target\":1}]}"), "events[0].target");
    CHECK_SAYS(refused(EVENTS(EVENT(",\"tag\":1"))), "events[0].target.tag");
    CHECK_SAYS(refused(EVENTS(EVENT(",\"mediaType\":null"))),
               "events[0].target.mediaType | required");
    CHECK_SAYS(refused(EVENTS(EVENT(",\"digest\":null"))),
               "events[0].target.digest | required");
    CHECK_SAYS(refused(EVENTS(EVENT(",\"repository\":\"\""))),
               "events[0].target.repository | required");
    CHECK_SAYS(refused("{\"type\":\"PUSH_ARTIFACT\",\"event_data\":"
                       "{\"resources\":[{}]}}"),
               "event_data.repository.repo_full_name | required");
    CHECK_SAYS(refused("{\"type\":\"PUSH_ARTIFACT\",\"event_data\":"
                       "{\"resources\":[{}],\"repository\":"
                       "{\"repo_full_name\":\"a\"}}}"),
               "event_data.resources.digest | required");
    CHECK_SAYS(refused("{\"type\":1}"), "type");
    CHECK_SAYS(refused("{\"type\":\"PUSH_ARTIFACT\",\"event_data\":1}"),
               "event_data");
    CHECK_SAYS(refused("{\"type\":\"PUSH_ARTIFACT\",\"event_data\":"
                       "{\"resources\":[1]}}"), "event_data.resources[0]");
    CHECK_SAYS(refused("{\"type\":\"PUSH_ARTIFACT\",\"event_data\":"
                       "{\"resources\":[{\"tag\":1}]}}"), "event_data.tag");

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"events\":[{}");

    for (i = 0; i < 100; i++) {
        dfp_buf_cstr(&b, ",{}");
    }

    dfp_buf_append(&b, "]}", 3);

    CHECK_SAYS(refused(b.data), "events | 100");
}


TEST("tags of signatures and so on")
{
    CHECK(dfp_push_subject_tag(DFP_STR("sha256-" HEX)));
    CHECK(dfp_push_subject_tag(DFP_STR("sha256-" HEX ".sig")));
    CHECK(dfp_push_subject_tag(DFP_STR("sha256-" HEX ".att")));
    CHECK(dfp_push_subject_tag(DFP_STR("sha256-" HEX ".sbom")));
    CHECK(!dfp_push_subject_tag(DFP_STR("sha256-" HEX ".other")));
    CHECK(!dfp_push_subject_tag(DFP_STR("sha256-" HEX "a")));
    CHECK(dfp_push_subject_tag(DFP_STR("sha512-" HEX)));
    CHECK(!dfp_push_subject_tag(DFP_STR("sha512-" HEX ".sig")));
    CHECK(!dfp_push_subject_tag(DFP_STR("sha384-" HEX)));
    CHECK(!dfp_push_subject_tag(DFP_STR("sha256-" HEX HEX)));
    CHECK(!dfp_push_subject_tag(DFP_STR("sha256-1")));
    CHECK(!dfp_push_subject_tag(DFP_STR("")));
}


static int
parse(dfp_mem_t *mem, void *data)
{
    size_t       n;
    dfp_err_t    err;
    dfp_push_t  *pushes;

    return dfp_push_parse(mem, dfp_test_str(data), &pushes, &n, &err);
}


TEST("no memory")
{
    dfp_test_oom(parse, EVENTS(EVENT(",\"tag\":\"v1\"")));
    dfp_test_oom(parse, "{\"type\":\"PUSH_ARTIFACT\",\"event_data\":" DATA "}");
    dfp_test_oom(parse, "{\"type\":\"PULL_ARTIFACT\"}");
}
