/*
 * URLs as they may be shown: without secrets.
 */

#include "dfp_buf.h"
#include "dfp_char.h"
#include "dfp_hex.h"
#include "dfp_url.h"


#define DFP_URL_HIDDEN  "***"


/* Query parameters whose values are secret: by the beginning or the end of
 * their names, by words in them, and by whole names, all in lower case. */

/* the signatures of object stores: S3, GCS, Azure, OSS, OBS, TOS, COS, and of
 * Artifactory */
static const char *const  dfp_url_secret_prefixes[] = {
    "x-amz-", "x-goog-", "x-ms-", "x-oss-", "x-obs-", "x-tos-", "x-cos-", "q-",
    "x-jfrog-", "x-artifactory-", "oauth_", NULL
};

static const char *const  dfp_url_secret_ends[] = {
    "key", "jwt", "hmac", "-auth", "_auth", "-sig", "_sig", "-sign", "_sign",
    "-hash", "_hash", "-pass", "_pass", "-code", "_code", "-otp", "_otp",
    "-pat", "_pat", NULL
};

static const char *const  dfp_url_secret_words[] = {
    "token", "secret", "signature", "password", "passwd", "passcode",
    "credential", "authorization", "session", "bearer", "apikey", "api_key",
    "api-key", "accesskey", "access_key", "access-key", "accessid", "tempauth",
    NULL
};

/* among them the sig, st and se of Azure, CloudFront's Policy, Cloud CDN's
 * KeyName, Akamai's hdnts, Tencent's txTime, Cloudflare's verify, the md5 of
 * secure links, and the code of Azure's functions and of OAuth */
static const char *const  dfp_url_secret_names[] = {
    "expires", "expire", "ns", "sig", "sign", "st", "se", "sas", "skoid",
    "sktid", "pass", "pwd", "pw", "pin", "otp", "pat", "auth", "auth_info",
    "authkey", "policy", "key-pair-id", "keyname", "hdnts", "hdnea", "txtime",
    "hwtime", "verify", "hash", "mac", "md5", "code", "ticket", "username",
    "user", NULL
};


static void dfp_url_redact_params(dfp_buf_t *b, dfp_str_t text, size_t pos,
    char *name);
static size_t dfp_url_authority(dfp_str_t text, size_t *userinfo,
    size_t *at);
static size_t dfp_url_secret_value(dfp_str_t text, size_t pos, char *name);
static int dfp_url_secret_name(dfp_str_t name);


dfp_rc_t
dfp_url_redact(dfp_mem_t *mem, dfp_str_t text, dfp_str_t *out, int *changed)
{
    char       *name;
    size_t      end, userinfo, at;
    dfp_buf_t   b;

    *out = text;
    *changed = 0;

    if (text.len == 0) {
        return DFP_OK;
    }

    /* room for the longest possible name */

    name = mem->alloc(mem->ctx, text.len);
    if (name == NULL) {
        return DFP_ERROR;
    }

    dfp_buf_init(&b, mem, text.len + sizeof(DFP_URL_HIDDEN), 0);

    end = dfp_url_authority(text, &userinfo, &at);

    if (at > userinfo) {
        dfp_buf_append(&b, text.data, userinfo);
        dfp_buf_cstr(&b, DFP_URL_HIDDEN);
        dfp_buf_append(&b, text.data + at, end - at);

    } else {
        dfp_buf_append(&b, text.data, end);
    }

    dfp_url_redact_params(&b, text, end, name);

    if (b.failed) {
        return DFP_ERROR;
    }

    if (!dfp_str_eq(dfp_buf_value(&b), text)) {
        *out = dfp_buf_value(&b);
        *changed = 1;
    }

    return DFP_OK;
}


dfp_rc_t
dfp_url_secrets(dfp_mem_t *mem, dfp_str_t text, dfp_str_t *list, size_t max,
    size_t *n)
{
    char       *name;
    size_t      pos, value;
    dfp_str_t   secret;

    *n = 0;

    name = mem->alloc(mem->ctx, text.len + 1);
    if (name == NULL) {
        return DFP_ERROR;
    }

    for (pos = 0; pos < text.len && *n < max; pos++) {

        if (memchr("?&;#", text.data[pos], 4) == NULL) {
            continue;
        }

        value = dfp_url_secret_value(text, pos + 1, name);
        if (value == 0) {
            continue;
        }

        secret = (dfp_str_t) { 0, text.data + value };

        while (value + secret.len < text.len
               && secret.data[secret.len] != '&')
        {
            secret.len++;
        }

        if (secret.len >= DFP_URL_MIN_SECRET) {
            list[(*n)++] = secret;
        }
    }

    return DFP_OK;
}


/* Appends TEXT from POS on. Not only the query string may have parameters, but
 * also a fragment, and a part of the path. */

static void
dfp_url_redact_params(dfp_buf_t *b, dfp_str_t text, size_t pos, char *name)
{
    size_t       start, value;
    const char  *end;

    start = pos;

    while (pos < text.len) {

        if (memchr("?&;#", text.data[pos++], 4) == NULL) {
            continue;
        }

        value = dfp_url_secret_value(text, pos, name);
        if (value == 0) {
            continue;
        }

        dfp_buf_append(b, text.data + start, value - start);
        dfp_buf_cstr(b, DFP_URL_HIDDEN);

        /* some servers end a value at ";", others do not: all of it is
         * replaced */

        end = memchr(text.data + value, '&', text.len - value);
        pos = end ? (size_t) (end - text.data) : text.len;
        start = pos;
    }

    dfp_buf_append(b, text.data + start, text.len - start);
}


/*
 * Returns the end of the authority, or 0 if there is none. User name and
 * password are from *USERINFO to the "@" at *AT; without them *AT is 0. No URL
 * with them is accepted, but refused ones may be shown.
 */

static size_t
dfp_url_authority(dfp_str_t text, size_t *userinfo, size_t *at)
{
    size_t  i;

    *userinfo = 0;
    *at = 0;

    /* no further than the first "=": what follows that may get hidden, and
     * the text must not look like another one then */

    for (i = 0; i + 1 < text.len; i++) {
        if (memchr("/?#=", text.data[i], 4)) {
            break;
        }
    }

    if (i + 1 >= text.len || memcmp(text.data + i, "//", 2) != 0) {
        return 0;
    }

    i += 2;
    *userinfo = i;

    while (i < text.len && memchr("/?#", text.data[i], 3) == NULL) {
        if (text.data[i] == '@') {
            *at = i;
        }

        i++;
    }

    return i;
}


/* Returns where the value of the parameter at POS begins if it is secret, and
 * 0 otherwise. */

static size_t
dfp_url_secret_value(dfp_str_t text, size_t pos, char *name)
{
    int        byte;
    char       ch;
    dfp_str_t  decoded;

    decoded.data = name;
    decoded.len = 0;

    while (pos < text.len && text.data[pos] != '=') {
        ch = text.data[pos++];

        if (memchr("?&;#", ch, 4)) {
            return 0;
        }

        /* to the origin X%2DAmz-Signature is the same parameter */

        if (ch == '%' && text.len - pos >= 2) {
            byte = dfp_hex_byte(&text.data[pos]);

            if (byte >= 0) {
                ch = (char) byte;
                pos += 2;
            }
        }

        name[decoded.len++] = dfp_lower(ch);
    }

    /* at least the "=" and one byte of the value */

    if (text.len - pos < 2 || text.data[pos + 1] == '&'
        || !dfp_url_secret_name(decoded))
    {
        return 0;
    }

    return pos + 1;
}


static int
dfp_url_secret_name(dfp_str_t name)
{
    const char *const  *p;

    for (p = dfp_url_secret_prefixes; *p; p++) {
        if (dfp_str_case_starts(name, dfp_cstr(*p))) {
            return 1;
        }
    }

    for (p = dfp_url_secret_ends; *p; p++) {
        if (dfp_str_ends(name, dfp_cstr(*p))) {
            return 1;
        }
    }

    for (p = dfp_url_secret_words; *p; p++) {
        if (dfp_str_find(name, *p)) {
            return 1;
        }
    }

    for (p = dfp_url_secret_names; *p; p++) {
        if (dfp_str_eq(name, dfp_cstr(*p))) {
            return 1;
        }
    }

    return 0;
}
