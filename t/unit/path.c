/*
 * What a path is to a registry.
 */

#include "dfp_test.h"

#include "dfp_path.h"


#define DIGEST                                                                \
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


static dfp_path_t  path;


static int
kind(const char *text)
{
    dfp_path_read(dfp_test_str(text), &path);

    return path.kind;
}


TEST("manifests and blobs are those of a repository")
{
    CHECK_INT(kind("/v2/app/manifests/1.0"), DFP_PATH_MANIFEST);
    CHECK_STR(path.repository, "/v2/app");
    CHECK(!path.digest);

    CHECK_INT(kind("/v2/team/app/manifests/" DIGEST), DFP_PATH_MANIFEST);
    CHECK_STR(path.repository, "/v2/team/app");
    CHECK(path.digest);

    CHECK_INT(kind("/v2/team/app/blobs/" DIGEST), DFP_PATH_BLOB);
    CHECK_STR(path.repository, "/v2/team/app");
    CHECK(path.digest);

    CHECK_INT(kind("/v2/a/manifests/b/manifests/c"), DFP_PATH_MANIFEST);
    CHECK_STR(path.repository, "/v2/a/manifests/b");

    CHECK_INT(kind("/v2/a/blobs/b/manifests/c"), DFP_PATH_MANIFEST);
    CHECK_STR(path.repository, "/v2/a/blobs/b");

    CHECK_INT(kind("/v2/v2/x/manifests/1"), DFP_PATH_MANIFEST);
    CHECK_STR(path.repository, "/v2/v2/x");
}


TEST("a registry below a prefix has them, too")
{
    CHECK_INT(kind("/api/docker/v2/app/manifests/1.0"), DFP_PATH_MANIFEST);
    CHECK_STR(path.repository, "/api/docker/v2/app");
    CHECK_INT(kind("/docker/v2/app/blobs/" DIGEST), DFP_PATH_BLOB);
    CHECK_STR(path.repository, "/docker/v2/app");
    CHECK_INT(kind("/docker/v2/_catalog"), DFP_PATH_OTHER);
    CHECK_INT(kind("/docker/v2/app/tags/list"), DFP_PATH_OTHER);
    CHECK_INT(kind("/docker/v2/app/referrers/" DIGEST), DFP_PATH_OTHER);
    CHECK_INT(kind("/docker/v2/app/blobs/uploads/1"), DFP_PATH_OTHER);
    CHECK_INT(kind("/docker/v2/"), DFP_PATH_LOGIN);
    CHECK_INT(kind("/docker/v2"), DFP_PATH_FILE);
}


TEST("clients ask for /v2/ first")
{
    CHECK_INT(kind("/v2/"), DFP_PATH_LOGIN);
    CHECK_INT(kind("/v2"), DFP_PATH_LOGIN);
}


TEST("nothing else below /v2/ is cached")
{
    size_t              i;
    static const char  *others[] = {
        "/v2/auth", "/v2/token", "/v2/_catalog", "/v2/app/tags/list",
        "/v2/app/referrers/" DIGEST, "/v2/app/blobs/uploads/",
        "/v2/app/blobs/uploads/1", "/v2/app/blobs/1.0", "/v2/app/blobs/",
        "/v2/app/manifests/", "/v2/manifests/1", "/v2//manifests/1",
        "/v2/App/manifests/1", "/v2/app//x/manifests/1",
        "/v2/app/../x/manifests/1", "/v2/app/manifests/../auth",
        "/v2/app/manifests/a%2fb", "/v2/app%2fx/manifests/1",
        "/v2/app/manifests/1/", "/v2/app/manifests/sha256:00", "//v2/auth",
        "//v2/app/manifests/1", "///v2/app/blobs/" DIGEST, "//v2//",
        "/v2/a/v2/b", "/v2/app/blobs/" DIGEST "0", NULL
    };

    for (i = 0; others[i]; i++) {
        if (!CHECK_INT(kind(others[i]), DFP_PATH_OTHER)) {
            printf("#   of %s\n", others[i]);
        }
    }
}


TEST("what is not below /v2/ is a file")
{
    size_t              i;
    static const char  *files[] = {
        "", "/", "/a", "/files/v2/app.tgz", "/files/v2/manifests/x",
        "/v2.tgz", "/v20/", "/v1/x", "/files/v2x", "v2/auth", NULL
    };

    for (i = 0; files[i]; i++) {
        if (!CHECK_INT(kind(files[i]), DFP_PATH_FILE)) {
            printf("#   of %s\n", files[i]);
        }
    }
}


TEST("the query of a token service")
{
    CHECK(dfp_path_token_query(DFP_STR("service=r")));
    CHECK(dfp_path_token_query(DFP_STR("a=b&scope=repository:x:pull")));
    CHECK(dfp_path_token_query(DFP_STR("&&account=a&")));
    CHECK(!dfp_path_token_query(DFP_STR("")));
    CHECK(!dfp_path_token_query(DFP_STR("services=a&xscope=b&scope")));
    CHECK(!dfp_path_token_query(DFP_STR("a=service=b")));
}
