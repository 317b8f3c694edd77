/*
 * Platforms: how they are written, and what is picked from an index.
 */

#include "dfp_buf.h"
#include "dfp_oci.h"
#include "dfp_test.h"


#define OCI_INDEX     "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST  "application/vnd.oci.image.manifest.v1+json"

#define A64                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


static dfp_oci_manifest_t   manifest;
static dfp_oci_platforms_t  platforms;
static dfp_err_t            err;


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
        CHECK_SAYS(err.text, "args.platform | \"all\" | os/arch");            \
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
    CHECK_PLATFORM("linux/arm64/v8.0", "linux/arm64");
    CHECK_PLATFORM("linux/arm64/8.0", "linux/arm64");
    CHECK_PLATFORM("linux/arm64/9.0", "linux/arm64/v9");
    CHECK_PLATFORM("linux/arm64/V8.0", "linux/arm64");
    CHECK_PLATFORM("linux/arm64/v8.2", "linux/arm64/v8.2");
    CHECK_PLATFORM("linux/arm64/v8.0.0", "linux/arm64/v8.0.0");
    CHECK_PLATFORM("linux/arm/8", "linux/arm/v8");
    CHECK_PLATFORM("linux/armhf/v6", "linux/arm");
    CHECK_PLATFORM("linux/armel/v7", "linux/arm/v6");
    CHECK_PLATFORM("linux/i386/v1", "linux/386");
    CHECK_PLATFORM("macOS/arm64", "darwin/arm64");
    CHECK_PLATFORM("windows/amd64", "windows/amd64");
    CHECK_PLATFORM("linux/ppc64le", "linux/ppc64le");
}


TEST("platforms: several between commas, duplicates are ignored, order stays")
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
    CHECK_SAYS(err.text, "args.platform | 16 platforms");
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


/* Several indexes of one image come one after the other; with one the first
 * decides. */
static dfp_oci_seen_t       seen;
static dfp_oci_platforms_t  w, f;


static int
pick(const char *entries, const char *wanted, const char *fallback)
{
    make_index(entries);

    CHECK_INT(dfp_oci_parse_platforms(dfp_test_mem(), dfp_test_str(wanted),
                                      "test", &w, &err), DFP_OK);
    CHECK_INT(dfp_oci_parse_platforms(dfp_test_mem(), dfp_test_str(fallback),
                                      "test", &f, &err), DFP_OK);

    return dfp_oci_pick(dfp_test_mem(), &manifest, &w, &f,
                        dfp_oci_has_nested(&manifest) ? &seen : NULL, picked,
                        &npicked, &err);
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

#define CHECK_NO_PICK(entries, wanted, facts)                                 \
    CHECK_SAYS(not_picked(entries, wanted, "linux/amd64"), facts)


/* Of an index of LIST, which is in the order of preference, the first is picked,
 * and without that the next; also where the order is the other way round. */

static void
check_order(const char *wanted, const char *list)
{
    size_t       i, len;
    dfp_buf_t    b;
    const char  *p;

    for (p = list; *p; p += len + (p[len] == ' ')) {
        len = strcspn(p, " ");

        if (!CHECK_STR(picked_of(p, wanted, ""), "0")) {
            printf("#   %s of %s\n", wanted, p);
        }

        dfp_buf_init(&b, dfp_test_mem(), 0, 0);

        for (i = strlen(p); i > 0; i--) {
            if (p[i - 1] == ' ') {
                dfp_buf_append(&b, p + i, strcspn(p + i, " "));
                dfp_buf_cstr(&b, " ");
            }
        }

        dfp_buf_append(&b, p, len);
        dfp_buf_append(&b, "", 1);

        CHECK_INT(pick(b.data, wanted, ""), DFP_OK);

        if (!CHECK_INT(npicked, 1)
            || !CHECK_INT(picked[0], manifest.n - 1))
        {
            printf("#   %s of %s\n", wanted, b.data);
        }
    }
}


TEST("picking: the platforms asked for, in the order of the index")
{
    CHECK_PICK("linux/amd64 linux/arm64 windows/amd64", "linux/arm64", "1");
    CHECK_PICK("linux/amd64 linux/arm64 windows/amd64",
               "windows/amd64,linux/amd64", "0 2");
    CHECK_PICK("linux/amd64 linux/arm64/v8", "linux/arm64", "1");
    CHECK_PICK("linux/amd64 linux/arm64", "linux/arm64/v8", "1");
}


TEST("picking: all are all, attestations included, which nothing else has")
{
    CHECK_PICK("linux/amd64 ! linux/arm64 !", "all", "0 1 2 3");
    CHECK_PICK("linux/amd64 !", "all", "0 1");
    CHECK_PICK("@ !", "all", "0 1");
    CHECK_PICK("!", "all", "0");
    CHECK_STR(picked_of("linux/amd64 !", "", "all"), "0 1");
    CHECK_PICK("linux/amd64 !", "linux/amd64", "0");
    CHECK_PICK("linux/amd64 !", "", "0");
    CHECK_PICK("linux/amd64 ! linux/arm64 !", "", "0");
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
                  "image | no linux/386 | linux/amd64, linux/arm64");
    CHECK_NO_PICK("linux/amd64 linux/amd64 linux/arm/v6",
                  "linux/amd64,linux/arm/v5",
                  "image | no linux/arm/v5 | linux/amd64, linux/arm/v6");
    CHECK_NO_PICK("linux/arm64", "linux/amd64",
                  "image | no linux/amd64 | linux/arm64");
    CHECK_NO_PICK("? ?", "linux/amd64",
                  "image | no linux/amd64 | without a platform");
}


TEST("picking: an image of several platforms without the fallback says so")
{
    CHECK_NO_PICK("linux/arm64 windows/amd64", "",
                  "several platforms | default linux/amd64 | "
                  "linux/arm64, windows/amd64");
    CHECK_SAYS(not_picked("linux/arm64 windows/amd64", "", ""),
               "several platforms | linux/arm64, windows/amd64");
}


TEST("picking: a long list of platforms is cut at a name")
{
    CHECK_NO_PICK("linux/a0123456789012345678901234567890123456789 "
                  "linux/b0123456789012345678901234567890123456789 "
                  "linux/c0123456789012345678901234567890123456789 "
                  "linux/d0123456789012345678901234567890123456789 "
                  "linux/e0123456789012345678901234567890123456789",
                  "linux/amd64",
                  "image | no linux/amd64 | "
                  "linux/a0123456789012345678901234567890123456789, "
                  "linux/b0123456789012345678901234567890123456789, "
                  "linux/c0123456789012345678901234567890123456789, ...");
}


TEST("picking: a platform without a variant takes any where it must")
{
    CHECK_PICK("linux/arm/v6 linux/arm/v7", "linux/arm", "1");
    CHECK_PICK("linux/arm/v5 linux/arm/v6 linux/amd64", "linux/arm", "1");
    CHECK_PICK("linux/amd64 linux/amd64/v3", "linux/amd64", "0");
    CHECK_PICK("linux/arm64 linux/amd64/v2 linux/amd64/v3", "", "1 2");
    CHECK_PICK("linux/riscv64/rva22 linux/riscv64/rva20", "linux/riscv64",
               "0 1");
}


TEST("picking: what a machine of this platform takes, the best of it")
{
    size_t  i;

    /* each is taken before those that follow it, and no other is */

    static const char *const  order[][2] = {
        { "linux/amd64", "linux/amd64 linux/386 linux/amd64/v2" },
        { "linux/amd64/v4", "linux/amd64/v4 linux/amd64/v3 linux/amd64/v2 "
                            "linux/amd64/v1 linux/386" },
        { "linux/arm", "linux/arm/v7 linux/arm/v6 linux/arm/v5 linux/arm/v8" },
        { "linux/arm/v8", "linux/arm/v8 linux/arm/v7 linux/arm/v6 "
                          "linux/arm/v5" },
        { "linux/arm64", "linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 "
                         "linux/arm/v5 linux/arm64/v9" },
        { "linux/arm64/v8.2", "linux/arm64/v8.2 linux/arm64/v8.1 "
                              "linux/arm64/v8 linux/arm/v8 linux/arm/v7" },
        { "linux/arm64/v9", "linux/arm64/v9 linux/arm64/v8.5 linux/arm64/v8.4 "
                            "linux/arm64/v8.1 linux/arm64/v8 linux/arm/v8 "
                            "linux/arm/v7 linux/arm/v5" },
        { "linux/arm64/v9.2", "linux/arm64/v9.2 linux/arm64/v9.1 linux/arm64/v9 "
                              "linux/arm64/v8.7 linux/arm64/v8.6 linux/arm64" },
        { "linux/arm64/v9.7", "linux/arm64/v9.7 linux/arm64/v8.9 linux/arm/v6" },
        { "linux/386", "linux/386 linux/386/sse2" },
        { "linux/s390x", "linux/s390x" },
        { "windows/amd64", "windows/amd64 windows/386" }
    };

    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        check_order(order[i][0], order[i][1]);
    }

    CHECK_NO_PICK("linux/amd64/v3 linux/arm64", "linux/amd64/v2",
                  "image | no linux/amd64/v2 | linux/amd64/v3, linux/arm64");
    CHECK_NO_PICK("linux/arm64/v9 linux/arm64/v8.6", "linux/arm64/v8.5",
                  "image | no linux/arm64/v8.5 | "
                  "linux/arm64/v9, linux/arm64/v8.6");
    CHECK_NO_PICK("linux/arm64/v8.6 linux/arm/v4", "linux/arm64/v9",
                  "image | no linux/arm64/v9 | "
                  "linux/arm64/v8.6, linux/arm/v4");
    CHECK_NO_PICK("linux/arm64 linux/arm64/v8.9", "linux/arm64/v10",
                  "image | no linux/arm64/v10 | "
                  "linux/arm64, linux/arm64/v8.9");
    CHECK_NO_PICK("linux/amd64", "linux/386",
                  "image | no linux/386 | linux/amd64");
    CHECK_NO_PICK("linux/arm64", "linux/arm/v8",
                  "image | no linux/arm/v8 | linux/arm64");
    CHECK_NO_PICK("windows/amd64", "linux/amd64/v2",
                  "image | no linux/amd64/v2 | windows/amd64");
    CHECK_NO_PICK("linux/amd64/v0 linux/amd64/x linux/amd64/v22",
                  "linux/amd64/v3",
                  "image | no linux/amd64/v3 | "
                  "linux/amd64/v0, linux/amd64/x, linux/amd64/v22");
}


TEST("picking: an index inside an index is always picked, and may have it")
{
    CHECK_PICK("linux/amd64 @ linux/arm64", "linux/arm64", "1 2");
    CHECK_PICK("@ @", "linux/arm64", "0 1");
    CHECK_PICK("@", "", "0");
    CHECK_PICK("@ linux/arm64", "", "0 1");
    CHECK_STR(picked_of("linux/386 linux/arm @", "", ""), "2");
}


static int
missed(const char *outer, const char *one, const char *two, const char *wanted)
{
    size_t       i;
    const char  *inner[] = { one, two };

    memset(&seen, 0, sizeof(seen));

    CHECK_INT(pick(outer, wanted, "linux/amd64"), DFP_OK);

    for (i = 0; i < 2; i++) {
        make_index(inner[i]);
        CHECK_INT(dfp_oci_pick(dfp_test_mem(), &manifest, &w, &f, &seen, picked,
                               &npicked, &err), DFP_OK);
    }

    return dfp_oci_missed(&w, &f, &seen, &err);
}


TEST("picking: of indexes inside an index one has to have it, not each")
{
    CHECK_INT(missed("@ @", "linux/amd64", "linux/arm64", "linux/arm64"),
              DFP_OK);
    CHECK_INT(missed("@ @", "linux/amd64", "linux/arm64",
                     "linux/arm64,linux/amd64"), DFP_OK);
    CHECK_INT(missed("@ @", "linux/amd64", "linux/arm64", "all"), DFP_OK);
    CHECK_INT(missed("@ @", "linux/amd64 linux/386", "linux/arm64", ""),
              DFP_OK);
    CHECK_INT(missed("@ linux/s390x", "linux/386", "?", ""), DFP_OK);
    CHECK_INT(missed("@ @", "linux/amd64", "!", "linux/amd64"), DFP_OK);
    CHECK_INT(missed("@ @", "! !", "linux/amd64", ""), DFP_OK);
    CHECK_INT(missed("@ @", "! !", "", "all"), DFP_OK);

    CHECK_INT(missed("@ @", "linux/amd64", "linux/arm64", "linux/386"),
              DFP_INVALID);
    CHECK_SAYS(err.text, "image | no linux/386 | linux/amd64, linux/arm64");
    CHECK_INT(missed("@ @", "linux/s390x linux/arm", "linux/arm64 linux/ppc64le",
                     ""), DFP_INVALID);
    CHECK_SAYS(err.text, "default linux/amd64 | linux/s390x, linux/arm");
    CHECK_INT(missed("@ @", "? ?", "?", "linux/386"), DFP_INVALID);
    CHECK_SAYS(err.text, "without a platform");
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
    CHECK_NO_PICK("", "", "index | no image");
    CHECK_NO_PICK("! !", "", "index | no image");
    CHECK_NO_PICK("", "all", "index | no image");
    CHECK_NO_PICK("!", "linux/amd64", "index | no image");
    CHECK_NO_PICK("", "linux/amd64", "index | no image");
}


static int
pick_in(dfp_mem_t *mem, void *data)
{
    int  rc;

    rc = dfp_oci_pick(mem, &manifest, &platforms, &platforms, NULL, picked,
                      &npicked, &err);

    /* the sentence is what takes memory */

    return (rc == DFP_INVALID) ? DFP_OK : rc;
}


TEST("no memory for the list of platforms is an error of its own")
{
    CHECK_INT(parse_platforms(DFP_STR("linux/amd64")), DFP_OK);
    make_index("linux/arm64 linux/s390x");
    dfp_test_oom(pick_in, NULL);
}
