/*
 * What registries and token services say about an error, as it may be told.
 */

#include <jansson.h>

#include "dfp_challenge.h"
#include "dfp_test.h"


#define ACUTE     "\xc3\xa9"


static dfp_str_t  text;


static const char *
repeated(char ch, size_t n)
{
    char  *s;

    s = dfp_test_alloc(NULL, n + 1);
    memset(s, ch, n);
    s[n] = '\0';

    return s;
}


static int
answer_of(const dfp_registry_answer_t *answer)
{
    int     rc;
    size_t  i;

    text = DFP_STR_NULL;
    rc = dfp_registry_error(dfp_test_mem(), answer, &text);

    CHECK(text.data != NULL);
    CHECK_INT(rc, text.len ? DFP_OK : DFP_DECLINED);
    CHECK(text.len <= DFP_REGISTRY_ERROR_MAX);

    for (i = 0; i < text.len; i++) {
        CHECK((text.data[i] & 0xe0) != 0 && text.data[i] != 0x7f);
    }

    return rc;
}


static int
words_of(dfp_str_t body)
{
    return answer_of(&(dfp_registry_answer_t) { .body = body });
}


static void
plain_of(const char *type, dfp_str_t body)
{
    (void) answer_of(&(dfp_registry_answer_t) { .body = body,
                                                .type = dfp_test_str(type) });
}


#define WORDS(body, expected)                                                 \
    (void) words_of(DFP_STR(body));                                           \
    CHECK_STR(text, expected)
#define MESSAGE(message, expected)                                            \
    WORDS("{\"message\":\"" message "\"}", expected)


TEST("the words of registries and token services are found")
{
    WORDS("{\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access to "
          "the resource is denied\",\"detail\":null}]}",
          "DENIED: requested access to the resource is denied");
    WORDS("{\"errors\":[{\"code\":\"A\"},{\"code\":\"B\"}]}", "A");
    WORDS("{\"errors\":[{\"status\":404,\"message\":\"no\"}]}", "no");
    WORDS("{\"errors\":[{\"code\":1,\"message\":\"no\"}]}", "no");
    WORDS("{\"details\":\"incorrect username or password\"}",
          "incorrect username or password");
    WORDS("{\"error\":\"invalid_grant\",\"error_description\":\"x\"}",
          "invalid_grant");
    WORDS("{\"message\":\"Unauthorized\"}", "Unauthorized");
}


TEST("the first that says something counts")
{
    WORDS("{\"message\":\"d\",\"details\":\"c\",\"error\":\"b\",\"errors\":"
          "[{\"code\":\"a\"}]}", "a");
    WORDS("{\"message\":\"d\",\"details\":\"c\",\"error\":\"b\"}", "b");
    WORDS("{\"message\":\"d\",\"details\":\"c\",\"error\":1}", "c");
    WORDS("{\"message\":\"d\",\"errors\":[]}", "d");
    WORDS("{\"message\":\"d\",\"errors\":[{}],\"error\":\"\"}", "d");
    WORDS("{\"message\":\"d\",\"errors\":[\"x\"],\"error\":{}}", "d");
    WORDS("{\"message\":\"d\",\"errors\":{\"code\":\"x\"}}", "d");
    WORDS("{\"message\":\"d\",\"errors\":[{\"code\":\" \\n\"}]}", "d");
}


TEST("a body that says nothing is passed over")
{
    WORDS("", "");
    WORDS("{}", "");
    WORDS("[]", "");
    WORDS(" {", "");
    WORDS(" \n", "");
    WORDS("{\"message\":\"\"}", "");
    WORDS("{\"message\":\" \\t\\u0000\\u200b\"}", "");
    WORDS("{\"message\":", "");
    WORDS("{\"message\":\"\xff\"}", "");
    CHECK_INT(words_of(DFP_STR_NULL), DFP_DECLINED);
    CHECK_INT(words_of(text_of("{\"x\":%s", repeated('[', 40))), DFP_DECLINED);
}


#define PLAIN(type, body, expected)                                           \
    plain_of(type, DFP_STR(body));                                            \
    CHECK_STR(text, expected)


TEST("plain text is told as it is, HTML and XML by their type")
{
    PLAIN("", "access denied by policy 7\n", "access denied by policy 7");
    PLAIN("text/plain", " a\r\n\tb\x1b[31mc\x07 ", "a b[31mc");
    PLAIN("Text/Plain; charset=utf-8", "no such repository",
          "no such repository");
    PLAIN("text/plain", "{\"message\":\"a\"}", "a");
    PLAIN("text/plain", "see https://u:p@r.lan/?token=x",
          "see https://***@r.lan/?token=***");

    PLAIN("text/html", "<html><script>alert(1)</script>", "text/html");
    PLAIN("text/html; charset=utf-8", "an error", "text/html");
    PLAIN("text/plain", " \n<!DOCTYPE html><p>error", "text/html");
    PLAIN("", "<html>error</html>", "text/html");
    PLAIN("application/xml", "<?xml version=\"1.0\"?><Error/>",
          "application/xml");
    PLAIN("text/html", "", "");
    PLAIN("text/html", " \n", "");
    PLAIN("text/html5", "x", "");

    /* what is no text, whatever it says, and half of a JSON text */

    PLAIN("text/plain", "\x1f\x8b\x08\x00\x00", "");
    PLAIN("application/octet-stream", "text", "");
    PLAIN("application/json", "text", "");
    PLAIN("application/json", "{\"message\":\"a", "");
    PLAIN("text/plain", "{\"message\":\"a", "");
}


TEST("no secret is in the words, also none that is cut")
{
    char                   *s;
    dfp_str_t               secrets[2];
    dfp_registry_answer_t   answer;

    s = dfp_test_alloc(NULL, 1001);
    memset(s, 's', 1000);
    s[999] = 'e';
    s[1000] = '\0';

    secrets[0] = DFP_STR("hunter2");
    secrets[1] = (dfp_str_t) { 1000, s };

    memset(&answer, 0, sizeof(dfp_registry_answer_t));
    answer.secrets = secrets;
    answer.nsecrets = 2;

    answer.body = text_of("user bob, password hunter2, and token %s.", s);
    CHECK_INT(answer_of(&answer), DFP_OK);
    CHECK_STR(text, "user bob, password ***, and token ***.");

    answer.body = text_of("{\"message\":\"password hunter2, token %s\"}", s);
    CHECK_INT(answer_of(&answer), DFP_OK);
    CHECK_STR(text, "password ***, token ***");

    answer.cut = 1;
    answer.body = text_of("the token was %s", s);
    answer.body.len -= 500;
    CHECK_INT(answer_of(&answer), DFP_OK);
    CHECK_STR(text, "the token was");

    answer.body = DFP_STR("the password was hunt");
    CHECK_INT(answer_of(&answer), DFP_OK);
    CHECK_STR(text, "the password was");
}


TEST("only what can be printed is left of the words")
{
    MESSAGE("  a \\n\\t b\\r\\nc ", "a b c");
    MESSAGE("a\\u0000b\\u001b[31mc\\u007fd", "ab[31mcd");
    MESSAGE("a\\u0080\\u0085\\u009fb\\u00a0", "ab\xc2\xa0");
    MESSAGE("\\ufeffa\\u202eb\\u2028c\\u00add\\u200b", "abcd");
    MESSAGE("a\\udb40\\udc41b\\ud83d\\ude00", "ab\xf0\x9f\x98\x80");
    MESSAGE("\xe4\xb8\xad\xe6\x96\x87 r" ACUTE "p\\\"", "\xe4\xb8\xad\xe6\x96"
            "\x87 r" ACUTE "p\"");
}


TEST("the words are cut at the limit, between two characters")
{
    const char  *s;

    s = repeated('w', DFP_REGISTRY_ERROR_MAX);

    CHECK_INT(words_of(text_of("{\"error\":\"%s\"}", s)), DFP_OK);
    CHECK_SAME(text, dfp_test_str(s));
    CHECK_INT(words_of(text_of("{\"error\":\"%sx\"}", s)), DFP_OK);
    CHECK_SAME(text, dfp_test_str(s));
    CHECK_INT(words_of(text_of("{\"error\":\"%s x\"}", s)), DFP_OK);
    CHECK_SAME(text, dfp_test_str(s));

    CHECK_INT(words_of(text_of("{\"error\":\"%s" ACUTE "\"}", s + 2)), DFP_OK);
    CHECK_INT(text.len, DFP_REGISTRY_ERROR_MAX);
    CHECK_INT(words_of(text_of("{\"error\":\"%s" ACUTE "\"}", s + 1)), DFP_OK);
    CHECK_INT(text.len, DFP_REGISTRY_ERROR_MAX - 1);
    CHECK_INT(words_of(text_of("{\"error\":\"%s " ACUTE "\"}", s + 2)), DFP_OK);
    CHECK_INT(text.len, DFP_REGISTRY_ERROR_MAX - 2);

    CHECK_INT(words_of(text_of("{\"errors\":[{\"code\":\"%s\",\"message\":"
                               "\"%s\"}]}", repeated('c', 9000),
                               repeated('m', 9000))), DFP_OK);
    CHECK_INT(text.len, DFP_REGISTRY_ERROR_MAX);
}


TEST("URLs in the words lose their signatures, user names and passwords")
{
    MESSAGE("get https://s3.lan/k?X-Amz-Signature=abc&part=1 now",
            "get https://s3.lan/k?X-Amz-Signature=***&part=1 now");
    MESSAGE("Get \\\"https://u:p@r.lan/?token=a\\\": EOF",
            "Get \"https://***@r.lan/?token=*** EOF");
    MESSAGE("url=https://u:p@r.lan/ x=(http://v:q@r.lan)",
            "url=https://***@r.lan/ x=(http://***@r.lan)");
    MESSAGE("?token=a,https://r.lan/", "?token=***");
    MESSAGE("https://u\\u0007:p@r.lan/?to\\u200bken=a",
            "https://***@r.lan/?token=***");
    MESSAGE("token=a x?token=b :// a://", "token=a x?token=b :// a://");

    /* with an "@" that is far behind the limit, too */

    CHECK_INT(words_of(text_of("{\"error\":\"at https://u:%s@r.lan/\"}",
                               repeated('p', 5000))), DFP_OK);
    CHECK_STR(text, "at https://***@r.lan/");
}


/* jansson goes wrong without memory at strings of 16 bytes and more */

static int
words_in(dfp_mem_t *mem, void *data)
{
    int                    rc;
    dfp_registry_answer_t  answer;

    memset(&answer, 0, sizeof(dfp_registry_answer_t));

    answer.body = DFP_STR("{\"errors\":[{\"code\":\"A\",\"message\":"
                          "\"a://u@b?sig=x\"}]}");

    rc = dfp_registry_error(mem, &answer, &text);

    if (rc == DFP_OK) {
        CHECK_STR(text, "A: a://***@b?sig=***");

    } else {
        CHECK_INT(text.len, 0);
    }

    /* to the harness, what jansson could not read is a wrong input */

    return (rc == DFP_DECLINED) ? DFP_INVALID : rc;
}


TEST("without memory no words are told by halves, and nothing leaks")
{
    dfp_test_oom(words_in, NULL);

    json_set_alloc_funcs(dfp_test_lib_malloc, dfp_test_lib_free);
    dfp_test_lib_oom(words_in, NULL);

    dfp_test_lib_fail(1);
    CHECK_INT(words_in(dfp_test_mem(), NULL), DFP_ERROR);
    json_set_alloc_funcs(malloc, free);
}
