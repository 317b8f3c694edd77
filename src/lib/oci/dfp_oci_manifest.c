/*
 * Manifests and indexes.
 */

#include <jansson.h>

#include "dfp_json.h"
#include "dfp_oci_parser.h"


typedef struct {
    const char      *name;
    dfp_oci_kind_t   kind;
} dfp_oci_type_t;


static const dfp_oci_type_t  dfp_oci_types[] = {
    { "application/vnd.oci.image.index.v1+json", DFP_OCI_INDEX },
    { "application/vnd.docker.distribution.manifest.list.v2+json",
      DFP_OCI_INDEX },
    { "application/vnd.oci.image.manifest.v1+json", DFP_OCI_MANIFEST },
    { "application/vnd.docker.distribution.manifest.v2+json",
      DFP_OCI_MANIFEST },
    { "application/vnd.docker.distribution.manifest.v1+json",
      DFP_OCI_SCHEMA1 },
    { "application/vnd.docker.distribution.manifest.v1+prettyjws",
      DFP_OCI_SCHEMA1 },
    { NULL, 0 }
};


/* Types that servers send for files that they do not know. */
static const char *const  dfp_oci_open_types[] = {
    "application/json", "text/json", "text/plain", "application/octet-stream",
    "binary/octet-stream", NULL
};


static dfp_str_t dfp_oci_bare_type(dfp_str_t type);
static dfp_rc_t dfp_oci_load(dfp_str_t body, json_t **root, dfp_err_t *err);
static dfp_rc_t dfp_oci_parse_root(dfp_oci_parser_t *parser,
    const json_t *root, dfp_str_t content_type, dfp_oci_manifest_t *m);
static dfp_rc_t dfp_oci_parse_type(dfp_oci_parser_t *parser,
    const json_t *root, dfp_str_t content_type, dfp_oci_manifest_t *m);
static int dfp_oci_schema1(const json_t *root, dfp_str_t content_type,
    dfp_str_t type);
static dfp_rc_t dfp_oci_decide_kind(dfp_oci_parser_t *parser,
    const json_t *root, dfp_oci_manifest_t *m);
static int dfp_oci_has(const json_t *object, const char *key);


dfp_rc_t
dfp_oci_parse_manifest(dfp_mem_t *mem, dfp_str_t body,
    dfp_str_t content_type, dfp_oci_manifest_t *m, dfp_err_t *err)
{
    dfp_rc_t          rc;
    json_t           *root;
    dfp_oci_parser_t  parser;

    memset(m, 0, sizeof(dfp_oci_manifest_t));

    root = NULL;

    rc = dfp_oci_load(body, &root, err);
    if (rc != DFP_OK) {
        return rc;
    }

    parser.mem = mem;
    parser.err = err;
    parser.where[0] = '\0';

    rc = dfp_oci_parse_root(&parser, root, content_type, m);

    json_decref(root);

    if (rc != DFP_OK) {
        /* what was parsed so far may point to ROOT */
        memset(m, 0, sizeof(dfp_oci_manifest_t));
    }

    return rc;
}


dfp_oci_kind_t
dfp_oci_type_kind(dfp_str_t type)
{
    const dfp_oci_type_t  *p;

    type = dfp_oci_bare_type(type);

    for (p = dfp_oci_types; p->name; p++) {
        if (dfp_str_case_eq(type, dfp_cstr(p->name))) {
            break;
        }
    }

    return p->kind;
}


int
dfp_oci_type_open(dfp_str_t type)
{
    size_t  i;

    type = dfp_oci_bare_type(type);

    if (type.len == 0) {
        return 1;
    }

    for (i = 0; dfp_oci_open_types[i]; i++) {
        if (dfp_str_case_eq(type, dfp_cstr(dfp_oci_open_types[i]))) {
            return 1;
        }
    }

    return 0;
}


dfp_rc_t
dfp_oci_check_manifest(dfp_mem_t *mem, dfp_str_t reference, dfp_str_t type,
    dfp_str_t body, dfp_err_t *err)
{
    dfp_rc_t            rc;
    dfp_oci_manifest_t  m;

    if (dfp_oci_digest_valid(reference)) {
        rc = dfp_oci_digest_check(reference, body);

        return rc == DFP_DECLINED
               ? dfp_invalid(err, "the manifest does not have this digest")
               : rc;
    }

    if (dfp_oci_type_kind(type) != DFP_OCI_SCHEMA1) {
        return dfp_oci_parse_manifest(mem, body, type, &m, err);
    }

    while (body.len && memchr(" \t\r\n", body.data[0], 4)) {
        body.data++;
        body.len--;
    }

    return (body.len && body.data[0] == '{')
           ? DFP_OK : dfp_invalid(err, "the manifest is not valid JSON");
}


/* A media type without its parameters and spaces. */

static dfp_str_t
dfp_oci_bare_type(dfp_str_t type)
{
    const char  *p;

    p = type.len ? memchr(type.data, ';', type.len) : NULL;

    if (p) {
        type.len = p - type.data;
    }

    while (type.len && (type.data[0] == ' ' || type.data[0] == '\t')) {
        type.data++;
        type.len--;
    }

    while (type.len && (type.data[type.len - 1] == ' '
                        || type.data[type.len - 1] == '\t'))
    {
        type.len--;
    }

    return type;
}


/* Duplicate keys are refused: parsers differ in which of them counts. */

static dfp_rc_t
dfp_oci_load(dfp_str_t body, json_t **root, dfp_err_t *err)
{
    dfp_rc_t      rc;
    json_error_t  error;

    rc = dfp_json_bounded(body, "the manifest", DFP_OCI_MAX_DEPTH,
                          DFP_OCI_MAX_VALUES, err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_json_load(body, JSON_REJECT_DUPLICATES, root, &error);

    if (rc != DFP_INVALID) {
        return rc;
    }

    return dfp_invalid(err, "the manifest is not valid JSON: line %d, "
                       "column %d", error.line, error.column);
}


static dfp_rc_t
dfp_oci_parse_root(dfp_oci_parser_t *parser, const json_t *root,
    dfp_str_t content_type, dfp_oci_manifest_t *m)
{
    dfp_rc_t       rc;
    const json_t  *config;

    if (!json_is_object(root)) {
        return dfp_invalid(parser->err, "the manifest must be a JSON object");
    }

    rc = dfp_oci_parse_type(parser, root, content_type, m);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_oci_decide_kind(parser, root, m);
    if (rc != DFP_OK) {
        return rc;
    }

    if (m->kind == DFP_OCI_INDEX) {
        return dfp_oci_parse_descs(parser, root, "manifests",
                                   DFP_OCI_MAX_ENTRIES, m);
    }

    rc = dfp_oci_get(parser, root, "config", JSON_OBJECT, &config);
    if (rc != DFP_OK) {
        return rc;
    }

    if (config == NULL) {
        return dfp_invalid(parser->err, "config is missing in the manifest");
    }

    rc = dfp_oci_parse_config(parser, config, m);
    if (rc != DFP_OK) {
        return rc;
    }

    return dfp_oci_parse_descs(parser, root, "layers", DFP_OCI_MAX_LAYERS, m);
}


/* Determines the type by the mediaType of the body and by Content-Type. */

static dfp_rc_t
dfp_oci_parse_type(dfp_oci_parser_t *parser, const json_t *root,
    dfp_str_t content_type, dfp_oci_manifest_t *m)
{
    dfp_rc_t   rc;
    dfp_str_t  type;

    rc = dfp_oci_get_type(parser, root, &type);
    if (rc != DFP_OK) {
        return rc;
    }

    content_type = dfp_oci_bare_type(content_type);

    if (dfp_oci_schema1(root, content_type, type)) {
        return dfp_invalid(parser->err, "the manifest is of Docker's schema "
                           "1, which is not supported");
    }

    if (type.len && dfp_oci_type_kind(type) == 0) {
        return dfp_invalid(parser->err, "the manifest has the type %.*s, "
                           "which is not supported", (int) type.len,
                           type.data);
    }

    if (dfp_oci_type_kind(content_type) == 0) {
        m->media_type = type;
        return dfp_oci_copy(parser, &m->media_type);
    }

    if (type.len && !dfp_str_case_eq(type, content_type)) {
        return dfp_invalid(parser->err, "the manifest has the type %.*s, but "
                           "was sent as %.*s", (int) type.len, type.data,
                           (int) content_type.len, content_type.data);
    }

    m->media_type = content_type;

    return dfp_oci_copy(parser, &m->media_type);
}


static int
dfp_oci_schema1(const json_t *root, dfp_str_t content_type, dfp_str_t type)
{
    const json_t  *version;

    version = json_object_get(root, "schemaVersion");

    return dfp_oci_type_kind(content_type) == DFP_OCI_SCHEMA1
           || dfp_oci_type_kind(type) == DFP_OCI_SCHEMA1
           || (json_is_integer(version) && json_integer_value(version) == 1);
}


static dfp_rc_t
dfp_oci_decide_kind(dfp_oci_parser_t *parser, const json_t *root,
    dfp_oci_manifest_t *m)
{
    int            index, manifest;
    const json_t  *version;

    version = json_object_get(root, "schemaVersion");

    if (version && json_integer_value(version) != 2) {
        return dfp_invalid(parser->err, "schemaVersion in the manifest must "
                           "be 2");
    }

    index = dfp_oci_has(root, "manifests");
    manifest = dfp_oci_has(root, "config") || dfp_oci_has(root, "layers");

    if (index && manifest) {
        return dfp_invalid(parser->err, "the manifest has both manifests and "
                                        "config or layers, so it is "
                                        "ambiguous");
    }

    if (m->media_type.len) {
        m->kind = dfp_oci_type_kind(m->media_type);

    } else if (index || manifest) {
        m->kind = index ? DFP_OCI_INDEX : DFP_OCI_MANIFEST;

    } else {
        return dfp_invalid(parser->err, "the manifest has neither manifests "
                           "nor config and layers");
    }

    if (m->kind == DFP_OCI_INDEX ? manifest : index) {
        return dfp_invalid(parser->err, "the manifest is %s by its type, but "
                                        "%s by its content",
                           manifest ? "an index" : "an image",
                           manifest ? "an image" : "an index");
    }

    return DFP_OK;
}


static int
dfp_oci_has(const json_t *object, const char *key)
{
    const json_t  *value;

    value = json_object_get(object, key);

    return value && !json_is_null(value);
}
