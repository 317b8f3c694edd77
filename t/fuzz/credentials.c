/*
 * Files of credentials: what is listed can be used as it is, and a user name
 * and a password come out as they went in.
 */

#include <openssl/evp.h>

#include "dfp_buf.h"
#include "dfp_credentials.h"
#include "dfp_url.h"
#include "dfp_fuzz.h"


static void
check_text(dfp_str_t s)
{
    size_t         i;
    unsigned char  ch;

    MUST(s.len <= DFP_CREDENTIALS_MAX_TEXT);

    for (i = 0; i < s.len; i++) {
        ch = (unsigned char) s.data[i];
        MUST(ch >= 0x20 && ch != 0x7f);
    }
}


static void
check_authority(dfp_str_t authority)
{
    size_t     i;
    dfp_buf_t  b;
    dfp_err_t  err;
    dfp_url_t  url;

    MUST(authority.len > 0);

    for (i = 0; i < authority.len; i++) {
        MUST(!(authority.data[i] >= 'A' && authority.data[i] <= 'Z'));
        MUST(authority.data[i] != '/' && authority.data[i] != '@');
    }

    MUST(!dfp_docker_hub(authority)
         || dfp_str_eq(authority, DFP_STR("docker.io")));

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_buf_cstr(&b, "https://");
    dfp_buf_str(&b, authority);

    MUST(dfp_url_parse(dfp_fuzz_mem(), dfp_buf_value(&b), "authority", &url,
                       &err) == DFP_OK);
}


static void
check_path(dfp_str_t path)
{
    size_t  i;

    MUST(path.len <= DFP_CREDENTIALS_MAX_KEY);

    if (path.len == 0) {
        return;
    }

    MUST(path.data[0] != '/' && path.data[path.len - 1] != '/');

    for (i = 0; i < path.len; i++) {
        MUST(memchr("%?#@:\\", path.data[i], 6) == NULL);
        MUST(!(path.data[i] >= 'A' && path.data[i] <= 'Z'));
    }
}


static void
check_listed(const dfp_credentials_t *credentials, const dfp_credential_t *c)
{
    size_t                   i;
    dfp_buf_t                b;
    const dfp_credential_t  *found;

    check_authority(c->authority);
    check_path(c->path);
    check_text(c->username);
    check_text(c->password);
    check_text(c->token);

    MUST((c->username.len == 0) == (c->password.len == 0));
    MUST(c->username.len || c->token.len || c->identity.len);
    MUST(c->username.len == 0
         || memchr(c->username.data, ':', c->username.len) == NULL);

    for (i = 0; i < c->token.len; i++) {
        MUST(c->token.data[i] > 0x20 && c->token.data[i] < 0x7f);
    }

    for (i = 0; i < c->identity.len; i++) {
        MUST(c->identity.data[i] > 0x20 && c->identity.data[i] < 0x7f);
    }

    /* it is found, or one before it with the same name, and by what is below
     * it nothing shorter is */

    found = dfp_credentials_find(credentials, c->authority, c->path);
    MUST(found && found <= c);
    MUST(dfp_str_eq(found->authority, c->authority));
    MUST(dfp_str_eq(found->path, c->path));

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_buf_str(&b, c->path);
    dfp_buf_cstr(&b, c->path.len ? "/below" : "below");

    found = dfp_credentials_find(credentials, c->authority, dfp_buf_value(&b));
    MUST(found && found->path.len >= c->path.len);
}


static int
parse(dfp_str_t text, dfp_credentials_t *credentials)
{
    int          rc;
    size_t       i;
    dfp_err_t    err;

    err.text[0] = '\0';

    rc = dfp_credentials_parse(dfp_fuzz_mem(), text, credentials, &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(credentials->n == 0);
        MUST(strncmp(err.text, "the file ", 9) == 0
             || strncmp(err.text, "the entry \"", 11) == 0
             || strncmp(err.text, "auths ", 6) == 0);

        for (i = 0; err.text[i]; i++) {
            MUST(err.text[i] >= 0x20 && err.text[i] < 0x7f);
        }

        return rc;
    }

    MUST(credentials->n + credentials->unusable
         <= DFP_CREDENTIALS_MAX_ENTRIES);

    for (i = 0; i < credentials->n; i++) {
        check_listed(credentials, &credentials->list[i]);
    }

    return rc;
}


/* As the key of an entry, with a password that no error may show. */

static void
check_key(dfp_str_t key)
{
    dfp_buf_t          b;
    dfp_credentials_t  credentials;

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"auths\":{");
    dfp_buf_json(&b, key);
    dfp_buf_cstr(&b, ":{\"auth\":\"YTpi\"}}}");

    if (parse(dfp_buf_value(&b), &credentials) == DFP_OK) {
        MUST(credentials.n == 1);
        MUST(dfp_str_eq(credentials.list[0].username, DFP_STR("a")));
        MUST(dfp_str_eq(credentials.list[0].password, DFP_STR("b")));
    }
}


/* As a user name and a password. */

static void
check_auth(dfp_str_t text)
{
    char               *encoded;
    dfp_buf_t           b;
    dfp_str_t           username, password;
    const char         *colon;
    dfp_credentials_t   credentials;

    encoded = dfp_fuzz_alloc(NULL, (text.len + 2) / 3 * 4 + 1);
    (void) EVP_EncodeBlock((unsigned char *) encoded,
                           (const unsigned char *) text.data, (int) text.len);

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"auths\":{\"r.lan\":{\"auth\":\"");
    dfp_buf_cstr(&b, encoded);
    dfp_buf_cstr(&b, "\"}}}");

    colon = text.len ? memchr(text.data, ':', text.len) : NULL;

    if (parse(dfp_buf_value(&b), &credentials) != DFP_OK) {
        return;
    }

    if (colon == NULL) {
        MUST(text.len == 0 && credentials.n == 0);
        return;
    }

    username = (dfp_str_t) { colon - text.data, text.data };
    password = (dfp_str_t) { text.data + text.len - (colon + 1), colon + 1 };

    if (username.len == 0 || password.len == 0) {
        MUST(credentials.n == 0 && credentials.unusable == 1);
        return;
    }

    MUST(credentials.n == 1);
    MUST(dfp_str_eq(credentials.list[0].username, username));
    MUST(dfp_str_eq(credentials.list[0].password, password));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dfp_str_t          text = { size, (const char *) data };
    dfp_credentials_t  credentials;

    (void) parse(text, &credentials);

    check_key(text);
    check_auth(text);

    dfp_fuzz_free();

    return 0;
}
