/*
 * Manifest URLs.
 */

#include "dfp_char.h"
#include "dfp_oci.h"


static dfp_rc_t dfp_oci_split_path(dfp_oci_ref_t *ref);
static const char *dfp_oci_name_separator(const char *p, const char *last);
static int dfp_oci_alnum(char ch);


dfp_rc_t
dfp_oci_parse_ref(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_oci_ref_t *ref, dfp_err_t *err)
{
    dfp_rc_t  rc;

    memset(ref, 0, sizeof(dfp_oci_ref_t));

    rc = dfp_url_parse(mem, text, what, &ref->url, err);
    if (rc != DFP_OK) {
        return rc;
    }

    if (ref->url.query.data) {
        return dfp_invalid(err, "%s must be a manifest URL, which has no "
                           "query string", what);
    }

    if (dfp_oci_split_path(ref) != DFP_OK) {
        return dfp_invalid(err, "%s must be a manifest URL, for example "
                           "https://registry/v2/library/alpine/manifests/3.19",
                           what);
    }

    if (!dfp_oci_name_valid(ref->name)) {
        return dfp_invalid(err, "%s has a repository name that is longer than "
                           "%d bytes, or not parts of a-z, 0-9, \".\", \"_\" "
                           "and \"-\" between slashes", what,
                           DFP_OCI_MAX_NAME);
    }

    ref->by_digest = dfp_oci_digest_valid(ref->reference);

    if (!ref->by_digest && !dfp_oci_tag_valid(ref->reference)) {
        return dfp_invalid(err, "%s must end in a tag (1 to %d of a-z, A-Z, "
                           "0-9, \".\", \"_\" and \"-\") or in a sha256 or "
                           "sha512 digest", what, DFP_OCI_MAX_TAG);
    }

    return DFP_OK;
}


int
dfp_oci_manifest_path(dfp_str_t path, dfp_str_t *reference)
{
    dfp_oci_ref_t  ref;

    memset(&ref, 0, sizeof(dfp_oci_ref_t));
    ref.url.path = path;

    if (dfp_oci_split_path(&ref) != DFP_OK || ref.reference.len == 0
        || memchr(ref.reference.data, '/', ref.reference.len))
    {
        return 0;
    }

    *reference = ref.reference;

    return 1;
}


/*
 * A name may have a part "v2", so its beginning is ambiguous: the first "/v2/"
 * counts, as in a registry that is not below a prefix. A part may also be
 * "manifests", but a reference has no "/", so the last one counts.
 */

static dfp_rc_t
dfp_oci_split_path(dfp_oci_ref_t *ref)
{
    const char  *last, *name, *end;

    last = ref->url.path.data + ref->url.path.len;

    name = dfp_str_find(ref->url.path, "/v2/");
    if (name == NULL) {
        return DFP_INVALID;
    }

    name += sizeof("/v2/") - 1;

    end = dfp_str_find_last((dfp_str_t) { last - name, name }, "/manifests/");
    if (end == NULL) {
        return DFP_INVALID;
    }

    ref->base = (dfp_str_t) { name - ref->url.path.data, ref->url.path.data };
    ref->name = (dfp_str_t) { end - name, name };

    end += sizeof("/manifests/") - 1;
    ref->reference = (dfp_str_t) { last - end, end };

    return DFP_OK;
}


/* [a-z0-9]+ ((\. | _ | __ | -+) [a-z0-9]+)*, with "/" as another separator */

int
dfp_oci_name_valid(dfp_str_t name)
{
    const char  *p, *last;

    if (name.len == 0 || name.len > DFP_OCI_MAX_NAME) {
        return 0;
    }

    p = name.data;
    last = p + name.len;

    for ( ;; ) {

        if (p == last || !dfp_oci_alnum(*p)) {
            return 0;
        }

        while (p < last && dfp_oci_alnum(*p)) {
            p++;
        }

        if (p == last) {
            return 1;
        }

        p = dfp_oci_name_separator(p, last);
    }
}


/* Returns the end of the separator at P; P if there is none. */

static const char *
dfp_oci_name_separator(const char *p, const char *last)
{
    switch (*p) {

    case '/':
    case '.':
        return p + 1;

    case '_':
        return (last - p > 1 && p[1] == '_') ? p + 2 : p + 1;

    default:
        while (p < last && *p == '-') {
            p++;
        }

        return p;
    }
}


int
dfp_oci_tag_valid(dfp_str_t tag)
{
    size_t  i;
    char    ch;

    if (tag.len == 0 || tag.len > DFP_OCI_MAX_TAG) {
        return 0;
    }

    for (i = 0; i < tag.len; i++) {
        ch = tag.data[i];

        if (!dfp_alnum(ch) && ch != '_'
            && (i == 0 || (ch != '.' && ch != '-')))
        {
            return 0;
        }
    }

    return 1;
}


static int
dfp_oci_alnum(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9');
}
