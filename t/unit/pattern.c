/*
 * Patterns of images: which of them match, and which are refused.
 */

#include "dfp_pattern.h"
#include "dfp_test.h"


#define DIGEST  "sha256:" "0123456789abcdef0123456789abcdef"                  \
                "0123456789abcdef0123456789abcdef"


static dfp_patterns_t *
parsed(const char *text)
{
    dfp_err_t       err;
    dfp_patterns_t  *patterns;

    patterns = dfp_test_alloc(NULL, sizeof(dfp_patterns_t));
    patterns->n = 0;

    CHECK_INT(dfp_patterns_parse(dfp_test_mem(), dfp_test_str(text), "match",
                                 patterns, &err), DFP_OK);

    return patterns;
}


static const char *
refused(const char *text)
{
    dfp_err_t       *err;
    dfp_patterns_t  *patterns;

    err = dfp_test_alloc(NULL, sizeof(dfp_err_t));
    patterns = dfp_test_alloc(NULL, sizeof(dfp_patterns_t));
    patterns->n = 0;

    CHECK_INT(dfp_patterns_parse(dfp_test_mem(), dfp_test_str(text), "match",
                                 patterns, err), DFP_INVALID);

    return err->text;
}


static int
matches(const char *text, const char *repository, const char *tag)
{
    return dfp_patterns_match(parsed(text), dfp_test_str(repository),
                              dfp_test_str(tag), dfp_test_str(DIGEST));
}


TEST("a name matches itself, with any tag")
{
    CHECK(matches("team/app", "team/app", "1"));
    CHECK(!matches("team/app", "team/ap", "1"));
    CHECK(!matches("team/app", "team/apps", "1"));
    CHECK(!matches("team/app", "a/team/app", "1"));
}


TEST("a tag is after the last colon")
{
    CHECK(matches("app:v*", "app", "v1.2"));
    CHECK(matches("app:v*", "app", "v"));
    CHECK(!matches("app:v*", "app", "1"));
    CHECK(matches("app:V?", "app", "V1"));
    CHECK(!matches("app:V?", "app", "v1"));
}


TEST("* does not cross a folder, ** does")
{
    CHECK(matches("team/*", "team/app", "1"));
    CHECK(!matches("team/*", "team/a/b", "1"));
    CHECK(!matches("*", "team/app", "1"));
    CHECK(matches("*p*", "app", "1"));
    CHECK(matches("**", "team/a/b", "1"));
    CHECK(matches("team/**", "team/a/b", "1"));
    CHECK(!matches("team/**", "teams/a", "1"));
    CHECK(matches("team/**/b", "team/x/y/b", "1"));
    CHECK(!matches("t?am", "t/am", "1"));
    CHECK(matches("t?am", "team", "1"));
}


TEST("** and a slash may be no folder, but not within a name")
{
    CHECK(matches("**/app", "app", "1"));
    CHECK(matches("**/app", "team/app", "1"));
    CHECK(!matches("**/app", "myapp", "1"));
    CHECK(!matches("**/app", "team/myapp", "1"));
    CHECK(matches("team/**/b", "team/b", "1"));
    CHECK(!matches("team/**/b", "team/ab", "1"));
    CHECK(matches("**/**/b", "b", "1"));
}


TEST("braces are alternatives, and commas separate patterns")
{
    CHECK(matches("team/{app,tool}:{1,2}", "team/tool", "2"));
    CHECK(!matches("team/{app,tool}:{1,2}", "team/tool", "3"));
    CHECK(matches("a{,b}", "a", "1"));
    CHECK(matches("a{,b}", "ab", "1"));
    CHECK(matches("{a:1,b:2}", "b", "2"));
    CHECK(!matches("{a:1,b:2}", "b", "1"));
    CHECK(matches("x,team/{a,b},y", "y", "1"));
    CHECK(matches("x,team/{a,b},y", "team/b", "1"));
    CHECK_INT(parsed("x,team/{a,b},y")->n, 4);
}


TEST("what was pushed by its digest matches patterns with a digest only")
{
    CHECK(!matches("app", "app", ""));
    CHECK(!matches("app:*", "app", ""));
    CHECK(matches("app@*", "app", ""));
    CHECK(matches("app@sha256:01*", "app", ""));
    CHECK(!matches("app@sha512:*", "app", ""));
    CHECK(!matches("app@*", "app", "1"));
}


TEST("the repository alone")
{
    CHECK(dfp_patterns_repository(parsed("team/*:v*"), DFP_STR("team/app")));
    CHECK(!dfp_patterns_repository(parsed("team/*:v*"), DFP_STR("app")));
}


TEST("no pattern takes long")
{
    char    name[256], stars[513];
    size_t  i;

    memset(name, 'a', 255);
    name[255] = '\0';

    for (i = 0; i < 512; i += 4) {
        memcpy(stars + i, i % 8 ? "**a*" : "*a**", 4);
    }

    memcpy(stars + 510, "b", 2);

    CHECK(!matches(stars, name, "1"));
}


TEST("what is refused")
{
    size_t  i;
    char    long_one[600], many[400];

    memset(long_one, 'a', 599);
    long_one[599] = '\0';

    CHECK_SAYS(refused(""), "match | empty");
    CHECK_SAYS(refused("a,"), "match | empty");
    CHECK_SAYS(refused("a:"), "match | tag | empty");
    CHECK_SAYS(refused("a@"), "match | digest | empty");
    CHECK_SAYS(refused("Team/app"), "match | repository");
    CHECK_SAYS(refused("app:a/b"), "match | tag");
    CHECK_SAYS(refused("app:[ab]"), "match | tag");
    CHECK_SAYS(refused("app@A"), "match | digest");
    CHECK_SAYS(refused("a{b"), "match | }");
    CHECK_SAYS(refused("a}b"), "match | repository");
    CHECK_SAYS(refused("a{b,{c,d}}"), "match | nested");
    CHECK_SAYS(refused(long_one), "match | 512 bytes");
    CHECK_SAYS(refused("{a,b,c,d,e}{a,b,c,d,e}{a,b,c,d,e}"), "match | 64");

    for (i = 0; i < 65; i++) {
        memcpy(many + 2 * i, "a,", 2);
    }

    many[129] = '\0';

    CHECK_SAYS(refused(many), "match | 64");
}


static int
parse(dfp_mem_t *mem, void *data)
{
    dfp_err_t       err;
    dfp_patterns_t  patterns;

    patterns.n = 0;

    return dfp_patterns_parse(mem, dfp_test_str(data), "match", &patterns,
                              &err);
}


TEST("no memory")
{
    dfp_test_oom(parse, "a{b,c}{d,e}");
}
