/*
 * Credentials from the files of docker and podman: for whom an entry is.
 */

#include "credentials_test.h"


/* 60 bytes each */
#define A60                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B60                                                                   \
    "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"


static void
check_key(const char *key, const char *authority, const char *path, int line)
{
    check_taken(entry_of(key, BOB), 1, 0, line);

    if (credentials.n) {
        dfp_test_check_str(credentials.list[0].authority,
                           dfp_test_str(authority), line, "the authority");
        dfp_test_check_str(credentials.list[0].path, dfp_test_str(path), line,
                           "the path");
    }
}


#define KEY(key, authority, path)                                             \
    check_key(key, authority, path, __LINE__)
#define KEY_REFUSED(key, facts)                                               \
    check_refused(entry_of(key, BOB), facts, __LINE__)


TEST("a key is a registry, as a host or as a URL")
{
    KEY("registry.lan", "registry.lan", "");
    KEY("registry.lan:5000", "registry.lan:5000", "");
    KEY("https://registry.lan", "registry.lan", "");
    KEY("http://registry.lan", "registry.lan", "");
    KEY("https://registry.lan:5000", "registry.lan:5000", "");
    KEY("HTTPS://Registry.LAN:5000/", "registry.lan:5000", "");
    KEY("Registry.lan", "registry.lan", "");
    KEY("registry.lan/", "registry.lan", "");
    KEY("registry", "registry", "");
    KEY("localhost:5000", "localhost:5000", "");
    KEY("192.0.2.1:5000", "192.0.2.1:5000", "");
    KEY("[2001:DB8::1]:5000", "[2001:db8::1]:5000", "");
}


TEST("the port of a key is left out where it is the scheme's own")
{
    KEY("https://registry.lan:443", "registry.lan", "");
    KEY("http://registry.lan:80", "registry.lan", "");
    KEY("https://registry.lan:80", "registry.lan:80", "");
    KEY("http://registry.lan:443", "registry.lan:443", "");

    /* without a scheme it is https */

    KEY("registry.lan:443", "registry.lan", "");
    KEY("registry.lan:80", "registry.lan:80", "");
}


TEST("the path of an API in a key does not count")
{
    KEY("https://registry.lan/v1/", "registry.lan", "");
    KEY("https://registry.lan/v2/", "registry.lan", "");
    KEY("https://registry.lan/v1", "registry.lan", "");
    KEY("https://registry.lan/v2", "registry.lan", "");
    KEY("registry.lan/v1/", "registry.lan", "");
    KEY("registry.lan/v2/", "registry.lan", "");

    /* these may be repositories, to podman */

    KEY("registry.lan/v2", "registry.lan", "v2");
    KEY("registry.lan/v1/app", "registry.lan", "v1/app");
    KEY("https://registry.lan/v2/app", "registry.lan", "v2/app");
    KEY("https://registry.lan/v3/", "registry.lan", "v3");
}


TEST("another path in a key is that of repositories")
{
    KEY("registry.lan/team", "registry.lan", "team");
    KEY("registry.lan:5000/a.b/c_d/e--f", "registry.lan:5000",
        "a.b/c_d/e--f");
    KEY("registry.lan/team/", "registry.lan", "team");
    KEY("https://registry.lan/team/app", "registry.lan", "team/app");
    KEY("docker.io/library/alpine", "docker.io", "library/alpine");

    /* docker keeps these beside /v1/, and they are for no repository */

    KEY("https://index.docker.io/v1/access-token", "docker.io",
        "v1/access-token");
}


TEST("all of Docker Hub's names are one")
{
    KEY("docker.io", "docker.io", "");
    KEY("index.docker.io", "docker.io", "");
    KEY("https://index.docker.io/v1/", "docker.io", "");
    KEY("index.docker.io/v1/", "docker.io", "");
    KEY("registry-1.docker.io", "docker.io", "");
    KEY("https://www.docker.io", "docker.io", "");
    KEY("https://registry.hub.docker.com/v1/", "docker.io", "");
    KEY("Docker.IO:443", "docker.io", "");
    KEY("hub.docker.com", "hub.docker.com", "");
    KEY("docker.io:5000", "docker.io:5000", "");

    CHECK(dfp_docker_hub(DFP_STR("docker.io")));
    CHECK(dfp_docker_hub(DFP_STR("index.docker.io")));
    CHECK(dfp_docker_hub(DFP_STR("registry-1.docker.io")));
    CHECK(dfp_docker_hub(DFP_STR("www.docker.io")));
    CHECK(dfp_docker_hub(DFP_STR("registry.hub.docker.com")));
    CHECK(dfp_docker_hub(DFP_STR("Docker.io")));

    CHECK(!dfp_docker_hub(DFP_STR_NULL));
    CHECK(!dfp_docker_hub(DFP_STR("docker.i")));
    CHECK(!dfp_docker_hub(DFP_STR("docker.io.lan")));
    CHECK(!dfp_docker_hub(DFP_STR("xdocker.io")));
    CHECK(!dfp_docker_hub(DFP_STR("docker.com")));
    CHECK(!dfp_docker_hub(DFP_STR("docker.io:5000")));
    CHECK(!dfp_docker_hub(DFP_STR("docker.io\0")));
}


TEST("a key that names no host is refused, by its name")
{
    KEY_REFUSED("", "\"\" | no host");
    KEY_REFUSED("https://", "\"https://\" | no host");
    KEY_REFUSED("/team", "\"/team\" | no host");
    KEY_REFUSED("a b", "\"a b\" | printable ASCII | escape | %");
    KEY_REFUSED("-x", "\"-x\" | host | DNS name | IP address");
    KEY_REFUSED("127.1", "\"127.1\" | host | number | IPv4 | 192.0.2.1");
    KEY_REFUSED("r.lan:0", "\"r.lan:0\" | port | 1 | 65535");
    KEY_REFUSED("ftp://r.lan", "\"ftp://r.lan\" | http | https URL");
    KEY_REFUSED("://", "\"://\" | http | https URL");

    /* not even where there is nothing in the entry */

    REFUSED("{\"auths\":{\"-x\":{}}}",
            "\"-x\" | host | DNS name | IP address");
    REFUSED("{\"auths\":{\"-x\":null}}",
            "\"-x\" | host | DNS name | IP address");
}


TEST("a key that goes on with no repository is refused")
{
    KEY_REFUSED("r.lan/Team", "\"r.lan/Team\" | repository | host");
    KEY_REFUSED("r.lan//", "\"r.lan//\" | repository | host");
    KEY_REFUSED("r.lan/a//b", "\"r.lan/a//b\" | repository | host");
    KEY_REFUSED("r.lan//a", "\"r.lan//a\" | repository | host");
    KEY_REFUSED("r.lan/a//", "\"r.lan/a//\" | repository | host");
    KEY_REFUSED("r.lan/a:1", "\"r.lan/a:1\" | repository | host");
    KEY_REFUSED("r.lan/a%62", "\"r.lan/a%62\" | repository | host");
    KEY_REFUSED("r.lan/../a", "\"r.lan/../a\" | \".\" | \"..\" | path");
    KEY_REFUSED("r.lan?a", "\"r.lan...\" | \"?\" | \"#\" | name");
    KEY_REFUSED("r.lan#a", "\"r.lan...\" | \"?\" | \"#\" | name");
}


TEST("a key may have 512 bytes, and not one more")
{
    KEY(filled("r.lan/", 'a', DFP_CREDENTIALS_MAX_KEY), "r.lan",
        filled("", 'a', DFP_CREDENTIALS_MAX_KEY - 6));

    KEY_REFUSED(filled("r.lan/", 'a', DFP_CREDENTIALS_MAX_KEY + 1),
                "\"r.lan/" A60 A60 "aa...\" | name | 512 bytes");
    KEY_REFUSED(filled("https://r.lan/", 'B', DFP_CREDENTIALS_MAX_KEY),
                "\"https://r.lan/" B60
                "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB...\""
                " | repository | host");
}


TEST("128 bytes of a key are shown, all of them or the first")
{
    KEY_REFUSED(filled("-", 'a', 128),
                "\"-" A60 A60 "aaaaaaa\" | host | DNS name | IP address");
    KEY_REFUSED(filled("-", 'a', 129),
                "\"-" A60 A60 "aaaaaaa...\" | host | DNS name | IP address");

    /* and the name of the field after it is never cut */

    check_refused(entry_of(filled("r.lan/", 'a', DFP_CREDENTIALS_MAX_KEY),
                           "{\"registrytoken\":1}"),
                  "\"r.lan/" A60 A60 "aa...\" | registrytoken | string",
                  __LINE__);
}


TEST("what may be secret in a key is not shown, nor what disturbs a log")
{
    KEY_REFUSED("https://bob:secret@r.lan/",
                "\"***@r.lan/\" | user name | password");
    KEY_REFUSED("bob:secret@r.lan", "\"***@r.lan\" | user name | password");
    KEY_REFUSED("a@secret@r.lan", "\"***@r.lan\" | user name | password");
    KEY_REFUSED("bob:secret@", "\"***@\" | user name | password");
    KEY_REFUSED("https://r.lan/?token=secret",
                "\"https://r.lan/...\" | \"?\" | \"#\" | name");
    KEY_REFUSED("r.lan?a@secret", "\"r.lan...\" | \"?\" | \"#\" | name");
    KEY_REFUSED("a\n\x1b[1m\x7f\xc3\xa4",
                "\"a??[1m???\" | printable ASCII | escape | %");
    KEY_REFUSED("%s%n", "\"%s%n\" | % | hexadecimal");
}


/* And which one is found */

static void
check_found(const char *authority, const char *name, const char *username,
    int line)
{
    const dfp_credential_t  *c;

    c = dfp_credentials_find(&credentials, dfp_test_str(authority),
                             dfp_test_str(name));

    dfp_test_check_str(c ? c->username : DFP_STR("none"),
                       dfp_test_str(username), line, "the user name");
}


#define FOUND(authority, name, username)                                      \
    check_found(authority, name, username, __LINE__)
#define USER(key, name)                                                       \
    "\"" key "\":{\"username\":\"" name "\",\"password\":\"x\"}"


TEST("the entry with the longest path that is in the name is found")
{
    TAKEN("{\"auths\":{" USER("r.lan", "all") "," USER("r.lan/a/b", "b") ","
          USER("r.lan/a", "a") "," USER("r.lan/a/b/c/d", "d") ","
          USER("r.lan:5000/x", "x") "}}", 5, 0);

    FOUND("r.lan", "", "all");
    FOUND("r.lan", "x", "all");
    FOUND("r.lan", "a", "a");
    FOUND("r.lan", "a/x", "a");
    FOUND("r.lan", "a/b", "b");
    FOUND("r.lan", "a/b/c", "b");
    FOUND("r.lan", "a/b/c/d", "d");
    FOUND("r.lan", "a/b/c/d/e/f", "d");

    /* whole parts only, and from the beginning */

    FOUND("r.lan", "ab", "all");
    FOUND("r.lan", "a/bc", "a");
    FOUND("r.lan", "x/a/b", "all");
    FOUND("r.lan", "a-", "all");

    FOUND("r.lan:5000", "x", "x");
    FOUND("r.lan:5000", "x/y", "x");
    FOUND("r.lan:5000", "a", "none");
    FOUND("r.lan:5000", "", "none");
    FOUND("r.lan:5001", "x", "none");
    FOUND("lan", "a", "none");
    FOUND("", "", "none");
    FOUND("docker.io", "a", "none");
}


TEST("all of Docker Hub's names find the same")
{
    TAKEN("{\"auths\":{" USER("https://index.docker.io/v1/", "hub") ","
          USER("docker.io/library", "library") "}}", 2, 0);

    FOUND("docker.io", "team/app", "hub");
    FOUND("index.docker.io", "team/app", "hub");
    FOUND("registry-1.docker.io", "team/app", "hub");
    FOUND("www.docker.io", "", "hub");
    FOUND("registry.hub.docker.com", "library", "library");
    FOUND("registry-1.docker.io", "library/alpine", "library");
    FOUND("docker.com", "library/alpine", "none");
}


TEST("of two keys that mean the same the first one counts")
{
    TAKEN("{\"auths\":{" USER("https://r.lan/v2/", "one") ","
          USER("r.lan", "two") "," USER("r.lan/a", "three") ","
          USER("https://r.lan/a", "four") "}}", 4, 0);

    FOUND("r.lan", "", "one");
    FOUND("r.lan", "a", "three");

    /* but of two that are the same JSON has the last one */

    TAKEN("{\"auths\":{" USER("r.lan", "one") "," USER("r.lan", "two") "}}",
          1, 0);
    FOUND("r.lan", "", "two");
}


TEST("in no credentials nothing is found")
{
    memset(&credentials, 0, sizeof(dfp_credentials_t));

    FOUND("r.lan", "a", "none");
    CHECK(dfp_credentials_find(&credentials, DFP_STR_NULL, DFP_STR_NULL)
          == NULL);

    TAKEN("{\"auths\":{" USER("r.lan/a", "a") ",\"x.lan\":{}}}", 1, 1);

    FOUND("x.lan", "a", "none");
    CHECK(dfp_credentials_find(&credentials, DFP_STR("r.lan"), DFP_STR_NULL)
          == NULL);
}
