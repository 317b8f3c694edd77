/*
 * What registries and token services say: the lines of an input are the
 * headers of a 401, and the whole of it is the body of an answer.
 */

#define _GNU_SOURCE    /* memmem() */

#include <jansson.h>
#include <openssl/evp.h>

#include "dfp_buf.h"
#include "dfp_challenge.h"
#include "dfp_hex.h"
#include "dfp_fuzz.h"


#define FUZZ_MAX_HEADERS  (DFP_CHALLENGE_MAX_HEADERS + 2)
#define FUZZ_REALM        "https://auth.lan/token"
#define FUZZ_BASIC_MAX    65536


static void
check_printable(dfp_str_t s)
{
    size_t  i;

    MUST(s.data != NULL);

    for (i = 0; i < s.len; i++) {
        MUST(s.data[i] >= 0x20 && s.data[i] < 0x7f);
    }
}


static void
check_parses(dfp_str_t href)
{
    dfp_err_t  err;
    dfp_url_t  again;

    MUST(dfp_url_parse(dfp_fuzz_mem(), href, "again", &again, &err) == DFP_OK);
    MUST(dfp_str_eq(href, again.href));
}


static void
print_param(dfp_buf_t *b, const char *name, dfp_str_t value)
{
    size_t  i;

    dfp_buf_cstr(b, name);
    dfp_buf_cstr(b, " = \"");

    for (i = 0; i < value.len; i++) {
        if (value.data[i] == '"' || value.data[i] == '\\') {
            dfp_buf_cstr(b, "\\");
        }

        dfp_buf_append(b, value.data + i, 1);
    }

    dfp_buf_cstr(b, "\",,");
}


static int
same_challenge(const dfp_challenge_t *a, const dfp_challenge_t *b)
{
    return a->scheme == b->scheme
           && dfp_str_eq(a->realm.href, b->realm.href)
           && dfp_str_eq(a->service, b->service)
           && dfp_str_eq(a->scope, b->scope);
}


/* Printed anew, a challenge is the same one; it may be too long then. */

static void
check_printed(const dfp_challenge_t *challenge)
{
    dfp_buf_t        b;
    dfp_err_t        err;
    dfp_str_t        header;
    dfp_challenge_t  again;

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_buf_cstr(&b, "Digest a=\"\\\"\",NTLM x==, ");

    if (challenge->scheme == DFP_CHALLENGE_BEARER) {
        dfp_buf_cstr(&b, "bEARER ");
        print_param(&b, "Realm", challenge->realm.href);

    } else {
        dfp_buf_cstr(&b, "bASIC ");
    }

    print_param(&b, "Service", challenge->service);
    print_param(&b, "Scope", challenge->scope);
    print_param(&b, "Error", challenge->error);

    header = dfp_buf_value(&b);

    if (header.len > DFP_CHALLENGE_MAX_LEN) {
        return;
    }

    MUST(dfp_challenge_pick(dfp_fuzz_mem(), &header, 1, &again, &err)
         == DFP_OK);
    MUST(same_challenge(challenge, &again));
    MUST(dfp_str_eq(challenge->error, again.error));
}


/* Reads "NAME=VALUE" at P, up to a "&"; returns what follows. */

static const char *
read_param(const char *p, const char *last, dfp_str_t *name, dfp_buf_t *value)
{
    char  ch;

    name->data = p;
    p = memchr(p, '=', last - p);
    MUST(p != NULL);
    name->len = p++ - name->data;

    while (p < last && *p != '&') {
        ch = *p++;

        if (ch == '%') {
            MUST(last - p >= 2);
            ch = (char) dfp_hex_byte(p);
            p += 2;
        }

        dfp_buf_append(value, &ch, 1);
    }

    return (p < last) ? p + 1 : p;
}


/* What was added to the realm's query says what it should, in its order. */

static void
check_query(const dfp_challenge_t *c, dfp_str_t account, dfp_str_t query)
{
    size_t       i;
    dfp_buf_t    scope, service, user, *b;
    dfp_str_t    name;
    const char  *p, *last, *word;

    dfp_buf_init(&scope, dfp_fuzz_mem(), 0, 0);
    dfp_buf_init(&service, dfp_fuzz_mem(), 0, 0);
    dfp_buf_init(&user, dfp_fuzz_mem(), 0, 0);

    p = query.data;
    last = p + query.len;

    while (p < last) {
        b = (p[0] == 'a') ? &user : (p[1] == 'c') ? &scope : &service;
        p = read_param(p, last, &name, b);

        MUST(dfp_str_eq(name, (b == &scope) ? DFP_STR("scope")
                              : (b == &user) ? DFP_STR("account")
                                             : DFP_STR("service")));
    }

    MUST(dfp_str_eq(dfp_buf_value(&service), c->service));
    MUST(dfp_str_eq(dfp_buf_value(&user), account));

    /* the blanks between words are all that is lost */

    word = scope.data;

    for (i = 0; i < c->scope.len; i++) {
        if (c->scope.data[i] != ' ') {
            MUST(word < scope.data + scope.len && *word == c->scope.data[i]);
            word++;
        }
    }

    MUST(scope.len == 0 || word == scope.data + scope.len);
}


static void
check_url(const dfp_challenge_t *challenge, dfp_str_t account)
{
    int        rc;
    dfp_err_t  err;
    dfp_str_t  query;
    dfp_url_t  url;

    rc = dfp_challenge_url(dfp_fuzz_mem(), challenge, account, "the URL", &url,
                           &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(strncmp(err.text, "the URL ", 8) == 0);
        return;
    }

    MUST(challenge->scheme == DFP_CHALLENGE_BEARER);
    check_parses(url.href);
    MUST(dfp_str_eq(url.origin, challenge->realm.origin));
    MUST(dfp_str_eq(url.path, challenge->realm.path));

    query = url.query;

    if (challenge->realm.query.len) {
        MUST(query.len >= challenge->realm.query.len);
        MUST(memcmp(query.data, challenge->realm.query.data,
                    challenge->realm.query.len) == 0);

        query.data += challenge->realm.query.len;
        query.len -= challenge->realm.query.len;

        if (query.len) {
            MUST(query.data[0] == '&');
            query.data++;
            query.len--;
        }
    }

    if (query.len) {
        check_query(challenge, account, query);
    }
}


static void
check_challenge(dfp_str_t *headers, size_t n)
{
    int              rc;
    dfp_err_t        err;
    dfp_challenge_t  challenge, again;

    rc = dfp_challenge_pick(dfp_fuzz_mem(), headers, n, &challenge, &err);

    if (n < DFP_CHALLENGE_MAX_HEADERS) {

        /* what is broken breaks nothing in other headers */

        headers[n] = DFP_STR("Bearer realm=\"");
        MUST(dfp_challenge_pick(dfp_fuzz_mem(), headers, n + 1, &again, &err)
             == rc);
        MUST(same_challenge(&challenge, &again));

        headers[n] = DFP_STR("Bearer realm=\"" FUZZ_REALM "\"");
        MUST(dfp_challenge_pick(dfp_fuzz_mem(), headers, n + 1, &again, &err)
             == DFP_OK);
        MUST(again.scheme == DFP_CHALLENGE_BEARER);
        MUST(challenge.scheme == DFP_CHALLENGE_BEARER
             ? same_challenge(&challenge, &again)
             : dfp_str_eq(again.realm.href, DFP_STR(FUZZ_REALM)));

        rc = dfp_challenge_pick(dfp_fuzz_mem(), headers, n, &challenge, &err);
    }

    if (rc != DFP_OK) {
        MUST(rc == DFP_DECLINED);
        MUST(challenge.scheme == 0);
        MUST(err.text[0] != '\0');
        check_printable((dfp_str_t) { strlen(err.text), err.text });
        return;
    }

    check_printable(challenge.service);
    check_printable(challenge.scope);
    check_printable(challenge.error);

    if (challenge.scheme == DFP_CHALLENGE_BEARER) {
        check_parses(challenge.realm.href);

    } else {
        MUST(challenge.scheme == DFP_CHALLENGE_BASIC);
        MUST(challenge.realm.href.len == 0);
    }

    check_printed(&challenge);
    check_url(&challenge, DFP_STR(""));
    check_url(&challenge, headers[0]);
}


static void
check_token(dfp_str_t body)
{
    int                   rc;
    size_t                i;
    dfp_err_t             err;
    dfp_registry_token_t  token;

    rc = dfp_registry_token_parse(dfp_fuzz_mem(), body, &token, &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(token.token.len == 0);
        MUST(strncmp(err.text, "the token service's ", 20) == 0);
        check_printable((dfp_str_t) { strlen(err.text), err.text });
        return;
    }

    MUST(token.token.len > 0 && token.token.len <= DFP_CHALLENGE_MAX_TOKEN);
    MUST(token.expires > 0 && token.expires <= DFP_CHALLENGE_EXPIRES_MAX);

    for (i = 0; i < token.token.len; i++) {
        MUST(token.token.data[i] > 0x20 && token.token.data[i] < 0x7f);
    }
}


/* The words are UTF-8 without controls, and stay the same when they are a
 * message again. */

static void
check_words(dfp_str_t body)
{
    int                     rc;
    size_t                  i;
    json_t                 *json;
    dfp_buf_t               b;
    dfp_str_t               text, again;
    unsigned char           ch;
    dfp_registry_answer_t   answer;

    memset(&answer, 0, sizeof(dfp_registry_answer_t));
    answer.body = body;

    rc = dfp_registry_error(dfp_fuzz_mem(), &answer, &text);

    MUST(rc == (text.len ? DFP_OK : DFP_DECLINED));
    MUST(text.data != NULL && text.len <= DFP_REGISTRY_ERROR_MAX);

    for (i = 0; i < text.len; i++) {
        ch = (unsigned char) text.data[i];

        MUST(ch >= 0x20 && ch != 0x7f);
        MUST(ch != 0xc2 || (unsigned char) text.data[i + 1] >= 0xa0);
    }

    json = json_stringn(text.data, text.len);
    MUST(json != NULL);
    json_decref(json);

    if (text.len == 0 || text.len > DFP_REGISTRY_ERROR_MAX - 4) {
        return;
    }

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"message\":");
    dfp_buf_json(&b, text);
    dfp_buf_cstr(&b, "}");

    answer.body = dfp_buf_value(&b);

    MUST(dfp_registry_error(dfp_fuzz_mem(), &answer, &again) == DFP_OK);

    /* a login that was hidden may have parted a name from its value */

    MUST(dfp_str_eq(text, again)
         || memmem(text.data, text.len, "***@", 4) != NULL);
}


static void
check_basic(dfp_str_t username, dfp_str_t password)
{
    int         rc, padding;
    dfp_buf_t   plain;
    dfp_str_t   value;
    uint8_t    *decoded;

    rc = dfp_basic_print(dfp_fuzz_mem(), username, password, &value);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(memchr(username.data, ':', username.len)
             || username.len + 1 + password.len > FUZZ_BASIC_MAX);
        return;
    }

    check_printable(value);
    MUST(value.len >= 10 && memcmp(value.data, "Basic ", 6) == 0);

    dfp_buf_init(&plain, dfp_fuzz_mem(), 0, 0);
    dfp_buf_str(&plain, username);
    dfp_buf_cstr(&plain, ":");
    dfp_buf_str(&plain, password);

    decoded = dfp_fuzz_alloc(NULL, value.len);
    padding = (value.data[value.len - 1] == '=')
              + (value.data[value.len - 2] == '=');

    MUST(EVP_DecodeBlock(decoded, (const uint8_t *) value.data + 6,
                         (int) value.len - 6) - padding == (int) plain.len);
    MUST(memcmp(decoded, plain.data, plain.len) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char        *copy;
    size_t       n;
    dfp_str_t    body = { size, (const char *) data };
    dfp_str_t    headers[FUZZ_MAX_HEADERS];
    const char  *p, *last, *end;

    /* each a block of its own, so that its end is seen */

    p = body.data;
    last = p ? p + size : p;

    for (n = 0; n < FUZZ_MAX_HEADERS - 1; n++) {
        end = (p < last) ? memchr(p, '\n', last - p) : NULL;
        end = end ? end : last;

        copy = dfp_fuzz_alloc(NULL, end - p);
        memcpy(copy, p ? p : "", end - p);
        headers[n] = (dfp_str_t) { end - p, copy };

        if (end == last) {
            n++;
            break;
        }

        p = end + 1;
    }

    check_basic(headers[0], headers[n - 1]);
    check_challenge(headers, n);
    check_token(body);
    check_words(body);

    dfp_fuzz_free();

    return 0;
}
