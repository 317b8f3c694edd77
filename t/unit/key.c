/*
 * Keys of the cache: what shares one, and what does not.
 */

#define _GNU_SOURCE     /* memmem() */

#include "dfp_key.h"
#include "dfp_test.h"


#define DIGEST                                                                \
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


static dfp_str_t
key_of(dfp_str_t uri, int share_blobs)
{
    dfp_key_t  parts;
    dfp_str_t  key;

    parts.upstream = DFP_STR("http://up:5000");
    parts.origin = DFP_STR("https://a.lan");
    parts.uri = uri;
    parts.filter = NULL;
    parts.nfilter = 0;
    parts.head = 0;
    parts.share_blobs = share_blobs;

    CHECK_INT(dfp_key(dfp_test_mem(), &parts, &key), DFP_OK);

    return key;
}


#define CHECK_KEY(uri, key)                                                   \
    CHECK_STR(key_of(DFP_STR(uri), 0), "http://up:5000 https://a.lan" key)

#define CHECK_SHARED(uri, key)                                                \
    CHECK_STR(key_of(DFP_STR(uri), 1), "http://up:5000 https://a.lan" key)


TEST("a path and a query are in the key as they are sent")
{
    CHECK_KEY("/", "/");
    CHECK_KEY("/a/b", "/a/b");
    CHECK_KEY("/a%2Fb", "/a%2Fb");
    CHECK_KEY("/a//b/../c", "/a//b/../c");
    CHECK_KEY("/%61+%2B", "/%61+%2B");
    CHECK_KEY("/a?b=c&d", "/a?b=c&d");
    CHECK_KEY("/a?", "/a?");
    CHECK_KEY("/a?&", "/a?&");
    CHECK_KEY("/a?b&&c&", "/a?b&&c&");
    CHECK_KEY("/a?b?c=d", "/a?b?c=d");
    CHECK_KEY("", "");
    CHECK_KEY("?", "?");
}


TEST("containerd's ns is left out, in one spelling")
{
    CHECK_KEY("/a?ns=docker.io", "/a");
    CHECK_KEY("/a?ns=", "/a");
    CHECK_KEY("/a?ns=1&ns=2", "/a");
    CHECK_KEY("/a?ns=1&b", "/a?b");
    CHECK_KEY("/a?b&ns=1", "/a?b");
    CHECK_KEY("/a?b&ns=1&c", "/a?b&c");
    CHECK_KEY("/a?&ns=1", "/a?");
    CHECK_KEY("/a?ns=1&", "/a?");
    CHECK_KEY("/a?ns", "/a?ns");
    CHECK_KEY("/a?xns=1", "/a?xns=1");
    CHECK_KEY("/ns=1", "/ns=1");
    CHECK(!dfp_str_eq(key_of(DFP_STR("/a&ns=1"), 0),
                      key_of(DFP_STR("/a"), 0)));
    CHECK(!dfp_str_eq(key_of(DFP_STR("/a?NS=1"), 0),
                      key_of(DFP_STR("/a?NS=2"), 0)));
    CHECK(!dfp_str_eq(key_of(DFP_STR("/a?n%73=1"), 0),
                      key_of(DFP_STR("/a"), 0)));
}


TEST("a URI with a fragment is another one to the last byte")
{
    CHECK_KEY("/a#b", "/a#b");
    CHECK_KEY("/a?b#c", "/a?b#c");
    CHECK(!dfp_str_eq(key_of(DFP_STR("/a?ns=1#c"), 0),
                      key_of(DFP_STR("/a?ns=2#c"), 0)));
    CHECK(!dfp_str_eq(key_of(DFP_STR("/a#?ns=1"), 0),
                      key_of(DFP_STR("/a#?ns=2"), 0)));
}


TEST("what opens doors is hidden, and still tells keys apart")
{
    dfp_str_t  one, two;

    one = key_of(DFP_STR("/a?b=1&token=first-secret"), 0);
    two = key_of(DFP_STR("/a?b=1&token=other-secret"), 0);

    CHECK(!dfp_str_eq(one, two));
    CHECK_INT(one.len, two.len);
    CHECK(memmem(one.data, one.len, "?b=1&token=*** ", 15) != NULL);
    CHECK(memmem(one.data, one.len, "secret", 6) == NULL);

    one = key_of(DFP_STR("/a;token=first-secret"), 0);

    CHECK(memmem(one.data, one.len, "/a;token=*** ", 13) != NULL);
    CHECK(memmem(one.data, one.len, "secret", 6) == NULL);

    /* the query that hides what it had is another one */

    CHECK_KEY("/a?token=***", "/a?token=***");
}


TEST("nobody can write the key of another request into a URI")
{
    dfp_str_t  key, uri;

    key = key_of(DFP_STR("/a?token=secret"), 0);
    uri = (dfp_str_t) { key.len - (sizeof("http://up:5000 https://a.lan") - 1),
                        key.data + sizeof("http://up:5000 https://a.lan") - 1 };

    CHECK(!dfp_str_eq(key_of(uri, 0), key));
}


TEST("blobs that are shared are without their repository")
{
    CHECK_SHARED("/v2/a/blobs/" DIGEST, "/v2/blobs/" DIGEST " shared");
    CHECK_SHARED("/v2/b/c/blobs/" DIGEST "?ns=x",
                 "/v2/blobs/" DIGEST " shared");
    CHECK_SHARED("/v2/b/blobs/" DIGEST "?x",
                 "/v2/blobs/" DIGEST "?x shared");
    CHECK_SHARED("/one/v2/b/blobs/" DIGEST, "/one/v2/blobs/" DIGEST " shared");
    CHECK_KEY("/v2/a/blobs/" DIGEST, "/v2/a/blobs/" DIGEST);
}


TEST("what only looks like a blob of a registry is not shared")
{
    CHECK_SHARED("/v2/b/manifests/" DIGEST, "/v2/b/manifests/" DIGEST);
    CHECK_SHARED("/v2/b/blobs/" DIGEST "0", "/v2/b/blobs/" DIGEST "0");
    CHECK_SHARED("/v2/b/blobs/" DIGEST "#x", "/v2/b/blobs/" DIGEST "#x");
    CHECK_SHARED("/uploads/blobs/" DIGEST, "/uploads/blobs/" DIGEST);
    CHECK_SHARED("/blobs/" DIGEST, "/blobs/" DIGEST);
    CHECK_SHARED("/v2/blobs/" DIGEST, "/v2/blobs/" DIGEST);
    CHECK_SHARED("//v2/b/blobs/" DIGEST, "//v2/b/blobs/" DIGEST);
    CHECK_SHARED("/v2/%61/blobs/" DIGEST, "/v2/%61/blobs/" DIGEST);
    CHECK_SHARED(DIGEST, DIGEST);
    CHECK_SHARED("", "");
}


TEST("an upstream, an origin and HEAD are parts of the key")
{
    dfp_key_t  parts = { DFP_STR("http://up"), DFP_STR("http://a"),
                         DFP_STR("/x"), NULL, 0, 0, 0 };
    dfp_str_t  key;

    CHECK_INT(dfp_key(dfp_test_mem(), &parts, &key), DFP_OK);
    CHECK_STR(key, "http://up http://a/x");

    parts.origin = DFP_STR("");

    CHECK_INT(dfp_key(dfp_test_mem(), &parts, &key), DFP_OK);
    CHECK_STR(key, "http://up /x");

    parts.head = 1;

    CHECK_INT(dfp_key(dfp_test_mem(), &parts, &key), DFP_OK);
    CHECK_STR(key, "HEAD http://up /x");
}


static dfp_str_t
filtered(dfp_str_t uri)
{
    static const dfp_str_t  filter[] = {
        { 15, "X-Amz-Signature" }, { 7, "Expires" }, { 3, "a b" }
    };

    dfp_key_t  parts = { DFP_STR("http://up"), DFP_STR(""), uri, filter, 3,
                         0, 0 };
    dfp_str_t  key;

    CHECK_INT(dfp_key(dfp_test_mem(), &parts, &key), DFP_OK);

    return key;
}


#define CHECK_FILTERED(uri, key)                                              \
    CHECK_STR(filtered(DFP_STR(uri)), "http://up " key)


TEST("parameters that a filter names are left out, in any spelling")
{
    CHECK_FILTERED("/x?X-Amz-Signature=1", "/x");
    CHECK_FILTERED("/x?X%2dAmz%2DSign%61ture=1&Expires", "/x");
    CHECK_FILTERED("/x?b=1&Expires=2&c=3", "/x?b=1&c=3");
    CHECK_FILTERED("/x?a+b=1&a%20b=2", "/x");

    /* these are others */

    CHECK_FILTERED("/x?Expirez=1", "/x?Expirez=1");
    CHECK_FILTERED("/x?Expiress=", "/x?Expiress=");
    CHECK_FILTERED("/x?Expires%=1", "/x?Expires%=1");
    CHECK_FILTERED("/x?b=Expires", "/x?b=Expires");
    CHECK_FILTERED("/x?=Expires=1", "/x?=Expires=1");
    CHECK_FILTERED("/x?&b&", "/x?&b&");
    CHECK_FILTERED("/x#?Expired=1", "/x#?Expired=1");
}


static int
rest(const char *text, const char *tag, const char *application)
{
    const dfp_str_t  values[] = { dfp_cstr(tag), dfp_cstr(application) };

    return dfp_key_rest(dfp_cstr(text), values, 2);
}


TEST("a longer key has a tag and an application, and nothing else")
{
    CHECK(rest("", "", ""));
    CHECK(rest("", "t", "a"));
    CHECK(rest(" t", "t", "a"));
    CHECK(rest("|t|a", "t", "a"));
    CHECK(rest("|a|t", "t", "a"));
    CHECK(rest(" t%20u /a", "t%20u", "a"));
    CHECK(rest("  ", "", ""));
    CHECK(rest(" | x", "", "x"));
    CHECK(rest(" x x", "x", "x"));

    CHECK(!rest("t", "t", "a"));
    CHECK(!rest(" t t", "t", "a"));
    CHECK(!rest(" t a x", "t", "a"));
    CHECK(!rest(" ta", "t", "a"));
    CHECK(!rest(" tag=t", "t", "a"));
    CHECK(!rest(" x", "", ""));
}


static int
make_key(dfp_mem_t *mem, void *data)
{
    dfp_key_t  parts = { DFP_STR("http://up"), DFP_STR("http://a"),
                         DFP_STR("/x?a&token=b&ns=c"), NULL, 0, 0, 0 };
    dfp_str_t  key;

    (void) data;

    return dfp_key(mem, &parts, &key);
}


TEST("memory that ends is an error")
{
    dfp_test_oom(make_key, NULL);
}
