/*
 * Credentials from the files of docker and podman: what is taken of an entry,
 * and what is refused.
 */

#include <jansson.h>
#include <openssl/evp.h>

#include "credentials_test.h"


static void
check_pair(const char *value, const char *username, const char *password,
    int line)
{
    check_taken(entry_of("r.lan", value), 1, 0, line);

    if (credentials.n) {
        dfp_test_check_str(credentials.list[0].username,
                           dfp_test_str(username), line, "the user name");
        dfp_test_check_str(credentials.list[0].password,
                           dfp_test_str(password), line, "the password");
    }
}


/* {"auth": base64 of TEXT} */

static const char *
auth_of(const char *text, size_t len)
{
    char       *encoded;
    dfp_buf_t   b;

    encoded = dfp_test_alloc(NULL, (len + 2) / 3 * 4 + 1);
    (void) EVP_EncodeBlock((unsigned char *) encoded,
                           (const unsigned char *) text, (int) len);

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"auth\":\"");
    dfp_buf_cstr(&b, encoded);
    dfp_buf_append(&b, "\"}", sizeof("\"}"));

    return dfp_buf_value(&b).data;
}


/* {NAME: TEXT}, with more before it */

static const char *
field_of(const char *more, const char *name, const char *text)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_cstr(&b, "{");
    dfp_buf_cstr(&b, more);
    dfp_buf_json(&b, dfp_test_str(name));
    dfp_buf_cstr(&b, ":");
    dfp_buf_json(&b, dfp_test_str(text));
    dfp_buf_append(&b, "}", sizeof("}"));

    return dfp_buf_value(&b).data;
}


#define PAIR(value, username, password)                                       \
    check_pair(value, username, password, __LINE__)
#define UNUSABLE(value)                                                       \
    check_taken(entry_of("r.lan", value), 0, 1, __LINE__)
#define VALUE_REFUSED(value, facts)                                           \
    check_refused(entry_of("r.lan", value), facts, __LINE__)


TEST("a config.json of docker is read, and all else in it passed over")
{
    TAKEN("{\"auths\":{\"https://index.docker.io/v1/\":" BOB ","
          "\"registry.lan:5000\":{\"auth\":\"YTpi\",\"email\":\"a@b\"},"
          "\"helped.lan\":{}},"
          "\"HttpHeaders\":{\"User-Agent\":\"Docker-Client\"},"
          "\"credsStore\":\"desktop\",\"credHelpers\":{\"gcr.io\":\"gcloud\"},"
          "\"psFormat\":1,\"plugins\":[]}", 2, 1);

    CHECK_STR(credentials.list[0].authority, "docker.io");
    CHECK_STR(credentials.list[0].path, "");
    CHECK_STR(credentials.list[0].username, "bob");
    CHECK_STR(credentials.list[0].password, "secret");
    CHECK_STR(credentials.list[0].token, "");

    CHECK_STR(credentials.list[1].authority, "registry.lan:5000");
    CHECK_STR(credentials.list[1].username, "a");
    CHECK_STR(credentials.list[1].password, "b");
}


TEST("an auth.json of podman is read, with its repositories")
{
    TAKEN("{\"auths\":{\"quay.io/team/app\":" BOB ",\"quay.io/team\":"
          "{\"auth\":\"YTpi\"},\"quay.io\":{\"auth\":\"Yzpk\"}}}", 3, 0);

    CHECK_STR(credentials.list[0].authority, "quay.io");
    CHECK_STR(credentials.list[0].path, "team/app");
    CHECK_STR(credentials.list[1].path, "team");
    CHECK_STR(credentials.list[2].path, "");
}


TEST("a file without entries is a file without credentials")
{
    TAKEN("{}", 0, 0);
    TAKEN("{\"auths\":null}", 0, 0);
    TAKEN("{\"auths\":{}}", 0, 0);
    CHECK(credentials.list == NULL);
}


TEST("what is no such file is refused")
{
    REFUSED("", "file | JSON | line 1 | column 0 | end");
    REFUSED("[]", "file | JSON object");
    REFUSED("{\"auths\":", "file | JSON | line 1 | column 9 | end");
    REFUSED("{\"auths\":[]}", "auths | object");
    REFUSED("{\"auths\":\"secret\"}", "auths | object");
    REFUSED("{\"auths\":{\"r.lan\":[]}}", "\"r.lan\" | object");
    REFUSED("{\"auths\":{\"r.lan\":\"secret\"}}", "\"r.lan\" | object");
    REFUSED("{\"auths\":{\"a.lan\":" BOB ",\"r.lan\":1}}",
            "\"r.lan\" | object");
}


TEST("a file may have 1 MiB, and not one byte more")
{
    char  *text;

    text = dfp_test_alloc(NULL, DFP_CREDENTIALS_MAX_FILE + 1);
    memset(text, ' ', DFP_CREDENTIALS_MAX_FILE + 1);
    memcpy(text, "{}", 2);

    check_taken((dfp_str_t) { DFP_CREDENTIALS_MAX_FILE, text }, 0, 0,
                __LINE__);
    check_refused((dfp_str_t) { DFP_CREDENTIALS_MAX_FILE + 1, text },
                  "file | 1048576 bytes", __LINE__);
}


static dfp_str_t
entries(size_t n)
{
    size_t     i;
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"auths\":{");

    for (i = 0; i < n; i++) {
        dfp_buf_cstr(&b, i ? ",\"r" : "\"r");
        dfp_buf_int(&b, (int64_t) i);
        dfp_buf_cstr(&b, (i % 2) ? ".lan\":{}" : ".lan\":" BOB);
    }

    dfp_buf_cstr(&b, "}}");

    return dfp_buf_value(&b);
}


TEST("a file may have 1000 entries, and not one more")
{
    check_taken(entries(DFP_CREDENTIALS_MAX_ENTRIES), 500, 500, __LINE__);
    CHECK_STR(credentials.list[499].authority, "r998.lan");

    check_refused(entries(DFP_CREDENTIALS_MAX_ENTRIES + 1),
                  "auths | 1000 entries", __LINE__);
}


TEST("auth is base64 of a user name and a password")
{
    PAIR("{\"auth\":\"YTpi\"}", "a", "b");
    PAIR("{\"auth\":\"YTpiYw==\"}", "a", "bc");
    PAIR("{\"auth\":\"YTpiY2Q=\"}", "a", "bcd");
    PAIR("{\"auth\":\"YTpiY2Rl\"}", "a", "bcde");

    /* padding may be missing */

    PAIR("{\"auth\":\"YTpiYw\"}", "a", "bc");
    PAIR("{\"auth\":\"YTpiY2Q\"}", "a", "bcd");

    /* what follows the first colon is the password's */

    PAIR("{\"auth\":\"YTpiOmM=\"}", "a", "b:c");
    PAIR("{\"auth\":\"YTo6\"}", "a", ":");

    /* all digits: "~:" and then 0xfb 0xff 0xbf */

    PAIR("{\"auth\":\"fjr7/78+\"}", "~", "\xfb\xff\xbf>");

    /* UTF-8, and lines as base64 breaks them */

    PAIR(auth_of("j\xc3\xb6rg:\xc3\xa4", 8), "j\xc3\xb6rg", "\xc3\xa4");
    PAIR("{\"auth\":\"YTpi\\r\\nY2Rl\\n\"}", "a", "bcde");
    PAIR("{\"auth\":\"YTpiYw=\\n=\"}", "a", "bc");
}


TEST("what is no base64 is refused, and not shown")
{
    size_t  i;

    static const char *const  texts[] = {
        "=", "====", "YTpi=", "YTpi====", "YTpiYw=", "YTpiYw===", "YTpiY2Q==",
        "YTpiY", "YTpi YTpi", "YT=i", "YTpiYw==YTpi", "=YTpi", "YTp-", "YTp_",
        "YTp.", "bob:secret", "\xc3\xa4", "YTpi\t", "YTpi\x01", "Y"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        VALUE_REFUSED(field_of("", "auth", texts[i]),
                      "\"r.lan\" | auth | base64");
        CHECK_HAS_NOT(err.text, texts[i]);
    }
}


TEST("auth without a colon is refused")
{
    VALUE_REFUSED(auth_of("secret", 6),
                  "\"r.lan\" | auth | \":\" | user name | password");
    VALUE_REFUSED("{\"auth\":\"\\n\"}",
                  "\"r.lan\" | auth | \":\" | user name | password");
}


TEST("control characters in a user name or a password are refused")
{
    size_t  i;

    static const char *const  texts[] = {
        "bob:secret\n", "bob:sec\tret", "bob\r:secret", "\x1f:secret",
        "bob:\x7f"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        VALUE_REFUSED(auth_of(texts[i], strlen(texts[i])),
                      "\"r.lan\" | user name | password | control characters");
    }

    VALUE_REFUSED(auth_of("bob:secret\0", 11),
                  "\"r.lan\" | user name | password | control characters");
    VALUE_REFUSED(field_of("\"username\":\"bob\",", "password", "secret\n"),
                  "\"r.lan\" | user name | password | control characters");
    VALUE_REFUSED("{\"username\":\"bob\\u0000\",\"password\":\"secret\"}",
                  "\"r.lan\" | username | NUL");
}


TEST("a user name and a password may be fields of their own")
{
    PAIR("{\"username\":\"bob\",\"password\":\"secret\"}", "bob", "secret");
    PAIR("{\"username\":\"bob\",\"password\":\"a:b\",\"auth\":\"\"}", "bob",
         "a:b");
    PAIR("{\"username\":\"bob\",\"password\":\"x\",\"auth\":null}", "bob",
         "x");

    VALUE_REFUSED("{\"username\":\"bob:x\",\"password\":\"secret\"}",
                  "\"r.lan\" | username | \":\"");
}


TEST("auth wins where both forms are there")
{
    PAIR("{\"auth\":\"YTpi\",\"username\":\"bob\",\"password\":\"secret\"}",
         "a", "b");
    PAIR("{\"username\":\"b:b\",\"password\":\"s\\n\",\"auth\":\"YTpi\"}",
         "a", "b");
}


TEST("a registry's token may be there, alone or beside the others")
{
    PAIR("{\"registrytoken\":\"t.-_~+/=\"}", "", "");
    CHECK_STR(credentials.list[0].token, "t.-_~+/=");

    PAIR("{\"registrytoken\":\"t\",\"auth\":\"YTpi\"}", "a", "b");
    CHECK_STR(credentials.list[0].token, "t");

    /* half a pair is none */

    PAIR("{\"registrytoken\":\"t\",\"username\":\"bob\"}", "", "");
    CHECK_STR(credentials.list[0].token, "t");

    VALUE_REFUSED("{\"registrytoken\":\"a b\"}",
                  "\"r.lan\" | registrytoken | printable ASCII");
    VALUE_REFUSED("{\"registrytoken\":\"a\\r\\nb\"}",
                  "\"r.lan\" | registrytoken | printable ASCII");
    VALUE_REFUSED("{\"registrytoken\":\"\\u00e4\"}",
                  "\"r.lan\" | registrytoken | printable ASCII");
    VALUE_REFUSED("{\"registrytoken\":\"\\u007f\"}",
                  "\"r.lan\" | registrytoken | printable ASCII");
}


TEST("an entry with nothing usable is counted, not listed")
{
    UNUSABLE("{}");
    UNUSABLE("null");
    UNUSABLE("{\"auth\":\"\"}");
    UNUSABLE("{\"email\":\"a@b\"}");
    UNUSABLE("{\"username\":\"bob\"}");
    UNUSABLE("{\"password\":\"secret\"}");
    UNUSABLE("{\"username\":\"\",\"password\":\"\",\"registrytoken\":\"\"}");

    UNUSABLE("{\"identitytoken\":\"\"}");
    UNUSABLE("{\"auth\":\"Og==\"}");
    UNUSABLE("{\"auth\":\"Ym9iOg==\"}");
    UNUSABLE(auth_of(":secret", 7));
}


TEST("an identity token is taken, with a user name beside it and without")
{
    check_taken(entry_of("r.lan", "{\"identitytoken\":\"t.e-s_t\"}"), 1, 0,
                __LINE__);
    CHECK_STR(credentials.list[0].identity, "t.e-s_t");
    CHECK_STR(credentials.list[0].username, "");

    /* docker's own form: a user name and no password beside the token */

    check_taken(entry_of("r.lan", auth_of("00000000-0000-0000-0000-"
                                          "000000000000:", 37)), 0, 1,
                __LINE__);
    check_taken(entry_of("r.lan", "{\"auth\":\"MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAt"
                         "MDAwMDAwMDAwMDAwOg==\",\"identitytoken\":\"t\"}"), 1,
                0, __LINE__);
    CHECK_STR(credentials.list[0].identity, "t");
    CHECK_STR(credentials.list[0].username, "");

    /* a password is of use, whatever is beside it */

    PAIR("{\"auth\":\"YTpi\",\"identitytoken\":\"t\"}", "a", "b");
    CHECK_STR(credentials.list[0].identity, "t");

    VALUE_REFUSED("{\"identitytoken\":\"a b\"}",
                  "\"r.lan\" | identitytoken | printable ASCII");
}


TEST("what only helpers have is named, for a log")
{
    size_t     i;
    dfp_buf_t  b;

    TAKEN("{\"auths\":{\"a.lan\":{},\"https://b.lan/team\":null,"
          "\"c.lan\":{\"auth\":\"YTpi\"}},\"credsStore\":\"desktop\","
          "\"credHelpers\":{\"gcr.io\":\"gcloud\",\"u:secret@e.lan\\n\":\"x\"}}",
          1, 2);
    CHECK_STR(credentials.unused, "\"a.lan\", \"https://b.lan/team\"");
    CHECK_STR(credentials.helped, "\"gcr.io\", \"***@e.lan?\"");
    CHECK_INT(credentials.store, 1);

    TAKEN("{\"credsStore\":null,\"credHelpers\":{}}", 0, 0);
    CHECK_STR(credentials.helped, "");
    CHECK_STR(credentials.unused, "");
    CHECK_INT(credentials.store, 0);

    /* whatever is wrong with them */

    TAKEN("{\"credsStore\":[],\"credHelpers\":[\"gcr.io\"]}", 0, 0);
    CHECK_STR(credentials.helped, "");
    CHECK_INT(credentials.store, 1);

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"credHelpers\":{\"0\":1");

    for (i = 1; i < 1000; i++) {
        dfp_buf_cstr(&b, ",\"");
        dfp_buf_int(&b, i);
        dfp_buf_cstr(&b, "\":{}");
    }

    dfp_buf_cstr(&b, "}}");
    check_taken(dfp_buf_value(&b), 0, 0, __LINE__);
    CHECK_STR(credentials.helped, "\"0\", \"1\", \"2\", \"3\", \"4\", \"5\", "
              "\"6\", \"7\", \"8\", \"9\", ...");
}


TEST("a wrong type is refused, in each field")
{
    size_t       i;
    char         value[64], facts[96];

    static const char *const  names[] = {
        "auth", "username", "password", "registrytoken", "identitytoken"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void) snprintf(value, sizeof(value), "{\"%s\":[\"secret\"]}",
                        names[i]);
        (void) snprintf(facts, sizeof(facts),
                        "\"r.lan\" | %s | string", names[i]);
        VALUE_REFUSED(value, facts);
    }
}


TEST("user names, passwords and tokens are taken up to their limits")
{
    size_t       i, max;
    char         facts[96];

    static const char *const  names[] = {
        "username", "password", "registrytoken", "identitytoken"
    };

    max = DFP_CREDENTIALS_MAX_TEXT;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        CHECK_INT(parse(entry_of("r.lan", field_of("\"x\":1,", names[i],
                                                   filled("", 'a', max)))),
                  DFP_OK);

        (void) snprintf(facts, sizeof(facts),
                        "\"r.lan\" | %s | 16384 bytes", names[i]);
        VALUE_REFUSED(field_of("", names[i], filled("", 'a', max + 1)), facts);
    }
}


TEST("what is in auth is taken up to the same limits")
{
    char         *text;
    size_t        max;
    const char   *facts;

    max = DFP_CREDENTIALS_MAX_TEXT;
    text = dfp_test_alloc(NULL, 2 * max + 4);
    memset(text, 'a', 2 * max + 4);

    text[max] = ':';
    check_taken(entry_of("r.lan", auth_of(text, 2 * max + 1)), 1, 0, __LINE__);
    CHECK_INT(credentials.list[0].username.len, max);
    CHECK_INT(credentials.list[0].password.len, max);

    facts = "\"r.lan\" | user name | password | 16384 bytes";

    text[max] = 'a';
    text[max + 1] = ':';
    VALUE_REFUSED(auth_of(text, max + 3), facts);

    text[max + 1] = 'a';
    text[1] = ':';
    check_taken(entry_of("r.lan", auth_of(text, max + 2)), 1, 0, __LINE__);
    VALUE_REFUSED(auth_of(text, max + 3), facts);

    VALUE_REFUSED(auth_of(text, 2 * max + 2),
                  "\"r.lan\" | auth | 43692 bytes");
}


static int
run_parse(dfp_mem_t *mem, void *data)
{
    int                rc;
    dfp_credentials_t  list;

    /* strings of less than 16 bytes: jansson loses a byte of longer ones, and
     * says nothing, where it has no memory */

    rc = dfp_credentials_parse(mem, DFP_STR("{\"auths\":{"
                               "\"https://r.lan\":{\"auth\":\"YTpi\"},"
                               "\"docker.io/x\":{\"username\":\"bob\","
                               "\"password\":\"secret\"},"
                               "\"t.lan\":{\"registrytoken\":\"token\"},"
                               "\"e.lan\":{},\"i.lan\":{\"identitytoken\":"
                               "\"t\"}},\"credHelpers\":{\"h.lan\":1}}"),
                               &list, &err);

    if (rc != DFP_OK) {
        CHECK(list.list == NULL && list.n == 0 && list.unusable == 0);
        return rc;
    }

    CHECK_INT(list.n, 4);
    CHECK_INT(list.unusable, 1);
    CHECK_STR(list.unused, "\"e.lan\"");
    CHECK_STR(list.helped, "\"h.lan\"");
    CHECK_STR(list.list[0].password, "b");
    CHECK_STR(list.list[1].path, "x");
    CHECK_STR(list.list[1].password, "secret");
    CHECK_STR(list.list[2].token, "token");
    CHECK_STR(list.list[3].identity, "t");

    return DFP_OK;
}


TEST("without memory nothing is read by halves")
{
    dfp_test_oom(run_parse, NULL);

    json_set_alloc_funcs(dfp_test_lib_malloc, dfp_test_lib_free);
    dfp_test_lib_oom(run_parse, NULL);
    json_set_alloc_funcs(malloc, free);
}
