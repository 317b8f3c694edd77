/*
 * Manifest URLs and digests.
 */

#include "dfp_oci.h"
#include "dfp_test.h"


#define A64                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64                                                                   \
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SHA_A   "sha256:" A64
#define A60                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


static dfp_oci_ref_t  ref;
static dfp_err_t      err;


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
#define CHECK_REF_REFUSED(text, why)  CHECK_SAYS(ref_refused(DFP_STR(text)),  \
                                                 "args.url | " why)
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
    CHECK_REF_REFUSED("https://r.lan/", "manifest URL");
    CHECK_REF_REFUSED("https://r.lan/v2/", "manifest URL");
    CHECK_REF_REFUSED("https://r.lan/v2/a", "manifest URL");
    CHECK_REF_REFUSED("https://r.lan/v2/a/blobs/" SHA_A, "manifest URL");
    CHECK_REF_REFUSED("https://r.lan/v1/a/manifests/1", "manifest URL");
    CHECK_REF_REFUSED("https://r.lan/manifests/v2/1", "manifest URL");
    CHECK_REF_REFUSED("https://r.lan/v2/manifests/1", "manifest URL");
    CHECK_REF_REFUSED("https://r.lan/xv2/a/manifests/1", "manifest URL");
    CHECK_REF_REFUSED("registry.lan/a:1", "http | https URL");
}


TEST("a manifest URL with a query string is refused")
{
    CHECK_REF_REFUSED(TAG("1?"), "manifest URL | no query");
    CHECK_REF_REFUSED(TAG("1?ns=x"), "manifest URL | no query");
}


TEST("repository names keep to the distribution specification")
{
    CHECK_REF(NAME("a"));
    CHECK_REF(NAME("0"));
    CHECK_REF(NAME("a.b/c_d/e__f/g-h/i--j/k---l"));

    CHECK_REF_REFUSED(NAME(""), "repository name");
    CHECK_REF_REFUSED(NAME("A"), "repository name");
    CHECK_REF_REFUSED(NAME("a/"), "repository name");
    CHECK_REF_REFUSED(NAME("/a"), "repository name");
    CHECK_REF_REFUSED(NAME("a//b"), "repository name");
    CHECK_REF_REFUSED(NAME("a..b"), "repository name");
    CHECK_REF_REFUSED(NAME("a___b"), "repository name");
    CHECK_REF_REFUSED(NAME("a._b"), "repository name");
    CHECK_REF_REFUSED(NAME("a-"), "repository name");
    CHECK_REF_REFUSED(NAME("a_"), "repository name");
    CHECK_REF_REFUSED(NAME("a__"), "repository name");
    CHECK_REF_REFUSED(NAME("a."), "repository name");
    CHECK_REF_REFUSED(NAME(".a"), "repository name");
    CHECK_REF_REFUSED(NAME("-a"), "repository name");
    CHECK_REF_REFUSED(NAME("a-/b"), "repository name");
    CHECK_REF_REFUSED(NAME("a%62"), "repository name");
    CHECK_REF_REFUSED(NAME("a:b"), "repository name");
    CHECK_REF_REFUSED(NAME("a+b"), "repository name");
    CHECK_REF_REFUSED(NAME("a@b"), "repository name");
}


TEST("a repository name may be 255 bytes long, and not one more")
{
    CHECK_REF(NAME(A64 "/" A64 "/" A64 "/" A60));
    CHECK_INT(ref.name.len, 255);

    CHECK_REF_REFUSED(NAME(A64 "/" A64 "/" A64 "/" A60 "a"),
                      "repository name | 255 bytes");
}


TEST("tags keep to the distribution specification")
{
    CHECK_REF(TAG("_"));
    CHECK_REF(TAG("Latest-1.0_x"));
    CHECK_REF(TAG(A64 A64));

    CHECK_REF_REFUSED(TAG(A64 A64 "a"), "tag");
    CHECK_REF_REFUSED(TAG(""), "tag");
    CHECK_REF_REFUSED(TAG(".a"), "tag");
    CHECK_REF_REFUSED(TAG("-a"), "tag");
    CHECK_REF_REFUSED(TAG("a/b"), "tag");
    CHECK_REF_REFUSED(TAG("a+b"), "tag");
    CHECK_REF_REFUSED(TAG("a:b"), "tag");
    CHECK_REF_REFUSED(TAG("a%62"), "tag");
}


TEST("digests that cannot be checked are refused as references")
{
    CHECK_REF_REFUSED(TAG("sha256:abc"), "tag");
    CHECK_REF_REFUSED(TAG("md5:" A64), "tag");
    CHECK_REF_REFUSED(TAG("sha256:" A64 "a"), "tag");
    CHECK_REF_REFUSED(TAG("sha256%3a" A64), "tag");
}


static int
ref_in(dfp_mem_t *mem, void *data)
{
    return dfp_oci_parse_ref(mem, DFP_STR(TAG("1")), "args.url", &ref, &err);
}


TEST("no memory for a manifest URL is an error of its own")
{
    dfp_test_oom(ref_in, NULL);
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


static int
hash_of(dfp_str_t digest, dfp_str_t one, dfp_str_t two)
{
    dfp_oci_hash_t  hash;

    if (!CHECK_INT(dfp_oci_hash_begin(&hash, digest), DFP_OK)) {
        return DFP_ERROR;
    }

    CHECK_INT(dfp_oci_hash_add(&hash, one.data, one.len), DFP_OK);
    CHECK_INT(dfp_oci_hash_add(&hash, two.data, two.len), DFP_OK);

    return dfp_oci_hash_end(&hash);
}


TEST("what comes bit by bit has the digest of the whole")
{
    dfp_str_t       digest;
    dfp_oci_hash_t  hash;

    CHECK_INT(dfp_oci_digest_of(dfp_test_mem(), DFP_STR("one two"), &digest),
              DFP_OK);

    CHECK_INT(hash_of(digest, DFP_STR("one "), DFP_STR("two")), DFP_OK);
    CHECK_INT(hash_of(digest, DFP_STR(""), DFP_STR("one two")), DFP_OK);
    CHECK_INT(hash_of(digest, DFP_STR("one "), DFP_STR("too")), DFP_DECLINED);
    CHECK_INT(hash_of(digest, DFP_STR("one "), DFP_STR("")), DFP_DECLINED);
    CHECK_INT(dfp_oci_hash_begin(&hash, DFP_STR("sha1:" A60)), DFP_INVALID);
}
