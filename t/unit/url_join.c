/*
 * Where redirects lead to.
 */

#include "dfp_url.h"
#include "dfp_test.h"


static dfp_url_t  url;
static dfp_err_t  err;


static int
join(const char *base, dfp_str_t text)
{
    dfp_url_t  from;

    CHECK_INT(dfp_url_parse_any(dfp_test_mem(), dfp_test_str(base), "base",
                                &from, &err), DFP_OK);

    return dfp_url_join(dfp_test_mem(), &from, text, "the redirect", &url,
                        &err);
}


static dfp_str_t
joined(const char *base, dfp_str_t text)
{
    if (!CHECK_INT(join(base, text), DFP_OK)) {
        printf("#   %.*s: %s\n", (int) text.len, text.data, err.text);
        return DFP_STR_NULL;
    }

    return url.href;
}


static const char *
refused(dfp_str_t text)
{
    if (!CHECK_INT(join("https://a.lan/b", text), DFP_INVALID)) {
        dfp_test_print("accepted", text);
    }

    return err.text;
}


#define CHECK_JOIN(base, text, out)                                           \
    CHECK_STR(joined(base, DFP_STR(text)), out)
#define CHECK_REFUSED(text, why)                                              \
    CHECK_SAYS(refused(DFP_STR(text)), "redirect | " why)


TEST("a whole URL is taken as it is")
{
    CHECK_JOIN("https://a.lan/b", "https://cdn.lan/x?y=1",
               "https://cdn.lan/x?y=1");
    CHECK_JOIN("https://a.lan/b", "HTTP://CDN.lan:80", "http://cdn.lan/");
    CHECK_JOIN("https://a.lan/b", "https://cdn.lan/x#part", "https://cdn.lan/x");
}


TEST("the path may be any: nobody looks it up among locations")
{
    CHECK_JOIN("https://a.lan/b", "https://g.lan/o/docker%2Fv2%2fblob%25",
               "https://g.lan/o/docker%2Fv2%2fblob%25");
    CHECK_JOIN("https://a.lan/b", "/x/../y", "https://a.lan/x/../y");
}


TEST("without a scheme it is that of the request")
{
    CHECK_JOIN("https://a.lan/b", "//cdn.lan/x", "https://cdn.lan/x");
    CHECK_JOIN("http://a.lan/b", "//cdn.lan:81/x", "http://cdn.lan:81/x");
}


TEST("without a host it is that of the request, with its port")
{
    CHECK_JOIN("http://a.lan:81/b/c?d", "/x", "http://a.lan:81/x");
    CHECK_JOIN("http://a.lan:81/b/c?d", "/x?y", "http://a.lan:81/x?y");
    CHECK_JOIN("http://[::1]:81/b/c?d", "/x", "http://[::1]:81/x");
}


TEST("a path without a slash is beside that of the request")
{
    CHECK_JOIN("http://a.lan/b/c?d", "x", "http://a.lan/b/x");
    CHECK_JOIN("http://a.lan/b/c?d", "x/y?z", "http://a.lan/b/x/y?z");
    CHECK_JOIN("http://a.lan", "x", "http://a.lan/x");
    CHECK_JOIN("http://a.lan/b/", "./x:y", "http://a.lan/b/./x:y");
}


TEST("a query alone replaces that of the request, a fragment nothing")
{
    CHECK_JOIN("http://a.lan/b/c?d", "?x", "http://a.lan/b/c?x");
    CHECK_JOIN("http://a.lan/b/c?d", "#x", "http://a.lan/b/c?d");
    CHECK_JOIN("http://a.lan/b/c?d", "", "http://a.lan/b/c?d");
    CHECK_JOIN("http://a.lan/b/c", "", "http://a.lan/b/c");
}


TEST("what is refused of a URL is refused here")
{
    CHECK_REFUSED("ftp://a.lan/", "http | https URL");
    CHECK_REFUSED("file:///etc/passwd", "http | https URL");
    CHECK_REFUSED("javascript:alert(1)", "http | https URL");
    CHECK_REFUSED("https://u:p@a.lan/", "user name");
    CHECK_REFUSED("//u@a.lan/", "user name");
    CHECK_REFUSED("https://a.lan\\@b.lan/", "user name");
    CHECK_REFUSED("https:///x", "no host");
    CHECK_REFUSED("///x", "no host");
    CHECK_REFUSED("/x y", "printable ASCII");
    CHECK_REFUSED("/x\r\nHost: b", "printable ASCII");
    CHECK_REFUSED("/x%0d%0aHost:b", "%0D");
    CHECK_REFUSED("/x%00", "%00");
    CHECK_REFUSED("/x%zz", "% | hexadecimal");
    CHECK_REFUSED("//2130706433/", "host | number | IPv4 | 192.0.2.1");
}


TEST("what is too long is refused, however it is put together")
{
    char  text[DFP_URL_MAX_LEN + 2];

    memset(text, 'x', sizeof(text));
    text[0] = '/';

    CHECK_SAYS(refused((dfp_str_t) { sizeof(text) - 1, text }), "4096 bytes");
    CHECK_SAYS(refused((dfp_str_t) { DFP_URL_MAX_LEN - 5, text }),
              "4096 bytes");
    CHECK_INT(join("https://a.lan/b",
                   (dfp_str_t) { DFP_URL_MAX_LEN - sizeof("https://a.lan") + 1,
                                 text }), DFP_OK);
}


static int
join_in(dfp_mem_t *mem, void *data)
{
    dfp_url_t  *base = data;

    return dfp_url_join(mem, base, DFP_STR("x?y"), "the redirect", &url, &err);
}


TEST("no memory is an error of its own")
{
    dfp_url_t  base;

    CHECK_INT(dfp_url_parse(dfp_test_mem(), DFP_STR("https://a.lan/b"), "base",
                            &base, &err), DFP_OK);

    dfp_test_oom(join_in, &base);
}
