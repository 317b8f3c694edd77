/*
 * Images as users write them.
 */

#include "dfp_buf.h"
#include "dfp_hex.h"
#include "dfp_oci.h"


/* what docker adds if there is no registry, or no tag */
#define DFP_OCI_HUB          DFP_STR("index.docker.io")
#define DFP_OCI_HUB_LIBRARY  "library/"
#define DFP_OCI_DEFAULT_TAG  DFP_STR("latest")

/* the id of an image: the SHA-256 of its configuration */
#define DFP_OCI_ID_LEN       64

#define DFP_OCI_EXAMPLE                                                       \
    "an image reference, for example alpine:3.19 or registry.lan/team/app:1.0"


/* The parts of an image reference. */
typedef struct {
    dfp_str_t    registry;
    dfp_str_t    name;
    dfp_str_t    reference;     /* the digest, or the tag */
    unsigned     library:1;     /* the name is below library/ */
} dfp_oci_image_t;


static int dfp_oci_has_scheme(dfp_str_t text);
static dfp_rc_t dfp_oci_check_image(dfp_str_t text, const char *what,
    dfp_err_t *err);
static int dfp_oci_is_id(dfp_str_t text);
static dfp_rc_t dfp_oci_split_image(dfp_str_t text, const char *what,
    dfp_oci_image_t *image, dfp_err_t *err);
static dfp_rc_t dfp_oci_split_digest(dfp_str_t *text, const char *what,
    dfp_oci_image_t *image, dfp_err_t *err);
static void dfp_oci_split_registry(dfp_str_t *text, dfp_oci_image_t *image);
static int dfp_oci_is_registry(dfp_str_t part);


dfp_rc_t
dfp_oci_parse_image(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_oci_ref_t *ref, dfp_err_t *err)
{
    dfp_rc_t         rc;
    dfp_buf_t        b;
    dfp_str_t        typed;
    dfp_oci_image_t  image;

    typed = dfp_oci_reference(text);

    if (typed.len == text.len && dfp_oci_has_scheme(text)) {
        return dfp_oci_parse_ref(mem, text, what, ref, err);
    }

    text = typed;

    memset(ref, 0, sizeof(dfp_oci_ref_t));

    if (dfp_oci_check_image(text, what, err) != DFP_OK
        || dfp_oci_split_image(text, what, &image, err) != DFP_OK)
    {
        return DFP_INVALID;
    }

    dfp_buf_init(&b, mem, 0, 0);

    dfp_buf_cstr(&b, "https://");
    dfp_buf_str(&b, image.registry);
    dfp_buf_cstr(&b, "/v2/");
    dfp_buf_cstr(&b, image.library ? DFP_OCI_HUB_LIBRARY : "");
    dfp_buf_str(&b, image.name);
    dfp_buf_cstr(&b, "/manifests/");
    dfp_buf_str(&b, image.reference);

    if (b.failed) {
        return DFP_ERROR;
    }

    rc = dfp_oci_parse_ref(mem, dfp_buf_value(&b), what, ref, err);
    if (rc != DFP_OK) {
        return rc;
    }

    ref->typed = 1;

    return DFP_OK;
}


/* skopeo and podman write docker:// before a reference, helm writes oci://. */

dfp_str_t
dfp_oci_reference(dfp_str_t text)
{
    size_t  i;

    static const dfp_str_t  transports[] = {
        { sizeof("docker://") - 1, "docker://" },
        { sizeof("oci://") - 1, "oci://" }
    };

    for (i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        if (dfp_str_case_starts(text, transports[i])) {
            text.data += transports[i].len;
            text.len -= transports[i].len;
            break;
        }
    }

    return text;
}


static int
dfp_oci_has_scheme(dfp_str_t text)
{
    size_t  i;

    static const dfp_str_t  mark = { sizeof("://") - 1, "://" };

    for (i = 0; i + mark.len <= text.len; i++) {
        if (memcmp(text.data + i, mark.data, mark.len) == 0) {
            return 1;
        }
    }

    return 0;
}


/*
 * Refuses characters that would end the path of the URL that is made, or for
 * which the URL parser would report an error about a URL.
 */

static dfp_rc_t
dfp_oci_check_image(dfp_str_t text, const char *what, dfp_err_t *err)
{
    size_t  i;

    static const char  allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789._-/:@[]";

    if (text.len == 0) {
        return dfp_invalid(err, "%s must be " DFP_OCI_EXAMPLE, what);
    }

    if (text.len > DFP_URL_MAX_LEN) {
        return dfp_invalid(err, "%s must not be longer than %d bytes", what,
                           DFP_URL_MAX_LEN);
    }

    if (memchr("/.~", text.data[0], 3)) {
        return dfp_invalid(err, "%s must be " DFP_OCI_EXAMPLE ", and not the "
                           "path of a file", what);
    }

    if (dfp_oci_is_id(text)) {
        return dfp_invalid(err, "%s must be " DFP_OCI_EXAMPLE ", and not the "
                           "id of an image", what);
    }

    for (i = 0; i < text.len; i++) {
        if (memchr(allowed, text.data[i], sizeof(allowed) - 1) == NULL) {
            return dfp_invalid(err, "%s must be " DFP_OCI_EXAMPLE
                ", which consists of letters, digits, \".\", \"_\", \"-\", "
                "\"/\", \":\" and \"@\" only", what);
        }
    }

    return DFP_OK;
}


/* docker also prints the id of an image, which no registry can look up. */

static int
dfp_oci_is_id(dfp_str_t text)
{
    size_t  i;

    if (dfp_oci_digest_valid(text)) {
        return 1;
    }

    if (text.len != DFP_OCI_ID_LEN) {
        return 0;
    }

    for (i = 0; i < text.len; i++) {
        if (dfp_hex(text.data[i]) < 0) {
            return 0;
        }
    }

    return 1;
}


static dfp_rc_t
dfp_oci_split_image(dfp_str_t text, const char *what, dfp_oci_image_t *image,
    dfp_err_t *err)
{
    size_t     i;
    dfp_str_t  tag;

    memset(image, 0, sizeof(dfp_oci_image_t));

    if (dfp_oci_split_digest(&text, what, image, err) != DFP_OK) {
        return DFP_INVALID;
    }

    dfp_oci_split_registry(&text, image);

    image->name = text;
    tag = DFP_OCI_DEFAULT_TAG;

    /* before a "/" it is a part of the name, also if it is malformed */

    for (i = text.len; i && text.data[i - 1] != '/'; i--) {
        if (text.data[i - 1] == ':') {
            image->name.len = i - 1;
            tag = (dfp_str_t) { text.len - i, text.data + i };
            break;
        }
    }

    if (!dfp_oci_tag_valid(tag)) {
        return dfp_invalid(err, "%s must have a tag of 1 to %d of a-z, A-Z, "
                           "0-9, \".\", \"_\" and \"-\" after its \":\"",
                           what, DFP_OCI_MAX_TAG);
    }

    if (image->reference.len == 0) {
        image->reference = tag;
    }

    image->library = dfp_str_eq(image->registry, DFP_OCI_HUB)
                     && image->name.len
                     && memchr(image->name.data, '/', image->name.len) == NULL;

    return DFP_OK;
}


/* Removes the digest from TEXT, if it has one. */

static dfp_rc_t
dfp_oci_split_digest(dfp_str_t *text, const char *what, dfp_oci_image_t *image,
    dfp_err_t *err)
{
    dfp_str_t    digest;
    const char  *at;

    at = memchr(text->data, '@', text->len);
    if (at == NULL) {
        return DFP_OK;
    }

    digest.data = at + 1;
    digest.len = text->data + text->len - digest.data;

    if (memchr(digest.data, '/', digest.len)) {
        return dfp_invalid(err, "%s must not contain a user name or a "
                           "password, and only a digest may follow its "
                           "\"@\"", what);
    }

    if (memchr(digest.data, '@', digest.len)) {
        return dfp_invalid(err, "%s must not have more than one \"@\"", what);
    }

    if (!dfp_oci_digest_valid(digest)) {
        return dfp_invalid(err, "%s must have a sha256 or sha512 digest in "
                           "lower-case hexadecimal after its \"@\"", what);
    }

    image->reference = digest;
    text->len = at - text->data;

    return DFP_OK;
}


/* Removes the registry from TEXT, if it has one. */

static void
dfp_oci_split_registry(dfp_str_t *text, dfp_oci_image_t *image)
{
    dfp_str_t    part;
    const char  *slash;

    image->registry = DFP_OCI_HUB;

    slash = text->len ? memchr(text->data, '/', text->len) : NULL;
    if (slash == NULL) {
        return;
    }

    part = (dfp_str_t) { slash - text->data, text->data };

    if (!dfp_oci_is_registry(part)) {
        return;
    }

    if (!dfp_str_case_eq(part, DFP_OCI_HUB)
        && !dfp_str_case_eq(part, DFP_STR("docker.io")))
    {
        image->registry = part;
    }

    text->data += part.len + 1;
    text->len -= part.len + 1;
}


/* A bracketed IPv6 address has a ":" in it. */

static int
dfp_oci_is_registry(dfp_str_t part)
{
    return memchr(part.data, '.', part.len)
           || memchr(part.data, ':', part.len)
           || dfp_str_eq(part, DFP_STR("localhost"));
}


dfp_rc_t
dfp_oci_ref_at(dfp_mem_t *mem, const dfp_oci_ref_t *ref, dfp_str_t origin,
    dfp_oci_ref_t *at, dfp_err_t *err)
{
    dfp_rc_t   rc;
    dfp_buf_t  b;
    dfp_url_t  url;

    rc = dfp_url_parse(mem, origin, "the origin", &url, err);
    if (rc != DFP_OK) {
        return rc;
    }

    if (url.path.len > 1 || url.query.data) {
        return dfp_invalid(err, "the origin must be a scheme and a host, for "
                           "example https://registry.lan");
    }

    dfp_buf_init(&b, mem, 0, 0);
    dfp_buf_str(&b, url.origin);
    dfp_buf_str(&b, ref->url.path);

    if (b.failed) {
        return DFP_ERROR;
    }

    return dfp_oci_parse_ref(mem, dfp_buf_value(&b), "the origin", at, err);
}
