/*
 * The descriptors of manifests and indexes.
 */

#include <stdio.h>

#include "dfp_oci_parser.h"


/* BuildKit's annotation of an attestation, which is not an image */
#define DFP_OCI_REFERENCE_TYPE  "vnd.docker.reference.type"


static dfp_rc_t dfp_oci_parse_desc(dfp_oci_parser_t *parser,
    const json_t *object, dfp_oci_desc_t *desc);
static dfp_rc_t dfp_oci_parse_size(dfp_oci_parser_t *parser,
    const json_t *object, dfp_oci_desc_t *desc);
static dfp_rc_t dfp_oci_parse_urls(dfp_oci_parser_t *parser,
    const json_t *object, dfp_oci_desc_t *desc);
static dfp_rc_t dfp_oci_parse_entry(dfp_oci_parser_t *parser,
    const json_t *object, dfp_oci_desc_t *desc);
static dfp_rc_t dfp_oci_parse_platform(dfp_oci_parser_t *parser,
    const json_t *object, dfp_oci_desc_t *desc);
static dfp_rc_t dfp_oci_get_string(dfp_oci_parser_t *parser,
    const json_t *object, const char *key, size_t max, dfp_str_t *s);


dfp_rc_t
dfp_oci_parse_config(dfp_oci_parser_t *parser, const json_t *object,
    dfp_oci_manifest_t *m)
{
    dfp_rc_t  rc;

    (void) snprintf(parser->where, sizeof(parser->where), "config.");

    rc = dfp_oci_parse_desc(parser, object, &m->config);

    parser->where[0] = '\0';

    return rc;
}


dfp_rc_t
dfp_oci_parse_descs(dfp_oci_parser_t *parser, const json_t *root,
    const char *key, size_t max, dfp_oci_manifest_t *m)
{
    dfp_rc_t       rc;
    size_t         i, n;
    const json_t  *array, *object;

    rc = dfp_oci_get(parser, root, key, JSON_ARRAY, &array);
    if (rc != DFP_OK) {
        return rc;
    }

    /* null in an artifact without layers */

    if (array == NULL && json_object_get(root, key) == NULL) {
        return dfp_invalid(parser->err, "%s is missing in the manifest", key);
    }

    n = json_array_size(array);

    if (n > max) {
        return dfp_invalid(parser->err, "%s in the manifest must not have "
                           "more than %zu elements", key, max);
    }

    if (n == 0) {
        return DFP_OK;
    }

    m->descs = parser->mem->alloc(parser->mem->ctx,
                                  n * sizeof(dfp_oci_desc_t));
    if (m->descs == NULL) {
        return DFP_ERROR;
    }

    memset(m->descs, 0, n * sizeof(dfp_oci_desc_t));

    for (i = 0; i < n; i++) {
        object = json_array_get(array, i);

        (void) snprintf(parser->where, sizeof(parser->where), "%s[%zu].", key,
                        i);

        rc = dfp_oci_parse_desc(parser, object, &m->descs[i]);

        if (rc == DFP_OK && m->kind == DFP_OCI_INDEX) {
            rc = dfp_oci_parse_entry(parser, object, &m->descs[i]);
        }

        if (rc != DFP_OK) {
            return rc;
        }
    }

    m->n = n;

    return DFP_OK;
}


static dfp_rc_t
dfp_oci_parse_desc(dfp_oci_parser_t *parser, const json_t *object,
    dfp_oci_desc_t *desc)
{
    dfp_rc_t  rc;

    if (!json_is_object(object)) {
        return dfp_invalid(parser->err, "%.*s in the manifest must be an "
                           "object", (int) strlen(parser->where) - 1,
                           parser->where);
    }

    rc = dfp_oci_get_type(parser, object, &desc->media_type);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_oci_get_string(parser, object, "digest", DFP_OCI_MAX_DIGEST,
                            &desc->digest);
    if (rc != DFP_OK) {
        return rc;
    }

    if (!dfp_oci_digest_valid(desc->digest)) {
        return dfp_invalid(parser->err, "%sdigest in the manifest must be a "
                           "sha256 or sha512 digest", parser->where);
    }

    if ((rc = dfp_oci_copy(parser, &desc->media_type)) != DFP_OK
        || (rc = dfp_oci_copy(parser, &desc->digest)) != DFP_OK
        || (rc = dfp_oci_parse_size(parser, object, desc)) != DFP_OK)
    {
        return rc;
    }

    return dfp_oci_parse_urls(parser, object, desc);
}


static dfp_rc_t
dfp_oci_parse_size(dfp_oci_parser_t *parser, const json_t *object,
    dfp_oci_desc_t *desc)
{
    const json_t  *size;

    size = json_object_get(object, "size");
    desc->size = json_integer_value(size);

    if (!json_is_integer(size) || desc->size < 0
        || desc->size > DFP_OCI_MAX_SIZE)
    {
        return dfp_invalid(parser->err, "%ssize in the manifest must be an "
                           "integer between 0 and %lld", parser->where,
                           (long long) DFP_OCI_MAX_SIZE);
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_oci_parse_urls(dfp_oci_parser_t *parser, const json_t *object,
    dfp_oci_desc_t *desc)
{
    dfp_rc_t       rc;
    const json_t  *urls;

    rc = dfp_oci_get(parser, object, "urls", JSON_ARRAY, &urls);
    if (rc != DFP_OK) {
        return rc;
    }

    desc->foreign = json_array_size(urls) != 0;

    return DFP_OK;
}


/* Parses the fields of entries of an index. */

static dfp_rc_t
dfp_oci_parse_entry(dfp_oci_parser_t *parser, const json_t *object,
    dfp_oci_desc_t *desc)
{
    dfp_rc_t       rc;
    const json_t  *platform, *annotations;

    rc = dfp_oci_get(parser, object, "platform", JSON_OBJECT, &platform);
    if (rc != DFP_OK) {
        return rc;
    }

    if (platform) {
        rc = dfp_oci_parse_platform(parser, platform, desc);
        if (rc != DFP_OK) {
            return rc;
        }
    }

    rc = dfp_oci_get(parser, object, "annotations", JSON_OBJECT, &annotations);
    if (rc != DFP_OK) {
        return rc;
    }

    if (json_object_get(annotations, DFP_OCI_REFERENCE_TYPE)
        || (dfp_str_eq(desc->platform.os, DFP_STR("unknown"))
            && dfp_str_eq(desc->platform.arch, DFP_STR("unknown"))))
    {
        desc->attestation = 1;
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_oci_parse_platform(dfp_oci_parser_t *parser, const json_t *object,
    dfp_oci_desc_t *desc)
{
    dfp_rc_t   rc;
    size_t     len;
    dfp_str_t  os, arch, variant;

    len = strlen(parser->where);
    (void) snprintf(parser->where + len, sizeof(parser->where) - len,
                    "platform.");

    if ((rc = dfp_oci_get_string(parser, object, "os", DFP_OCI_MAX_PART, &os))
           != DFP_OK
        || (rc = dfp_oci_get_string(parser, object, "architecture",
                                    DFP_OCI_MAX_PART, &arch)) != DFP_OK
        || (rc = dfp_oci_get_string(parser, object, "variant",
                                    DFP_OCI_MAX_PART, &variant)) != DFP_OK)
    {
        return rc;
    }

    parser->where[len] = '\0';

    rc = dfp_oci_platform_set(parser->mem, os, arch, variant, &desc->platform);

    if (rc == DFP_INVALID) {
        return dfp_invalid(parser->err, "%splatform in the manifest must have "
                           "names of letters, digits, \".\", \"_\" and \"-\"",
                           parser->where);
    }

    /* some tools write an empty platform */

    desc->has_platform = (os.len || arch.len);

    return rc;
}


/* null counts as absent: Go prints an empty slice so. */

dfp_rc_t
dfp_oci_get(dfp_oci_parser_t *parser, const json_t *object, const char *key,
    json_type type, const json_t **value)
{
    *value = json_object_get(object, key);

    if (json_is_null(*value)) {
        *value = NULL;
    }

    if (*value && json_typeof(*value) != type) {
        return dfp_invalid(parser->err, "%s%s in the manifest must be %s",
                           parser->where, key,
                           type == JSON_ARRAY ? "an array"
                           : type == JSON_OBJECT ? "an object" : "a string");
    }

    return DFP_OK;
}


/* The string belongs to jansson; "" if it is absent. */

static dfp_rc_t
dfp_oci_get_string(dfp_oci_parser_t *parser, const json_t *object,
    const char *key, size_t max, dfp_str_t *s)
{
    dfp_rc_t       rc;
    const json_t  *value;

    rc = dfp_oci_get(parser, object, key, JSON_STRING, &value);
    if (rc != DFP_OK) {
        return rc;
    }

    if (value == NULL) {
        *s = DFP_STR("");
        return DFP_OK;
    }

    *s = (dfp_str_t) { json_string_length(value), json_string_value(value) };

    if (s->len > max) {
        return dfp_invalid(parser->err, "%s%s in the manifest must not be "
                           "longer than %zu bytes", parser->where, key, max);
    }

    return DFP_OK;
}


dfp_rc_t
dfp_oci_get_type(dfp_oci_parser_t *parser, const json_t *object,
    dfp_str_t *type)
{
    dfp_rc_t  rc;
    size_t    i;

    rc = dfp_oci_get_string(parser, object, "mediaType", DFP_OCI_MAX_TYPE,
                            type);
    if (rc != DFP_OK) {
        return rc;
    }

    /* it may be logged */

    for (i = 0; i < type->len; i++) {
        if (type->data[i] <= 0x20 || type->data[i] >= 0x7f) {
            return dfp_invalid(parser->err, "%smediaType in the manifest must "
                               "be a media type", parser->where);
        }
    }

    return DFP_OK;
}


dfp_rc_t
dfp_oci_copy(dfp_oci_parser_t *parser, dfp_str_t *s)
{
    s->data = dfp_strdup(parser->mem, s->data, s->len);

    return s->data ? DFP_OK : DFP_ERROR;
}
