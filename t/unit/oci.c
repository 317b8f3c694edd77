/*
 * Registries: manifest URLs, digests, manifests and indexes, platforms.
 */

#include <jansson.h>

#include "dfp_buf.h"
#include "dfp_oci.h"
#include "dfp_test.h"


#define A64     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
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


static dfp_oci_ref_t        ref;
static dfp_oci_manifest_t   manifest;
static dfp_oci_platforms_t  platforms;
static dfp_err_t            err;


/* jansson's memory is counted from the first test on */

__attribute__((constructor)) static void
count_memory(void)
{
    json_set_alloc_funcs(dfp_test_lib_malloc, dfp_test_lib_free);
}


/* Manifest URLs */

static int
parse_ref(dfp_str_t text)
{
    return dfp_oci_parse_ref(dfp_test_mem(), text, "args.url", &ref, &err);
}


static const char *
ref_refused(dfp_str_t text)
{
    if (!CHECK_INT(parse_ref(text), DFP_INVALID)) {
        dfp_test_print("accepted", text);
    }

    return err.text;
}


#define CHECK_REF(text)               CHECK_INT(parse_ref(DFP_STR(text)),     \
                                                DFP_OK)
#define CHECK_REF_REFUSED(text, why)  CHECK_HAS(ref_refused(DFP_STR(text)),   \
                                                "args.url " why)
#define NAME(name)                    "https://r.lan/v2/" name "/manifests/1"
#define TAG(tag)                      "https://r.lan/v2/a/manifests/" tag


TEST("a manifest URL is taken apart into base, name and tag")
{
    CHECK_REF("https://registry.lan/v2/library/alpine/manifests/3.19");
    CHECK_STR(ref.base, "/v2/");
    CHECK_STR(ref.name, "library/alpine");
    CHECK_STR(ref.reference, "3.19");
    CHECK_INT(ref.by_digest, 0);
    CHECK_STR(ref.url.origin, "https://registry.lan");
}


TEST("a manifest URL may end in a digest")
{
    CHECK_REF("https://registry.lan:5000/v2/alpine/manifests/" SHA_A);
    CHECK_STR(ref.name, "alpine");
    CHECK_STR(ref.reference, SHA_A);
    CHECK_INT(ref.by_digest, 1);

    CHECK_REF(TAG("sha512:" A64 B64));
    CHECK_INT(ref.by_digest, 1);
}


TEST("a registry may be below a prefix")
{
    CHECK_REF("https://r.lan/artifactory/api/docker/v2/a/b/manifests/1");
    CHECK_STR(ref.base, "/artifactory/api/docker/v2/");
    CHECK_STR(ref.name, "a/b");
}


TEST("a repository may be called v2 or manifests")
{
    CHECK_REF("https://r.lan/v2/library/v2/manifests/x/manifests/1");
    CHECK_STR(ref.base, "/v2/");
    CHECK_STR(ref.name, "library/v2/manifests/x");
    CHECK_STR(ref.reference, "1");

    CHECK_REF("https://r.lan/v2/manifests/manifests/manifests");
    CHECK_STR(ref.name, "manifests");
    CHECK_STR(ref.reference, "manifests");
}


TEST("a URL that is no manifest's is refused")
{
    CHECK_REF_REFUSED("https://r.lan/", "must be a manifest URL");
    CHECK_REF_REFUSED("https://r.lan/v2/", "must be a manifest URL");
    CHECK_REF_REFUSED("https://r.lan/v2/a", "must be a manifest URL");
    CHECK_REF_REFUSED("https://r.lan/v2/a/blobs/" SHA_A,
                      "must be a manifest URL");
    CHECK_REF_REFUSED("https://r.lan/v1/a/manifests/1",
                      "must be a manifest URL");
    CHECK_REF_REFUSED("https://r.lan/manifests/v2/1",
                      "must be a manifest URL");
    CHECK_REF_REFUSED("https://r.lan/v2/manifests/1",
                      "must be a manifest URL");
    CHECK_REF_REFUSED("https://r.lan/xv2/a/manifests/1",
                      "must be a manifest URL");
    CHECK_REF_REFUSED("registry.lan/a:1", "must be an http or https URL");
}


TEST("a manifest URL with a query string is refused")
{
    CHECK_REF_REFUSED(TAG("1?"), "must be a manifest URL, which has no query");
    CHECK_REF_REFUSED(TAG("1?ns=x"), "must be a manifest URL, which has no "
                      "query");
}


TEST("repository names keep to the distribution specification")
{
    CHECK_REF(NAME("a"));
    CHECK_REF(NAME("0"));
    CHECK_REF(NAME("a.b/c_d/e__f/g-h/i--j/k---l"));

    CHECK_REF_REFUSED(NAME(""), "has a repository name");
    CHECK_REF_REFUSED(NAME("A"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a/"), "has a repository name");
    CHECK_REF_REFUSED(NAME("/a"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a//b"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a..b"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a___b"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a._b"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a-"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a_"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a__"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a."), "has a repository name");
    CHECK_REF_REFUSED(NAME(".a"), "has a repository name");
    CHECK_REF_REFUSED(NAME("-a"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a-/b"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a%62"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a:b"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a+b"), "has a repository name");
    CHECK_REF_REFUSED(NAME("a@b"), "has a repository name");
}


TEST("a repository name may be 255 bytes long, and not one more")
{
    CHECK_REF(NAME(A64 "/" A64 "/" A64 "/"
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    CHECK_INT(ref.name.len, 255);

    CHECK_REF_REFUSED(NAME(A64 "/" A64 "/" A64 "/"
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                      "has a repository name that is longer than 255 bytes");
}


TEST("tags keep to the distribution specification")
{
    CHECK_REF(TAG("_"));
    CHECK_REF(TAG("Latest-1.0_x"));
    CHECK_REF(TAG(A64 A64));

    CHECK_REF_REFUSED(TAG(A64 A64 "a"), "must end in a tag");
    CHECK_REF_REFUSED(TAG(""), "must end in a tag");
    CHECK_REF_REFUSED(TAG(".a"), "must end in a tag");
    CHECK_REF_REFUSED(TAG("-a"), "must end in a tag");
    CHECK_REF_REFUSED(TAG("a/b"), "must end in a tag");
    CHECK_REF_REFUSED(TAG("a+b"), "must end in a tag");
    CHECK_REF_REFUSED(TAG("a:b"), "must end in a tag");
    CHECK_REF_REFUSED(TAG("a%62"), "must end in a tag");
}


TEST("digests that cannot be checked are refused as references")
{
    CHECK_REF_REFUSED(TAG("sha256:abc"), "must end in a tag");
    CHECK_REF_REFUSED(TAG("md5:" A64), "must end in a tag");
    CHECK_REF_REFUSED(TAG("sha256:" A64 "a"), "must end in a tag");
    CHECK_REF_REFUSED(TAG("sha256%3a" A64), "must end in a tag");
}


/* Digests */

TEST("a digest is sha256 or sha512 in lower-case hexadecimal")
{
    CHECK(dfp_oci_digest_valid(DFP_STR(SHA_A)));
    CHECK(dfp_oci_digest_valid(DFP_STR("sha512:" A64 B64)));

    CHECK(!dfp_oci_digest_valid(DFP_STR("")));
    CHECK(!dfp_oci_digest_valid(DFP_STR_NULL));
    CHECK(!dfp_oci_digest_valid(DFP_STR("sha256:")));
    CHECK(!dfp_oci_digest_valid(DFP_STR(A64)));
    CHECK(!dfp_oci_digest_valid(DFP_STR("sha512:" A64)));
    CHECK(!dfp_oci_digest_valid(DFP_STR("sha256:" A64 B64)));
    CHECK(!dfp_oci_digest_valid(DFP_STR("SHA256:" A64)));
    CHECK(!dfp_oci_digest_valid(DFP_STR("sha384:" A64)));
    CHECK(!dfp_oci_digest_valid((dfp_str_t) { 70, SHA_A }));
    CHECK(!dfp_oci_digest_valid(DFP_STR("sha256:Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
    CHECK(!dfp_oci_digest_valid(DFP_STR("sha256:gaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}


/* of "abc", from FIPS 180 */
#define SHA256_ABC                                                            \
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA512_ABC                                                            \
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
#define SHA256_EMPTY                                                          \
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


TEST("a body is checked against its digest")
{
    dfp_str_t  abc = DFP_STR("abc");

    CHECK_INT(dfp_oci_digest_check(DFP_STR(SHA256_ABC), abc), DFP_OK);
    CHECK_INT(dfp_oci_digest_check(DFP_STR(SHA512_ABC), abc), DFP_OK);
    CHECK_INT(dfp_oci_digest_check(DFP_STR(SHA_A), abc), DFP_DECLINED);
    CHECK_INT(dfp_oci_digest_check(DFP_STR("sha512:" A64 B64), abc),
              DFP_DECLINED);
    CHECK_INT(dfp_oci_digest_check(DFP_STR("md5:abc"), abc), DFP_INVALID);
    CHECK_INT(dfp_oci_digest_check(DFP_STR(SHA256_EMPTY), DFP_STR_NULL),
              DFP_OK);
}


static int
digest_in(dfp_mem_t *mem, void *data)
{
    int        rc;
    dfp_str_t  digest;

    rc = dfp_oci_digest_of(mem, DFP_STR("abc"), &digest);

    if (rc == DFP_OK) {
        CHECK_STR(digest, SHA256_ABC);
    }

    return rc;
}


TEST("the digest of a body is its sha256")
{
    dfp_test_oom(digest_in, NULL);
}


/* Manifests and indexes */

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
    CHECK_HAS(manifest_refused(DFP_STR(type), DFP_STR(body)), why)
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

    CHECK_BAD("{}", "neither manifests nor config and layers");
    CHECK_BAD("{\"schemaVersion\":2}", "neither manifests nor config");
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
                 ":[]}", "has the type " OCI_MANIFEST ", but was sent as "
                 OCI_INDEX);
    CHECK_BAD_AS(DOCKER_MANIFEST, "{\"mediaType\":\"" OCI_MANIFEST "\","
                 CONFIG ",\"layers\":[]}", "but was sent as");
    CHECK_BAD("{\"manifests\":[]," CONFIG ",\"layers\":[]}",
              "could be read as two things");
    CHECK_BAD_AS(OCI_INDEX, "{\"manifests\":[],\"layers\":[]}",
                 "could be read as two things");
    CHECK_BAD_AS(OCI_INDEX, NO_LAYERS, "is an index by its type, but an image "
                 "by what is in it");
    CHECK_BAD_AS(OCI_MANIFEST, "{\"manifests\":[]}", "is an image by its "
                 "type, but an index by what is in it");
    CHECK_BAD("{\"manifests\":[],\"manifests\":[]}", "not valid JSON");
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
              "has the type application/vnd.oci.artifact.manifest.v1+json, "
              "which is not supported");
    CHECK_BAD("{\"schemaVersion\":3,\"manifests\":[]}",
              "schemaVersion in the manifest must be 2");
    CHECK_BAD("{\"schemaVersion\":\"2\",\"manifests\":[]}",
              "schemaVersion in the manifest must be 2");
    CHECK_BAD("{\"schemaVersion\":2.0,\"manifests\":[]}",
              "schemaVersion in the manifest must be 2");
    CHECK_BAD("{\"mediaType\":7,\"manifests\":[]}",
              "mediaType in the manifest must be a string");
    CHECK_BAD("{\"mediaType\":\"a\\nb\",\"manifests\":[]}",
              "mediaType in the manifest must be a media type");
    CHECK_BAD("{\"mediaType\":\"" A64 A64 A64 A64 "\",\"manifests\":[]}",
              "mediaType in the manifest must not be longer than 255 bytes");
}


TEST("what is no JSON object is refused, with the place")
{
    CHECK_BAD("", "not valid JSON: line 1, column 0");
    CHECK_BAD("<html>", "not valid JSON: line 1, column 1");
    CHECK_BAD("{\"a\":1}\n\nx", "not valid JSON: line 3");
    CHECK_BAD("{\"a\":1", "not valid JSON");
    CHECK_BAD("{\"a\":\"\xff\"}", "not valid JSON");
    CHECK_BAD("{\"a\":99999999999999999999}", "not valid JSON");
    CHECK_BAD("\xef\xbb\xbf{}", "not valid JSON");
    CHECK_BAD("[]", "must be a JSON object");
    CHECK_INT(parse_as(DFP_STR_NULL, DFP_STR("null")), DFP_INVALID);
}


TEST("a manifest needs its config and its layers")
{
    CHECK_BAD("{\"layers\":[]}", "config is missing");
    CHECK_BAD("{\"config\":null,\"layers\":[]}", "config is missing");
    CHECK_BAD("{\"config\":[],\"layers\":[]}", "config in the manifest must "
              "be an object");
    CHECK_BAD("{" CONFIG "}", "layers is missing");
    CHECK_BAD("{" CONFIG ",\"layers\":{}}", "layers in the manifest must be "
              "an array");
    CHECK_BAD("{" CONFIG ",\"layers\":[7]}", "layers[0] in the manifest must "
              "be an object");
    CHECK_BAD_AS(OCI_INDEX, "{}", "manifests is missing");
    CHECK_BAD("{\"manifests\":{}}", "manifests in the manifest must be an "
              "array");
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
              "layers[0].urls in the manifest must be an array");
}


TEST("descriptors are checked, and errors name the one")
{
    CHECK_BAD("{\"config\":{\"size\":1},\"layers\":[]}",
              "config.digest in the manifest must be a sha256");
    CHECK_BAD("{\"config\":{\"digest\":7,\"size\":1},\"layers\":[]}",
              "config.digest in the manifest must be a string");
    CHECK_BAD("{" CONFIG ",\"layers\":[{" DESC(SHA_A, 1) "},"
              "{" DESC("sha256:../../etc/passwd", 1) "}]}",
              "layers[1].digest in the manifest must be a sha256");
    CHECK_BAD("{" CONFIG ",\"layers\":[{" DESC("sha512:" A64 A64 A64, 1)
              "}]}", "layers[0].digest in the manifest must not be longer "
              "than 136 bytes");
    CHECK_BAD("{" CONFIG ",\"layers\":[{\"mediaType\":[]," DESC(SHA_A, 1)
              "}]}", "layers[0].mediaType in the manifest must be a string");
    CHECK_BAD("{" CONFIG ",\"layers\":[{" DESC(SHA_A, 1) "}],\"layers\":[]}",
              "not valid JSON");
}


TEST("sizes are integers from 0 to 4 TiB")
{
    CHECK_PARSED("{\"config\":{" DESC(SHA_A, 0) "},\"layers\":[{"
                 DESC(SHA_A, 4398046511104) "}]}");
    CHECK_INT(manifest.descs[0].size, INT64_C(4398046511104));

    CHECK_BAD("{\"config\":{" DESC(SHA_A, -1) "},\"layers\":[]}",
              "config.size in the manifest must be an integer between 0 and "
              "4398046511104");
    CHECK_BAD("{\"config\":{" DESC(SHA_A, 4398046511105) "},\"layers\":[]}",
              "config.size in the manifest must be");
    CHECK_BAD("{\"config\":{" DESC(SHA_A, 1.5) "},\"layers\":[]}",
              "config.size in the manifest must be");
    CHECK_BAD("{\"config\":{" DESC(SHA_A, "7") "},\"layers\":[]}",
              "config.size in the manifest must be");
    CHECK_BAD("{\"config\":{\"digest\":\"" SHA_A "\"},\"layers\":[]}",
              "config.size in the manifest must be");
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

    CHECK_BAD(ENTRY("\"linux/amd64\""),
              "manifests[0].platform in the manifest must be an object");
    CHECK_BAD(ENTRY("{\"os\":7}"),
              "manifests[0].platform.os in the manifest must be a string");
    CHECK_BAD(ENTRY("{\"os\":\"a\\nb\"}"),
              "manifests[0].platform in the manifest must have names of");
    CHECK_BAD(ENTRY("{\"os\":\"" A64 "a\"}"), "must not be longer than 64");
    CHECK_BAD("{\"manifests\":[{" DESC(SHA_A, 1) ",\"annotations\":[]}]}",
              "manifests[0].annotations in the manifest must be an object");
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

    CHECK_HAS(manifest_refused(DFP_STR(""),
                               many("{" CONFIG ",\"layers\":[", 1025,
                                    "{" DESC(SHA_A, 1) "}", "]}")),
              "layers in the manifest must not have more than 1024 elements");

    CHECK_INT(parse_as(DFP_STR(""), many("{\"manifests\":[", 1024,
                                         "{" DESC(SHA_A, 1) "}", "]}")),
              DFP_OK);
    CHECK_HAS(manifest_refused(DFP_STR(""),
                               many("{\"manifests\":[", 1025,
                                    "{" DESC(SHA_A, 1) "}", "]}")),
              "manifests in the manifest must not have more than 1024");
}


TEST("a body of very many tiny values is refused before it takes memory")
{
    CHECK_INT(parse_as(DFP_STR(""), many("{\"manifests\":[],\"x\":[", 30000,
                                         "[]", "]}")),
              DFP_OK);

    dfp_test_lib_fail(0);
    CHECK_HAS(manifest_refused(DFP_STR(""), many("{\"x\":[", 40000, "[]",
                                                 "]}")),
              "must not have more than 65536 JSON values");
    CHECK_INT(dfp_test_lib_allocs, 0);
}


TEST("a body that is nested without end is refused")
{
    char  body[5000];

    memset(body, '[', sizeof(body));
    CHECK_HAS(manifest_refused(DFP_STR(""),
                               (dfp_str_t) { sizeof(body), body }),
              "not valid JSON");
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


static int
ref_in(dfp_mem_t *mem, void *data)
{
    return dfp_oci_parse_ref(mem, DFP_STR(TAG("1")), "args.url", &ref, &err);
}


TEST("no memory for a manifest is an error of its own, and leaks nothing")
{
    dfp_test_oom(index_in, NULL);
    dfp_test_oom(manifest_in, NULL);
    dfp_test_oom(ref_in, NULL);
}


TEST("no memory for jansson never leaves half a manifest")
{
    dfp_test_lib_oom(index_in, NULL);
    dfp_test_lib_oom(manifest_in, NULL);
}


/* Platforms asked for */

static int
parse_platforms(dfp_str_t text)
{
    return dfp_oci_parse_platforms(dfp_test_mem(), text, "args.platform",
                                   &platforms, &err);
}


static dfp_str_t
printed(const dfp_oci_platform_t *p)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_str(&b, p->os);
    dfp_buf_cstr(&b, "/");
    dfp_buf_str(&b, p->arch);
    dfp_buf_cstr(&b, p->variant.len ? "/" : "");
    dfp_buf_str(&b, p->variant);

    return dfp_buf_value(&b);
}


#define CHECK_PLATFORM(in, normal)                                            \
    do {                                                                      \
        CHECK_INT(parse_platforms(DFP_STR(in)), DFP_OK);                      \
        CHECK_INT(platforms.n, 1);                                            \
        CHECK_STR(printed(&platforms.list[0]), normal);                       \
    } while (0)

#define CHECK_NO_PLATFORM(in)                                                 \
    do {                                                                      \
        CHECK_INT(parse_platforms(DFP_STR(in)), DFP_INVALID);                 \
        CHECK_HAS(err.text, "args.platform must be \"all\" or platforms");    \
    } while (0)


TEST("platforms: nothing asked for, and all")
{
    CHECK_INT(parse_platforms(DFP_STR("")), DFP_OK);
    CHECK_INT(platforms.n, 0);
    CHECK_INT(platforms.all, 0);

    CHECK_INT(parse_platforms(DFP_STR(" \t")), DFP_OK);
    CHECK_INT(platforms.n, 0);

    CHECK_INT(parse_platforms(DFP_STR_NULL), DFP_OK);

    CHECK_INT(parse_platforms(DFP_STR(" all ")), DFP_OK);
    CHECK_INT(platforms.n, 0);
    CHECK_INT(platforms.all, 1);
}


TEST("platforms: each has one name, however it is written")
{
    CHECK_PLATFORM("linux/amd64", "linux/amd64");
    CHECK_PLATFORM("Linux/AMD64", "linux/amd64");
    CHECK_PLATFORM("linux/x86_64", "linux/amd64");
    CHECK_PLATFORM("linux/x86-64", "linux/amd64");
    CHECK_PLATFORM("linux/amd64/v1", "linux/amd64");
    CHECK_PLATFORM("linux/amd64/v3", "linux/amd64/v3");
    CHECK_PLATFORM("linux/arm64/v8", "linux/arm64");
    CHECK_PLATFORM("linux/arm64/8", "linux/arm64");
    CHECK_PLATFORM("linux/aarch64/V8", "linux/arm64");
    CHECK_PLATFORM("linux/arm64/v9", "linux/arm64/v9");
    CHECK_PLATFORM("linux/arm", "linux/arm");
    CHECK_PLATFORM("linux/arm/v7", "linux/arm");
    CHECK_PLATFORM("linux/arm/7", "linux/arm");
    CHECK_PLATFORM("linux/armhf", "linux/arm");
    CHECK_PLATFORM("linux/armel", "linux/arm/v6");
    CHECK_PLATFORM("linux/arm/v6", "linux/arm/v6");
    CHECK_PLATFORM("linux/i386", "linux/386");
    CHECK_PLATFORM("macOS/arm64", "darwin/arm64");
    CHECK_PLATFORM("windows/amd64", "windows/amd64");
    CHECK_PLATFORM("linux/ppc64le", "linux/ppc64le");
}


TEST("platforms: several between commas, doubles collapse, order stays")
{
    CHECK_INT(parse_platforms(DFP_STR("linux/arm64/v8, linux/amd64,\tlinux/"
                                      "aarch64 ,windows/amd64")), DFP_OK);
    CHECK_INT(platforms.n, 3);
    CHECK_STR(printed(&platforms.list[0]), "linux/arm64");
    CHECK_STR(printed(&platforms.list[1]), "linux/amd64");
    CHECK_STR(printed(&platforms.list[2]), "windows/amd64");
}


TEST("platforms: what is not os/arch or os/arch/variant is refused")
{
    CHECK_NO_PLATFORM("linux");
    CHECK_NO_PLATFORM("amd64");
    CHECK_NO_PLATFORM("linux/");
    CHECK_NO_PLATFORM("/amd64");
    CHECK_NO_PLATFORM("/");
    CHECK_NO_PLATFORM("linux/amd64/");
    CHECK_NO_PLATFORM("linux//v1");
    CHECK_NO_PLATFORM("linux/arm/v7/x");
    CHECK_NO_PLATFORM("linux/amd64,");
    CHECK_NO_PLATFORM(",linux/amd64");
    CHECK_NO_PLATFORM("linux/amd64,,linux/arm");
    CHECK_NO_PLATFORM("all,linux/amd64");
    CHECK_NO_PLATFORM("linux/amd64,all");
    CHECK_NO_PLATFORM("ALL");
    CHECK_NO_PLATFORM("linux /amd64");
    CHECK_NO_PLATFORM("linux/am\nd64");
    CHECK_NO_PLATFORM("linux/am\0d64");
    CHECK_NO_PLATFORM("linux/\xc3\xa9");
    CHECK_NO_PLATFORM("linux/" A64 "a");
}


TEST("platforms: up to 16 different ones")
{
    CHECK_INT(parse_platforms(DFP_STR(
        "l/a,l/b,l/c,l/d,l/e,l/f,l/g,l/h,l/i,l/j,l/k,l/l,l/m,l/n,l/o,l/p,"
        "l/a")), DFP_OK);
    CHECK_INT(platforms.n, 16);

    CHECK_INT(parse_platforms(DFP_STR(
        "l/a,l/b,l/c,l/d,l/e,l/f,l/g,l/h,l/i,l/j,l/k,l/l,l/m,l/n,l/o,l/p,"
        "l/q")), DFP_INVALID);
    CHECK_TEXT(err.text, "args.platform must not have more than 16 platforms");
}


static int
platforms_in(dfp_mem_t *mem, void *data)
{
    return dfp_oci_parse_platforms(mem, DFP_STR("linux/amd64,linux/arm/v6"),
                                   "args.platform", &platforms, &err);
}


TEST("no memory for platforms is an error of its own")
{
    dfp_test_oom(platforms_in, NULL);
}


/* Picking */

static size_t  picked[DFP_OCI_MAX_ENTRIES];
static size_t  npicked;


/* An index in short: its entries between blanks, each os/arch[/variant],
 * or ? (no platform), or @ (an index inside), or ! (an attestation). */

static void
make_index(const char *text)
{
    size_t               i, len;
    const char          *p;
    dfp_oci_desc_t      *desc;
    dfp_oci_platforms_t  one;

    memset(&manifest, 0, sizeof(manifest));
    manifest.kind = DFP_OCI_INDEX;
    manifest.descs = dfp_test_mem()->alloc(NULL,
                                           strlen(text) * sizeof(*desc) + 1);

    for (i = 0, p = text; *p; i++) {
        len = strcspn(p, " ");

        desc = &manifest.descs[i];
        memset(desc, 0, sizeof(*desc));
        desc->media_type = (*p == '@') ? DFP_STR(OCI_INDEX)
                                       : DFP_STR(OCI_MANIFEST);

        if (*p == '!') {
            desc->attestation = 1;
            desc->has_platform = 1;
            desc->platform.os = DFP_STR("unknown");
            desc->platform.arch = DFP_STR("unknown");

        } else if (*p != '?' && *p != '@') {
            CHECK_INT(dfp_oci_parse_platforms(dfp_test_mem(),
                                              (dfp_str_t) { len, p }, "test",
                                              &one, &err), DFP_OK);
            desc->has_platform = 1;
            desc->platform = one.list[0];
        }

        p += len;
        p += (*p == ' ');
    }

    manifest.n = i;
}


static int
pick(const char *entries, const char *wanted, const char *fallback)
{
    dfp_oci_platforms_t  w, f;

    make_index(entries);

    CHECK_INT(dfp_oci_parse_platforms(dfp_test_mem(), dfp_test_str(wanted),
                                      "test", &w, &err), DFP_OK);
    CHECK_INT(dfp_oci_parse_platforms(dfp_test_mem(), dfp_test_str(fallback),
                                      "test", &f, &err), DFP_OK);

    return dfp_oci_pick(dfp_test_mem(), &manifest, &w, &f, picked, &npicked,
                        &err);
}


/* the indices picked, as text */
static dfp_str_t
picked_of(const char *entries, const char *wanted, const char *fallback)
{
    size_t     i;
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);

    if (!CHECK_INT(pick(entries, wanted, fallback), DFP_OK)) {
        printf("#   %s\n", err.text);
        return DFP_STR_NULL;
    }

    for (i = 0; i < npicked; i++) {
        dfp_buf_cstr(&b, i ? " " : "");
        dfp_buf_int(&b, picked[i]);
    }

    return dfp_buf_value(&b);
}


static const char *
not_picked(const char *entries, const char *wanted, const char *fallback)
{
    CHECK_INT(pick(entries, wanted, fallback), DFP_INVALID);

    return err.text;
}


#define CHECK_PICK(entries, wanted, indices)                                  \
    CHECK_STR(picked_of(entries, wanted, "linux/amd64"), indices)

#define CHECK_NO_PICK(entries, wanted, text)                                  \
    CHECK_TEXT(not_picked(entries, wanted, "linux/amd64"), text)


TEST("picking: the platforms asked for, in the order of the index")
{
    CHECK_PICK("linux/amd64 linux/arm64 windows/amd64", "linux/arm64", "1");
    CHECK_PICK("linux/amd64 linux/arm64 windows/amd64",
               "windows/amd64,linux/amd64", "0 2");
    CHECK_PICK("linux/amd64 linux/arm64/v8", "linux/arm64", "1");
    CHECK_PICK("linux/amd64 linux/arm64", "linux/arm64/v8", "1");
    CHECK_PICK("linux/amd64 ! linux/arm64 !", "all", "0 2");
}


TEST("picking: with nothing asked for, the fallback out of several")
{
    CHECK_PICK("linux/arm64 linux/amd64", "", "1");
    CHECK_STR(picked_of("linux/arm64 linux/amd64", "", "all"), "0 1");
    CHECK_STR(picked_of("linux/arm64 linux/amd64 linux/386", "",
                        "linux/386,linux/arm64"), "0 2");
}


TEST("picking: with nothing asked for, a single platform as it is")
{
    CHECK_PICK("linux/arm64", "", "0");
    CHECK_PICK("linux/arm64 !", "", "0");
    CHECK_PICK("? !", "", "0");

    /* one platform, several versions of Windows */

    CHECK_PICK("windows/amd64 windows/amd64", "", "0 1");
}


TEST("picking: an image without the platform says what there is")
{
    CHECK_NO_PICK("linux/amd64 linux/arm64 !", "linux/386",
                  "the image has no linux/386, only linux/amd64, linux/arm64");
    CHECK_NO_PICK("linux/amd64 linux/amd64 linux/arm/v6",
                  "linux/amd64,linux/arm/v5",
                  "the image has no linux/arm/v5, only linux/amd64, "
                  "linux/arm/v6");
    CHECK_NO_PICK("linux/arm64", "linux/amd64",
                  "the image has no linux/amd64, only linux/arm64");
    CHECK_NO_PICK("? ?", "linux/amd64", "the image has no linux/amd64, only "
                  "entries without a platform");
}


TEST("picking: an image of several platforms without the fallback says so")
{
    CHECK_NO_PICK("linux/arm64 windows/amd64", "",
                  "the image has several platforms, none was asked for, and "
                  "the default linux/amd64 is not among them: linux/arm64, "
                  "windows/amd64");
    CHECK_TEXT(not_picked("linux/arm64 windows/amd64", "", ""),
               "the image has several platforms, and none was asked for: "
               "linux/arm64, windows/amd64");
}


TEST("picking: a long list of platforms is cut at a name")
{
    CHECK_NO_PICK("linux/a0123456789012345678901234567890123456789 "
                  "linux/b0123456789012345678901234567890123456789 "
                  "linux/c0123456789012345678901234567890123456789 "
                  "linux/d0123456789012345678901234567890123456789 "
                  "linux/e0123456789012345678901234567890123456789",
                  "linux/amd64",
                  "the image has no linux/amd64, only "
                  "linux/a0123456789012345678901234567890123456789, "
                  "linux/b0123456789012345678901234567890123456789, "
                  "linux/c0123456789012345678901234567890123456789, ...");
}


TEST("picking: a platform without a variant takes any where it must")
{
    CHECK_PICK("linux/arm/v6 linux/arm/v7", "linux/arm", "1");
    CHECK_PICK("linux/arm/v5 linux/arm/v6 linux/amd64", "linux/arm", "0 1");
    CHECK_PICK("linux/amd64 linux/amd64/v3", "linux/amd64", "0");
    CHECK_PICK("linux/arm64 linux/amd64/v2 linux/amd64/v3", "", "1 2");
    CHECK_NO_PICK("linux/amd64 linux/arm64", "linux/amd64/v3",
                  "the image has no linux/amd64/v3, only linux/amd64, "
                  "linux/arm64");
}


TEST("picking: an index inside an index is always picked, and may have it")
{
    CHECK_PICK("linux/amd64 @ linux/arm64", "linux/arm64", "1 2");
    CHECK_PICK("@ @", "linux/arm64", "0 1");
    CHECK_PICK("@", "", "0");
    CHECK_PICK("@ linux/arm64", "", "0 1");
    CHECK_STR(picked_of("linux/386 linux/arm @", "", ""), "2");
}


TEST("picking: an entry without a platform is picked with all, and alone")
{
    CHECK_PICK("linux/amd64 ?", "all", "0 1");
    CHECK_PICK("linux/amd64 ?", "linux/amd64", "0");
    CHECK_PICK("linux/amd64 ?", "", "0");
    CHECK_PICK("? ?", "", "0 1");
}


TEST("picking: an index of nothing is no success")
{
    CHECK_NO_PICK("", "", "the index has no image in it");
    CHECK_NO_PICK("! !", "", "the index has no image in it");
    CHECK_NO_PICK("!", "all", "the index has no image in it");
    CHECK_NO_PICK("", "linux/amd64", "the index has no image in it");
}


static int
pick_in(dfp_mem_t *mem, void *data)
{
    int  rc;

    rc = dfp_oci_pick(mem, &manifest, &platforms, &platforms, picked, &npicked,
                      &err);

    /* the sentence is what takes memory */

    return (rc == DFP_INVALID) ? DFP_OK : rc;
}


TEST("no memory for the list of platforms is an error of its own")
{
    CHECK_INT(parse_platforms(DFP_STR("linux/amd64")), DFP_OK);
    make_index("linux/arm64 linux/386");
    dfp_test_oom(pick_in, NULL);
}
