/*
 * URLs as they are shown: without what opens doors.
 */

#include "dfp_url.h"
#include "dfp_test.h"


static int  changed;


static dfp_str_t
shown(dfp_str_t text)
{
    int        again;
    dfp_str_t  out, twice;

    if (!CHECK_INT(dfp_url_redact(dfp_test_mem(), text, &out, &changed),
                   DFP_OK))
    {
        return DFP_STR_NULL;
    }

    CHECK_INT(changed, !dfp_str_eq(out, text));

    /* where nothing is hidden there is no copy either */

    CHECK(changed || out.data == text.data);

    CHECK_INT(dfp_url_redact(dfp_test_mem(), out, &twice, &again), DFP_OK);
    CHECK_INT(again, 0);
    CHECK_SAME(twice, out);

    return out;
}


#define CHECK_SHOWN(in, out)  CHECK_STR(shown(DFP_STR(in)), out)
#define CHECK_AS_IS(in)       CHECK_STR(shown(DFP_STR(in)), in)


TEST("a URL without secrets is shown as it is")
{
    CHECK_AS_IS("");
    CHECK_AS_IS("https://a.lan/x");
    CHECK_AS_IS("https://a.lan/x?");
    CHECK_AS_IS("https://a.lan/x?a=1&b=2&&=&c");
    CHECK_AS_IS("https://a.lan/x?author=me&keys=1&design=2&nsx=3");
    CHECK_AS_IS("https://a.lan/token=1/secret=2");
    CHECK_AS_IS("not a url at all");
    CHECK_SAME(shown(DFP_STR_NULL), DFP_STR_NULL);
}


TEST("what object stores, CDNs and registries let in by is hidden")
{
    size_t       i;
    dfp_str_t    out;
    const char  *name;
    char         text[128], plain[128];

    static const char *const  names[] = {
        "sas", "sig", "hmac", "hash", "code", "GoogleAccessId", "st", "se",
        "private_token", "job_token", "PRIVATE-TOKEN", "X-JFrog-Art-Api",
        "X-Artifactory-Signature", "x-ms-signature", "AWSAccessKeyId",
        "OSSAccessKeyId", "Signature", "Expires", "Policy", "Key-Pair-Id",
        "KeyName", "hdnts", "__token__", "txSecret", "txTime", "hwSecret",
        "verify", "md5", "subscription-key", "rlkey", "api_key", "jwt",
        "id_jwt", "x_sig", "url-sign", "tempauth", "oauth_nonce", "otp", "pat",
        "passCode", "user_pass", "username", "ticket", "auth_key", "auth",
        "x-auth", "s%69g", "%53IG", "skoid"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        name = names[i];

        (void) snprintf(text, sizeof(text), "https://a.lan/x?a=1&%s=hunter2&b=2",
                        name);
        (void) snprintf(plain, sizeof(plain), "https://a.lan/x?a=1&%s=***&b=2",
                        name);

        out = shown((dfp_str_t) { strlen(text), text });
        CHECK_SAME(out, dfp_test_str(plain));
    }
}


TEST("what other parameters say is shown")
{
    CHECK_AS_IS("https://a.lan/x?sv=2024&sr=b&sp=r&version=1&page=2&size=3");
    CHECK_AS_IS("https://a.lan/x?state=1&set=2&rest=3&asset=4&statement=5");
    CHECK_AS_IS("https://a.lan/x?hashed=1&codec=2&recode=3&macos=4&pathname=5");
    CHECK_AS_IS("https://a.lan/x?design=1&assign=2&compat=3&compass=4&spin=5");
    CHECK_AS_IS("https://a.lan/x?digest=sha256:abc&platform=linux/amd64");
}


TEST("signatures in a query string are hidden, the rest stays")
{
    CHECK_SHOWN("https://s3.lan/b/k?X-Amz-Date=20260101T000000Z&part=7"
                "&X-Amz-Signature=0123456789abcdef",
                "https://s3.lan/b/k?X-Amz-Date=***&part=7"
                "&X-Amz-Signature=***");
    CHECK_SHOWN("https://a.lan/?token=abc", "https://a.lan/?token=***");
    CHECK_SHOWN("https://a.lan/?a=1&Signature=x&b=2",
                "https://a.lan/?a=1&Signature=***&b=2");
}


TEST("each name of Dragonfly's default filter list is hidden")
{
    size_t      len;
    char        text[128];
    const char *p, *next;

    static const char  names[] =
        "X-Amz-Algorithm&X-Amz-Credential&X-Amz-Date&X-Amz-Expires&"
        "X-Amz-SignedHeaders&X-Amz-Signature&X-Amz-Security-Token&"
        "X-Amz-User-Agent&X-Goog-Algorithm&X-Goog-Credential&X-Goog-Date&"
        "X-Goog-Expires&X-Goog-SignedHeaders&X-Goog-Signature&OSSAccessKeyId&"
        "Expires&Signature&SecurityToken&AccessKeyId&X-Obs-Date&"
        "X-Obs-Security-Token&q-sign-algorithm&q-ak&q-sign-time&q-key-time&"
        "q-header-list&q-url-param-list&q-signature&x-cos-security-token&ns&";

    for (p = names; *p; p = next + 1) {
        next = strchr(p, '&');
        len = next - p;

        (void) snprintf(text, sizeof(text), "http://a.lan/?%.*s=v4lue&z=1",
                        (int) len, p);
        (void) shown(dfp_test_str(text));

        if (!CHECK(changed)) {
            printf("#   %s\n", text);
        }
    }
}


TEST("other names that carry secrets are hidden, too")
{
    CHECK_SHOWN("/?sig=a&access_token=b&client_secret=c&apikey=d",
                "/?sig=***&access_token=***&client_secret=***&apikey=***");
    CHECK_SHOWN("/?Policy=a&Key-Pair-Id=b&key=c&auth=d",
                "/?Policy=***&Key-Pair-Id=***&key=***&auth=***");
    CHECK_SHOWN("/?user_password=a&X-Oss-Signature-Version=b",
                "/?user_password=***&X-Oss-Signature-Version=***");
}


TEST("names count in any letter case, and escaped")
{
    CHECK_SHOWN("/?TOKEN=a", "/?TOKEN=***");
    CHECK_SHOWN("/?x-aMZ-sIGNATURE=a", "/?x-aMZ-sIGNATURE=***");
    CHECK_SHOWN("/?X%2DAmz%2dSignature=a", "/?X%2DAmz%2dSignature=***");
    CHECK_SHOWN("/?%74oken=a", "/?%74oken=***");
    CHECK_SHOWN("/?a%token=a", "/?a%token=***");
    CHECK_AS_IS("/?toke%=a");
    CHECK_AS_IS("/?toke%6=a");
}


TEST("no part of a secret is left, whatever characters it has")
{
    CHECK_SHOWN("/?token=a=b==", "/?token=***");
    CHECK_SHOWN("/?token=a;b", "/?token=***");
    CHECK_SHOWN("/?token=a?b#c/d&e=f", "/?token=***&e=f");
    CHECK_SHOWN("/?token==", "/?token=***");
    CHECK_SHOWN("/?token=***x", "/?token=***");
    CHECK_SHOWN("/?token=a\0b", "/?token=***");
}


TEST("an empty secret has nothing to hide")
{
    CHECK_AS_IS("/?token=");
    CHECK_AS_IS("/?token=&a=b");
    CHECK_AS_IS("/?token");
    CHECK_AS_IS("/?token=***");
}


TEST("secrets are found after every separator")
{
    CHECK_SHOWN("/?a=1;token=b", "/?a=1;token=***");
    CHECK_SHOWN("/?a=?token=b", "/?a=?token=***");
    CHECK_SHOWN("/x#access_token=b&c=d", "/x#access_token=***&c=d");
    CHECK_SHOWN("/x;jsessionid=b", "/x;jsessionid=***");
    CHECK_SHOWN("/?&&token=b", "/?&&token=***");
    CHECK_SHOWN("?token=b", "?token=***");
}


TEST("a user name and a password are hidden, in a text that is no URL, too")
{
    CHECK_SHOWN("https://u:p@a.lan/x", "https://***@a.lan/x");
    CHECK_SHOWN("https://u@a.lan", "https://***@a.lan");
    CHECK_SHOWN("//u:p@a.lan/x", "//***@a.lan/x");
    CHECK_SHOWN("https://u:p@w@a.lan/x?token=b",
                "https://***@a.lan/x?token=***");
    CHECK_SHOWN("https://u:?&token=p@a.lan/", "https://u:?&token=***");
    CHECK_SHOWN("https://u;key=p&x@a.lan/", "https://***@a.lan/");

    /* a text that was shown once must not look like another one: these gained
     * a user name when the "?" before it was hidden */

    CHECK_SHOWN("&sig=?x//u@a.lan&b=1", "&sig=***&b=1");
    CHECK_SHOWN("//a;key=x?&c@d", "//a;key=x?&c@d");

    CHECK_AS_IS("https://@a.lan/x");
    CHECK_AS_IS("https://a.lan/x@y");
    CHECK_AS_IS("https://a.lan?x@y");
    CHECK_AS_IS("https://");
    CHECK_AS_IS("/");
    CHECK_AS_IS("a@b");
}


static int
redact_in(dfp_mem_t *mem, void *data)
{
    int        rc, hidden;
    dfp_str_t  out;

    rc = dfp_url_redact(mem, DFP_STR("https://u:p@a.lan/?token=a&sig=b"),
                        &out, &hidden);

    if (rc == DFP_OK) {
        CHECK_STR(out, "https://***@a.lan/?token=***&sig=***");
    }

    return rc;
}


TEST("no memory for hiding a secret is an error, and never shows it")
{
    dfp_test_oom(redact_in, NULL);
}
