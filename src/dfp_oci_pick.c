/*
 * Which entries of an index are wanted.
 */

#include "dfp_buf.h"
#include "dfp_oci.h"


/* The platforms of an index, as an error lists them: DFP_ERR_LEN has room for
 * this, one platform more and the words round it. */
#define DFP_OCI_LIST_LEN      160
#define DFP_OCI_PLATFORM_LEN  (3 * DFP_OCI_MAX_PART + 2)


/* What is asked for, and for each platform of it whether the index has
 * precisely that; if not, any variant will do for one without a variant. */
typedef struct {
    const dfp_oci_platforms_t  *platforms;
    unsigned                    fallback:1;
    unsigned                    all:1;
    unsigned char               exact[DFP_OCI_MAX_PLATFORMS];
} dfp_oci_asked_t;


static int dfp_oci_has_image(const dfp_oci_manifest_t *m);
static void dfp_oci_ask(const dfp_oci_manifest_t *m,
    const dfp_oci_platforms_t *wanted, const dfp_oci_platforms_t *fallback,
    dfp_oci_asked_t *asked);
static int dfp_oci_single(const dfp_oci_manifest_t *m);
static int dfp_oci_nested(const dfp_oci_desc_t *desc);
static int dfp_oci_find_asked(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    dfp_oci_asked_t *asked, dfp_err_t *err);
static int dfp_oci_wanted(const dfp_oci_desc_t *desc,
    const dfp_oci_asked_t *asked);
static int dfp_oci_match(const dfp_oci_desc_t *desc,
    const dfp_oci_platform_t *platform, int exact);
static int dfp_oci_missing(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    const dfp_oci_asked_t *asked, const dfp_oci_platform_t *platform,
    dfp_err_t *err);
static void dfp_oci_list(dfp_buf_t *b, const dfp_oci_manifest_t *m);
static int dfp_oci_listed(const dfp_oci_manifest_t *m, size_t i);
static void dfp_oci_print(dfp_buf_t *b, const dfp_oci_platform_t *platform);


int
dfp_oci_pick(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    const dfp_oci_platforms_t *wanted, const dfp_oci_platforms_t *fallback,
    size_t *picked, size_t *n, dfp_err_t *err)
{
    int              rc;
    size_t           i;
    dfp_oci_asked_t  asked;

    *n = 0;

    if (!dfp_oci_has_image(m)) {
        return dfp_invalid(err, "the index has no image in it");
    }

    dfp_oci_ask(m, wanted, fallback, &asked);

    rc = dfp_oci_find_asked(mem, m, &asked, err);
    if (rc != DFP_OK) {
        return rc;
    }

    for (i = 0; i < m->n; i++) {
        if (dfp_oci_wanted(&m->descs[i], &asked)) {
            picked[(*n)++] = i;
        }
    }

    return DFP_OK;
}


static int
dfp_oci_has_image(const dfp_oci_manifest_t *m)
{
    size_t  i;

    for (i = 0; i < m->n; i++) {
        if (!m->descs[i].attestation) {
            return 1;
        }
    }

    return 0;
}


static void
dfp_oci_ask(const dfp_oci_manifest_t *m, const dfp_oci_platforms_t *wanted,
    const dfp_oci_platforms_t *fallback, dfp_oci_asked_t *asked)
{
    memset(asked, 0, sizeof(dfp_oci_asked_t));

    asked->platforms = wanted;
    asked->all = wanted->all;

    if (wanted->n || wanted->all) {
        return;
    }

    if (dfp_oci_single(m)) {
        asked->all = 1;
        return;
    }

    asked->platforms = fallback;
    asked->all = fallback->all;
    asked->fallback = 1;
}


/* Whether all images of an index are for one platform. */

static int
dfp_oci_single(const dfp_oci_manifest_t *m)
{
    size_t                 i;
    const dfp_oci_desc_t  *desc, *first;

    first = NULL;

    for (i = 0; i < m->n; i++) {
        desc = &m->descs[i];

        if (desc->attestation || dfp_oci_nested(desc)) {
            continue;
        }

        if (first == NULL) {
            first = desc;
            continue;
        }

        if (desc->has_platform != first->has_platform
            || !dfp_oci_platform_eq(&desc->platform, &first->platform))
        {
            return 0;
        }
    }

    return 1;
}


/* Whether an entry is an index which only its own entries tell more about. */

static int
dfp_oci_nested(const dfp_oci_desc_t *desc)
{
    return !desc->has_platform && dfp_oci_type_kind(desc->media_type)
                                  == DFP_OCI_INDEX;
}


/* Sees to it that each platform asked for is in the index. One that may be in
 * an index inside of it is not missed here. */

static int
dfp_oci_find_asked(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    dfp_oci_asked_t *asked, dfp_err_t *err)
{
    size_t                     i, j, nested, found;
    const dfp_oci_platform_t  *platform;

    if (asked->all) {
        return DFP_OK;
    }

    nested = 0;

    for (i = 0; i < m->n; i++) {
        nested += dfp_oci_nested(&m->descs[i]);
    }

    if (asked->platforms->n == 0 && nested == 0) {
        return dfp_oci_missing(mem, m, asked, NULL, err);
    }

    for (j = 0; j < asked->platforms->n; j++) {
        platform = &asked->platforms->list[j];
        found = 0;

        for (i = 0; i < m->n; i++) {

            if (dfp_oci_match(&m->descs[i], platform, 1)) {
                asked->exact[j] = 1;
            }

            found += dfp_oci_match(&m->descs[i], platform, 0);
        }

        if (found == 0 && nested == 0) {
            return dfp_oci_missing(mem, m, asked, platform, err);
        }
    }

    return DFP_OK;
}


static int
dfp_oci_wanted(const dfp_oci_desc_t *desc, const dfp_oci_asked_t *asked)
{
    size_t  i;

    if (desc->attestation) {
        return 0;
    }

    if (asked->all || dfp_oci_nested(desc)) {
        return 1;
    }

    for (i = 0; i < asked->platforms->n; i++) {
        if (dfp_oci_match(desc, &asked->platforms->list[i], asked->exact[i])) {
            return 1;
        }
    }

    return 0;
}


/* Unless EXACT, any variant matches a platform without one. */

static int
dfp_oci_match(const dfp_oci_desc_t *desc, const dfp_oci_platform_t *platform,
    int exact)
{
    if (desc->attestation || !desc->has_platform) {
        return 0;
    }

    if (exact || platform->variant.len) {
        return dfp_oci_platform_eq(&desc->platform, platform);
    }

    return dfp_str_eq(desc->platform.os, platform->os)
           && dfp_str_eq(desc->platform.arch, platform->arch);
}


/* PLATFORM is NULL where none was asked for, by the fallback neither. */

static int
dfp_oci_missing(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    const dfp_oci_asked_t *asked, const dfp_oci_platform_t *platform,
    dfp_err_t *err)
{
    dfp_buf_t  list, name;

    dfp_buf_init(&list, mem, DFP_OCI_LIST_LEN, 0);
    dfp_buf_init(&name, mem, DFP_OCI_PLATFORM_LEN, 0);

    dfp_oci_list(&list, m);

    if (platform) {
        dfp_oci_print(&name, platform);
    }

    if (list.failed || name.failed) {
        return DFP_ERROR;
    }

    if (platform == NULL) {
        return dfp_invalid(err, "the image has several platforms, and none "
                           "was asked for: %.*s", (int) list.len, list.data);
    }

    if (asked->fallback) {
        return dfp_invalid(err, "the image has several platforms, none was "
                           "asked for, and the default %.*s is not among "
                           "them: %.*s", (int) name.len, name.data,
                           (int) list.len, list.data);
    }

    return dfp_invalid(err, "the image has no %.*s, only %.*s",
                       (int) name.len, name.data, (int) list.len, list.data);
}


static void
dfp_oci_list(dfp_buf_t *b, const dfp_oci_manifest_t *m)
{
    size_t                     i, len;
    const dfp_oci_platform_t  *platform;

    for (i = 0; i < m->n; i++) {

        if (!dfp_oci_listed(m, i)) {
            continue;
        }

        if (b->len) {
            dfp_buf_cstr(b, ", ");
        }

        platform = &m->descs[i].platform;
        len = platform->os.len + platform->arch.len + platform->variant.len;

        if (b->len + len + sizeof("//, ...") > DFP_OCI_LIST_LEN) {
            dfp_buf_cstr(b, "...");
            return;
        }

        dfp_oci_print(b, platform);
    }

    if (b->len == 0) {
        dfp_buf_cstr(b, "entries without a platform");
    }
}


/* Whether the entry I is the first of its platform. */

static int
dfp_oci_listed(const dfp_oci_manifest_t *m, size_t i)
{
    size_t  j;

    if (m->descs[i].attestation || !m->descs[i].has_platform) {
        return 0;
    }

    for (j = 0; j < i; j++) {
        if (!m->descs[j].attestation
            && dfp_oci_platform_eq(&m->descs[j].platform,
                                   &m->descs[i].platform))
        {
            return 0;
        }
    }

    return 1;
}


static void
dfp_oci_print(dfp_buf_t *b, const dfp_oci_platform_t *platform)
{
    dfp_buf_str(b, platform->os.len ? platform->os : DFP_STR("unknown"));
    dfp_buf_cstr(b, "/");
    dfp_buf_str(b, platform->arch.len ? platform->arch : DFP_STR("unknown"));

    if (platform->variant.len) {
        dfp_buf_cstr(b, "/");
        dfp_buf_str(b, platform->variant);
    }
}
