/*
 * Manifests and indexes, as registries send them.
 */

#include <jansson.h>

#include "dfp_buf.h"
#include "dfp_oci.h"
#include "dfp_test.h"


#define A64                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64                                                                   \
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SHA_A   "sha256:" A64
#define SHA_B   "sha256:" B64

#define OCI_INDEX     "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST  "application/vnd.oci.image.manifest.v1+json"
#define DOCKER_LIST                                                           \
    "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MANIFEST                                                       \
    "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_SCHEMA1                                                        \
    "application/vnd.docker.distribution.manifest.v1+prettyjws"

#define DESC(digest, size)                                                    \
    "\"digest\":\"" digest "\",\"size\":" #size

#define CONFIG      "\"config\":{" DESC(SHA_A, 7) "}"
#define NO_LAYERS   "{\"schemaVersion\":2," CONFIG ",\"layers\":[]}"


static dfp_oci_manifest_t  manifest;
static dfp_err_t           err;


/* jansson's memory is counted from the first test on */

__attribute__((constructor)) static void
count_memory(void)
{
    json_set_alloc_funcs(dfp_test_lib_malloc, dfp_test_lib_free);
}


static int
parse_as(dfp_str_t type, dfp_str_t body)
{
    int   rc;
    char *copy;

    /* the body goes away: nothing in the result may point into it */

    copy = malloc(body.len + 1);
    if (copy == NULL) {
        abort();
    }

    memcpy(copy, body.data, body.len);

    err.text[0] = '\0';
    rc = dfp_oci_parse_manifest(dfp_test_mem(), (dfp_str_t) { body.len, copy },
                                type, &manifest, &err);
    free(copy);

    CHECK((rc == DFP_INVALID) == (err.text[0] != '\0'));

    /* half of a manifest is none */

    if (rc != DFP_OK) {
        CHECK_INT(manifest.kind, 0);
        CHECK_INT(manifest.n, 0);
        CHECK(manifest.descs == NULL);
        CHECK(manifest.config.digest.data == NULL);
    }

    return rc;
}


static const char *
manifest_refused(dfp_str_t type, dfp_str_t body)
{
    if (!CHECK_INT(parse_as(type, body), DFP_INVALID)) {
        dfp_test_print("accepted", body);
    }

    return err.text;
}


#define CHECK_PARSED_AS(type, body)                                           \
    (CHECK_INT(parse_as(DFP_STR(type), DFP_STR(body)), DFP_OK)                \
     || (printf("#   %s\n", err.text), 0))
#define CHECK_PARSED(body)  CHECK_PARSED_AS("", body)

#define CHECK_BAD_AS(type, body, why)                                         \
    CHECK_SAYS(manifest_refused(DFP_STR(type), DFP_STR(body)), why)
#define CHECK_BAD(body, why)  CHECK_BAD_AS("", body, why)


TEST("an OCI manifest has a config and layers")
{
    CHECK_PARSED_AS(OCI_MANIFEST,
        "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MANIFEST "\","
        "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\""
        "," DESC(SHA_A, 1469) "},\"layers\":["
        "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\","
        DESC(SHA_B, 3408729) "},"
        "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+zstd\","
        DESC("sha512:" A64 B64, 0) "}],"
        "\"annotations\":{\"org.opencontainers.image.ref.name\":\"x\"}}");

    CHECK_INT(manifest.kind, DFP_OCI_MANIFEST);
    CHECK_STR(manifest.media_type, OCI_MANIFEST);
    CHECK_STR(manifest.config.digest, SHA_A);
    CHECK_INT(manifest.config.size, 1469);
    CHECK_STR(manifest.config.media_type,
              "application/vnd.oci.image.config.v1+json");
    CHECK_INT(manifest.n, 2);
    CHECK_STR(manifest.descs[0].digest, SHA_B);
    CHECK_INT(manifest.descs[0].size, 3408729);
    CHECK_STR(manifest.descs[1].digest, "sha512:" A64 B64);
    CHECK_INT(manifest.descs[1].size, 0);
    CHECK_INT(manifest.descs[1].foreign, 0);
    CHECK_INT(manifest.descs[1].has_platform, 0);
    CHECK_INT(manifest.descs[1].attestation, 0);
}


TEST("an OCI index has entries with platforms and attestations")
{
    CHECK_PARSED_AS(OCI_INDEX,
        "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":["
        "{\"mediaType\":\"" OCI_MANIFEST "\"," DESC(SHA_A, 1) ",\"platform\":"
        "{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\"}},"
        "{\"mediaType\":\"" OCI_MANIFEST "\"," DESC(SHA_B, 2) ",\"platform\":"
        "{\"architecture\":\"unknown\",\"os\":\"unknown\"},\"annotations\":"
        "{\"vnd.docker.reference.type\":\"attestation-manifest\"}}]}");

    CHECK_INT(manifest.kind, DFP_OCI_INDEX);
    CHECK_STR(manifest.media_type, OCI_INDEX);
    CHECK_INT(manifest.n, 2);
    CHECK_INT(manifest.descs[0].has_platform, 1);
    CHECK_STR(manifest.descs[0].platform.os, "linux");
    CHECK_STR(manifest.descs[0].platform.arch, "arm64");
    CHECK_STR(manifest.descs[0].platform.variant, "");
    CHECK_INT(manifest.descs[0].attestation, 0);
    CHECK_INT(manifest.descs[1].attestation, 1);
}


TEST("an attestation is known by its platform, and by its annotation")
{
    CHECK_PARSED("{\"manifests\":["
        "{" DESC(SHA_A, 1) ",\"platform\":{\"architecture\":\"unknown\","
        "\"os\":\"unknown\"}},"
        "{" DESC(SHA_A, 1) ",\"annotations\":{\"vnd.docker.reference.type\":"
        "\"attestation-manifest\"}},"
        "{" DESC(SHA_A, 1) ",\"platform\":{\"architecture\":\"amd64\","
        "\"os\":\"unknown\"},\"annotations\":{\"a\":\"b\"}}]}");

    CHECK_INT(manifest.descs[0].attestation, 1);
    CHECK_INT(manifest.descs[1].attestation, 1);
    CHECK_INT(manifest.descs[2].attestation, 0);
}


TEST("Docker's manifests and lists are the same to us")
{
    CHECK_PARSED_AS(DOCKER_MANIFEST, NO_LAYERS);
    CHECK_INT(manifest.kind, DFP_OCI_MANIFEST);
    CHECK_STR(manifest.media_type, DOCKER_MANIFEST);

    CHECK_PARSED_AS(DOCKER_LIST, "{\"schemaVersion\":2,\"manifests\":[]}");
    CHECK_INT(manifest.kind, DFP_OCI_INDEX);
    CHECK_STR(manifest.media_type, DOCKER_LIST);
    CHECK_INT(manifest.n, 0);
}


TEST("without a content type the body's own mediaType decides")
{
    CHECK_PARSED("{\"mediaType\":\"" DOCKER_LIST "\",\"manifests\":[]}");
    CHECK_INT(manifest.kind, DFP_OCI_INDEX);
    CHECK_STR(manifest.media_type, DOCKER_LIST);
}


TEST("without any type the shape decides")
{
    CHECK_PARSED("{\"manifests\":[]}");
    CHECK_INT(manifest.kind, DFP_OCI_INDEX);
    CHECK_STR(manifest.media_type, "");

    CHECK_PARSED(NO_LAYERS);
    CHECK_INT(manifest.kind, DFP_OCI_MANIFEST);

    CHECK_BAD("{}", "neither | manifests | config | layers");
    CHECK_BAD("{\"schemaVersion\":2}", "neither | manifests | config");
}


TEST("a content type may have parameters, blanks and capitals")
{
    CHECK_PARSED_AS(" Application/VND.oci.image.Manifest.v1+json "
                    "; charset=utf-8", NO_LAYERS);
    CHECK_INT(manifest.kind, DFP_OCI_MANIFEST);

    CHECK_INT(dfp_oci_type_kind(DFP_STR(OCI_INDEX ";a=b;c=d")),
              DFP_OCI_INDEX);
    CHECK_INT(dfp_oci_type_kind(DFP_STR(DOCKER_SCHEMA1)), DFP_OCI_SCHEMA1);
    CHECK_INT(dfp_oci_type_kind(DFP_STR("application/json")), 0);
    CHECK_INT(dfp_oci_type_kind(DFP_STR(";" OCI_INDEX)), 0);
    CHECK_INT(dfp_oci_type_kind(DFP_STR("  ")), 0);
    CHECK_INT(dfp_oci_type_kind(DFP_STR_NULL), 0);
}


TEST("a registry of plain files sends application/json, which says nothing")
{
    CHECK_PARSED_AS("application/json", NO_LAYERS);
    CHECK_INT(manifest.kind, DFP_OCI_MANIFEST);
    CHECK_STR(manifest.media_type, "");

    CHECK_PARSED_AS("text/plain", "{\"mediaType\":\"" OCI_INDEX "\","
                    "\"manifests\":[]}");
    CHECK_STR(manifest.media_type, OCI_INDEX);
}


TEST("what could be read as two things is refused (CVE-2021-41190)")
{
    CHECK_BAD_AS(OCI_INDEX, "{\"mediaType\":\"" OCI_MANIFEST "\",\"manifests\""
                 ":[]}", "type | " OCI_MANIFEST " | " OCI_INDEX);
    CHECK_BAD_AS(DOCKER_MANIFEST, "{\"mediaType\":\"" OCI_MANIFEST "\","
                 CONFIG ",\"layers\":[]}",
                 "type | " OCI_MANIFEST " | " DOCKER_MANIFEST);
    CHECK_BAD("{\"manifests\":[]," CONFIG ",\"layers\":[]}",
              "both | manifests | config | layers");
    CHECK_BAD_AS(OCI_INDEX, "{\"manifests\":[],\"layers\":[]}",
                 "both | manifests | config | layers");
    CHECK_BAD_AS(OCI_INDEX, NO_LAYERS, "index | type | image");
    CHECK_BAD_AS(OCI_MANIFEST, "{\"manifests\":[]}", "image | type | index");
    CHECK_BAD("{\"manifests\":[],\"manifests\":[]}", "JSON");
}


TEST("Docker's schema 1 is refused by name")
{
    CHECK_BAD_AS(DOCKER_SCHEMA1, "{\"schemaVersion\":1}", "schema 1");
    CHECK_BAD_AS("application/vnd.docker.distribution.manifest.v1+json; "
                 "charset=utf-8", "{}", "schema 1");
    CHECK_BAD("{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1");
    CHECK_BAD("{\"mediaType\":\"" DOCKER_SCHEMA1 "\"}", "schema 1");
}


TEST("other types and versions are refused")
{
    CHECK_BAD("{\"mediaType\":\"application/vnd.oci.artifact.manifest.v1+json"
              "\",\"blobs\":[]}",
              "type | application/vnd.oci.artifact.manifest.v1+json | "
              "not supported");
    CHECK_BAD("{\"schemaVersion\":3,\"manifests\":[]}", "schemaVersion | 2");
    CHECK_BAD("{\"schemaVersion\":\"2\",\"manifests\":[]}",
              "schemaVersion | 2");
    CHECK_BAD("{\"schemaVersion\":2.0,\"manifests\":[]}", "schemaVersion | 2");
    CHECK_BAD("{\"mediaType\":7,\"manifests\":[]}", "mediaType | string");
    CHECK_BAD("{\"mediaType\":\"a\\nb\",\"manifests\":[]}",
              "mediaType | media type");
    CHECK_BAD("{\"mediaType\":\"" A64 A64 A64 A64 "\",\"manifests\":[]}",
              "mediaType | 255 bytes");
}


TEST("what is no JSON object is refused, with the place")
{
    CHECK_BAD("", "JSON | line 1 | column 0");
    CHECK_BAD("<html>", "JSON | line 1 | column 1");
    CHECK_BAD("{\"a\":1}\n\nx", "JSON | line 3");
    CHECK_BAD("{\"a\":1", "JSON");
    CHECK_BAD("{\"a\":\"\xff\"}", "JSON");
    CHECK_BAD("{\"a\":99999999999999999999}", "JSON");
    CHECK_BAD("\xef\xbb\xbf{}", "JSON");
    CHECK_BAD("[]", "JSON object");
    CHECK_INT(parse_as(DFP_STR_NULL, DFP_STR("null")), DFP_INVALID);
}


TEST("a manifest needs its config and its layers")
{
    CHECK_BAD("{\"layers\":[]}", "config | missing");
    CHECK_BAD("{\"config\":null,\"layers\":[]}", "config | missing");
    CHECK_BAD("{\"config\":[],\"layers\":[]}", "config | object");
    CHECK_BAD("{" CONFIG "}", "layers | missing");
    CHECK_BAD("{" CONFIG ",\"layers\":{}}", "layers | array");
    CHECK_BAD("{" CONFIG ",\"layers\":[7]}", "layers[0] | object");
    CHECK_BAD_AS(OCI_INDEX, "{}", "manifests | missing");
    CHECK_BAD("{\"manifests\":{}}", "manifests | array");
}


TEST("an artifact may have any config and no layers, and say null for none")
{
    CHECK_PARSED("{\"artifactType\":\"application/x\",\"config\":{\"mediaType\""
                 ":\"application/vnd.oci.empty.v1+json\"," DESC(SHA_A, 2)
                 ",\"data\":\"e30=\"},\"layers\":null,\"manifests\":null}");
    CHECK_INT(manifest.kind, DFP_OCI_MANIFEST);
    CHECK_INT(manifest.n, 0);
    CHECK_STR(manifest.config.media_type, "application/vnd.oci.empty.v1+json");
}


TEST("a layer with urls is not in the registry")
{
    CHECK_PARSED("{" CONFIG ",\"layers\":["
                 "{" DESC(SHA_A, 1) ",\"urls\":[\"https://a.lan/x\"]},"
                 "{" DESC(SHA_A, 1) ",\"urls\":[]},"
                 "{" DESC(SHA_A, 1) ",\"urls\":null}]}");
    CHECK_INT(manifest.descs[0].foreign, 1);
    CHECK_INT(manifest.descs[1].foreign, 0);
    CHECK_INT(manifest.descs[2].foreign, 0);

    CHECK_BAD("{" CONFIG ",\"layers\":[{" DESC(SHA_A, 1) ",\"urls\":\"x\"}]}",
              "layers[0].urls | array");
}


TEST("descriptors are checked, and errors name the one")
{
    CHECK_BAD("{\"config\":{\"size\":1},\"layers\":[]}",
              "config.digest | sha256");
    CHECK_BAD("{\"config\":{\"digest\":7,\"size\":1},\"layers\":[]}",
              "config.digest | string");
    CHECK_BAD("{" CONFIG ",\"layers\":[{" DESC(SHA_A, 1) "},"
              "{" DESC("sha256:../../etc/passwd", 1) "}]}",
              "layers[1].digest | sha256");
    CHECK_BAD("{" CONFIG ",\"layers\":[{" DESC("sha512:" A64 A64 A64, 1)
              "}]}", "layers[0].digest | 136 bytes");
    CHECK_BAD("{" CONFIG ",\"layers\":[{\"mediaType\":[]," DESC(SHA_A, 1)
              "}]}", "layers[0].mediaType | string");
    CHECK_BAD("{" CONFIG ",\"layers\":[{" DESC(SHA_A, 1) "}],\"layers\":[]}",
              "JSON");
}


TEST("sizes are integers from 0 to 4 TiB")
{
    CHECK_PARSED("{\"config\":{" DESC(SHA_A, 0) "},\"layers\":[{"
                 DESC(SHA_A, 4398046511104) "}]}");
    CHECK_INT(manifest.descs[0].size, INT64_C(4398046511104));

    CHECK_BAD("{\"config\":{" DESC(SHA_A, -1) "},\"layers\":[]}",
              "config.size | integer | 0 | 4398046511104");
    CHECK_BAD("{\"config\":{" DESC(SHA_A, 4398046511105) "},\"layers\":[]}",
              "config.size | integer");
    CHECK_BAD("{\"config\":{" DESC(SHA_A, 1.5) "},\"layers\":[]}",
              "config.size | integer");
    CHECK_BAD("{\"config\":{" DESC(SHA_A, "7") "},\"layers\":[]}",
              "config.size | integer");
    CHECK_BAD("{\"config\":{\"digest\":\"" SHA_A "\"},\"layers\":[]}",
              "config.size | integer");
}


TEST("platforms in an index are checked and normalised")
{
#define ENTRY(platform)                                                       \
    "{\"manifests\":[{" DESC(SHA_A, 1) ",\"platform\":" platform "}]}"

    CHECK_PARSED(ENTRY("{\"architecture\":\"armhf\",\"os\":\"Linux\"}"));
    CHECK_STR(manifest.descs[0].platform.os, "linux");
    CHECK_STR(manifest.descs[0].platform.arch, "arm");
    CHECK_STR(manifest.descs[0].platform.variant, "");

    CHECK_PARSED(ENTRY("{\"os.version\":\"10.0.17763.1\",\"os\":\"windows\","
                       "\"architecture\":\"amd64\",\"os.features\":[\"x\"]}"));
    CHECK_STR(manifest.descs[0].platform.os, "windows");

    CHECK_PARSED(ENTRY("{\"architecture\":\"\",\"os\":\"\"}"));
    CHECK_INT(manifest.descs[0].has_platform, 0);
    CHECK_PARSED(ENTRY("{}"));
    CHECK_INT(manifest.descs[0].has_platform, 0);
    CHECK_PARSED(ENTRY("null"));
    CHECK_INT(manifest.descs[0].has_platform, 0);

    CHECK_BAD(ENTRY("\"linux/amd64\""), "manifests[0].platform | object");
    CHECK_BAD(ENTRY("{\"os\":7}"), "manifests[0].platform.os | string");
    CHECK_BAD(ENTRY("{\"os\":\"a\\nb\"}"), "manifests[0].platform | names");
    CHECK_BAD(ENTRY("{\"os\":\"" A64 "a\"}"),
              "manifests[0].platform.os | 64 bytes");
    CHECK_BAD("{\"manifests\":[{" DESC(SHA_A, 1) ",\"annotations\":[]}]}",
              "manifests[0].annotations | object");
}


static dfp_str_t
many(const char *start, size_t n, const char *element, const char *end)
{
    size_t     i;
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 1024, 0);
    dfp_buf_cstr(&b, start);

    for (i = 0; i < n; i++) {
        dfp_buf_cstr(&b, i ? "," : "");
        dfp_buf_cstr(&b, element);
    }

    dfp_buf_cstr(&b, end);

    return dfp_buf_value(&b);
}


TEST("an image may have 1024 layers, and an index 1024 entries")
{
    CHECK_INT(parse_as(DFP_STR(""), many("{" CONFIG ",\"layers\":[", 1024,
                                         "{" DESC(SHA_A, 1) "}", "]}")),
              DFP_OK);
    CHECK_INT(manifest.n, 1024);
    CHECK_STR(manifest.descs[1023].digest, SHA_A);

    CHECK_SAYS(manifest_refused(DFP_STR(""),
                                many("{" CONFIG ",\"layers\":[", 1025,
                                     "{" DESC(SHA_A, 1) "}", "]}")),
               "layers | 1024 elements");

    CHECK_INT(parse_as(DFP_STR(""), many("{\"manifests\":[", 1024,
                                         "{" DESC(SHA_A, 1) "}", "]}")),
              DFP_OK);
    CHECK_SAYS(manifest_refused(DFP_STR(""),
                                many("{\"manifests\":[", 1025,
                                     "{" DESC(SHA_A, 1) "}", "]}")),
               "manifests | 1024 elements");
}


TEST("a body of very many tiny values is refused before it takes memory")
{
    CHECK_INT(parse_as(DFP_STR(""), many("{\"manifests\":[],\"x\":[", 30000,
                                         "[]", "]}")),
              DFP_OK);

    dfp_test_lib_fail(0);
    CHECK_SAYS(manifest_refused(DFP_STR(""), many("{\"x\":[", 40000, "[]",
                                                  "]}")), "65536 values");
    CHECK_INT(dfp_test_lib_allocs, 0);
}


TEST("a body that is nested without end is refused")
{
    char  body[5000];

    memset(body, '[', sizeof(body));
    CHECK_SAYS(manifest_refused(DFP_STR(""),
                                (dfp_str_t) { sizeof(body), body }),
               "manifest | nested | 64");
}


#define WHOLE_INDEX                                                           \
    "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":["    \
    "{\"mediaType\":\"" OCI_MANIFEST "\"," DESC(SHA_A, 1) ",\"platform\":"    \
    "{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v6\"},"         \
    "\"annotations\":{\"a\":\"b\"}},{" DESC(SHA_B, 2) "}]}"

#define WHOLE_MANIFEST                                                        \
    "{\"schemaVersion\":2,\"config\":{" DESC(SHA_A, 1) "},\"layers\":["       \
    "{\"mediaType\":\"a/b\"," DESC(SHA_B, 2) ",\"urls\":[\"x\"]}]}"


static int
index_in(dfp_mem_t *mem, void *data)
{
    int  rc;

    rc = dfp_oci_parse_manifest(mem, DFP_STR(WHOLE_INDEX), DFP_STR(OCI_INDEX),
                                &manifest, &err);

    if (rc == DFP_OK) {
        CHECK_INT(manifest.n, 2);
        CHECK_STR(manifest.descs[0].platform.variant, "v6");
    }

    return rc;
}


static int
manifest_in(dfp_mem_t *mem, void *data)
{
    int  rc;

    rc = dfp_oci_parse_manifest(mem, DFP_STR(WHOLE_MANIFEST), DFP_STR(""),
                                &manifest, &err);

    if (rc == DFP_OK) {
        CHECK_INT(manifest.n, 1);
        CHECK_INT(manifest.descs[0].foreign, 1);
    }

    return rc;
}


TEST("no memory for a manifest is an error of its own, and leaks nothing")
{
    dfp_test_oom(index_in, NULL);
    dfp_test_oom(manifest_in, NULL);
}


TEST("no memory for jansson never leaves half a manifest")
{
    dfp_test_lib_oom(index_in, NULL);
    dfp_test_lib_oom(manifest_in, NULL);
}
