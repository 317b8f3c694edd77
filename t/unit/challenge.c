/*
 * What a 401 asks for: the grammar of challenges, and the one that is answered.
 */

#include "dfp_challenge.h"
#include "dfp_test.h"


#define REALM   "realm=\"https://auth.lan/token\""
#define HREF    "https://auth.lan/token"
#define GOOD    "Bearer " REALM

#define NOTHING "not | WWW-Authenticate"
#define CANNOT  "unsupported | "
#define NO_URL  CANNOT "Bearer | realm | http | https URL"
#define ODD     CANNOT "Bearer (not printable ASCII)"


static dfp_challenge_t  challenge;
static dfp_err_t        err;


static const char *
repeated(const char *part, size_t n)
{
    char    *text, *p;
    size_t   len;

    len = strlen(part);
    text = dfp_test_alloc(NULL, n * len + 1);

    for (p = text; p < text + n * len; p += len) {
        memcpy(p, part, len);
    }

    *p = '\0';

    return text;
}


static void
check_printable(dfp_str_t s)
{
    size_t  i;

    CHECK(s.data != NULL);

    for (i = 0; i < s.len; i++) {
        CHECK(s.data[i] >= 0x20 && s.data[i] < 0x7f);
    }
}


/* The headers are copied, each to a block of its own without a NUL, and are
 * overwritten at the end: nothing of what was picked may point there. */

static int
pick_of(const dfp_str_t *headers, size_t n)
{
    int         rc;
    char       *copy;
    size_t      i;
    dfp_str_t  *copies;

    copies = dfp_test_alloc(NULL, n * sizeof(dfp_str_t));

    for (i = 0; i < n; i++) {
        copy = dfp_test_alloc(NULL, headers[i].len);
        memcpy(copy, headers[i].data, headers[i].len);
        copies[i] = (dfp_str_t) { headers[i].len, copy };
    }

    err.text[0] = '\0';
    memset(&challenge, 0xa5, sizeof(dfp_challenge_t));

    rc = dfp_challenge_pick(dfp_test_mem(), copies, n, &challenge, &err);

    for (i = 0; i < n; i++) {
        memset((char *) copies[i].data, '\001', copies[i].len);
    }

    if (rc == DFP_OK) {
        check_printable(challenge.service);
        check_printable(challenge.scope);
        check_printable(challenge.error);

    } else {
        CHECK_INT(challenge.scheme, 0);
        CHECK(err.text[0] != '\0');
        check_printable(dfp_test_str(err.text));
    }

    return rc;
}


static void
check_bearer(dfp_str_t header, const char *service, const char *scope,
    int line)
{
    if (!dfp_test_check_int(pick_of(&header, 1), DFP_OK, line, "the result")) {
        dfp_test_print("refused", header);
        printf("#   %s\n", err.text);
        return;
    }

    dfp_test_check_int(challenge.scheme, DFP_CHALLENGE_BEARER, line,
                       "the scheme");
    dfp_test_check_str(challenge.realm.href, DFP_STR(HREF), line, "the realm");
    dfp_test_check_str(challenge.service, dfp_test_str(service), line,
                       "the service");
    dfp_test_check_str(challenge.scope, dfp_test_str(scope), line,
                       "the scope");
}


static void
check_basic(dfp_str_t header, int line)
{
    if (!dfp_test_check_int(pick_of(&header, 1), DFP_OK, line, "the result")) {
        dfp_test_print("refused", header);
        printf("#   %s\n", err.text);
        return;
    }

    dfp_test_check_int(challenge.scheme, DFP_CHALLENGE_BASIC, line,
                       "the scheme");
    dfp_test_check_int(challenge.realm.href.len, 0, line, "the realm");
}


static void
check_none(dfp_str_t header, const char *facts, int line)
{
    if (!dfp_test_check_int(pick_of(&header, 1), DFP_DECLINED, line,
                            "the result"))
    {
        dfp_test_print("taken", header);
    }

    dfp_test_check_says(err.text, facts, line, "the message");
}


#define PICK(...)                                                             \
    pick_of((dfp_str_t[]) { __VA_ARGS__ },                                    \
            sizeof((dfp_str_t[]) { __VA_ARGS__ }) / sizeof(dfp_str_t))

#define BEARER(header, service, scope)                                        \
    check_bearer(DFP_STR(header), service, scope, __LINE__)
#define TAKEN(header)         check_bearer(DFP_STR(header), "", "", __LINE__)
#define BASIC(header)         check_basic(DFP_STR(header), __LINE__)
#define NONE(header, what)    check_none(DFP_STR(header), what, __LINE__)
#define BROKEN(header)        NONE(header, CANNOT "Bearer (malformed)")


TEST("the challenges of registries are taken as they are")
{
    size_t  i;

    static const struct {
        const char  *header;
        const char  *href;
        const char  *service;
        const char  *scope;
        const char  *error;
    } list[] = {
        { "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.doc"
          "ker.io\",scope=\"repository:library/alpine:pull\"",
          "https://auth.docker.io/token", "registry.docker.io",
          "repository:library/alpine:pull", "" },
        { "Bearer realm=\"https://ghcr.io/token\",service=\"ghcr.io\",scope=\"r"
          "epository:a/b:pull\"", "https://ghcr.io/token", "ghcr.io",
          "repository:a/b:pull", "" },
        { "Bearer realm=\"https://harbor.lan/service/token\",service=\"harbor-r"
          "egistry\",scope=\"repository:library/a:pull,push\"",
          "https://harbor.lan/service/token", "harbor-registry",
          "repository:library/a:pull,push", "" },
        { "Bearer realm=\"https://quay.io/v2/auth\",service=\"quay.io\",scope="
          "\"repository:coreos/etcd:pull\"", "https://quay.io/v2/auth",
          "quay.io", "repository:coreos/etcd:pull", "" },
        { "Bearer realm=\"https://gitlab.lan/jwt/auth\",service=\"container_reg"
          "istry\",scope=\"repository:g/p:pull\",error=\"invalid_token\"",
          "https://gitlab.lan/jwt/auth", "container_registry",
          "repository:g/p:pull", "invalid_token" },
        { "Bearer realm=\"https://team.azurecr.io/oauth2/token\",service=\"team"
          ".azurecr.io\",scope=\"repository:a:pull\",error=\"insufficient_scope"
          "\"", "https://team.azurecr.io/oauth2/token", "team.azurecr.io",
          "repository:a:pull", "insufficient_scope" },
        { "Bearer realm=\"https://europe-docker.pkg.dev/v2/token\",service=\"eu"
          "rope-docker.pkg.dev\"", "https://europe-docker.pkg.dev/v2/token",
          "europe-docker.pkg.dev", "", "" },
        { "Bearer realm=\"http://auth.lan:5001/auth?x=1\", service=\"Docker reg"
          "istry\"", "http://auth.lan:5001/auth?x=1", "Docker registry", "",
          "" }
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        CHECK_INT(PICK(dfp_test_str(list[i].header)), DFP_OK);
        CHECK_INT(challenge.scheme, DFP_CHALLENGE_BEARER);
        CHECK_SAME(challenge.realm.href, dfp_test_str(list[i].href));
        CHECK_SAME(challenge.service, dfp_test_str(list[i].service));
        CHECK_SAME(challenge.scope, dfp_test_str(list[i].scope));
        CHECK_SAME(challenge.error, dfp_test_str(list[i].error));
    }
}


TEST("registries that want Basic get it")
{
    BASIC("Basic realm=\"https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/"
          "\",service=\"ecr.amazonaws.com\"");
    CHECK_STR(challenge.service, "ecr.amazonaws.com");

    BASIC("BASIC realm=\"Sonatype Nexus Repository Manager\"");
    BASIC("Basic");
    BASIC("basic realm=registry");
    BASIC("bAsIc realm=\"WallyWorld\", charset=\"UTF-8\"");
}


TEST("Bearer is preferred to Basic, whichever comes first")
{
    dfp_str_t  bearer = DFP_STR("Bearer realm=\"https://a.lan/artifactory/api/"
                                "docker/d/v2/token\",service=\"a.lan\"");
    dfp_str_t  basic = DFP_STR("Basic realm=\"Artifactory Realm\"");

    CHECK_INT(PICK(bearer, basic), DFP_OK);
    CHECK_INT(challenge.scheme, DFP_CHALLENGE_BEARER);
    CHECK_INT(PICK(basic, bearer), DFP_OK);
    CHECK_INT(challenge.scheme, DFP_CHALLENGE_BEARER);
    CHECK_STR(challenge.service, "a.lan");

    TAKEN("Basic realm=\"a\", " GOOD);
    TAKEN(GOOD ", Basic realm=\"a\"");
}


TEST("the first Bearer and the first Basic count")
{
    CHECK_INT(PICK(DFP_STR(GOOD ",service=a," GOOD ",service=b"),
                   DFP_STR(GOOD ",service=c")), DFP_OK);
    CHECK_STR(challenge.service, "a");

    CHECK_INT(PICK(DFP_STR("Basic service=a,Basic service=b"),
                   DFP_STR("Basic service=c")), DFP_OK);
    CHECK_STR(challenge.service, "a");
    CHECK_INT(challenge.scheme, DFP_CHALLENGE_BASIC);

    BEARER("Bearer realm=\"x\",service=a," GOOD ",service=b", "b", "");
}


TEST("the examples of the RFCs are read as they say")
{
    /* RFC 9110, 11.6.1, and RFC 7235, 4.1 */
    BASIC("Basic realm=\"simple\", Newauth realm=\"apps\", type=1, "
          "title=\"Login to \\\"apps\\\"\"");
    BASIC("Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", "
          "Basic realm=\"simple\"");

    /* RFC 7616, 3.9.1: a comma within quotes */
    NONE("Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "
         "algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiT"
         "o0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
         CANNOT "Digest");
    CHECK_HAS_NOT(err.text, "malformed");

    /* RFC 6750, 3: realms that are no URL */
    NONE("Bearer realm=\"example\", error=\"invalid_token\", "
         "error_description=\"The access token expired\"", NO_URL);

    /* RFC 4559: a token68, or nothing */
    NONE("Negotiate a87421000492aa874209af8bc028", CANNOT "Negotiate");
    CHECK_HAS_NOT(err.text, "malformed");
    CHECK_HAS_NOT(err.text, "a87421");
    NONE("Negotiate", CANNOT "Negotiate");
    CHECK_HAS_NOT(err.text, "malformed");
}


TEST("letter case does not matter, in schemes and names")
{
    BEARER("bEARER REALM=\"https://auth.lan/token\",Service=\"A b\",SCOPE=C",
           "A b", "C");
    CHECK_INT(PICK(DFP_STR(GOOD ",ErroR=Invalid_Token")), DFP_OK);
    CHECK_STR(challenge.error, "Invalid_Token");
}


TEST("a list may have empty elements, and blanks and tabs around commas")
{
    BEARER(",, ,\t,Bearer " REALM " ,\t, , service=a,,scope=b, ,", "a", "b");
    BEARER("Bearer , ," REALM ",service=a", "a", "");
    BEARER("Bearer \t," REALM ",service=a", "a", "");
    BEARER(" \tBearer    " REALM "\t ", "", "");
    TAKEN("Negotiate,," GOOD);
    TAKEN("Negotiate , " GOOD);
    TAKEN("Basic,NTLM\t,\t" GOOD ",");
    NONE("", NOTHING);
    NONE(" \t ", NOTHING);
    NONE(",", NOTHING);
    NONE(" , ,\t,", NOTHING);
}


TEST("blanks and tabs may be around the = of a parameter")
{
    BEARER("Bearer realm = \"https://auth.lan/token\" , service\t=\t a,scope"
           "= b", "a", "b");
    TAKEN("Basic realm = a, " GOOD);
    BROKEN("Bearer re alm=\"https://auth.lan/token\"");
}


TEST("a value is a token or a quoted string with escapes")
{
    BEARER(GOOD ",service=!#$%&'*+-.^_`|~09azAZ", "!#$%&'*+-.^_`|~09azAZ", "");
    BEARER(GOOD ",service=\"\",scope=\"\\\\ \\\" \\a, =;\"", "",
           "\\ \" a, =;");
    BEARER(GOOD ",service=\" !#[]^~\"", " !#[]^~", "");
    BEARER("Bearer realm=\"https:\\/\\/auth.lan\\/token\"", "", "");
    BEARER("Bearer x=\"\\\"\"," REALM ",service=\"\\\\\"", "\\", "");
    BEARER(GOOD ",service=\"a\\,b,c\",scope=\"Basic realm=x, Basic\"", "a,b,c",
           "Basic realm=x, Basic");

    /* a tab or 8 bits are of no harm where nobody looks */
    BEARER(GOOD ",x=\"\t\\\t\xe9\\\xff\x80\",service=a", "a", "");
}


TEST("values that are neither break a challenge")
{
    BROKEN("Bearer realm=https://auth.lan/token");
    BROKEN("Bearer realm='https://auth.lan/token'");
    BROKEN(GOOD ",service=");
    BROKEN(GOOD ",service=,scope=a");
    BROKEN(GOOD ",service=a=b");
    BROKEN(GOOD ",service=a b");
    BROKEN(GOOD ",service=a\"b\"");
    BROKEN(GOOD ",service=\"a\"b");
    BROKEN(GOOD ",service=\"a\"\"b\"");
    BROKEN(GOOD ",service=\"a\" scope=b");
    BROKEN(GOOD ";service=a");
    BROKEN(GOOD ",=a");
    BROKEN(GOOD ",\"service\"=a");
    BROKEN(GOOD ",(service)=a");

    /* these begin as a next challenge does, which is the one that is broken */

    TAKEN(GOOD ",service:a");
    TAKEN(GOOD ",s\xc3\xa9rvice=a");
}


TEST("a quoted string that does not end breaks a challenge")
{
    BROKEN("Bearer realm=\"https://auth.lan/token");
    BROKEN("Bearer realm=\"");
    BROKEN("Bearer realm=\"https://auth.lan/token\\\"");
    BROKEN("Bearer realm=\"https://auth.lan/token\\");
    BROKEN(GOOD ",service=\"a,scope=b");
}


TEST("control characters break a challenge, wherever they are")
{
    int        ch;
    dfp_str_t  header;

    for (ch = 0; ch < 0x20; ch++) {
        header = text_of(GOOD ",x=\"a%cb\"", ch);

        CHECK_INT(PICK(header), ch == '\t' ? DFP_OK : DFP_DECLINED);
        CHECK_INT(PICK(text_of(GOOD ",x=\"a\\%cb\"", ch)),
                  ch == '\t' ? DFP_OK : DFP_DECLINED);
        CHECK_INT(PICK(text_of("%cBearer " REALM, ch)),
                  ch == '\t' ? DFP_OK : DFP_DECLINED);
        CHECK_INT(PICK(text_of(GOOD "%c", ch)),
                  ch == '\t' ? DFP_OK : DFP_DECLINED);
        CHECK_INT(PICK(text_of("Bearer%c" REALM, ch)), DFP_DECLINED);
        CHECK_INT(PICK(text_of("Bea%crer " REALM, ch)), DFP_DECLINED);
        CHECK_INT(PICK(text_of(GOOD ",x=a%cb", ch)), DFP_DECLINED);
    }

    BROKEN(GOOD ",x=\"\x7f\"");
    BROKEN(GOOD ",x=\"\\\x7f\"");
    BROKEN(GOOD ",service=\"a\0b\"");
    BROKEN("Bearer realm=\"https://auth.lan/token\r\nX-Evil: 1\"");
    NONE("\0", CANNOT "something (malformed)");
    NONE("\xe9", CANNOT "something (malformed)");
    NONE("Bearer\t" REALM, CANNOT "Bearer (malformed)");
    NONE("Bearer \t" REALM, CANNOT "Bearer (malformed)");
}


TEST("in the values that count tabs and 8-bit bytes are not answered")
{
    NONE(GOOD ",service=\"a\tb\"", ODD);
    NONE(GOOD ",service=\"\xc3\xa9\"", ODD);
    NONE(GOOD ",scope=\"a\\\tb\"", ODD);
    NONE(GOOD ",error=\"\x9b\"", ODD);
    NONE("Bearer realm=\"https://auth.lan/\xff\"", ODD);

    /* the grammar is kept: what follows counts */

    BASIC(GOOD ",service=\"\t\", Basic realm=\"x\"");
    TAKEN("Basic service=\"\xe9\", " GOOD);
    TAKEN("Digest realm=\"\xe9\t\", " GOOD);
}


TEST("a token68 is told from parameters, and ends its challenge")
{
    TAKEN("Negotiate YII=, " GOOD);
    TAKEN("Negotiate a-._~+/Z9==\t," GOOD);
    TAKEN("Negotiate a=," GOOD);
    TAKEN("Digest realm=," GOOD);
    TAKEN("NTLM a87421000492aa874209af8bc028," GOOD);
    BASIC("Basic YTpi");
    NONE("Bearer abc", NO_URL);
    NONE("Bearer realm=", NO_URL);
    NONE("Negotiate a==b, " GOOD, CANNOT "Negotiate (malformed)");
    NONE("Negotiate a== b=c, " GOOD, CANNOT "Negotiate (malformed)");
    NONE("Negotiate ==, " GOOD, CANNOT "Negotiate (malformed)");
    NONE("Negotiate a:b, " GOOD, CANNOT "Negotiate (malformed)");
    NONE("Negotiate a=, b=c, " GOOD, CANNOT "Negotiate, b (malformed)");
}


TEST("parameters without a blank before them belong to no scheme")
{
    NONE("Bearer," REALM, NO_URL " | realm (malformed)");
    NONE(REALM, CANNOT "realm (malformed)");
    NONE("=", CANNOT "something (malformed)");
    NONE("\"Bearer\" " REALM, CANNOT "something (malformed)");
}


TEST("a parameter that is there twice spoils a challenge")
{
    BROKEN("Bearer " REALM "," REALM);
    BROKEN("Bearer " REALM ",REALM=\"https://evil.lan/\"");
    BROKEN(GOOD ",service=a,service=a");
    BROKEN(GOOD ",x=a,X=b");
    BEARER(GOOD ",x=a,xx=b,service=c", "c", "");

    /* in another challenge it is another one */
    BEARER("Digest realm=a,service=b," GOOD ",service=c", "c", "");
}


TEST("what is spoiled takes what follows with it, and nothing else")
{
    TAKEN(GOOD ",Basic realm=\"");
    TAKEN(GOOD ",Basic realm=x,realm=x");
    BASIC("Basic realm=\"x\",Bearer realm=\"");
    BASIC("Basic realm=\"x\",Bearer " REALM "," REALM);

    NONE("Digest x=\"," GOOD, CANNOT "Digest (malformed)");
    NONE("Digest y=1,x=," GOOD, CANNOT "Digest (malformed)");
    NONE("Digest x=1,x=2," GOOD, CANNOT "Digest (malformed)");
    NONE("@," GOOD, CANNOT "something (malformed)");

    CHECK_INT(PICK(DFP_STR("Digest x=1,x=2," GOOD),
                   DFP_STR(GOOD ",service=a")), DFP_OK);
    CHECK_STR(challenge.service, "a");
}


TEST("realms that are no URL that can be trusted are passed over")
{
    NONE("Bearer service=a", NO_URL);
    NONE("Bearer realm=\"\"", NO_URL);
    NONE("Bearer realm=\"/token\"", NO_URL);
    NONE("Bearer realm=\"ftp://auth.lan/\"", NO_URL);
    NONE("Bearer realm=\"file:///etc/passwd\"", NO_URL);
    NONE("Bearer realm=\"https://u:p@auth.lan/\"", CANNOT
         "Bearer | realm | user name | password");
    NONE("Bearer realm=\"https://auth.lan/%00\"", CANNOT
         "Bearer | realm | %00");
    NONE("Bearer realm=\"https://auth.lan/?%0d%0aX:1\"", CANNOT
         "Bearer | realm | %0D");
    NONE("Bearer realm=\"https://auth.lan/../x\"", CANNOT
         "Bearer | realm | \".\" | \"..\" | path");
    NONE("Bearer realm=\" https://auth.lan/\"", CANNOT
         "Bearer | realm | printable ASCII | escape | %");

    BASIC("Bearer realm=\"https://u:p@auth.lan/\", Basic realm=\"x\"");
    TAKEN("Bearer realm=\"ftp://auth.lan/\", " GOOD);
    TAKEN("Bearer realm=\"HTTPS://Auth.LAN:443/token#x\"");
}


TEST("without headers there is nothing to answer")
{
    CHECK_INT(pick_of(NULL, 0), DFP_DECLINED);
    CHECK_SAYS(err.text, NOTHING);
    CHECK_INT(dfp_challenge_pick(dfp_test_mem(), &DFP_STR_NULL, 1, &challenge,
                                 &err), DFP_DECLINED);
    CHECK_SAYS(err.text, NOTHING);
    CHECK_INT(PICK(DFP_STR("Negotiate"), DFP_STR("NTLM"), DFP_STR("x=1")),
              DFP_DECLINED);
    CHECK_SAYS(err.text, CANNOT "Negotiate, NTLM, x (malformed)");
}


TEST("a header is read up to its limit, and no longer one")
{
    dfp_str_t  header;

    header = text_of(GOOD ",service=\"%s\"", repeated("s", DFP_CHALLENGE_MAX_LEN
                     - strlen(GOOD ",service=\"\"")));
    CHECK_INT(header.len, DFP_CHALLENGE_MAX_LEN);
    CHECK_INT(PICK(header), DFP_OK);

    header = text_of("%.*s ", (int) header.len, header.data);
    CHECK_INT(header.len, DFP_CHALLENGE_MAX_LEN + 1);
    CHECK_INT(PICK(header), DFP_DECLINED);
    CHECK_SAYS(err.text, CANNOT "something (header too long)");

    CHECK_INT(PICK(header, DFP_STR(GOOD)), DFP_OK);
}


TEST("as many headers are read as the limit says")
{
    size_t     i;
    dfp_str_t  headers[DFP_CHALLENGE_MAX_HEADERS + 1];

    for (i = 0; i < DFP_CHALLENGE_MAX_HEADERS; i++) {
        headers[i] = DFP_STR("NTLM");
    }

    headers[i] = DFP_STR(GOOD);
    CHECK_INT(pick_of(headers, DFP_CHALLENGE_MAX_HEADERS + 1), DFP_DECLINED);

    headers[i - 1] = DFP_STR(GOOD);
    CHECK_INT(pick_of(headers, DFP_CHALLENGE_MAX_HEADERS + 1), DFP_OK);
    CHECK_INT(pick_of(headers, DFP_CHALLENGE_MAX_HEADERS), DFP_OK);
}


static dfp_str_t
params_of(size_t n)
{
    size_t     i;
    dfp_str_t  text;

    text = DFP_STR("Bearer " REALM);

    for (i = 1; i < n; i++) {
        text = text_of("%.*s,p%zu=x", (int) text.len, text.data, i);
    }

    return text;
}


TEST("a challenge has as many parameters as the limit says")
{
    CHECK_INT(PICK(params_of(DFP_CHALLENGE_MAX_PARAMS)), DFP_OK);
    CHECK_INT(PICK(params_of(DFP_CHALLENGE_MAX_PARAMS + 1)), DFP_DECLINED);
    CHECK_SAYS(err.text, CANNOT "Bearer (malformed)");
}


TEST("huge lists of challenges end, and their sentence is cut between two")
{
    dfp_str_t  header;

    header = text_of("%s", repeated("x,", DFP_CHALLENGE_MAX_LEN / 2));
    CHECK_INT(PICK(header, header, header), DFP_DECLINED);
    CHECK_SAYS(err.text, CANNOT "x, x, x");
    CHECK(strlen(err.text) < DFP_ERR_LEN - 1);
    CHECK(err.text[strlen(err.text) - 1] == 'x');

    header = text_of("%s" GOOD, repeated(",", DFP_CHALLENGE_MAX_LEN
                                         - strlen(GOOD)));
    CHECK_INT(PICK(header), DFP_OK);

    header = text_of("%s", repeated("Basic a=\"", 400));
    CHECK_INT(PICK(header), DFP_DECLINED);

    header = text_of("%s", repeated("S", DFP_CHALLENGE_MAX_LEN));
    CHECK_INT(PICK(header), DFP_DECLINED);
    CHECK_SAYS(err.text, CANNOT "SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS");
}


static int
pick_in(dfp_mem_t *mem, void *data)
{
    int  rc;

    static const dfp_str_t  headers[] = {
        { sizeof("Basic realm=a, Bearer realm=b") - 1,
          "Basic realm=a, Bearer realm=b" },
        { sizeof(GOOD ",service=\"\\a\"") - 1, GOOD ",service=\"\\a\"" }
    };

    rc = dfp_challenge_pick(mem, headers, 2, &challenge, &err);

    if (rc == DFP_OK) {
        CHECK_STR(challenge.realm.href, HREF);
        CHECK_STR(challenge.service, "a");
    }

    return rc;
}


TEST("no memory for a challenge is an error of its own")
{
    dfp_test_oom(pick_in, NULL);
}
