/*
 * Answers of token services and registries, and Basic authentication.
 */

#include <openssl/evp.h>

#include "dfp_buf.h"
#include "dfp_challenge.h"
#include "dfp_json.h"
#include "dfp_mask.h"
#include "dfp_text.h"


/* OpenSSL's lengths are int. */
#define DFP_BASIC_MAX_LEN  65536    /* bytes of user name, ":" and password */

#define DFP_BASIC_SCHEME   "Basic "


static dfp_rc_t dfp_registry_token_fields(dfp_json_t *in,
    dfp_registry_token_t *token);
static int64_t dfp_registry_expires(const json_t *value);
static dfp_rc_t dfp_registry_words(dfp_mem_t *mem,
    const dfp_registry_answer_t *answer, const json_t *root, dfp_str_t *text);
static dfp_str_t dfp_registry_string(const json_t *object, const char *key);
static dfp_rc_t dfp_registry_print(dfp_mem_t *mem,
    const dfp_registry_answer_t *answer, dfp_str_t code, dfp_str_t message,
    dfp_str_t *text);
static dfp_rc_t dfp_registry_plain(dfp_mem_t *mem,
    const dfp_registry_answer_t *answer, dfp_str_t *text);
static const char *dfp_registry_markup(dfp_str_t type, dfp_str_t body);
static int dfp_registry_type(dfp_str_t type, const char *name);
static dfp_rc_t dfp_registry_clean(dfp_mem_t *mem,
    const dfp_registry_answer_t *answer, dfp_str_t words, dfp_str_t *text);


dfp_rc_t
dfp_registry_token_parse(dfp_mem_t *mem, dfp_str_t body,
    dfp_registry_token_t *token, dfp_err_t *err)
{
    dfp_rc_t    rc;
    dfp_json_t  in;

    token->token = DFP_STR("");
    token->expires = DFP_CHALLENGE_EXPIRES;

    rc = dfp_json_open(&in, mem, body, "the token service's answer",
                       "the token service's ", err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_registry_token_fields(&in, token);

    dfp_json_close(&in);

    if (rc != DFP_OK) {
        token->token = DFP_STR("");
    }

    return rc;
}


static dfp_rc_t
dfp_registry_token_fields(dfp_json_t *in, dfp_registry_token_t *token)
{
    dfp_rc_t     rc;
    size_t       i;
    const char  *name;

    name = "token";

    rc = dfp_json_text(in, name, DFP_CHALLENGE_MAX_TOKEN, &token->token);

    /* some services leave one of the two empty */

    if (rc == DFP_OK && token->token.len == 0) {
        name = "access_token";

        rc = dfp_json_text(in, name, DFP_CHALLENGE_MAX_TOKEN, &token->token);
    }

    if (rc != DFP_OK) {
        return rc;
    }

    if (token->token.len == 0) {
        return dfp_invalid(in->err, "the token service's answer has no token");
    }

    for (i = 0; i < token->token.len; i++) {
        if (token->token.data[i] <= 0x20 || token->token.data[i] >= 0x7f) {
            return dfp_invalid(in->err, "the token service's %s must consist "
                               "of printable ASCII characters "
                               "without spaces",
                               name);
        }
    }

    token->expires = dfp_registry_expires(dfp_json_field(in->object,
                                                         "expires_in"));

    return DFP_OK;
}


/* A number may have a fraction. Anything but a number counts as absent. */

static int64_t
dfp_registry_expires(const json_t *value)
{
    double  seconds;

    seconds = json_number_value(value);

    if (!(seconds >= 1)) {
        return DFP_CHALLENGE_EXPIRES;
    }

    if (seconds > DFP_CHALLENGE_EXPIRES_MAX) {
        return DFP_CHALLENGE_EXPIRES_MAX;
    }

    return (int64_t) seconds;
}


dfp_rc_t
dfp_registry_error(dfp_mem_t *mem, const dfp_registry_answer_t *answer,
    dfp_str_t *text)
{
    dfp_rc_t    rc;
    dfp_err_t   err;
    dfp_json_t  in;

    *text = DFP_STR("");

    rc = dfp_json_open(&in, mem, answer->body, "the body", "", &err);

    if (rc == DFP_INVALID) {
        return dfp_registry_plain(mem, answer, text);
    }

    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_registry_words(mem, answer, in.root, text);

    dfp_json_close(&in);

    return rc;
}


static dfp_rc_t
dfp_registry_words(dfp_mem_t *mem, const dfp_registry_answer_t *answer,
    const json_t *root, dfp_str_t *text)
{
    dfp_rc_t       rc;
    const json_t  *error;
    const char    *const  *key;

    static const char *const  keys[] = { "error", "details", "message", NULL };

    /* jansson returns NULL for absent values, and for what is not an array */

    error = json_array_get(dfp_json_field(root, "errors"), 0);

    rc = dfp_registry_print(mem, answer, dfp_registry_string(error, "code"),
                            dfp_registry_string(error, "message"), text);

    for (key = keys; rc == DFP_DECLINED && *key; key++) {
        rc = dfp_registry_print(mem, answer, DFP_STR(""),
                                dfp_registry_string(root, *key), text);
    }

    return rc;
}


/* "" if it is not a string. */

static dfp_str_t
dfp_registry_string(const json_t *object, const char *key)
{
    const json_t  *value;

    value = dfp_json_field(object, key);

    if (!json_is_string(value)) {
        return DFP_STR("");
    }

    return (dfp_str_t) { json_string_length(value), json_string_value(value) };
}


/* "CODE: MESSAGE", or one of them. */

static dfp_rc_t
dfp_registry_print(dfp_mem_t *mem, const dfp_registry_answer_t *answer,
    dfp_str_t code, dfp_str_t message, dfp_str_t *text)
{
    dfp_buf_t  b;

    if (code.len == 0 && message.len == 0) {
        return DFP_DECLINED;
    }

    dfp_buf_init(&b, mem, code.len + sizeof(": ") + message.len, 0);
    dfp_buf_str(&b, code);
    dfp_buf_cstr(&b, (code.len && message.len) ? ": " : "");
    dfp_buf_str(&b, message);

    if (b.failed) {
        return DFP_ERROR;
    }

    return dfp_registry_clean(mem, answer, dfp_buf_value(&b), text);
}


/* For a body that is not JSON, or is incomplete. */

static dfp_rc_t
dfp_registry_plain(dfp_mem_t *mem, const dfp_registry_answer_t *answer,
    dfp_str_t *text)
{
    dfp_str_t    body;
    const char  *markup;

    body = answer->body;

    while (body.len && memchr(" \t\r\n", body.data[0], 4)) {
        body.data++;
        body.len--;
    }

    if (body.len == 0) {
        return DFP_DECLINED;
    }

    markup = dfp_registry_markup(answer->type, body);

    if (markup) {
        *text = dfp_cstr(markup);
        return DFP_OK;
    }

    /* not a part of a JSON text, and not binary */

    if ((answer->type.len && !dfp_registry_type(answer->type, "text/plain"))
        || memchr("{[", body.data[0], 2)
        || memchr(body.data, '\0', body.len))
    {
        return DFP_DECLINED;
    }

    if (answer->cut) {
        body = dfp_mask_end(body, answer->secrets, answer->nsecrets);
    }

    return dfp_registry_clean(mem, answer, body, text);
}


/* The type of a document for browsers; NULL: it is not one. */

static const char *
dfp_registry_markup(dfp_str_t type, dfp_str_t body)
{
    const char *const  *name;

    static const char *const  names[] = {
        "text/html", "application/xhtml+xml", "application/xml", "text/xml",
        NULL
    };

    for (name = names; *name; name++) {
        if (dfp_registry_type(type, *name)) {
            return *name;
        }
    }

    return (body.data[0] == '<') ? names[0] : NULL;
}


/* Parameters may follow, as "; charset=utf-8". */

static int
dfp_registry_type(dfp_str_t type, const char *name)
{
    size_t  len;

    len = strlen(name);

    return dfp_str_case_starts(type, dfp_cstr(name))
           && (type.len == len || memchr("; \t", type.data[len], 3));
}


/* Secrets are removed before the text is cut, so that no part of one
 * remains. */

static dfp_rc_t
dfp_registry_clean(dfp_mem_t *mem, const dfp_registry_answer_t *answer,
    dfp_str_t words, dfp_str_t *text)
{
    dfp_str_t  masked;

    if (dfp_mask(mem, words, answer->secrets, answer->nsecrets, &masked)
        != DFP_OK
        || dfp_text_clean(mem, masked, DFP_REGISTRY_ERROR_MAX, text) != DFP_OK)
    {
        *text = DFP_STR("");
        return DFP_ERROR;
    }

    return text->len ? DFP_OK : DFP_DECLINED;
}


/* The first ":" ends the user name. */

dfp_rc_t
dfp_basic_print(dfp_mem_t *mem, dfp_str_t username, dfp_str_t password,
    dfp_str_t *value)
{
    char       *p;
    size_t      len;
    dfp_buf_t   plain;

    *value = DFP_STR("");

    if (username.len > DFP_BASIC_MAX_LEN
        || password.len > DFP_BASIC_MAX_LEN
        || username.len + 1 + password.len > DFP_BASIC_MAX_LEN
        || (username.len && memchr(username.data, ':', username.len)))
    {
        return DFP_INVALID;
    }

    len = username.len + 1 + password.len;

    dfp_buf_init(&plain, mem, len, 0);
    dfp_buf_str(&plain, username);
    dfp_buf_cstr(&plain, ":");
    dfp_buf_str(&plain, password);

    /* EVP_EncodeBlock() writes a NUL, too: the size of the literal has it */

    p = mem->alloc(mem->ctx, sizeof(DFP_BASIC_SCHEME) + (len + 2) / 3 * 4);

    if (plain.failed || p == NULL) {
        return DFP_ERROR;
    }

    memcpy(p, DFP_BASIC_SCHEME, sizeof(DFP_BASIC_SCHEME) - 1);

    value->len = sizeof(DFP_BASIC_SCHEME) - 1
                 + EVP_EncodeBlock((unsigned char *) p
                                   + sizeof(DFP_BASIC_SCHEME) - 1,
                                   (unsigned char *) plain.data, (int) len);
    value->data = p;

    return DFP_OK;
}
