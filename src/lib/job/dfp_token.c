/*
 * Personal access tokens: the request for one, and the secret.
 */

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "dfp_json.h"
#include "dfp_random.h"
#include "dfp_time.h"
#include "dfp_token.h"


#define DFP_TOKEN_BYTES       32
#define DFP_TOKEN_MAX_SCOPES  16     /* in a request: doubles are harmless */
#define DFP_TOKEN_MAX_TIME    64     /* bytes: fractions may be long */

/* length of the base64, with padding and NUL */
#define DFP_TOKEN_ENCODED     ((DFP_TOKEN_BYTES + 2) / 3 * 4 + 1)


static dfp_rc_t dfp_token_parse_fields(dfp_json_t *in, int64_t now,
    dfp_token_t *token);
static dfp_rc_t dfp_token_parse_scopes(dfp_json_t *in, dfp_token_t *token);
static dfp_rc_t dfp_token_parse_expiry(dfp_json_t *in, int64_t now,
    dfp_token_t *token);


/* in the order of the output */

static const dfp_json_name_t  dfp_token_scopes[] = {
    { "job", DFP_TOKEN_JOB },
    { "cluster", DFP_TOKEN_CLUSTER },
    { "origin-credentials", DFP_TOKEN_ORIGIN_CREDENTIALS },
    { NULL, 0 }
};


dfp_rc_t
dfp_token_parse(dfp_mem_t *mem, dfp_str_t body, int64_t now,
    dfp_token_t *token, dfp_err_t *err)
{
    dfp_rc_t    rc;
    dfp_json_t  in;

    memset(token, 0, sizeof(dfp_token_t));

    rc = dfp_json_open(&in, mem, body, "the body", "", err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_token_parse_fields(&in, now, token);

    dfp_json_close(&in);

    return rc;
}


static dfp_rc_t
dfp_token_parse_fields(dfp_json_t *in, int64_t now, dfp_token_t *token)
{
    dfp_rc_t  rc;

    static const dfp_json_range_t  user_ids = { 0, INT64_MAX, 0, "" };

    rc = dfp_json_line(in, "name", DFP_TOKEN_MAX_NAME, &token->name);
    if (rc != DFP_OK) {
        return rc;
    }

    if (token->name.len == 0) {
        return dfp_invalid(in->err, "name is required");
    }

    rc = dfp_json_text(in, "bio", DFP_TOKEN_MAX_BIO, &token->bio);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_token_parse_scopes(in, token);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_json_int(in, "user_id", &user_ids, &token->user_id);
    if (rc != DFP_OK) {
        return rc;
    }

    return dfp_token_parse_expiry(in, now, token);
}


static dfp_rc_t
dfp_token_parse_scopes(dfp_json_t *in, dfp_token_t *token)
{
    int            scope;
    dfp_rc_t       rc;
    char           what[DFP_JSON_WHAT_LEN];
    size_t         i;
    const json_t  *array;

    array = NULL;

    rc = dfp_json_array(in, "scopes", DFP_TOKEN_MAX_SCOPES, &array);
    if (rc != DFP_OK) {
        return rc;
    }

    for (i = 0; i < json_array_size(array); i++) {
        (void) snprintf(what, sizeof(what), "scopes[%zu]", i);

        rc = dfp_json_value_choice(in, json_array_get(array, i), what,
                                   dfp_token_scopes, &scope);
        if (rc != DFP_OK) {
            return rc;
        }

        token->scopes |= scope;
    }

    if (token->scopes == 0) {
        token->scopes = DFP_TOKEN_JOB|DFP_TOKEN_CLUSTER;
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_token_parse_expiry(dfp_json_t *in, int64_t now, dfp_token_t *token)
{
    dfp_rc_t   rc;
    dfp_str_t  text;

    rc = dfp_json_line(in, "expired_at", DFP_TOKEN_MAX_TIME, &text);
    if (rc != DFP_OK) {
        return rc;
    }

    if (text.len == 0) {
        return dfp_invalid(in->err, "expired_at is required");
    }

    if (dfp_time_parse(text, &token->expired_at) != DFP_OK) {
        return dfp_invalid(in->err, "expired_at must be an RFC 3339 time, for "
                           "example 2030-01-31T00:00:00Z");
    }

    if (token->expired_at <= now) {
        return dfp_invalid(in->err, "expired_at must be in the future");
    }

    return DFP_OK;
}


dfp_rc_t
dfp_token_generate(char *out)
{
    size_t         i;
    unsigned char  secret[DFP_TOKEN_BYTES], text[DFP_TOKEN_ENCODED];

    if (dfp_random(secret, sizeof(secret)) != DFP_OK) {
        return DFP_ERROR;
    }

    (void) EVP_EncodeBlock(text, secret, sizeof(secret));

    /* the alphabet of RFC 4648, section 5, which needs no escapes in URLs and
     * shells; the padding is dropped */

    for (i = 0; i < DFP_TOKEN_LEN; i++) {
        out[i] = (text[i] == '+') ? '-' : (text[i] == '/') ? '_' : text[i];
    }

    out[DFP_TOKEN_LEN] = '\0';

    OPENSSL_cleanse(secret, sizeof(secret));
    OPENSSL_cleanse(text, sizeof(text));

    return DFP_OK;
}


void
dfp_token_scopes_print(unsigned scopes, char *out, size_t size)
{
    int                     n;
    const char             *comma;
    const dfp_json_name_t  *p;

    comma = "";

    if (size) {
        out[0] = '\0';
    }

    for (p = dfp_token_scopes; p->name; p++) {

        if ((scopes & p->value) == 0) {
            continue;
        }

        n = snprintf(out, size, "%s%s", comma, p->name);

        /* a part of a name could be the name of another scope */

        if (n < 0 || (size_t) n >= size) {
            if (size) {
                out[0] = '\0';
            }

            return;
        }

        out += n;
        size -= n;
        comma = ",";
    }
}
