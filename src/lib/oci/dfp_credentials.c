/*
 * Credentials of registries, from the files of docker and podman.
 */

#include <stdio.h>

#include "dfp_base64.h"
#include "dfp_buf.h"
#include "dfp_credentials.h"
#include "dfp_json.h"
#include "dfp_url.h"


#define DFP_CREDENTIALS_SHOWN  128    /* bytes of a key, in an error */

/* base64 of the longest user name and password */
#define DFP_CREDENTIALS_MAX_AUTH                                              \
    ((2 * DFP_CREDENTIALS_MAX_TEXT + 1 + 2) / 3 * 4)

#define DFP_CREDENTIALS_NAME_LEN                                              \
    (sizeof("\"***...\"") + DFP_CREDENTIALS_SHOWN)

#define DFP_CREDENTIALS_WHERE_LEN                                             \
    (sizeof("the entry ") + DFP_CREDENTIALS_NAME_LEN)


/* An entry of the file while it is parsed. WHERE is its name in errors, PREFIX
 * begins the names of its fields there. */
typedef struct {
    dfp_json_t        *in;
    dfp_credential_t  *credential;
    const char        *key;
    char               where[DFP_CREDENTIALS_WHERE_LEN];
    char               prefix[DFP_CREDENTIALS_WHERE_LEN + sizeof(": ")];
} dfp_credentials_entry_t;


static dfp_rc_t dfp_credentials_parse_auths(dfp_json_t *in,
    dfp_credentials_t *credentials);
static dfp_rc_t dfp_credentials_parse_helpers(dfp_json_t *in,
    dfp_credentials_t *credentials);
static dfp_rc_t dfp_credentials_parse_entry(dfp_json_t *in, const char *key,
    const json_t *value, dfp_credential_t *credential);
static void dfp_credentials_where(dfp_credentials_entry_t *entry);
static void dfp_credentials_name(const char *key, char *name);
static void dfp_credentials_list(dfp_buf_t *b, size_t n, const char *key);
static dfp_rc_t dfp_credentials_parse_key(dfp_credentials_entry_t *entry);
static dfp_rc_t dfp_credentials_parse_path(dfp_credentials_entry_t *entry,
    dfp_str_t path, int scheme);
static dfp_rc_t dfp_credentials_parse_fields(dfp_credentials_entry_t *entry);
static dfp_rc_t dfp_credentials_parse_auth(dfp_credentials_entry_t *entry,
    dfp_str_t auth);
static dfp_rc_t dfp_credentials_check(dfp_credentials_entry_t *entry);
static int dfp_credentials_is_word(dfp_str_t s);
static int dfp_credentials_has_controls(dfp_str_t s);


dfp_rc_t
dfp_credentials_parse(dfp_mem_t *mem, dfp_str_t text,
    dfp_credentials_t *credentials, dfp_err_t *err)
{
    dfp_rc_t    rc;
    dfp_json_t  in;

    memset(credentials, 0, sizeof(dfp_credentials_t));

    if (text.len > DFP_CREDENTIALS_MAX_FILE) {
        return dfp_invalid(err, "the file must not be longer than %d bytes",
                           DFP_CREDENTIALS_MAX_FILE);
    }

    rc = dfp_json_open(&in, mem, text, "the file", "", err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_credentials_parse_auths(&in, credentials);

    if (rc == DFP_OK) {
        rc = dfp_credentials_parse_helpers(&in, credentials);
    }

    dfp_json_close(&in);

    if (rc != DFP_OK) {
        memset(credentials, 0, sizeof(dfp_credentials_t));
    }

    return rc;
}


static dfp_rc_t
dfp_credentials_parse_auths(dfp_json_t *in, dfp_credentials_t *credentials)
{
    dfp_rc_t       rc;
    size_t         n;
    json_t        *value;
    dfp_buf_t      unused;
    const char    *key;
    const json_t  *auths;

    auths = NULL;
    dfp_buf_init(&unused, in->mem, 0, 0);

    rc = dfp_json_object(in, "auths", &auths);
    if (rc != DFP_OK) {
        return rc;
    }

    n = json_object_size(auths);

    if (n == 0) {
        return DFP_OK;
    }

    if (n > DFP_CREDENTIALS_MAX_ENTRIES) {
        return dfp_invalid(in->err, "auths must not have more than %d entries",
                           DFP_CREDENTIALS_MAX_ENTRIES);
    }

    credentials->list = in->mem->alloc(in->mem->ctx,
                                       n * sizeof(dfp_credential_t));
    if (credentials->list == NULL) {
        return DFP_ERROR;
    }

    /* jansson does not iterate over const objects */

    json_object_foreach((json_t *) auths, key, value) {

        rc = dfp_credentials_parse_entry(in, key, value,
                                         &credentials->list[credentials->n]);

        switch (rc) {

        case DFP_OK:
            credentials->n++;
            break;

        case DFP_DECLINED:
            dfp_credentials_list(&unused, credentials->unusable++, key);
            break;

        default:
            return rc;
        }
    }

    credentials->unused = dfp_buf_value(&unused);

    return unused.failed ? DFP_ERROR : DFP_OK;
}


/* Helper programs are not run. Errors in their configuration are ignored. */

static dfp_rc_t
dfp_credentials_parse_helpers(dfp_json_t *in, dfp_credentials_t *credentials)
{
    size_t         n;
    json_t        *value;
    dfp_buf_t      helped;
    const char    *key;
    const json_t  *helpers;

    credentials->store = (dfp_json_field(in->object, "credsstore") != NULL);

    n = 0;
    helpers = dfp_json_field(in->object, "credhelpers");
    dfp_buf_init(&helped, in->mem, 0, 0);

    json_object_foreach((json_t *) helpers, key, value) {
        dfp_credentials_list(&helped, n++, key);
    }

    credentials->helped = dfp_buf_value(&helped);

    return helped.failed ? DFP_ERROR : DFP_OK;
}


/* DFP_DECLINED: the entry is correct and has no credentials. */

static dfp_rc_t
dfp_credentials_parse_entry(dfp_json_t *in, const char *key,
    const json_t *value, dfp_credential_t *credential)
{
    dfp_rc_t                 rc;
    dfp_json_t               fields;
    dfp_credentials_entry_t  entry;

    memset(credential, 0, sizeof(dfp_credential_t));

    entry.in = in;
    entry.credential = credential;
    entry.key = key;

    dfp_credentials_where(&entry);

    rc = dfp_credentials_parse_key(&entry);
    if (rc != DFP_OK) {
        return rc;
    }

    if (json_is_null(value)) {
        return DFP_DECLINED;
    }

    if (!json_is_object(value)) {
        return dfp_invalid(in->err, "%s must be an object", entry.where);
    }

    fields = *in;
    fields.object = value;
    fields.prefix = entry.prefix;

    entry.in = &fields;

    return dfp_credentials_parse_fields(&entry);
}


/* Sets the name of the entry in errors. */

static void
dfp_credentials_where(dfp_credentials_entry_t *entry)
{
    char  name[DFP_CREDENTIALS_NAME_LEN];

    dfp_credentials_name(entry->key, name);

    (void) snprintf(entry->where, sizeof(entry->where), "the entry %s", name);
    (void) snprintf(entry->prefix, sizeof(entry->prefix), "%s: ",
                    entry->where);
}


/*
 * The name of an entry for errors and the log. Its key may be any URL:
 * passwords and signatures in it are replaced, and characters that could
 * disturb a log.
 */

static void
dfp_credentials_name(const char *key, char *name)
{
    char        *p;
    size_t       len, i;
    const char  *hidden, *more;

    len = strcspn(key, "?#");
    hidden = "";

    for (i = len; i; i--) {
        if (key[i - 1] == '@') {
            key += i - 1;
            len -= i - 1;
            hidden = "***";
            break;
        }
    }

    more = key[len] ? "..." : "";

    if (len > DFP_CREDENTIALS_SHOWN) {
        len = DFP_CREDENTIALS_SHOWN;
        more = "...";
    }

    (void) snprintf(name, DFP_CREDENTIALS_NAME_LEN, "\"%s%.*s%s\"", hidden,
                    (int) len, key, more);

    for (p = name; *p; p++) {
        if (*p < 0x20 || *p >= 0x7f) {
            *p = '?';
        }
    }
}


/* The N-th of several. */

static void
dfp_credentials_list(dfp_buf_t *b, size_t n, const char *key)
{
    char  name[DFP_CREDENTIALS_NAME_LEN];

    if (n < DFP_CREDENTIALS_MAX_NAMES) {
        dfp_credentials_name(key, name);

        dfp_buf_cstr(b, n ? ", " : "");
        dfp_buf_cstr(b, name);

    } else if (n == DFP_CREDENTIALS_MAX_NAMES) {
        dfp_buf_cstr(b, ", ...");
    }
}


/* A key without a scheme is parsed as a URL: if that fails, it has no host. */

static dfp_rc_t
dfp_credentials_parse_key(dfp_credentials_entry_t *entry)
{
    int         scheme;
    dfp_rc_t    rc;
    char        text[sizeof("https://") + DFP_CREDENTIALS_MAX_KEY];
    size_t      len;
    dfp_url_t   url;
    dfp_err_t  *err;

    err = entry->in->err;
    len = strlen(entry->key);

    if (len > DFP_CREDENTIALS_MAX_KEY) {
        return dfp_invalid(err, "%s must not have a name longer than %d bytes",
                           entry->where, DFP_CREDENTIALS_MAX_KEY);
    }

    scheme = (strstr(entry->key, "://") != NULL);

    len = snprintf(text, sizeof(text), "%s%s", scheme ? "" : "https://",
                   entry->key);

    rc = dfp_url_parse(entry->in->mem, (dfp_str_t) { len, text },
                       entry->where, &url, err);
    if (rc != DFP_OK) {
        return rc;
    }

    if (entry->key[strcspn(entry->key, "?#")]) {
        return dfp_invalid(err, "%s must not have \"?\" or \"#\" in its name",
                           entry->where);
    }

    entry->credential->authority = dfp_docker_hub(url.authority)
                                   ? DFP_CREDENTIALS_HUB : url.authority;

    return dfp_credentials_parse_path(entry, url.path, scheme);
}


/*
 * Docker's keys end with the path of an API, podman's with a repository or a
 * parent of repositories. Other paths of URLs are taken for the latter, so a
 * password is never used for more than its key names.
 */

static dfp_rc_t
dfp_credentials_parse_path(dfp_credentials_entry_t *entry, dfp_str_t path,
    int scheme)
{
    size_t  i;

    static const char  allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

    if (dfp_str_eq(path, DFP_STR("/v1/")) || dfp_str_eq(path, DFP_STR("/v2/"))
        || (scheme && (dfp_str_eq(path, DFP_STR("/v1"))
                       || dfp_str_eq(path, DFP_STR("/v2")))))
    {
        path = DFP_STR("/");
    }

    path.data++;
    path.len--;

    if (path.len > 1 && path.data[path.len - 1] == '/') {
        path.len--;
    }

    for (i = 0; i < path.len; i++) {

        if (path.data[i] == '/') {
            if (i && i + 1 < path.len && path.data[i - 1] != '/') {
                continue;
            }

        } else if (memchr(allowed, path.data[i], sizeof(allowed) - 1)) {
            continue;
        }

        return dfp_invalid(entry->in->err,
            "%s must have a repository name, or nothing, after its host",
                           entry->where);
    }

    entry->credential->path = path;

    return DFP_OK;
}


static dfp_rc_t
dfp_credentials_parse_fields(dfp_credentials_entry_t *entry)
{
    dfp_rc_t           rc;
    size_t             i;
    dfp_str_t          auth;
    dfp_credential_t  *c;

    const struct {
        const char    *name;
        size_t         max;
        dfp_str_t     *value;
    } fields[] = {
        { "auth", DFP_CREDENTIALS_MAX_AUTH, &auth },
        { "username", DFP_CREDENTIALS_MAX_TEXT, &entry->credential->username },
        { "password", DFP_CREDENTIALS_MAX_TEXT, &entry->credential->password },
        { "registrytoken", DFP_CREDENTIALS_MAX_TEXT,
          &entry->credential->token },
        { "identitytoken", DFP_CREDENTIALS_MAX_TEXT,
          &entry->credential->identity }
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        rc = dfp_json_text(entry->in, fields[i].name, fields[i].max,
                           fields[i].value);
        if (rc != DFP_OK) {
            return rc;
        }
    }

    if (auth.len) {
        rc = dfp_credentials_parse_auth(entry, auth);
        if (rc != DFP_OK) {
            return rc;
        }
    }

    rc = dfp_credentials_check(entry);
    if (rc != DFP_OK) {
        return rc;
    }

    c = entry->credential;

    /* with an identity token docker stores a user name and no password */

    if (c->username.len == 0 || c->password.len == 0) {
        c->username = DFP_STR("");
        c->password = DFP_STR("");
    }

    return (c->username.len || c->token.len || c->identity.len) ? DFP_OK
                                                                : DFP_DECLINED;
}


static dfp_rc_t
dfp_credentials_parse_auth(dfp_credentials_entry_t *entry, dfp_str_t auth)
{
    char              *text, *colon;
    size_t             len;
    dfp_err_t         *err;
    dfp_mem_t         *mem;
    dfp_credential_t  *c;

    c = entry->credential;
    err = entry->in->err;
    mem = entry->in->mem;

    text = mem->alloc(mem->ctx, auth.len);
    if (text == NULL) {
        return DFP_ERROR;
    }

    if (dfp_base64_decode(auth, text, &len) != DFP_OK) {
        return dfp_invalid(err, "%sauth is not valid base64", entry->prefix);
    }

    colon = memchr(text, ':', len);
    if (colon == NULL) {
        return dfp_invalid(err, "%sauth has no \":\" between a user name and "
                           "a password", entry->prefix);
    }

    c->username = (dfp_str_t) { colon - text, text };
    c->password = (dfp_str_t) { text + len - (colon + 1), colon + 1 };

    return DFP_OK;
}


/* Checks an entry, in whichever form it was. */

static dfp_rc_t
dfp_credentials_check(dfp_credentials_entry_t *entry)
{
    dfp_err_t         *err;
    dfp_credential_t  *c;

    c = entry->credential;
    err = entry->in->err;

    if (c->username.len > DFP_CREDENTIALS_MAX_TEXT
        || c->password.len > DFP_CREDENTIALS_MAX_TEXT)
    {
        return dfp_invalid(err, "%sa user name or a password must not be "
                           "longer than %d bytes", entry->prefix,
                           DFP_CREDENTIALS_MAX_TEXT);
    }

    if (dfp_credentials_has_controls(c->username)
        || dfp_credentials_has_controls(c->password))
    {
        return dfp_invalid(err, "%sa user name or a password must not contain "
                           "control characters",
                           entry->prefix);
    }

    /* what follows the ":" would belong to the password (RFC 7617) */

    if (c->username.len && memchr(c->username.data, ':', c->username.len)) {
        return dfp_invalid(err, "%susername must not contain \":\"",
                           entry->prefix);
    }

    /* a token is sent as one word of a header */

    if (!dfp_credentials_is_word(c->token)
        || !dfp_credentials_is_word(c->identity))
    {
        return dfp_invalid(err, "%s%s must consist of printable ASCII "
                           "characters without spaces", entry->prefix,
                           dfp_credentials_is_word(c->token)
                           ? "identitytoken" : "registrytoken");
    }

    return DFP_OK;
}


static int
dfp_credentials_is_word(dfp_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= 0x20 || s.data[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}


static int
dfp_credentials_has_controls(dfp_str_t s)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < s.len; i++) {
        ch = (unsigned char) s.data[i];

        if (ch < 0x20 || ch == 0x7f) {
            return 1;
        }
    }

    return 0;
}
