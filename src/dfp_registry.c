/*
 * What token services and registries answer, and what Basic authentication
 * says to them.
 */

#include <openssl/evp.h>

#include "dfp_buf.h"
#include "dfp_challenge.h"
#include "dfp_json.h"


/* OpenSSL counts in an int what it encodes. */
#define DFP_BASIC_MAX_LEN  65536    /* bytes of user name, ":" and password */

#define DFP_BASIC_SCHEME   "Basic "


/* Code points, from the first to the last of a range. */
typedef struct {
    uint32_t    first;
    uint32_t    last;
} dfp_registry_range_t;


static int dfp_registry_token_fields(dfp_json_t *in,
    dfp_registry_token_t *token);
static int64_t dfp_registry_expires(const json_t *value);
static int dfp_registry_words(dfp_mem_t *mem, const json_t *root,
    dfp_str_t *text);
static dfp_str_t dfp_registry_string(const json_t *object, const char *key);
static int dfp_registry_print(dfp_mem_t *mem, dfp_str_t code,
    dfp_str_t message, dfp_str_t *text);
static void dfp_registry_clean(dfp_buf_t *b, dfp_str_t s);
static size_t dfp_registry_char(const char *s, size_t len, uint32_t *ch);
static int dfp_registry_printable(uint32_t ch);
static int dfp_registry_print_word(dfp_buf_t *b, dfp_str_t word);
static size_t dfp_registry_find_url(dfp_str_t word);
static dfp_str_t dfp_registry_cut(dfp_str_t text);


/* Controls, and what cannot be seen itself but changes how its neighbours
 * look: soft hyphens, marks of direction, joiners, tags. */

static const dfp_registry_range_t  dfp_registry_unprintable[] = {
    { 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad },
    { 0x061c, 0x061c }, { 0x180e, 0x180e }, { 0x200b, 0x200f },
    { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff },
    { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe0fff }
};


int
dfp_registry_token_parse(dfp_mem_t *mem, dfp_str_t body,
    dfp_registry_token_t *token, dfp_err_t *err)
{
    int         rc;
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


static int
dfp_registry_token_fields(dfp_json_t *in, dfp_registry_token_t *token)
{
    int          rc;
    size_t       i;
    const char  *name;

    name = "token";

    rc = dfp_json_text(in, name, DFP_CHALLENGE_MAX_TOKEN, &token->token);

    /* there are services that leave one of the two empty */

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
                               "of printable ASCII characters without blanks",
                               name);
        }
    }

    token->expires = dfp_registry_expires(json_object_get(in->object,
                                                          "expires_in"));

    return DFP_OK;
}


/* A number with a fraction is a number of JSON, too; what is none says as much
 * as nothing does. */

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


int
dfp_registry_error(dfp_mem_t *mem, dfp_str_t body, dfp_str_t *text)
{
    int         rc;
    dfp_err_t   err;
    dfp_json_t  in;

    *text = DFP_STR("");

    rc = dfp_json_open(&in, mem, body, "the body", "", &err);
    if (rc != DFP_OK) {
        return (rc == DFP_ERROR) ? rc : DFP_DECLINED;
    }

    rc = dfp_registry_words(mem, in.root, text);

    dfp_json_close(&in);

    return rc;
}


static int
dfp_registry_words(dfp_mem_t *mem, const json_t *root, dfp_str_t *text)
{
    int                 rc;
    const json_t       *error;
    const char *const  *key;

    static const char *const  keys[] = { "error", "details", "message", NULL };

    /* jansson answers NULL to whoever asks what is not there, or no array */

    error = json_array_get(json_object_get(root, "errors"), 0);

    rc = dfp_registry_print(mem, dfp_registry_string(error, "code"),
                            dfp_registry_string(error, "message"), text);

    for (key = keys; rc == DFP_DECLINED && *key; key++) {
        rc = dfp_registry_print(mem, DFP_STR(""),
                                dfp_registry_string(root, *key), text);
    }

    return rc;
}


/* "" where there is no string. */

static dfp_str_t
dfp_registry_string(const json_t *object, const char *key)
{
    const json_t  *value;

    value = json_object_get(object, key);

    if (!json_is_string(value)) {
        return DFP_STR("");
    }

    return (dfp_str_t) { json_string_length(value), json_string_value(value) };
}


/*
 * "CODE: MESSAGE", or the one that is there, word by word with one blank
 * between two. A word that begins within the limit is looked at as a whole: who
 * cuts a URL first may lose the "@" that tells a password from a host.
 */

static int
dfp_registry_print(dfp_mem_t *mem, dfp_str_t code, dfp_str_t message,
    dfp_str_t *text)
{
    int          rc;
    dfp_buf_t    plain, b;
    dfp_str_t    word;
    const char  *p, *last;

    if (code.len == 0 && message.len == 0) {
        return DFP_DECLINED;
    }

    dfp_buf_init(&plain, mem, code.len + sizeof(": ") + message.len, 0);
    dfp_registry_clean(&plain, code);
    dfp_buf_cstr(&plain, (code.len && message.len) ? ": " : "");
    dfp_registry_clean(&plain, message);

    dfp_buf_init(&b, mem, DFP_REGISTRY_ERROR_MAX, 0);

    if (plain.failed || b.failed) {
        return DFP_ERROR;
    }

    p = plain.data;
    last = p + plain.len;

    for ( ;; ) {

        while (p < last && *p == ' ') {
            p++;
        }

        if (p == last || b.len >= DFP_REGISTRY_ERROR_MAX) {
            break;
        }

        word.data = p;
        p = memchr(p, ' ', last - p);
        p = p ? p : last;
        word.len = p - word.data;

        dfp_buf_cstr(&b, b.len ? " " : "");

        rc = dfp_registry_print_word(&b, word);
        if (rc != DFP_OK) {
            return rc;
        }
    }

    *text = dfp_registry_cut(dfp_buf_value(&b));

    return text->len ? DFP_OK : DFP_DECLINED;
}


/* White space becomes a blank. What else cannot be printed is left out, so that
 * nothing comes apart: the rest of a URL would be no URL. */

static void
dfp_registry_clean(dfp_buf_t *b, dfp_str_t s)
{
    size_t    i, n;
    uint32_t  ch;

    for (i = 0; i < s.len; i += n) {
        n = dfp_registry_char(s.data + i, s.len - i, &ch);

        if (ch == '\t' || (ch >= '\n' && ch <= '\r')) {
            dfp_buf_cstr(b, " ");

        } else if (dfp_registry_printable(ch)) {
            dfp_buf_append(b, s.data + i, n);
        }
    }
}


/* The length of the first character of S, which jansson knows to be UTF-8. */

static size_t
dfp_registry_char(const char *s, size_t len, uint32_t *ch)
{
    size_t                i, n;
    const unsigned char  *p;

    p = (const unsigned char *) s;

    n = (p[0] < 0x80) ? 1 : (p[0] < 0xe0) ? 2 : (p[0] < 0xf0) ? 3 : 4;
    *ch = (n == 1) ? p[0] : p[0] & (0x7f >> n);

    for (i = 1; i < n && i < len; i++) {
        *ch = *ch << 6 | (p[i] & 0x3f);
    }

    return i;
}


static int
dfp_registry_printable(uint32_t ch)
{
    size_t  i, n;

    n = sizeof(dfp_registry_unprintable) / sizeof(dfp_registry_range_t);

    for (i = 0; i < n; i++) {
        if (ch >= dfp_registry_unprintable[i].first
            && ch <= dfp_registry_unprintable[i].last)
        {
            return 0;
        }
    }

    return 1;
}


/* A URL may stand behind something, as in url=https://u:p@registry.lan/, where
 * it would not be seen to be one. */

static int
dfp_registry_print_word(dfp_buf_t *b, dfp_str_t word)
{
    int        rc, changed;
    size_t     pos;
    dfp_str_t  url;

    pos = dfp_registry_find_url(word);

    if (pos < word.len) {
        rc = dfp_url_redact(b->mem, word, &word, &changed);
        if (rc != DFP_OK) {
            return rc;
        }

        pos = dfp_registry_find_url(word);
    }

    dfp_buf_append(b, word.data, pos);

    if (pos < word.len) {
        url = (dfp_str_t) { word.len - pos, word.data + pos };

        rc = dfp_url_redact(b->mem, url, &url, &changed);
        if (rc != DFP_OK) {
            return rc;
        }

        dfp_buf_str(b, url);
    }

    return b->failed ? DFP_ERROR : DFP_OK;
}


/* Where the scheme before the first "://" begins; the end without one. */

static size_t
dfp_registry_find_url(dfp_str_t word)
{
    char    ch;
    size_t  i, scheme;

    scheme = 0;

    for (i = 0; i < word.len; i++) {
        ch = word.data[i];

        if (word.len - i >= 3 && memcmp(&word.data[i], "://", 3) == 0) {
            return scheme;
        }

        if (!(((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')
              || (ch >= '0' && ch <= '9') || ch == '+' || ch == '-'
              || ch == '.'))
        {
            scheme = i + 1;
        }
    }

    return word.len;
}


/* Cuts between two characters, and leaves no blank at the end. */

static dfp_str_t
dfp_registry_cut(dfp_str_t text)
{
    if (text.len > DFP_REGISTRY_ERROR_MAX) {
        text.len = DFP_REGISTRY_ERROR_MAX;

        while (text.len && (text.data[text.len] & 0xc0) == 0x80) {
            text.len--;
        }
    }

    while (text.len && text.data[text.len - 1] == ' ') {
        text.len--;
    }

    return text;
}


/* A ":" in the user name would move its end. */

int
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
