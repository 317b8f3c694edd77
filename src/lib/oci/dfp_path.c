/*
 * Paths of registries.
 */

#include "dfp_path.h"


static int dfp_path_registry(dfp_str_t path);
static dfp_path_kind_t dfp_path_kind(dfp_str_t rest, dfp_str_t *name,
    unsigned *digest);
static int dfp_path_api(dfp_str_t rest);
static const char *dfp_path_find_last(dfp_str_t s, const char *part);


void
dfp_path_read(dfp_str_t path, dfp_path_t *result)
{
    int          first;
    unsigned     digest;
    dfp_str_t    name, rest;
    const char  *p, *last;

    static const char  part[] = "/v2/";
    static const size_t  len = sizeof(part) - 1;

    memset(result, 0, sizeof(dfp_path_t));

    first = dfp_path_registry(path);
    last = path.data + path.len;

    for (p = path.data; (size_t) (last - p) >= len; p++) {
        if (memcmp(p, part, len) == 0) {
            break;
        }
    }

    if ((size_t) (last - p) < len) {
        result->kind = first ? DFP_PATH_LOGIN : DFP_PATH_FILE;
        return;
    }

    rest.data = p + len;
    rest.len = last - rest.data;

    result->kind = dfp_path_kind(rest, &name, &digest);

    /* some servers take "//v2/" for "/v2/", others do not */

    if (first && p != path.data) {
        result->kind = DFP_PATH_OTHER;
    }

    if (result->kind == DFP_PATH_MANIFEST || result->kind == DFP_PATH_BLOB) {
        result->repository.data = path.data;
        result->repository.len = name.data + name.len - path.data;
        result->digest = digest;
        result->name = name;
        return;
    }

    if (!first && result->kind == DFP_PATH_OTHER && !dfp_path_api(rest)) {
        result->kind = DFP_PATH_FILE;
    }
}


/* Whether the first segment is "v2", after any number of slashes. */

static int
dfp_path_registry(dfp_str_t path)
{
    size_t  i;

    for (i = 0; i < path.len && path.data[i] == '/'; i++) { /* void */ }

    return i > 0 && path.len - i >= 2 && memcmp(path.data + i, "v2", 2) == 0
           && (path.len - i == 2 || path.data[i + 2] == '/');
}


/* Classifies what follows "/v2/". A part of a name may be "manifests", but a
 * reference has no "/", so the last one counts. */

static dfp_path_kind_t
dfp_path_kind(dfp_str_t rest, dfp_str_t *name, unsigned *digest)
{
    size_t       i;
    dfp_str_t    reference;
    const char  *p;

    static const struct {
        const char       *part;
        dfp_path_kind_t   kind;
    } kinds[] = {
        { "/manifests/", DFP_PATH_MANIFEST },
        { "/blobs/", DFP_PATH_BLOB }
    };

    *digest = 0;

    if (rest.len == 0) {
        return DFP_PATH_LOGIN;
    }

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {

        p = dfp_path_find_last(rest, kinds[i].part);
        if (p == NULL) {
            continue;
        }

        reference.data = p + strlen(kinds[i].part);
        reference.len = rest.data + rest.len - reference.data;

        name->data = rest.data;
        name->len = p - rest.data;

        *digest = dfp_oci_digest_valid(reference) ? 1 : 0;

        if (dfp_oci_name_valid(*name)
            && (*digest
                || (kinds[i].kind == DFP_PATH_MANIFEST
                    && dfp_oci_tag_valid(reference))))
        {
            return kinds[i].kind;
        }
    }

    return DFP_PATH_OTHER;
}


/* Whether what follows "/prefix/v2/" is the path of a registry, not of a
 * file. */

static int
dfp_path_api(dfp_str_t rest)
{
    return dfp_str_eq(rest, DFP_STR("_catalog"))
           || dfp_str_ends(rest, DFP_STR("/tags/list"))
           || dfp_path_find_last(rest, "/referrers/")
           || dfp_path_find_last(rest, "/blobs/uploads/");
}


/* A name stands before PART, so PART is not at the beginning. */

static const char *
dfp_path_find_last(dfp_str_t s, const char *part)
{
    const char  *p;

    p = dfp_str_find_last(s, part);

    return (p == s.data) ? NULL : p;
}


int
dfp_path_token_query(dfp_str_t query)
{
    size_t       i, len;
    const char  *p, *next, *last;

    static const char  *names[] = {
        "service", "scope", "account", "client_id", "offline_token",
        "grant_type", NULL
    };

    last = query.data + query.len;

    for (p = query.data; p < last; p = next + 1) {

        for (next = p; next < last && *next != '&'; next++) { /* void */ }

        for (i = 0; names[i]; i++) {
            len = strlen(names[i]);

            if ((size_t) (next - p) > len && memcmp(p, names[i], len) == 0
                && p[len] == '=')
            {
                return 1;
            }
        }
    }

    return 0;
}
