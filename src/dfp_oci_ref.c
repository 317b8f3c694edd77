/*
 * Manifest URLs, and the digests of what they lead to.
 */

#include <openssl/evp.h>

#include "dfp_oci.h"


#define DFP_SHA256_LEN  32
#define DFP_SHA512_LEN  64


typedef struct {
    dfp_str_t       prefix;
    size_t          len;        /* of the digest, in bytes */
    const EVP_MD *(*md)(void);
} dfp_oci_algorithm_t;


static int dfp_oci_split_path(dfp_oci_ref_t *ref);
static const char *dfp_oci_find(const char *p, const char *last,
    const char *part);
static int dfp_oci_name_valid(dfp_str_t name);
static const char *dfp_oci_name_separator(const char *p, const char *last);
static int dfp_oci_alnum(char ch);
static const dfp_oci_algorithm_t *dfp_oci_algorithm(dfp_str_t digest);
static int dfp_oci_hex_digest(const dfp_oci_algorithm_t *algorithm,
    dfp_str_t body, char *hex);


static const dfp_oci_algorithm_t  dfp_oci_algorithms[] = {
    { { sizeof("sha256:") - 1, "sha256:" }, DFP_SHA256_LEN, EVP_sha256 },
    { { sizeof("sha512:") - 1, "sha512:" }, DFP_SHA512_LEN, EVP_sha512 },
    { { 0, NULL }, 0, NULL }
};


int
dfp_oci_parse_ref(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_oci_ref_t *ref, dfp_err_t *err)
{
    int  rc;

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
        return dfp_invalid(err, "%s must be a manifest URL, as "
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


/*
 * Where the name begins is not certain, since a name may have a part "v2": the
 * first "/v2/" counts, as it does in a registry that is not below a prefix. A
 * part may be called "manifests", too, but a reference has no "/", so the last
 * one counts.
 */

static int
dfp_oci_split_path(dfp_oci_ref_t *ref)
{
    const char  *p, *last, *name, *end;

    p = ref->url.path.data;
    last = p + ref->url.path.len;

    name = dfp_oci_find(p, last, "/v2/");
    if (name == NULL) {
        return DFP_INVALID;
    }

    name += sizeof("/v2/") - 1;

    end = NULL;

    for (p = name; (p = dfp_oci_find(p, last, "/manifests/")); p++) {
        end = p;
    }

    if (end == NULL) {
        return DFP_INVALID;
    }

    ref->base = (dfp_str_t) { name - ref->url.path.data, ref->url.path.data };
    ref->name = (dfp_str_t) { end - name, name };

    end += sizeof("/manifests/") - 1;
    ref->reference = (dfp_str_t) { last - end, end };

    return DFP_OK;
}


static const char *
dfp_oci_find(const char *p, const char *last, const char *part)
{
    size_t  len;

    len = strlen(part);

    for ( /* void */ ; (size_t) (last - p) >= len; p++) {
        if (memcmp(p, part, len) == 0) {
            return p;
        }
    }

    return NULL;
}


/* [a-z0-9]+ ((\. | _ | __ | -+) [a-z0-9]+)*, with "/" as another separator */

static int
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


/* Where the separator at P ends: at P itself when there is none. */

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

        if (!dfp_oci_alnum(ch) && !(ch >= 'A' && ch <= 'Z') && ch != '_'
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


int
dfp_oci_digest_valid(dfp_str_t s)
{
    return dfp_oci_algorithm(s) != NULL;
}


/* NULL where the digest is not one that can be checked. */

static const dfp_oci_algorithm_t *
dfp_oci_algorithm(dfp_str_t digest)
{
    size_t                      i;
    const dfp_oci_algorithm_t  *a;

    for (a = dfp_oci_algorithms; a->len; a++) {
        if (digest.len == a->prefix.len + 2 * a->len
            && memcmp(digest.data, a->prefix.data, a->prefix.len) == 0)
        {
            break;
        }
    }

    if (a->len == 0) {
        return NULL;
    }

    for (i = a->prefix.len; i < digest.len; i++) {
        if (dfp_hex(digest.data[i]) < 0
            || (digest.data[i] >= 'A' && digest.data[i] <= 'F'))
        {
            return NULL;
        }
    }

    return a;
}


int
dfp_oci_digest_check(dfp_str_t digest, dfp_str_t body)
{
    int                         rc;
    char                        hex[2 * EVP_MAX_MD_SIZE];
    const dfp_oci_algorithm_t  *a;

    a = dfp_oci_algorithm(digest);
    if (a == NULL) {
        return DFP_INVALID;
    }

    rc = dfp_oci_hex_digest(a, body, hex);
    if (rc != DFP_OK) {
        return rc;
    }

    return memcmp(digest.data + a->prefix.len, hex, 2 * a->len) == 0
           ? DFP_OK : DFP_DECLINED;
}


int
dfp_oci_digest_of(dfp_mem_t *mem, dfp_str_t body, dfp_str_t *digest)
{
    char                       *p;
    size_t                      len;
    const dfp_oci_algorithm_t  *a;

    a = &dfp_oci_algorithms[0];
    len = a->prefix.len + 2 * a->len;

    p = mem->alloc(mem->ctx, len);
    if (p == NULL) {
        return DFP_ERROR;
    }

    memcpy(p, a->prefix.data, a->prefix.len);
    *digest = (dfp_str_t) { len, p };

    return dfp_oci_hex_digest(a, body, p + a->prefix.len);
}


/* HEX has room for 2 * algorithm->len bytes. */

static int
dfp_oci_hex_digest(const dfp_oci_algorithm_t *algorithm, dfp_str_t body,
    char *hex)
{
    size_t         i;
    unsigned char  md[EVP_MAX_MD_SIZE];

    static const char  digits[] = "0123456789abcdef";

    if (!EVP_Digest(body.data, body.len, md, NULL, algorithm->md(), NULL)) {
        return DFP_ERROR;
    }

    for (i = 0; i < algorithm->len; i++) {
        hex[2 * i] = digits[md[i] >> 4];
        hex[2 * i + 1] = digits[md[i] & 0x0f];
    }

    return DFP_OK;
}
