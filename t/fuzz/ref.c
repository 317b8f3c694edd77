/*
 * What a client writes about an image: the manifest URL or a reference, a
 * digest, platforms.
 */

#include "dfp_buf.h"
#include "dfp_oci.h"
#include "dfp_fuzz.h"


static void
check_ref(dfp_str_t text)
{
    int            rc;
    dfp_buf_t      path;
    dfp_err_t      err;
    dfp_oci_ref_t  ref, again;

    rc = dfp_oci_parse_ref(dfp_fuzz_mem(), text, "args.url", &ref, &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(strncmp(err.text, "args.url ", 9) == 0);
        return;
    }

    MUST(ref.name.len > 0 && ref.name.len <= DFP_OCI_MAX_NAME);
    MUST(ref.reference.len > 0 && ref.reference.len <= DFP_OCI_MAX_DIGEST);
    MUST(ref.by_digest == (unsigned) dfp_oci_digest_valid(ref.reference));
    MUST(memchr(ref.name.data, '%', ref.name.len) == NULL);

    dfp_buf_init(&path, dfp_fuzz_mem(), 0, 0);
    dfp_buf_str(&path, ref.base);
    dfp_buf_str(&path, ref.name);
    dfp_buf_cstr(&path, "/manifests/");
    dfp_buf_str(&path, ref.reference);

    MUST(dfp_str_eq(dfp_buf_value(&path), ref.url.path));

    MUST(dfp_oci_parse_ref(dfp_fuzz_mem(), ref.url.href, "again", &again, &err)
         == DFP_OK);
    MUST(dfp_str_eq(ref.name, again.name));
    MUST(dfp_str_eq(ref.reference, again.reference));
}


static void
check_same(const dfp_oci_ref_t *a, const dfp_oci_ref_t *b)
{
    MUST(dfp_str_eq(a->url.path, b->url.path));
    MUST(dfp_str_eq(a->base, b->base));
    MUST(dfp_str_eq(a->name, b->name));
    MUST(dfp_str_eq(a->reference, b->reference));
    MUST(a->by_digest == b->by_digest);
}


/* Typed again, with all its parts, it is the same: the port says that the host
 * is one. */

static void
check_typed(const dfp_oci_ref_t *ref)
{
    dfp_buf_t      b;
    dfp_err_t      err;
    dfp_oci_ref_t  again;

    MUST(dfp_str_eq(ref->base, DFP_STR("/v2/")));
    MUST(ref->url.tls);

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_buf_str(&b, ref->url.host);
    dfp_buf_cstr(&b, ":");
    dfp_buf_int(&b, ref->url.port);
    dfp_buf_cstr(&b, "/");
    dfp_buf_str(&b, ref->name);
    dfp_buf_cstr(&b, ref->by_digest ? "@" : ":");
    dfp_buf_str(&b, ref->reference);

    MUST(dfp_oci_parse_image(dfp_fuzz_mem(), dfp_buf_value(&b), "again",
                             &again, &err) == DFP_OK);
    MUST(dfp_str_eq(ref->url.href, again.url.href));
    MUST(again.typed);
    check_same(ref, &again);
}


static void
check_image(dfp_str_t text)
{
    int            rc;
    dfp_err_t      err;
    dfp_oci_ref_t  ref, url, at;

    rc = dfp_oci_parse_image(dfp_fuzz_mem(), text, "args.image", &ref, &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(strncmp(err.text, "args.image ", 11) == 0);
        return;
    }

    MUST(dfp_oci_parse_ref(dfp_fuzz_mem(), ref.url.href, "url", &url, &err)
         == DFP_OK);
    MUST(!url.typed);
    check_same(&ref, &url);

    if (ref.typed) {
        check_typed(&ref);
    }

    /* at an origin that is shorter than all others there is always room */

    MUST(dfp_oci_ref_at(dfp_fuzz_mem(), &ref, DFP_STR("http://a"), &at, &err)
         == DFP_OK);
    MUST(dfp_str_eq(at.url.origin, DFP_STR("http://a")));
    MUST(!at.typed);
    check_same(&ref, &at);
}


static void
check_origin(dfp_str_t text)
{
    int            rc;
    dfp_err_t      err;
    dfp_oci_ref_t  ref, at;

    MUST(dfp_oci_parse_image(dfp_fuzz_mem(), DFP_STR("alpine"), "ref", &ref,
                             &err) == DFP_OK);

    rc = dfp_oci_ref_at(dfp_fuzz_mem(), &ref, text, &at, &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(strncmp(err.text, "the origin ", 11) == 0);
        return;
    }

    check_same(&ref, &at);
}


static void
check_digest(dfp_str_t text)
{
    int        rc;
    dfp_str_t  digest;

    rc = dfp_oci_digest_check(text, text);
    MUST((rc == DFP_INVALID) == !dfp_oci_digest_valid(text));

    MUST(dfp_oci_digest_of(dfp_fuzz_mem(), text, &digest) == DFP_OK);
    MUST(dfp_oci_digest_valid(digest));
    MUST(dfp_oci_digest_check(digest, text) == DFP_OK);
}


static void
check_platforms(dfp_str_t text)
{
    int                  rc;
    size_t               i;
    dfp_buf_t            b;
    dfp_err_t            err;
    dfp_oci_platforms_t  platforms, again;

    rc = dfp_oci_parse_platforms(dfp_fuzz_mem(), text, "args.platform",
                                 &platforms, &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(strncmp(err.text, "args.platform ", 14) == 0);
        return;
    }

    MUST(platforms.n <= DFP_OCI_MAX_PLATFORMS);
    MUST(platforms.n == 0 || !platforms.all);

    /* printed as they are kept they are the same */

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_buf_cstr(&b, platforms.all ? "all" : "");

    for (i = 0; i < platforms.n; i++) {
        dfp_buf_cstr(&b, i ? ", " : "");
        dfp_buf_str(&b, platforms.list[i].os);
        dfp_buf_cstr(&b, "/");
        dfp_buf_str(&b, platforms.list[i].arch);
        dfp_buf_cstr(&b, platforms.list[i].variant.len ? "/" : "");
        dfp_buf_str(&b, platforms.list[i].variant);
    }

    MUST(dfp_oci_parse_platforms(dfp_fuzz_mem(), dfp_buf_value(&b), "again",
                                 &again, &err) == DFP_OK);
    MUST(again.n == platforms.n);
    MUST(again.all == platforms.all);

    for (i = 0; i < again.n; i++) {
        MUST(dfp_oci_platform_eq(&again.list[i], &platforms.list[i]));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dfp_str_t  text = { size, (const char *) data };

    check_ref(text);
    check_image(text);
    check_origin(text);
    check_digest(text);
    check_platforms(text);

    dfp_fuzz_free();

    return 0;
}
