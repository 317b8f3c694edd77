/*
 * Platforms: their syntax, and their canonical names.
 */

#include "dfp_char.h"
#include "dfp_oci.h"


#define DFP_OCI_PARTS  3    /* os, architecture and variant */


typedef struct {
    const char  *name;
    const char  *arch;
    const char  *variant;       /* NULL where the name does not say it */
} dfp_oci_arch_t;


/* other names of architectures, of uname and Debian */
static const dfp_oci_arch_t  dfp_oci_aliases[] = {
    { "x86_64", "amd64", NULL },
    { "x86-64", "amd64", NULL },
    { "aarch64", "arm64", NULL },
    { "armhf", "arm", "v7" },
    { "armel", "arm", "v6" },
    { "i386", "386", "" },
    { NULL, NULL, NULL }
};

/* the default variants of architectures */
static const dfp_oci_arch_t  dfp_oci_defaults[] = {
    { "amd64", "amd64", "v1" },
    { "arm64", "arm64", "v8" },
    { "arm", "arm", "v7" },
    { NULL, NULL, NULL }
};


static int dfp_oci_version(dfp_str_t variant, char *digit);
static const dfp_oci_arch_t *dfp_oci_find_arch(const dfp_oci_arch_t *table,
    dfp_str_t name);
static dfp_rc_t dfp_oci_part(dfp_mem_t *mem, dfp_str_t text, dfp_str_t *part);
static dfp_rc_t dfp_oci_parse_platform(dfp_mem_t *mem, dfp_str_t text,
    const char *what, dfp_oci_platform_t *platform, dfp_err_t *err);
static int dfp_oci_next(dfp_str_t *rest, char separator, dfp_str_t *item);
static dfp_str_t dfp_oci_trim(dfp_str_t s);


dfp_rc_t
dfp_oci_platform_set(dfp_mem_t *mem, dfp_str_t os, dfp_str_t arch,
    dfp_str_t variant, dfp_oci_platform_t *platform)
{
    dfp_rc_t               rc;
    char                   digit[2];
    const dfp_oci_arch_t  *known;

    if (dfp_oci_version(variant, &digit[1])) {
        digit[0] = 'v';
        variant = (dfp_str_t) { 2, digit };
    }

    if ((rc = dfp_oci_part(mem, os, &platform->os)) != DFP_OK
        || (rc = dfp_oci_part(mem, arch, &platform->arch)) != DFP_OK
        || (rc = dfp_oci_part(mem, variant, &platform->variant)) != DFP_OK)
    {
        return rc;
    }

    if (dfp_str_eq(platform->os, DFP_STR("macos"))) {
        platform->os = DFP_STR("darwin");
    }

    known = dfp_oci_find_arch(dfp_oci_aliases, platform->arch);

    if (known) {
        platform->arch = dfp_cstr(known->arch);

        if (known->variant) {
            platform->variant = dfp_cstr(known->variant);
        }
    }

    known = dfp_oci_find_arch(dfp_oci_defaults, platform->arch);

    if (known && dfp_str_eq(platform->variant, dfp_cstr(known->variant))) {
        platform->variant = DFP_STR("");
    }

    return DFP_OK;
}


/* arm64/8, arm64/v8.0 and arm64/8.0 are arm64/v8; v8.0.0 is not a version. */

static int
dfp_oci_version(dfp_str_t variant, char *digit)
{
    if (variant.len && (variant.data[0] | 0x20) == 'v') {
        variant.data++;
        variant.len--;
    }

    if (variant.len == 3 && memcmp(variant.data + 1, ".0", 2) == 0) {
        variant.len = 1;
    }

    if (variant.len != 1 || variant.data[0] < '1' || variant.data[0] > '9') {
        return 0;
    }

    *digit = variant.data[0];

    return 1;
}


static const dfp_oci_arch_t *
dfp_oci_find_arch(const dfp_oci_arch_t *table, dfp_str_t name)
{
    for ( /* void */ ; table->name; table++) {
        if (dfp_str_eq(name, dfp_cstr(table->name))) {
            return table;
        }
    }

    return NULL;
}


/* A copy in lower case. */

static dfp_rc_t
dfp_oci_part(dfp_mem_t *mem, dfp_str_t text, dfp_str_t *part)
{
    char    *p;
    size_t   i;

    if (text.len > DFP_OCI_MAX_PART) {
        return DFP_INVALID;
    }

    p = dfp_strdup(mem, text.data, text.len);
    if (p == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < text.len; i++) {
        if (!dfp_alnum(p[i]) && memchr("._-", p[i], 3) == NULL) {
            return DFP_INVALID;
        }

        p[i] = dfp_lower(p[i]);
    }

    *part = (dfp_str_t) { text.len, p };

    return DFP_OK;
}


dfp_rc_t
dfp_oci_parse_platforms(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_oci_platforms_t *platforms, dfp_err_t *err)
{
    dfp_rc_t            rc;
    size_t              i;
    dfp_str_t           item;
    dfp_oci_platform_t  platform;

    memset(platforms, 0, sizeof(dfp_oci_platforms_t));

    text = dfp_oci_trim(text);

    if (text.len == 0) {
        return DFP_OK;
    }

    if (dfp_str_eq(text, DFP_STR("all"))) {
        platforms->all = 1;
        return DFP_OK;
    }

    while (dfp_oci_next(&text, ',', &item)) {

        rc = dfp_oci_parse_platform(mem, dfp_oci_trim(item), what, &platform,
                                    err);
        if (rc != DFP_OK) {
            return rc;
        }

        for (i = 0; i < platforms->n; i++) {
            if (dfp_oci_platform_eq(&platforms->list[i], &platform)) {
                break;
            }
        }

        if (i < platforms->n) {
            continue;
        }

        if (platforms->n == DFP_OCI_MAX_PLATFORMS) {
            return dfp_invalid(err, "%s must not have more than %d platforms",
                               what, DFP_OCI_MAX_PLATFORMS);
        }

        platforms->list[platforms->n++] = platform;
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_oci_parse_platform(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_oci_platform_t *platform, dfp_err_t *err)
{
    dfp_rc_t   rc;
    size_t     n;
    dfp_str_t  item, parts[DFP_OCI_PARTS];

    memset(parts, 0, sizeof(parts));

    rc = DFP_OK;

    for (n = 0; rc == DFP_OK && dfp_oci_next(&text, '/', &item); n++) {

        if (n == DFP_OCI_PARTS || item.len == 0) {
            rc = DFP_INVALID;

        } else {
            parts[n] = item;
        }
    }

    if (n < 2) {
        rc = DFP_INVALID;
    }

    if (rc == DFP_OK) {
        rc = dfp_oci_platform_set(mem, parts[0], parts[1], parts[2], platform);
    }

    if (rc == DFP_INVALID) {
        return dfp_invalid(err, "%s must be \"all\" or a comma-separated list "
                           "of os/arch or os/arch/variant, for example "
                           "linux/amd64", what);
    }

    return rc;
}


/* Removes the next item, which may be empty, from a text. Returns 0 if there
 * are no more. */

static int
dfp_oci_next(dfp_str_t *rest, char separator, dfp_str_t *item)
{
    const char  *p;

    if (rest->data == NULL) {
        return 0;
    }

    *item = *rest;

    p = rest->len ? memchr(rest->data, separator, rest->len) : NULL;

    if (p == NULL) {
        *rest = DFP_STR_NULL;
        return 1;
    }

    item->len = p - rest->data;

    rest->data = p + 1;
    rest->len -= item->len + 1;

    return 1;
}


static dfp_str_t
dfp_oci_trim(dfp_str_t s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }

    return s;
}
