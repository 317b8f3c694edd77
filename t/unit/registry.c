/*
 * How registries and token services are talked to: the URL that a token is
 * asked of, or the form, what comes back, and Basic.
 */

#include <jansson.h>
#include <openssl/err.h>

#include "dfp_challenge.h"
#include "dfp_test.h"


#define HREF      "https://auth.lan/token"
#define NONE      DFP_STR("")
#define ACUTE     "\xc3\xa9"


static dfp_url_t             url;
static dfp_err_t             err;
static dfp_registry_token_t  token;


static const char *
repeated(char ch, size_t n)
{
    char  *s;

    s = dfp_test_alloc(NULL, n + 1);
    memset(s, ch, n);
    s[n] = '\0';

    return s;
}


/* A challenge with a realm, and a service and a scope as given. */

static dfp_challenge_t
challenge_of(const char *realm, const char *service, const char *scope)
{
    dfp_challenge_t  c;

    memset(&c, 0, sizeof(dfp_challenge_t));
    c.scheme = DFP_CHALLENGE_BEARER;
    c.service = dfp_test_str(service);
    c.scope = dfp_test_str(scope);
    c.error = DFP_STR("");

    CHECK_INT(dfp_url_parse(dfp_test_mem(), dfp_test_str(realm), "realm",
                            &c.realm, &err), DFP_OK);

    return c;
}


static int
url_of(const char *realm, const char *service, const char *scope,
    dfp_str_t account)
{
    dfp_challenge_t  c;

    c = challenge_of(realm, service, scope);

    return dfp_challenge_url(dfp_test_mem(), &c, account, "the token URL", &url,
                             &err);
}


#define CHECK_URL(realm, service, scope, account, expected)                   \
    CHECK_INT(url_of(realm, service, scope, DFP_STR(account)), DFP_OK);       \
    CHECK_STR(url.href, expected)


TEST("a token is asked for with service, scope and account")
{
    CHECK_URL("https://auth.docker.io/token", "registry.docker.io",
              "repository:library/alpine:pull", "me",
              "https://auth.docker.io/token?service=registry.docker.io&scope=re"
              "pository%3Alibrary%2Falpine%3Apull&account=me");
    CHECK_URL(HREF, "a", "", "", HREF "?service=a");
    CHECK_URL(HREF, "", "b", "", HREF "?scope=b");
    CHECK_URL(HREF, "", "", "c", HREF "?account=c");
    CHECK_URL("http://a.lan:81", "a", "", "", "http://a.lan:81/?service=a");
}


TEST("where there is nothing to add the realm stays as it is")
{
    CHECK_URL(HREF, "", "", "", HREF);
    CHECK_URL(HREF, "", "  ", "", HREF);
    CHECK_URL(HREF "?", "", "", "", HREF "?");
    CHECK_URL(HREF "?a=1", "", "", "", HREF "?a=1");
    CHECK_INT(url_of(HREF, "", "", DFP_STR_NULL), DFP_OK);
}


TEST("the realm's own query is kept, before what is added")
{
    CHECK_URL(HREF "?a=1&b", "s", "", "", HREF "?a=1&b&service=s");
    CHECK_URL(HREF "?service=x", "s", "", "", HREF "?service=x&service=s");
    CHECK_URL(HREF "?", "s", "", "", HREF "?service=s");
    CHECK_URL(HREF "#x?y", "s", "", "", HREF "?service=s");
}


TEST("each word of a scope is a scope")
{
    CHECK_URL(HREF, "", "repository:a:pull repository:b:pull,push", "",
              HREF "?scope=repository%3Aa%3Apull"
              "&scope=repository%3Ab%3Apull%2Cpush");
    CHECK_URL(HREF, "", "  a   b ", "", HREF "?scope=a&scope=b");
}


TEST("what could mean something in a query is escaped")
{
    CHECK_URL(HREF, "azAZ09-._~", "", "", HREF "?service=azAZ09-._~");
    CHECK_URL(HREF, "a b&c=d+e%f", "", "",
              HREF "?service=a%20b%26c%3Dd%2Be%25f");
    CHECK_URL(HREF, "", "!\"#$'()*,/:;<>?@[\\]^`{|}", "",
              HREF "?scope=%21%22%23%24%27%28%29%2A%2C%2F%3A%3B%3C%3E%3F%40%5B"
              "%5C%5D%5E%60%7B%7C%7D");
    CHECK_URL(HREF, "", "", "r" ACUTE "mi&scope=x",
              HREF "?account=r%C3%A9mi%26scope%3Dx");
}


TEST("an account that no URL may have is refused")
{
    CHECK_INT(url_of(HREF, "a", "", DFP_STR("a\0b")), DFP_INVALID);
    CHECK_SAYS(err.text, "token URL | %00");
    CHECK_INT(url_of(HREF, "a", "", DFP_STR("a\r\nb")), DFP_INVALID);
    CHECK_SAYS(err.text, "token URL | %0D");
}


TEST("a token URL may be as long as any, and not one byte longer")
{
    size_t  n;

    n = DFP_URL_MAX_LEN - strlen(HREF "?service=");

    CHECK_INT(url_of(HREF, repeated('s', n), "", NONE), DFP_OK);
    CHECK_INT(url.href.len, DFP_URL_MAX_LEN);

    CHECK_INT(url_of(HREF, repeated('s', n + 1), "", NONE), DFP_INVALID);
    CHECK_SAYS(err.text, "token URL | 4096 bytes");

    /* escaped, as it is sent */

    CHECK_INT(url_of(HREF, repeated('/', n / 3), "", NONE), DFP_OK);
    CHECK_INT(url_of(HREF, repeated('/', n / 3 + 1), "", NONE), DFP_INVALID);
    CHECK_INT(url_of(HREF, "", "", text_of("%s", repeated('a', 100000))),
              DFP_INVALID);
}


TEST("a challenge has as many scopes as the limit says")
{
    CHECK_INT(url_of(HREF, "", "a b c d e f g h i j k l m n o p", NONE),
              DFP_OK);
    CHECK_INT(url_of(HREF, "", "a b c d e f g h i j k l m n o p q", NONE),
              DFP_INVALID);
    CHECK_SAYS(err.text, "token URL | 16 scopes");
}


static int
url_in(dfp_mem_t *mem, void *data)
{
    int  rc;

    rc = dfp_challenge_url(mem, data, DFP_STR("me"), "the token URL", &url,
                           &err);

    if (rc == DFP_OK) {
        CHECK_STR(url.href, HREF "?x&service=a&scope=b&scope=c&account=me");
    }

    return rc;
}


TEST("a refresh token is sent in a form, in which nothing is left unescaped")
{
    dfp_str_t        form;
    dfp_challenge_t  c;

    c = challenge_of(HREF "?x=y", "r.lan", "repository:a/b:pull repository:c:pull");

    CHECK_INT(dfp_challenge_form(dfp_test_mem(), &c, DFP_STR("a&b=c+d"), &form),
              DFP_OK);
    CHECK_STR(form, "grant_type=refresh_token&service=r.lan&"
              "scope=repository%3Aa%2Fb%3Apull%20repository%3Ac%3Apull&"
              "client_id=dfpreheat&refresh_token=a%26b%3Dc%2Bd");

    c = challenge_of(HREF, "", "");
    CHECK_INT(dfp_challenge_form(dfp_test_mem(), &c, DFP_STR("t"), &form),
              DFP_OK);
    CHECK_STR(form, "grant_type=refresh_token&client_id=dfpreheat&"
              "refresh_token=t");
}


static int
form_in(dfp_mem_t *mem, void *data)
{
    dfp_str_t  form;

    return dfp_challenge_form(mem, data, DFP_STR("a b"), &form);
}


/* The answers of token services */

static void
check_token(dfp_str_t body, const char *expected, int64_t expires, int line)
{
    memset(&token, 0xa5, sizeof(dfp_registry_token_t));

    if (!dfp_test_check_int(dfp_registry_token_parse(dfp_test_mem(), body,
                                                     &token, &err),
                            DFP_OK, line, "the result"))
    {
        printf("#   %s\n", err.text);
        return;
    }

    dfp_test_check_str(token.token, dfp_test_str(expected), line, "the token");
    dfp_test_check_int(token.expires, expires, line, "when it expires");
}


static void
check_no_token(dfp_str_t body, const char *facts, int line)
{
    memset(&token, 0xa5, sizeof(dfp_registry_token_t));

    dfp_test_check_int(dfp_registry_token_parse(dfp_test_mem(), body, &token,
                                                &err), DFP_INVALID, line,
                       "the result");
    dfp_test_check_says(err.text, facts, line, "the message");
    dfp_test_check_int(token.token.len, 0, line, "the token");
}


#define TOKEN(body, expected, expires)                                        \
    check_token(DFP_STR(body), expected, expires, __LINE__)
#define NO_TOKEN(body, facts)                                                 \
    check_no_token(DFP_STR(body), "token service | " facts, __LINE__)


TEST("a token has two names, and one of them is enough")
{
    TOKEN("{\"token\":\"a.b-c_d\",\"expires_in\":300,"
          "\"issued_at\":\"2026-11-25T00:00:00Z\"}", "a.b-c_d", 300);
    TOKEN("{\"access_token\":\"a\",\"expires_in\":300}", "a", 300);
    TOKEN("{\"token\":\"a\",\"access_token\":\"a\",\"expires_in\":300}", "a",
          300);

    /* Harbor leaves one empty */

    TOKEN("{\"token\":\"a\",\"access_token\":\"\",\"expires_in\":1800}", "a",
          1800);
    TOKEN("{\"token\":\"\",\"access_token\":\"a\"}", "a", 60);
    TOKEN("{\"token\":null,\"access_token\":\"a\"}", "a", 60);

    /* who else reads them is written in Go */

    TOKEN("{\"Token\":\"a\",\"Expires_In\":300}", "a", 300);

    /* two that differ are the client's to choose from */

    TOKEN("{\"access_token\":\"a\",\"token\":\"b\"}", "b", 60);
}


TEST("a token expires when the service says, within limits")
{
    TOKEN("{\"token\":\"a\"}", "a", 60);
    TOKEN("{\"token\":\"a\",\"expires_in\":null}", "a", 60);
    TOKEN("{\"token\":\"a\",\"expires_in\":0}", "a", 60);
    TOKEN("{\"token\":\"a\",\"expires_in\":-1}", "a", 60);
    TOKEN("{\"token\":\"a\",\"expires_in\":-9223372036854775808}", "a", 60);
    TOKEN("{\"token\":\"a\",\"expires_in\":1}", "a", 1);
    TOKEN("{\"token\":\"a\",\"expires_in\":86400}", "a", 86400);
    TOKEN("{\"token\":\"a\",\"expires_in\":86401}", "a", 86400);
    TOKEN("{\"token\":\"a\",\"expires_in\":9223372036854775807}", "a", 86400);
    TOKEN("{\"token\":\"a\",\"expires_in\":300.9}", "a", 300);
    TOKEN("{\"token\":\"a\",\"expires_in\":0.9}", "a", 60);
    TOKEN("{\"token\":\"a\",\"expires_in\":-0.0}", "a", 60);
    TOKEN("{\"token\":\"a\",\"expires_in\":1e300}", "a", 86400);

    /* of a wrong type it says nothing */

    TOKEN("{\"token\":\"a\",\"expires_in\":\"300\"}", "a", 60);
    TOKEN("{\"token\":\"a\",\"expires_in\":true}", "a", 60);
}


TEST("an answer without a token is refused")
{
    NO_TOKEN("", "answer | JSON | line 1 | column 0 | end");
    NO_TOKEN("<html>", "answer | JSON | line 1 | column 1 | syntax");
    NO_TOKEN("[]", "answer | JSON object");
    NO_TOKEN("{}", "answer | no token");
    NO_TOKEN("{\"token\":\"\"}", "answer | no token");
    NO_TOKEN("{\"token\":null,\"access_token\":null}", "answer | no token");
    NO_TOKEN("{\"tokens\":\"a\"}", "answer | no token");
    NO_TOKEN("{\"token\":1}", "token | string");
    NO_TOKEN("{\"access_token\":[\"a\"]}", "access_token | string");
    NO_TOKEN("{\"token\":\"a\",\"expires_in\":9223372036854775808}",
             "answer | JSON | line 1 | column 45 | number");
    NO_TOKEN("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "answer | nested | 32");
}


TEST("a token of other bytes than printable ASCII is refused, and not shown")
{
    static const char  facts[] = "token service | token | printable ASCII";
    size_t             i;
    unsigned           ch;

    static const char *const  bad[] = {
        "a b", " a", "a ", "a\\tb", "a\\r\\nX-Evil: 1", "a\\u007f", ACUTE,
        "\\u00e9", "\\u0085", NULL
    };

    for (i = 0; bad[i]; i++) {
        check_no_token(text_of("{\"token\":\"%s\"}", bad[i]), facts, __LINE__);
    }

    for (ch = 1; ch <= 0x20; ch++) {
        check_no_token(text_of("{\"token\":\"s3cret\\u%04x\"}", ch), facts,
                       __LINE__);
        CHECK_HAS_NOT(err.text, "s3cret");
    }

    NO_TOKEN("{\"token\":\"a\\u0000\"}", "token | NUL");
    NO_TOKEN("{\"access_token\":\"a b\"}", "access_token | printable ASCII");
    TOKEN("{\"token\":\"!~\"}", "!~", 60);
}


TEST("a token may be as long as the limit says, and not one byte longer")
{
    const char  *s;

    s = repeated('t', DFP_CHALLENGE_MAX_TOKEN);
    check_token(text_of("{\"token\":\"%s\"}", s), s, 60, __LINE__);
    check_token(text_of("{\"access_token\":\"%s\"}", s), s, 60, __LINE__);

    check_no_token(text_of("{\"token\":\"%st\"}", s),
                   "token service | token | 16384 bytes", __LINE__);
    CHECK_HAS_NOT(err.text, "ttt");
    check_no_token(text_of("{\"access_token\":\"%st\"}", s),
                   "token service | access_token | 16384 bytes", __LINE__);
    CHECK_HAS_NOT(err.text, "ttt");
}


static int
token_in(dfp_mem_t *mem, void *data)
{
    int  rc;

    rc = dfp_registry_token_parse(mem, DFP_STR("{\"token\":\"\","
                                  "\"access_token\":\"a\",\"expires_in\":7}"),
                                  &token, &err);

    if (rc == DFP_OK) {
        CHECK_STR(token.token, "a");
        CHECK_INT(token.expires, 7);
    }

    return rc;
}


TEST("without memory no answer is read by halves, and nothing leaks")
{
    dfp_test_oom(token_in, NULL);

    json_set_alloc_funcs(dfp_test_lib_malloc, dfp_test_lib_free);
    dfp_test_lib_oom(token_in, NULL);
    json_set_alloc_funcs(malloc, free);
}


/* Basic */

static dfp_str_t
basic_of(dfp_str_t username, dfp_str_t password)
{
    dfp_str_t  value;

    CHECK_INT(dfp_basic_print(dfp_test_mem(), username, password, &value),
              DFP_OK);

    /* OpenSSL writes a NUL there: it is seen that there is room for it */

    CHECK_INT(value.data[value.len], '\0');

    return value;
}


TEST("a user name and a password are joined and encoded")
{
    /* RFC 7617, 2 and 2.1 */
    CHECK_STR(basic_of(DFP_STR("Aladdin"), DFP_STR("open sesame")),
              "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    CHECK_STR(basic_of(DFP_STR("test"), DFP_STR("123\xc2\xa3")),
              "Basic dGVzdDoxMjPCow==");

    CHECK_STR(basic_of(DFP_STR_NULL, DFP_STR_NULL), "Basic Og==");
    CHECK_STR(basic_of(DFP_STR("a"), NONE), "Basic YTo=");
    CHECK_STR(basic_of(NONE, DFP_STR("b:c")), "Basic OmI6Yw==");
    CHECK_STR(basic_of(DFP_STR("\xff\xff"), DFP_STR("\xfb\xff\xfe")),
              "Basic //86+//+");
    CHECK(ERR_peek_error() == 0);
}


TEST("a user name with a colon, or what is too long, is not encoded")
{
    dfp_str_t  whole, value;

    CHECK_INT(dfp_basic_print(dfp_test_mem(), DFP_STR("a:"), NONE, &value),
              DFP_INVALID);
    CHECK_INT(value.len, 0);

    whole = dfp_test_str(repeated('h', 65536 - 2));
    CHECK_INT(basic_of(DFP_STR("a"), whole).len, 6 + 65538 / 3 * 4);
    CHECK_INT(dfp_basic_print(dfp_test_mem(), DFP_STR("ab"), whole, &value),
              DFP_INVALID);

    whole.len = SIZE_MAX;
    CHECK_INT(dfp_basic_print(dfp_test_mem(), DFP_STR("a"), whole, &value),
              DFP_INVALID);
}


static int
basic_in(dfp_mem_t *mem, void *data)
{
    dfp_str_t  value;

    return dfp_basic_print(mem, DFP_STR("a"), DFP_STR("b"), &value);
}


TEST("no memory for a URL or Basic is an error of its own")
{
    dfp_challenge_t  c;

    c = challenge_of(HREF "?x", "a", "b c");

    dfp_test_oom(url_in, &c);
    dfp_test_oom(form_in, &c);
    dfp_test_oom(basic_in, NULL);
}
