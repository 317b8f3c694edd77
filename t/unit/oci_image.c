/*
 * Images as people write them down, and the same image elsewhere.
 */

#include "dfp_oci.h"
#include "dfp_test.h"


#define A60                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A64    A60 "aaaa"
#define A55    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_A  "sha256:" A64
#define HUB    "https://index.docker.io/v2/library/"


static dfp_oci_ref_t  ref;
static dfp_err_t      err;


static int
parse(dfp_str_t text)
{
    int  rc;

    err.text[0] = '\0';
    memset(&ref, 0xa5, sizeof(dfp_oci_ref_t));

    rc = dfp_oci_parse_image(dfp_test_mem(), text, "args.image", &ref, &err);

    /* who gets no sentence cannot mend the request */

    CHECK((rc == DFP_INVALID) == (strncmp(err.text, "args.image ", 11) == 0));

    return rc;
}


static void
check_image(dfp_str_t text, dfp_str_t href, int line)
{
    int            rc;
    dfp_err_t      error;
    dfp_oci_ref_t  url;

    rc = parse(text);

    if (!dfp_test_check_int(rc, DFP_OK, line, "the result")) {
        dfp_test_print("for", text);
        printf("#   %s\n", err.text);
        return;
    }

    dfp_test_check_str(ref.url.href, href, line, "the URL");
    dfp_test_check_int(ref.typed, 1, line, "typed");

    /* all but "typed" is what the URL itself would give */

    CHECK_INT(dfp_oci_parse_ref(dfp_test_mem(), href, "url", &url, &error),
              DFP_OK);

    CHECK_SAME(ref.base, url.base);
    CHECK_SAME(ref.name, url.name);
    CHECK_SAME(ref.reference, url.reference);
    CHECK_SAME(ref.url.origin, url.url.origin);
    CHECK_SAME(ref.url.authority, url.url.authority);
    CHECK_INT(ref.by_digest, url.by_digest);
    CHECK_INT(url.typed, 0);
}


static void
check_refused(dfp_str_t text, const char *facts, int line)
{
    if (!dfp_test_check_int(parse(text), DFP_INVALID, line, "the result")) {
        dfp_test_print("accepted", text);
        return;
    }

    dfp_test_check_says(err.text, facts, line, "the message");
    dfp_test_check_has(err.text, "secret", 0, line, "the message");

    /* a reference is no URL to whoever typed it */

    dfp_test_check_has(err.text, "manifest", 0, line, "the message");
    dfp_test_check_has(err.text, "URL", 0, line, "the message");
}


#define IMAGE(text, href)                                                     \
    check_image(DFP_STR(text), DFP_STR(href), __LINE__)
#define REFUSED(text, facts)                                                  \
    check_refused(DFP_STR(text), "args.image | " facts, __LINE__)


TEST("a name alone is Docker Hub's, below library/, and its latest")
{
    IMAGE("alpine", HUB "alpine/manifests/latest");
    CHECK_STR(ref.name, "library/alpine");
    CHECK_STR(ref.reference, "latest");
    CHECK_STR(ref.base, "/v2/");
    CHECK_STR(ref.url.origin, "https://index.docker.io");
    CHECK_INT(ref.by_digest, 0);

    IMAGE("alpine:3.19", HUB "alpine/manifests/3.19");
    IMAGE("alpine@" SHA_A, HUB "alpine/manifests/" SHA_A);
    CHECK_INT(ref.by_digest, 1);
    IMAGE("a", HUB "a/manifests/latest");
    IMAGE("0", HUB "0/manifests/latest");
}


TEST("a name of more parts is Docker Hub's as it is")
{
    IMAGE("team/app", "https://index.docker.io/v2/team/app/manifests/latest");
    IMAGE("a/b/c:1", "https://index.docker.io/v2/a/b/c/manifests/1");
    IMAGE("library/alpine", HUB "alpine/manifests/latest");
    IMAGE("library", HUB "library/manifests/latest");
    IMAGE("localhosts/app",
          "https://index.docker.io/v2/localhosts/app/manifests/latest");
}


TEST("Docker Hub has two names that people type")
{
    IMAGE("docker.io/alpine", HUB "alpine/manifests/latest");
    IMAGE("index.docker.io/alpine:3", HUB "alpine/manifests/3");
    IMAGE("docker.io/library/alpine", HUB "alpine/manifests/latest");
    IMAGE("Docker.IO/alpine", HUB "alpine/manifests/latest");
    IMAGE("docker.io/a/b", "https://index.docker.io/v2/a/b/manifests/latest");

    /* these are registries like others, to docker, too */

    IMAGE("registry-1.docker.io/alpine",
          "https://registry-1.docker.io/v2/alpine/manifests/latest");
    IMAGE("docker.io.lan/alpine",
          "https://docker.io.lan/v2/alpine/manifests/latest");
    IMAGE("docker/io",
          "https://index.docker.io/v2/docker/io/manifests/latest");
}


TEST("the first part is a registry with a dot, a colon, or as localhost")
{
    IMAGE("registry.lan/app", "https://registry.lan/v2/app/manifests/latest");
    IMAGE("registry.lan/team/app:1.0",
          "https://registry.lan/v2/team/app/manifests/1.0");
    IMAGE("registry:5000/app",
          "https://registry:5000/v2/app/manifests/latest");
    IMAGE("registry.lan:5000/a/b@" SHA_A,
          "https://registry.lan:5000/v2/a/b/manifests/" SHA_A);
    IMAGE("localhost/app", "https://localhost/v2/app/manifests/latest");
    IMAGE("localhost:5000/app",
          "https://localhost:5000/v2/app/manifests/latest");
    IMAGE("192.0.2.1/app", "https://192.0.2.1/v2/app/manifests/latest");
    IMAGE("192.0.2.1:80/app:1", "https://192.0.2.1:80/v2/app/manifests/1");
    IMAGE("[2001:db8::1]/app",
          "https://[2001:db8::1]/v2/app/manifests/latest");
    IMAGE("[2001:DB8:0::1]:5000/app:1",
          "https://[2001:db8::1]:5000/v2/app/manifests/1");
    IMAGE("Registry.LAN/app", "https://registry.lan/v2/app/manifests/latest");
    IMAGE("registry.lan:443/app",
          "https://registry.lan/v2/app/manifests/latest");
}


TEST("without a slash a colon is before a tag, whatever it looks like")
{
    IMAGE("registry:5000", HUB "registry/manifests/5000");
    IMAGE("registry.lan:5000", HUB "registry.lan/manifests/5000");
    IMAGE("localhost", HUB "localhost/manifests/latest");
    IMAGE("localhost:1", HUB "localhost/manifests/1");
}


TEST("with a tag and a digest the digest counts")
{
    IMAGE("alpine:3.19@" SHA_A, HUB "alpine/manifests/" SHA_A);
    CHECK_INT(ref.by_digest, 1);
    CHECK_STR(ref.reference, SHA_A);

    IMAGE("registry.lan:5000/app:1@sha512:" A64 A64,
          "https://registry.lan:5000/v2/app/manifests/sha512:" A64 A64);

    REFUSED("alpine:@" SHA_A, "tag");
    REFUSED("alpine:-1@" SHA_A, "tag");
    REFUSED("alpine:" SHA_A "@" SHA_A, "repository name");
}


TEST("a repository may be called v2 or manifests")
{
    IMAGE("r.lan/v2/x", "https://r.lan/v2/v2/x/manifests/latest");
    CHECK_STR(ref.name, "v2/x");

    IMAGE("r.lan/manifests", "https://r.lan/v2/manifests/manifests/latest");
    CHECK_STR(ref.name, "manifests");

    IMAGE("r.lan/a/manifests/b:manifests",
          "https://r.lan/v2/a/manifests/b/manifests/manifests");
    CHECK_STR(ref.name, "a/manifests/b");
    CHECK_STR(ref.reference, "manifests");

    IMAGE("v2/v2", "https://index.docker.io/v2/v2/v2/manifests/latest");
    CHECK_STR(ref.name, "v2/v2");
}


TEST("a manifest URL is what it was")
{
    CHECK_INT(parse(DFP_STR("http://r.lan/p/v2/a/manifests/1")), DFP_OK);
    CHECK_STR(ref.url.href, "http://r.lan/p/v2/a/manifests/1");
    CHECK_STR(ref.base, "/p/v2/");
    CHECK_INT(ref.typed, 0);

    CHECK_INT(parse(DFP_STR("https://docker.io/v2/a/manifests/1")), DFP_OK);
    CHECK_STR(ref.url.origin, "https://docker.io");

    CHECK_INT(parse(DFP_STR("https://r.lan/a:1")), DFP_INVALID);
    CHECK_SAYS(err.text, "args.image | manifest URL");

    CHECK_INT(parse(DFP_STR("ftp://r.lan/alpine")), DFP_INVALID);
    CHECK_SAYS(err.text, "args.image | http | https URL");

    CHECK_INT(parse(DFP_STR("://")), DFP_INVALID);
    CHECK_SAYS(err.text, "args.image | http | https URL");
}


TEST("docker:// and oci:// may stand before a reference, and nothing else")
{
    IMAGE("docker://alpine", HUB "alpine/manifests/latest");
    IMAGE("docker://registry.lan:5000/team/app:1.0",
          "https://registry.lan:5000/v2/team/app/manifests/1.0");
    IMAGE("oci://registry.lan/charts/app:1.0",
          "https://registry.lan/v2/charts/app/manifests/1.0");
    IMAGE("OCI://registry.lan/app@" SHA_A,
          "https://registry.lan/v2/app/manifests/" SHA_A);

    REFUSED("docker://", "image reference");
    REFUSED("docker:///alpine", "image reference");
    REFUSED("oci://./layout:1", "image reference");
    REFUSED("docker://oci://alpine", "port");
    REFUSED("docker://u:secret@r.lan/app", "user name");

    CHECK_INT(parse(DFP_STR("docker://https://r.lan/v2/a/manifests/1")),
              DFP_INVALID);
    CHECK_INT(parse(DFP_STR("docker-daemon://alpine")), DFP_INVALID);
    CHECK_INT(parse(DFP_STR("docker:/alpine")), DFP_INVALID);
}


TEST("nothing is no image")
{
    REFUSED("", "image reference | alpine:3.19");

    CHECK_INT(parse(DFP_STR_NULL), DFP_INVALID);
    CHECK_SAYS(err.text, "args.image | image reference | alpine:3.19 | "
               "registry.lan/team/app:1.0");
}


TEST("the path of a file is no image")
{
    REFUSED("/alpine", "image reference | path of a file");
    REFUSED("/srv/images/alpine.tar", "image reference");
    REFUSED("./alpine", "image reference");
    REFUSED("../alpine", "image reference");
    REFUSED("~/alpine", "image reference");
    REFUSED(".", "image reference");
    REFUSED("C:\\alpine", "image reference");
    REFUSED("//registry.lan/app", "image reference");
}


TEST("the id of an image is no image")
{
    REFUSED(A64, "image reference | id of an image");
    REFUSED(SHA_A, "image reference");
    REFUSED("sha512:" A64 A64, "image reference");

    /* as the names of repositories these are as good as others */

    IMAGE(A60 "aaa", HUB A60 "aaa/manifests/latest");
    IMAGE(A64 "a", HUB A64 "a/manifests/latest");
    IMAGE(A60 "aaag", HUB A60 "aaag/manifests/latest");
    IMAGE("r.lan/" A64, "https://r.lan/v2/" A64 "/manifests/latest");
    IMAGE("sha256:abc", HUB "sha256/manifests/abc");
}


TEST("a name is checked as that of a manifest URL")
{
    REFUSED("Alpine", "repository name");
    REFUSED("Team/app", "repository name");
    REFUSED("LOCALHOST/app", "repository name");
    REFUSED("registry.lan/App", "repository name");
    REFUSED("registry.lan/", "repository name");
    REFUSED("registry.lan/:1", "repository name");
    REFUSED(":1", "repository name");
    REFUSED("@" SHA_A, "repository name");
    REFUSED("alpine/", "repository name");
    REFUSED("a//b", "repository name");
    REFUSED("registry.lan//b", "repository name");
    REFUSED("a/b/:1", "repository name");
    REFUSED("a..b", "repository name");
    REFUSED("-a", "repository name");
    REFUSED("a-", "repository name");
    REFUSED("registry.lan/a:1/b", "repository name");
    REFUSED("a/[b]", "repository name");
    REFUSED("[::1]:1", "repository name");
    REFUSED("a/../b", "\".\" | \"..\" | path");
    REFUSED("a/..", "\".\" | \"..\" | path");
    REFUSED("registry.lan/../v1/b", "\".\" | \"..\" | path");
    REFUSED("registry.lan/./b", "\".\" | \"..\" | path");
}


TEST("a name may be 255 bytes long, with library/, and not one more")
{
    IMAGE("r.lan/" A64 "/" A64 "/" A64 "/" A60,
          "https://r.lan/v2/" A64 "/" A64 "/" A64 "/" A60
          "/manifests/latest");
    REFUSED("r.lan/" A64 "/" A64 "/" A64 "/" A60 "a",
            "repository name | 255 bytes");

    IMAGE(A64 A64 A64 A55, HUB A64 A64 A64 A55 "/manifests/latest");
    CHECK_INT(ref.name.len, 255);
    REFUSED(A64 A64 A64 A55 "a", "repository name | 255 bytes");
}


TEST("a tag is 1 to 128 characters of those that the specification has")
{
    IMAGE("a:_", HUB "a/manifests/_");
    IMAGE("a:Latest-1.0_x", HUB "a/manifests/Latest-1.0_x");
    IMAGE("a:" A64 A64, HUB "a/manifests/" A64 A64);

    REFUSED("a:" A64 A64 "a", "tag | 1 | 128 | a-z, A-Z, 0-9 | \":\"");
    REFUSED("a:", "tag");
    REFUSED("a:.b", "tag");
    REFUSED("a:-b", "tag");
    REFUSED("r.lan/a:b:c", "repository name");
    REFUSED("a:b:c", "repository name");
    REFUSED("a:[b]", "tag");
}


TEST("after the @ there is a digest that can be checked")
{
    REFUSED("alpine@", "sha256 | sha512");
    REFUSED("alpine@3.19", "sha256 | sha512");
    REFUSED("alpine@latest", "sha256 | sha512");
    REFUSED("alpine@sha256:abc", "sha256 | sha512");
    REFUSED("alpine@md5:" A64, "sha256 | sha512");
    REFUSED("alpine@" SHA_A "a", "sha256 | sha512");
    REFUSED("alpine@SHA256:" A64, "sha256 | sha512");
    REFUSED("alpine@sha256:A" A60 "aaa",
            "sha256 | sha512 | lower-case | \"@\"");
    REFUSED("alpine@" SHA_A "@" SHA_A, "one | \"@\"");
    REFUSED("alpine@@" SHA_A, "one | \"@\"");
    REFUSED("alpine@" SHA_A ":1", "sha256 | sha512");
}


TEST("a user name and a password are refused, and not shown")
{
    REFUSED("bob:secret@registry.lan/app", "user name | password");
    CHECK_HAS_NOT(err.text, "secret");
    REFUSED("bob@registry.lan/app:1", "user name");
    REFUSED("bob:secret@registry.lan/app@" SHA_A, "user name");

    /* this would be the repository alpine/manifests/b, in a URL */
    REFUSED("alpine@b/manifests/c", "user name");
}


TEST("no other characters than a reference has get into a URL")
{
    int        ch;
    char       text[] = "r.lan/a?b";
    dfp_str_t  s = { sizeof(text) - 1, text };

    for (ch = 0; ch < 256; ch++) {

        if (ch && strchr("abcdefghijklmnopqrstuvwxyz0123456789"
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-/:@[]", ch))
        {
            continue;
        }

        text[sizeof("r.lan/a") - 1] = (char) ch;
        check_refused(s, "args.image | image reference | letters", __LINE__);
    }

    REFUSED(" alpine", "image reference");
    REFUSED("alpine ", "image reference");
    REFUSED("alpine\n", "image reference");
    REFUSED("alpine:3#1", "image reference");
    REFUSED("alpine:3?ns=x", "image reference");
    REFUSED("alpine%2f1", "image reference");
    REFUSED("r.lan\\a/b", "image reference");
    REFUSED("docker pull alpine", "image reference");
}


TEST("a registry is checked as the host of a URL")
{
    REFUSED("registry.lan:0/a", "port | 1 | 65535");
    REFUSED("registry.lan:65536/a", "port | 1 | 65535");
    REFUSED("registry.lan:/a", "port | 1 | 65535");
    REFUSED("registry.lan:x/a", "port | 1 | 65535");
    REFUSED(":5000/a", "no host");
    REFUSED("a..b/c", "host | DNS name | IP address");
    REFUSED("-a.lan/c", "host | DNS name | IP address");
    REFUSED("127.1/a", "host | number | IPv4 | 192.0.2.1");
    REFUSED("[::1/a", "[ | without | ]");
    REFUSED("[x:y]/a", "IPv6 address");
    REFUSED("::1/a", "no host");
}


static dfp_str_t
tagged(size_t len)
{
    char  *text;

    text = dfp_test_alloc(NULL, len);
    memset(text, 'a', len);
    text[len / 2] = '/';

    return (dfp_str_t) { len, text };
}


TEST("a reference is not longer than a URL")
{
    dfp_str_t  s;

    check_refused(tagged(DFP_URL_MAX_LEN + 1),
                  "args.image | 4096 bytes", __LINE__);

    /* which needs no memory to see */

    s = tagged(1024 * 1024);
    dfp_test_fail(1);
    check_refused(s, "args.image | 4096 bytes", __LINE__);
    dfp_test_fail(0);

    /* what is made of it is, and then its name */

    check_refused(tagged(DFP_URL_MAX_LEN),
                  "args.image | 4096 bytes", __LINE__);
    check_refused(tagged(DFP_URL_MAX_LEN - 100),
                  "args.image | repository name", __LINE__);
}


/* The same image elsewhere */

static int
at(const char *origin)
{
    int            rc;
    dfp_oci_ref_t  other;

    err.text[0] = '\0';

    rc = dfp_oci_ref_at(dfp_test_mem(), &ref, dfp_test_str(origin), &other,
                        &err);

    CHECK((rc == DFP_INVALID) == (strncmp(err.text, "the origin ", 11) == 0));

    if (rc == DFP_OK) {
        CHECK_SAME(other.name, ref.name);
        CHECK_SAME(other.reference, ref.reference);
        CHECK_SAME(other.base, ref.base);
        CHECK_INT(other.by_digest, ref.by_digest);
        CHECK_INT(other.typed, 0);

        ref = other;
    }

    return rc;
}


TEST("an image has the same name at another origin")
{
    IMAGE("alpine:3.19", HUB "alpine/manifests/3.19");

    CHECK_INT(at("https://registry-1.docker.io"), DFP_OK);
    CHECK_STR(ref.url.href,
              "https://registry-1.docker.io/v2/library/alpine/manifests/3.19");
    CHECK_STR(ref.url.origin, "https://registry-1.docker.io");

    CHECK_INT(at("HTTP://Mirror.LAN:80"), DFP_OK);
    CHECK_STR(ref.url.href,
              "http://mirror.lan/v2/library/alpine/manifests/3.19");

    CHECK_INT(at("http://[::1]:5000"), DFP_OK);
    CHECK_STR(ref.url.authority, "[::1]:5000");

    CHECK_INT(at("http://mirror.lan/"), DFP_OK);
    CHECK_STR(ref.url.href,
              "http://mirror.lan/v2/library/alpine/manifests/3.19");
}


TEST("an image keeps its digest, and what it is below")
{
    CHECK_INT(parse(DFP_STR("https://r.lan/p/v2/a/manifests/" SHA_A)), DFP_OK);

    CHECK_INT(at("http://r.lan:5000"), DFP_OK);
    CHECK_STR(ref.url.href, "http://r.lan:5000/p/v2/a/manifests/" SHA_A);
    CHECK_STR(ref.base, "/p/v2/");
    CHECK_INT(ref.by_digest, 1);
}


TEST("an image may be moved in its place")
{
    IMAGE("r.lan/a:1", "https://r.lan/v2/a/manifests/1");

    CHECK_INT(dfp_oci_ref_at(dfp_test_mem(), &ref, DFP_STR("http://r.lan"),
                             &ref, &err), DFP_OK);
    CHECK_STR(ref.url.href, "http://r.lan/v2/a/manifests/1");
    CHECK_STR(ref.name, "a");
    CHECK_INT(ref.typed, 0);
}


TEST("what is no origin is refused")
{
    IMAGE("r.lan/a:1", "https://r.lan/v2/a/manifests/1");

    CHECK_INT(at(""), DFP_INVALID);
    CHECK_INT(at("r.lan"), DFP_INVALID);
    CHECK_INT(at("ftp://r.lan"), DFP_INVALID);
    CHECK_INT(at("http://bob:secret@r.lan"), DFP_INVALID);
    CHECK_HAS_NOT(err.text, "secret");
    CHECK_INT(at("http://r.lan/p"), DFP_INVALID);
    CHECK_SAYS(err.text, "origin | scheme | host");
    CHECK_INT(at("http://r.lan//"), DFP_INVALID);
    CHECK_INT(at("http://r.lan?"), DFP_INVALID);
    CHECK_INT(at("http://r.lan/?x"), DFP_INVALID);
    CHECK_STR(ref.url.href, "https://r.lan/v2/a/manifests/1");
}


static int
image_in(dfp_mem_t *mem, void *data)
{
    int            rc;
    dfp_oci_ref_t  image;

    rc = dfp_oci_parse_image(mem, DFP_STR("registry.lan:5000/team/app:1.0"),
                             "args.image", &image, &err);
    if (rc != DFP_OK) {
        return rc;
    }

    return dfp_oci_ref_at(mem, &image, DFP_STR("http://r.lan"), &image, &err);
}


TEST("no memory for an image is an error of its own")
{
    dfp_test_oom(image_in, NULL);
}
