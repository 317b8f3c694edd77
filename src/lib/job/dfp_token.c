/*
 * Personal access tokens: the requests to make and to change one, and the
 * secret.
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

/* how Go's encoding/json writes a time that is not set */
#define DFP_TOKEN_NO_TIME     "0001-01-01T00:00:00Z"

/* length of the base64, with padding and NUL */
#define DFP_TOKEN_ENCODED     ((DFP_TOKEN_BYTES + 2) / 3 * 4 + 1)


static dfp_rc_t dfp_token_parse_fields(dfp_json_t *in, int64_t now,
    dfp_token_t *token);
static dfp_rc_t dfp_token_parse_scopes(dfp_json_t *in, const json_t **array,
    unsigned *scopes);
static dfp_rc_t dfp_token_parse_expiry(dfp_json_t *in, dfp_str_t *text,
    int64_t *expired_at);
static dfp_rc_t dfp_token_change_fields(dfp_json_t *in,
    dfp_token_change_t *change);


/* in the order of the output */

static const dfp_json_name_t  dfp_token_scopes[] = {
    { "job", DFP_TOKEN_JOB },
    { "cluster", DFP_TOKEN_CLUSTER },
    { "origin-credentials", DFP_TOKEN_ORIGIN_CREDENTIALS },
    { NULL, 0 }
};

static const dfp_json_name_t  dfp_token_states[] = {
    { "active", DFP_TOKEN_ACTIVE },
    { "inactive", DFP_TOKEN_INACTIVE },
    { NULL, 0 }
};

static const dfp_json_range_t  dfp_token_user_ids = { 0, INT64_MAX, 0, "" };


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
    dfp_rc_t       rc;
    dfp_str_t      expiry;
    const json_t  *array;

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

    rc = dfp_token_parse_scopes(in, &array, &token->scopes);
    if (rc != DFP_OK) {
        return rc;
    }

    if (token->scopes == 0) {
        token->scopes = DFP_TOKEN_JOB|DFP_TOKEN_CLUSTER;
    }

    rc = dfp_json_int(in, "user_id", &dfp_token_user_ids, &token->user_id);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_token_parse_expiry(in, &expiry, &token->expired_at);
    if (rc != DFP_OK) {
        return rc;
    }

    if (expiry.len == 0) {
        return dfp_invalid(in->err, "expired_at is required");
    }

    if (token->expired_at <= now) {
        return dfp_invalid(in->err, "expired_at must be in the future");
    }

    return DFP_OK;
}


/* *ARRAY is NULL if the field is absent. */

static dfp_rc_t
dfp_token_parse_scopes(dfp_json_t *in, const json_t **array, unsigned *scopes)
{
    int       scope;
    dfp_rc_t  rc;
    char      what[DFP_JSON_WHAT_LEN];
    size_t    i;

    *array = NULL;

    rc = dfp_json_array(in, "scopes", DFP_TOKEN_MAX_SCOPES, array);
    if (rc != DFP_OK) {
        return rc;
    }

    for (i = 0; i < json_array_size(*array); i++) {
        (void) snprintf(what, sizeof(what), "scopes[%zu]", i);

        rc = dfp_json_value_choice(in, json_array_get(*array, i), what,
                                   dfp_token_scopes, &scope);
        if (rc != DFP_OK) {
            return rc;
        }

        *scopes |= scope;
    }

    return DFP_OK;
}


/* TEXT is "" if the field is absent. */

static dfp_rc_t
dfp_token_parse_expiry(dfp_json_t *in, dfp_str_t *text, int64_t *expired_at)
{
    dfp_rc_t  rc;

    rc = dfp_json_line(in, "expired_at", DFP_TOKEN_MAX_TIME, text);

    if (rc == DFP_OK && dfp_str_eq(*text, DFP_STR(DFP_TOKEN_NO_TIME))) {
        *text = DFP_STR("");
    }

    if (rc != DFP_OK || text->len == 0) {
        return rc;
    }

    if (dfp_time_parse(*text, expired_at) != DFP_OK) {
        return dfp_invalid(in->err, "expired_at must be an RFC 3339 time, for "
                           "example 2030-01-31T00:00:00Z");
    }

    return DFP_OK;
}


dfp_rc_t
dfp_token_parse_change(dfp_mem_t *mem, dfp_str_t body,
    dfp_token_change_t *change, dfp_err_t *err)
{
    dfp_rc_t    rc;
    dfp_json_t  in;

    memset(change, 0, sizeof(dfp_token_change_t));

    rc = dfp_json_open(&in, mem, body, "the body", "", err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_token_change_fields(&in, change);

    dfp_json_close(&in);

    return rc;
}


static dfp_rc_t
dfp_token_change_fields(dfp_json_t *in, dfp_token_change_t *change)
{
    int            state;
    dfp_rc_t       rc;
    dfp_str_t      expiry;
    const json_t  *array;

    rc = dfp_json_text(in, "bio", DFP_TOKEN_MAX_BIO, &change->bio);
    if (rc != DFP_OK) {
        return rc;
    }

    change->bio_given = (dfp_json_field(in->object, "bio") != NULL);

    rc = dfp_token_parse_scopes(in, &array, &change->scopes);
    if (rc != DFP_OK) {
        return rc;
    }

    if (array && change->scopes == 0) {
        return dfp_invalid(in->err, "scopes must have at least one element; a "
                           "token is revoked by state inactive");
    }

    state = DFP_TOKEN_ANY_STATE;

    rc = dfp_json_choice(in, "state", dfp_token_states, &state);
    if (rc != DFP_OK) {
        return rc;
    }

    change->state = state;

    rc = dfp_json_int(in, "user_id", &dfp_token_user_ids, &change->user_id);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_token_parse_expiry(in, &expiry, &change->expired_at);

    change->expiry_given = (rc == DFP_OK && expiry.len > 0);

    return rc;
}


dfp_rc_t
dfp_token_parse_state(dfp_str_t name, dfp_token_state_t *state, dfp_err_t *err)
{
    const dfp_json_name_t  *p;

    *state = DFP_TOKEN_ANY_STATE;

    if (name.len == 0) {
        return DFP_OK;
    }

    for (p = dfp_token_states; p->name; p++) {
        if (dfp_str_eq(name, dfp_cstr(p->name))) {
            *state = p->value;
            return DFP_OK;
        }
    }

    return dfp_invalid(err, "state must be active or inactive");
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
