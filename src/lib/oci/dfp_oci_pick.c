/*
 * The entries of an index that are wanted.
 */

#include <stdio.h>

#include "dfp_buf.h"
#include "dfp_oci.h"


/* A dfp_err_t has room for DFP_OCI_MAX_LIST, one more platform and the
 * sentence. */
#define DFP_OCI_PLATFORM_LEN  (3 * DFP_OCI_MAX_PART + 2)


/* The wanted platforms, and for each the rank of the best match in the
 * index. */
typedef struct {
    const dfp_oci_platforms_t  *platforms;
    unsigned                    fallback:1;
    unsigned                    images:1;   /* all but attestations */
    int                         best[DFP_OCI_MAX_PLATFORMS];
} dfp_oci_asked_t;


static int dfp_oci_has_image(const dfp_oci_manifest_t *m, int attestations);
static void dfp_oci_ask(const dfp_oci_manifest_t *m,
    const dfp_oci_platforms_t *wanted, const dfp_oci_platforms_t *fallback,
    dfp_oci_asked_t *asked);
static int dfp_oci_single(const dfp_oci_manifest_t *m);
static int dfp_oci_nested(const dfp_oci_desc_t *desc);
static dfp_rc_t dfp_oci_find_asked(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    dfp_oci_asked_t *asked, dfp_oci_seen_t *seen, dfp_err_t *err);
static dfp_rc_t dfp_oci_note(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    const dfp_oci_asked_t *asked, dfp_oci_seen_t *seen);
static int dfp_oci_wanted(const dfp_oci_desc_t *desc,
    const dfp_oci_asked_t *asked);
static int dfp_oci_rank(const dfp_oci_desc_t *desc,
    const dfp_oci_platform_t *platform);
static dfp_rc_t dfp_oci_missing(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    const dfp_oci_asked_t *asked, const dfp_oci_platform_t *platform,
    dfp_err_t *err);
static dfp_rc_t dfp_oci_say_missing(const dfp_oci_platform_t *platform,
    int fallback, dfp_str_t list, dfp_err_t *err);
static void dfp_oci_list(dfp_buf_t *b, const dfp_oci_manifest_t *m);
static int dfp_oci_listed(const dfp_oci_manifest_t *m, size_t i);
static void dfp_oci_print(dfp_buf_t *b, const dfp_oci_platform_t *platform);


dfp_rc_t
dfp_oci_pick(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    const dfp_oci_platforms_t *wanted, const dfp_oci_platforms_t *fallback,
    dfp_oci_seen_t *seen, size_t *picked, size_t *n, dfp_err_t *err)
{
    dfp_rc_t         rc;
    size_t           i;
    dfp_oci_asked_t  asked;

    *n = 0;

    dfp_oci_ask(m, wanted, fallback, &asked);

    /* an index within another one may have attestations only */

    if (seen == NULL && !dfp_oci_has_image(m, asked.platforms->all)) {
        return dfp_invalid(err, "the index contains no image");
    }

    rc = dfp_oci_find_asked(mem, m, &asked, seen, err);

    if (rc == DFP_OK && seen) {
        rc = dfp_oci_note(mem, m, &asked, seen);
    }

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
dfp_oci_has_image(const dfp_oci_manifest_t *m, int attestations)
{
    size_t  i;

    for (i = 0; i < m->n; i++) {
        if (attestations || !m->descs[i].attestation) {
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

    if (wanted->n || wanted->all) {
        return;
    }

    if (!fallback->all && dfp_oci_single(m)) {
        asked->images = 1;
        return;
    }

    asked->platforms = fallback;
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


/* Whether an entry is an index without a platform. */

static int
dfp_oci_nested(const dfp_oci_desc_t *desc)
{
    return !desc->has_platform && dfp_oci_type_kind(desc->media_type)
                                  == DFP_OCI_INDEX;
}


int
dfp_oci_has_nested(const dfp_oci_manifest_t *m)
{
    size_t  i;

    for (i = 0; i < m->n; i++) {
        if (dfp_oci_nested(&m->descs[i])) {
            return 1;
        }
    }

    return 0;
}


/* Checks that each wanted platform is in the index, or, with SEEN, records
 * which ones are. */

static dfp_rc_t
dfp_oci_find_asked(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    dfp_oci_asked_t *asked, dfp_oci_seen_t *seen, dfp_err_t *err)
{
    int                        rank, *best;
    size_t                     i, j;
    const dfp_oci_platform_t  *platform;

    if (asked->images || asked->platforms->all) {
        return DFP_OK;
    }

    if (asked->platforms->n == 0 && seen == NULL) {
        return dfp_oci_missing(mem, m, asked, NULL, err);
    }

    for (j = 0; j < asked->platforms->n; j++) {
        platform = &asked->platforms->list[j];
        best = &asked->best[j];
        *best = DFP_OCI_NO_RANK;

        for (i = 0; i < m->n; i++) {
            rank = dfp_oci_rank(&m->descs[i], platform);

            if (rank != DFP_OCI_NO_RANK
                && (*best == DFP_OCI_NO_RANK || rank < *best))
            {
                *best = rank;
            }
        }

        if (seen) {
            seen->found[j] |= (*best != DFP_OCI_NO_RANK);

        } else if (*best == DFP_OCI_NO_RANK) {
            return dfp_oci_missing(mem, m, asked, platform, err);
        }
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_oci_note(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    const dfp_oci_asked_t *asked, dfp_oci_seen_t *seen)
{
    size_t     i;
    dfp_buf_t  list;

    for (i = 0; asked->images && i < m->n; i++) {
        if (!m->descs[i].attestation && !dfp_oci_nested(&m->descs[i])) {
            seen->some = 1;
        }
    }

    /* a list that is full ends with dots */

    if (seen->len > 3 && memcmp(seen->list + seen->len - 3, "...", 3) == 0) {
        return DFP_OK;
    }

    dfp_buf_init(&list, mem, DFP_OCI_MAX_LIST, 0);

    if (seen->len) {
        dfp_buf_append(&list, seen->list, seen->len);
    }

    dfp_oci_list(&list, m);

    if (list.failed) {
        return DFP_ERROR;
    }

    seen->len = list.len < sizeof(seen->list) ? list.len : sizeof(seen->list);
    memcpy(seen->list, list.data, seen->len);

    return DFP_OK;
}


dfp_rc_t
dfp_oci_missed(const dfp_oci_platforms_t *wanted,
    const dfp_oci_platforms_t *fallback, const dfp_oci_seen_t *seen,
    dfp_err_t *err)
{
    int                         asked;
    size_t                      j;
    dfp_str_t                   list;
    const dfp_oci_platforms_t  *platforms;

    asked = (wanted->n || wanted->all);
    platforms = asked ? wanted : fallback;

    if (platforms->all || (!asked && seen->some)) {
        return DFP_OK;
    }

    list = seen->len ? (dfp_str_t) { seen->len, seen->list }
                     : DFP_STR("entries without a platform");

    for (j = 0; j < platforms->n; j++) {
        if (!seen->found[j]) {
            return dfp_oci_say_missing(&platforms->list[j], !asked, list, err);
        }
    }

    return DFP_OK;
}


static int
dfp_oci_wanted(const dfp_oci_desc_t *desc, const dfp_oci_asked_t *asked)
{
    int     rank;
    size_t  i;

    if (asked->platforms->all) {
        return 1;
    }

    if (desc->attestation) {
        return 0;
    }

    if (asked->images || dfp_oci_nested(desc)) {
        return 1;
    }

    for (i = 0; i < asked->platforms->n; i++) {
        rank = dfp_oci_rank(desc, &asked->platforms->list[i]);

        if (rank != DFP_OCI_NO_RANK && rank == asked->best[i]) {
            return 1;
        }
    }

    return 0;
}


static int
dfp_oci_rank(const dfp_oci_desc_t *desc, const dfp_oci_platform_t *platform)
{
    if (desc->attestation || !desc->has_platform) {
        return DFP_OCI_NO_RANK;
    }

    return dfp_oci_platform_rank(platform, &desc->platform);
}


/* PLATFORM is NULL if none was wanted, neither by the fallback. */

static dfp_rc_t
dfp_oci_missing(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    const dfp_oci_asked_t *asked, const dfp_oci_platform_t *platform,
    dfp_err_t *err)
{
    dfp_buf_t  list;

    dfp_buf_init(&list, mem, DFP_OCI_MAX_LIST, 0);
    dfp_oci_list(&list, m);

    if (list.len == 0) {
        dfp_buf_cstr(&list, "entries without a platform");
    }

    if (list.failed) {
        return DFP_ERROR;
    }

    if (platform == NULL) {
        return dfp_invalid(err, "the image has several platforms, and the job "
                           "names none: %.*s", (int) list.len, list.data);
    }

    return dfp_oci_say_missing(platform, asked->fallback, dfp_buf_value(&list),
                               err);
}


static dfp_rc_t
dfp_oci_say_missing(const dfp_oci_platform_t *platform, int fallback,
    dfp_str_t list, dfp_err_t *err)
{
    char         name[DFP_OCI_PLATFORM_LEN + 1];
    const char  *slash;

    slash = platform->variant.len ? "/" : "";

    (void) snprintf(name, sizeof(name), "%.*s/%.*s%s%.*s",
                    (int) platform->os.len, platform->os.data,
                    (int) platform->arch.len, platform->arch.data, slash,
                    (int) platform->variant.len, platform->variant.data);

    if (fallback) {
        return dfp_invalid(err, "the image has several platforms, the job "
                           "names none, and the default %s is not among "
                           "them: %.*s", name, (int) list.len, list.data);
    }

    return dfp_invalid(err, "the image has no %s, only %.*s", name,
                       (int) list.len, list.data);
}


/* The list may already have platforms of other indexes. */

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

        if (b->len + len + sizeof("//, ...") > DFP_OCI_MAX_LIST) {
            dfp_buf_cstr(b, "...");
            return;
        }

        dfp_oci_print(b, platform);
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
