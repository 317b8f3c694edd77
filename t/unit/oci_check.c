/*
 * What may be kept as the manifest of a path.
 */

#include "dfp_oci.h"
#include "dfp_test.h"


#define OCI    "application/vnd.oci.image.manifest.v1+json"
#define OLD    "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define EMPTY  "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991"    \
               "b7852b855"


static dfp_err_t  err;

static const char  index_of_none[] =
    "{\"schemaVersion\":2,\"mediaType\":"
    "\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}";


static int
check(const char *reference, const char *type, const char *body)
{
    err.text[0] = '\0';

    return dfp_oci_check_manifest(dfp_test_mem(), dfp_test_str(reference),
                                  dfp_test_str(type), dfp_test_str(body), &err);
}


#define PATH(path, ref)                                                       \
    reference.len = 0;                                                        \
    CHECK_INT(dfp_oci_manifest_path(DFP_STR(path), &reference), 1);           \
    CHECK_STR(reference, ref)
#define NO_PATH(path)                                                         \
    CHECK_INT(dfp_oci_manifest_path(DFP_STR(path), &reference), 0)


TEST("the path of a manifest is told from others")
{
    dfp_str_t  reference;

    PATH("/v2/library/alpine/manifests/3.19", "3.19");
    PATH("/prefix/v2/a/manifests/" EMPTY, EMPTY);
    PATH("/v2/a/manifests/manifests/b", "b");
    PATH("/v2/a/manifests/\xff", "\xff");

    NO_PATH("");
    NO_PATH("/");
    NO_PATH("/v2/");
    NO_PATH("/v2/a/manifests/");
    NO_PATH("/v2/a/manifests/b/c");
    NO_PATH("/v2/a/blobs/" EMPTY);
    NO_PATH("/v2/a/tags/list");
    NO_PATH("/files/manifests/3.19");
}


TEST("types that leave open what the body is")
{
    CHECK_INT(dfp_oci_type_open(DFP_STR("")), 1);
    CHECK_INT(dfp_oci_type_open(DFP_STR("application/json")), 1);
    CHECK_INT(dfp_oci_type_open(DFP_STR("Application/JSON; charset=utf-8")), 1);
    CHECK_INT(dfp_oci_type_open(DFP_STR("text/plain")), 1);
    CHECK_INT(dfp_oci_type_open(DFP_STR("application/octet-stream")), 1);
    CHECK_INT(dfp_oci_type_open(DFP_STR("binary/octet-stream")), 1);

    CHECK_INT(dfp_oci_type_open(DFP_STR("text/html")), 0);
    CHECK_INT(dfp_oci_type_open(DFP_STR("application/jsonp")), 0);
    CHECK_INT(dfp_oci_type_open(DFP_STR("application/problem+json")), 0);
    CHECK_INT(dfp_oci_type_open(DFP_STR(OCI)), 0);
}


TEST("a digest is all that there is to say about its manifest")
{
    CHECK_INT(check(EMPTY, "text/plain", ""), DFP_OK);
    CHECK_INT(check(EMPTY, OCI, index_of_none), DFP_INVALID);
    CHECK_SAYS(err.text, "manifest | digest");
}


TEST("a tag's manifest has to be one")
{
    CHECK_INT(check("1", "", index_of_none), DFP_OK);
    CHECK_INT(check("1", "application/json", index_of_none), DFP_OK);

    CHECK_INT(check("1", OCI, index_of_none), DFP_INVALID);
    CHECK_INT(check("1", OCI, "<html></html>"), DFP_INVALID);
    CHECK_SAYS(err.text, "manifest | JSON");
    CHECK_INT(check("1", "", "{}"), DFP_INVALID);
    CHECK_INT(check("1", "", ""), DFP_INVALID);

    /* not a digest that can be checked */
    CHECK_INT(check("md5:1", "", index_of_none), DFP_OK);
    CHECK_INT(check("md5:1", "", "{}"), DFP_INVALID);
}


TEST("schema 1 is still pulled by some, by its type")
{
    CHECK_INT(check("1", OLD, " \n{\"schemaVersion\":1}"), DFP_OK);
    CHECK_INT(check("1", OLD, "<html></html>"), DFP_INVALID);
    CHECK_INT(check("1", OLD, "  "), DFP_INVALID);
    CHECK_INT(check("1", OLD, ""), DFP_INVALID);
    CHECK_INT(check("1", "", "{\"schemaVersion\":1}"), DFP_INVALID);
}
