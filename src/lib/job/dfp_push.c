#include <stdio.h>

#include "dfp_push.h"
#include "dfp_json.h"


#define DFP_PUSH_BASE        "/v2/"

#define DFP_PUSH_NO_PUSH     "it is not a push"
#define DFP_PUSH_NO_IMAGE    "it is not a manifest"
#define DFP_PUSH_OLD_IMAGE   "it is a manifest of schema 1, which is not supported"
#define DFP_PUSH_BAD_NAME    "its repository, tag or digest is not valid"
#define DFP_PUSH_NO_URL      "it does not tell the URL of the registry"


static dfp_rc_t dfp_push_parse_body(dfp_json_t *in, dfp_push_t **pushes,
    size_t *n);
static dfp_rc_t dfp_push_list(dfp_json_t *in, const char *key,
    const json_t **array, dfp_push_t **pushes, size_t *n);
static dfp_rc_t dfp_push_room(dfp_mem_t *mem, dfp_push_t **pushes, size_t n);
static dfp_rc_t dfp_push_distribution(dfp_json_t *in, dfp_push_t **pushes,
    size_t *n);
static dfp_rc_t dfp_push_event(dfp_json_t *in, size_t i, dfp_push_t *push);
static dfp_rc_t dfp_push_target(dfp_json_t *in, dfp_push_t *push);
static dfp_rc_t dfp_push_required(dfp_json_t *in, const char *field);
static dfp_rc_t dfp_push_place(dfp_json_t *in, dfp_str_t text,
    dfp_push_t *push);
static dfp_rc_t dfp_push_harbor(dfp_json_t *in, const char *pushed,
    const char *key, const char *prefix, dfp_push_t **pushes, size_t *n);
static dfp_rc_t dfp_push_other(dfp_json_t *in, dfp_push_t **pushes, size_t *n);
static dfp_rc_t dfp_push_resource(dfp_json_t *in, const json_t *repository,
    dfp_push_t *push);
static dfp_rc_t dfp_push_host(dfp_mem_t *mem, dfp_str_t url, dfp_push_t *push);
static void dfp_push_check(dfp_push_t *push);


dfp_rc_t
dfp_push_parse(dfp_mem_t *mem, dfp_str_t body, dfp_push_t **pushes, size_t *n,
    dfp_err_t *err)
{
    dfp_rc_t    rc;
    dfp_json_t  in;

    *n = 0;

    rc = dfp_json_open(&in, mem, body, "the body", "", err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_push_parse_body(&in, pushes, n);

    dfp_json_close(&in);

    return rc;
}


static dfp_rc_t
dfp_push_parse_body(dfp_json_t *in, dfp_push_t **pushes, size_t *n)
{
    if (dfp_json_field(in->object, "events")) {
        return dfp_push_distribution(in, pushes, n);
    }

    if (dfp_json_field(in->object, "specversion")) {
        return dfp_push_harbor(in, "harbor.artifact.pushed", "data", "data.",
                               pushes, n);
    }

    if (dfp_json_field(in->object, "type")) {
        return dfp_push_harbor(in, "PUSH_ARTIFACT", "event_data",
                               "event_data.", pushes, n);
    }

    return dfp_invalid(in->err, "the body is neither a notification of "
                       "distribution (\"events\") nor a webhook of Harbor "
                       "(\"type\")");
}


static dfp_rc_t
dfp_push_list(dfp_json_t *in, const char *key, const json_t **array,
    dfp_push_t **pushes, size_t *n)
{
    dfp_rc_t  rc;

    *array = NULL;

    rc = dfp_json_array(in, key, DFP_PUSH_MAX, array);
    if (rc != DFP_OK) {
        return rc;
    }

    *n = json_array_size(*array);

    return dfp_push_room(in->mem, pushes, *n);
}


static dfp_rc_t
dfp_push_room(dfp_mem_t *mem, dfp_push_t **pushes, size_t n)
{
    size_t  size;

    size = (n + 1) * sizeof(dfp_push_t);
    *pushes = mem->alloc(mem->ctx, size);

    if (*pushes == NULL) {
        return DFP_ERROR;
    }

    memset(*pushes, 0, size);

    return DFP_OK;
}


static dfp_rc_t
dfp_push_distribution(dfp_json_t *in, dfp_push_t **pushes, size_t *n)
{
    char           what[DFP_JSON_WHAT_LEN];
    size_t         i;
    dfp_rc_t       rc;
    dfp_json_t     sub;
    const json_t  *events;

    rc = dfp_push_list(in, "events", &events, pushes, n);

    for (i = 0; rc == DFP_OK && i < *n; i++) {

        (void) snprintf(what, sizeof(what), "events[%zu]", i);

        sub = *in;
        sub.object = json_array_get(events, i);

        rc = json_is_object(sub.object)
             ? dfp_push_event(&sub, i, &(*pushes)[i])
             : dfp_invalid(in->err, "%s must be an object", what);
    }

    return rc;
}


static dfp_rc_t
dfp_push_event(dfp_json_t *in, size_t i, dfp_push_t *push)
{
    char           prefix[DFP_JSON_WHAT_LEN];
    dfp_rc_t       rc;
    dfp_str_t      action;
    dfp_json_t     sub;
    const json_t  *target;

    (void) snprintf(prefix, sizeof(prefix), "events[%zu].", i);

    sub = *in;
    sub.prefix = prefix;
    target = NULL;

    rc = dfp_json_line(&sub, "action", DFP_PUSH_MAX_TEXT, &action);

    if (rc == DFP_OK) {
        rc = dfp_json_object(&sub, "target", &target);
    }

    if (rc != DFP_OK) {
        return rc;
    }

    if (target == NULL || !dfp_str_eq(action, DFP_STR("push"))) {
        push->ignored = DFP_PUSH_NO_PUSH;
        return DFP_OK;
    }

    (void) snprintf(prefix, sizeof(prefix), "events[%zu].target.", i);
    sub.object = target;

    return dfp_push_target(&sub, push);
}


/* Blobs are pushed, too; only a manifest tells that the image is complete. */

static dfp_rc_t
dfp_push_target(dfp_json_t *in, dfp_push_t *push)
{
    size_t     i;
    dfp_rc_t   rc;
    dfp_str_t  type, url;

    struct {
        const char  *key;
        size_t       max;
        dfp_str_t   *text;
    } fields[] = {
        { "mediatype", DFP_PUSH_MAX_TEXT, &type },
        { "repository", DFP_PUSH_MAX_TEXT, &push->repository },
        { "tag", DFP_PUSH_MAX_TEXT, &push->tag },
        { "digest", DFP_PUSH_MAX_TEXT, &push->digest },
        { "url", DFP_URL_MAX_LEN, &url }
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        rc = dfp_json_line(in, fields[i].key, fields[i].max, fields[i].text);
        if (rc != DFP_OK) {
            return rc;
        }
    }

    if (type.len == 0) {
        return dfp_push_required(in, "mediaType");
    }

    if (push->repository.len == 0 || push->digest.len == 0) {
        return dfp_push_required(in, push->digest.len ? "repository"
                                                      : "digest");
    }

    dfp_push_check(push);

    switch (dfp_oci_type_kind(type)) {

    case DFP_OCI_MANIFEST:
    case DFP_OCI_INDEX:
        break;

    case DFP_OCI_SCHEMA1:
        push->ignored = DFP_PUSH_OLD_IMAGE;
        break;

    default:
        push->ignored = DFP_PUSH_NO_IMAGE;
        break;
    }

    return push->ignored ? DFP_OK : dfp_push_place(in, url, push);
}


/* Registries always tell it: without it a push could be lost. */

static dfp_rc_t
dfp_push_required(dfp_json_t *in, const char *field)
{
    return dfp_invalid(in->err, "%s%s is required", in->prefix, field);
}


/* The URL of the manifest, by its digest. */

static dfp_rc_t
dfp_push_place(dfp_json_t *in, dfp_str_t text, dfp_push_t *push)
{
    dfp_rc_t       rc;
    dfp_err_t      err;
    dfp_oci_ref_t  ref;

    rc = dfp_oci_parse_ref(in->mem, text, "url", &ref, &err);

    if (rc == DFP_ERROR) {
        return rc;
    }

    if (rc != DFP_OK || !dfp_str_eq(ref.name, push->repository)) {
        push->ignored = DFP_PUSH_NO_URL;
        return DFP_OK;
    }

    push->registry = ref.url.origin;
    push->base = ref.base;

    return DFP_OK;
}


static dfp_rc_t
dfp_push_harbor(dfp_json_t *in, const char *pushed, const char *key,
    const char *prefix, dfp_push_t **pushes, size_t *n)
{
    size_t         i;
    dfp_rc_t       rc;
    dfp_str_t      type;
    dfp_json_t     data, sub;
    const json_t  *object, *repository, *resources;

    data = *in;
    data.prefix = prefix;
    data.object = NULL;

    rc = dfp_json_line(in, "type", DFP_PUSH_MAX_TEXT, &type);

    if (rc == DFP_OK && dfp_str_eq(type, dfp_cstr(pushed))) {
        rc = dfp_json_object(in, key, &data.object);
    }

    if (rc != DFP_OK) {
        return rc;
    }

    if (data.object == NULL) {
        return dfp_push_other(in, pushes, n);
    }

    repository = NULL;

    rc = dfp_json_object(&data, "repository", &repository);

    if (rc == DFP_OK) {
        rc = dfp_push_list(&data, "resources", &resources, pushes, n);
    }

    for (i = 0; rc == DFP_OK && i < *n; i++) {

        object = json_array_get(resources, i);

        if (!json_is_object(object)) {
            return dfp_invalid(in->err, "%sresources[%zu] must be an object",
                               prefix, i);
        }

        sub = data;
        sub.object = object;

        rc = dfp_push_resource(&sub, repository, &(*pushes)[i]);
    }

    return rc;
}


static dfp_rc_t
dfp_push_other(dfp_json_t *in, dfp_push_t **pushes, size_t *n)
{
    if (dfp_push_room(in->mem, pushes, 1) != DFP_OK) {
        return DFP_ERROR;
    }

    (*pushes)[0].ignored = DFP_PUSH_NO_PUSH;
    *n = 1;

    return DFP_OK;
}


/* The URL is "harbor.lan/team/app:1"; the tag of what has none is its digest. */

static dfp_rc_t
dfp_push_resource(dfp_json_t *in, const json_t *repository, dfp_push_t *push)
{
    dfp_rc_t    rc;
    dfp_str_t   url;
    dfp_json_t  sub;

    sub = *in;
    sub.object = repository;

    rc = repository ? dfp_json_line(&sub, "repo_full_name", DFP_PUSH_MAX_TEXT,
                                    &push->repository)
                    : DFP_OK;

    if (rc == DFP_OK) {
        rc = dfp_json_line(in, "tag", DFP_PUSH_MAX_TEXT, &push->tag);
    }

    if (rc == DFP_OK) {
        rc = dfp_json_line(in, "digest", DFP_PUSH_MAX_TEXT, &push->digest);
    }

    if (rc == DFP_OK) {
        rc = dfp_json_line(in, "resource_url", DFP_URL_MAX_LEN, &url);
    }

    if (rc != DFP_OK) {
        return rc;
    }

    if (push->repository.len == 0) {
        return dfp_push_required(&sub, "repository.repo_full_name");
    }

    if (push->digest.len == 0) {
        return dfp_push_required(in, "resources.digest");
    }

    if (dfp_str_eq(push->tag, push->digest)) {
        push->tag = DFP_STR("");
    }

    dfp_push_check(push);

    return push->ignored ? DFP_OK : dfp_push_host(in->mem, url, push);
}


/* It is shown in the log, too. */

static dfp_rc_t
dfp_push_host(dfp_mem_t *mem, dfp_str_t url, dfp_push_t *push)
{
    dfp_rc_t     rc;
    dfp_buf_t    b;
    dfp_err_t    err;
    dfp_url_t    https;
    const char  *p;

    p = url.len ? memchr(url.data, '/', url.len) : NULL;

    if (p == NULL) {
        push->ignored = DFP_PUSH_NO_URL;
        return DFP_OK;
    }

    push->registry = (dfp_str_t) { p - url.data, url.data };
    push->base = DFP_STR(DFP_PUSH_BASE);

    dfp_buf_init(&b, mem, 256, 0);
    dfp_buf_cstr(&b, "https://");
    dfp_buf_str(&b, push->registry);

    rc = b.failed ? DFP_ERROR
                  : dfp_url_parse(mem, dfp_buf_value(&b), "url", &https, &err);

    if (rc == DFP_INVALID) {
        push->ignored = DFP_PUSH_NO_URL;
    }

    return rc == DFP_ERROR ? rc : DFP_OK;
}


/* What is not valid is not shown either. */

static void
dfp_push_check(dfp_push_t *push)
{
    if (dfp_oci_name_valid(push->repository)
        && (push->tag.len == 0 || dfp_oci_tag_valid(push->tag))
        && dfp_oci_digest_valid(push->digest))
    {
        return;
    }

    push->ignored = DFP_PUSH_BAD_NAME;
    push->repository = DFP_STR("");
    push->tag = DFP_STR("");
    push->digest = DFP_STR("");
}


int
dfp_push_subject_tag(dfp_str_t tag)
{
    char       digest[DFP_OCI_MAX_DIGEST];
    size_t     i;
    dfp_str_t  rest;

    static const size_t       len = sizeof("sha256-") - 1
                                    + DFP_OCI_MAX_REFERRED;
    static const char *const  ends[] = { ".sig", ".att", ".sbom" };

    if (tag.len < len || (memcmp(tag.data, "sha256-", 7) != 0
                          && memcmp(tag.data, "sha512-", 7) != 0))
    {
        return 0;
    }

    memcpy(digest, "sha256:", 7);
    memcpy(digest + 7, tag.data + 7, len - 7);

    if (!dfp_oci_digest_valid((dfp_str_t) { len, digest })) {
        return 0;
    }

    rest.data = tag.data + len;
    rest.len = tag.len - len;

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (tag.data[3] == '2' && dfp_str_eq(rest, dfp_cstr(ends[i]))) {
            return 1;
        }
    }

    return rest.len == 0;
}
