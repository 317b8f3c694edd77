/*
 * URLs: what is accepted and how it is written, what is refused and why.
 */

#include "dfp_url.h"
#include "dfp_test.h"


static dfp_url_t  url;
static dfp_err_t  err;


static int
parse(dfp_str_t text)
{
    int  rc;

    err.text[0] = '\0';
    rc = dfp_url_parse(dfp_test_mem(), text, "args.url", &url, &err);

    /* who gets no sentence cannot mend the request */

    CHECK((rc == DFP_INVALID) == (strncmp(err.text, "args.url ", 9) == 0));

    return rc;
}


static dfp_str_t
href(dfp_str_t text)
{
    if (!CHECK_INT(parse(text), DFP_OK)) {
        printf("#   %.*s: %s\n", (int) text.len, text.data, err.text);
        return DFP_STR_NULL;
    }

    return url.href;
}


static const char *
refused(dfp_str_t text)
{
    if (!CHECK_INT(parse(text), DFP_INVALID)) {
        dfp_test_print("accepted", text);
    }

    return err.text;
}


/* a URL of LEN bytes that begins with START */
static dfp_str_t
url_of_length(const char *start, size_t len)
{
    char  *p;

    p = dfp_test_mem()->alloc(dfp_test_mem()->ctx, len);
    memset(p, 'a', len);
    memcpy(p, start, strlen(start));

    return (dfp_str_t) { len, p };
}


#define CHECK_HREF(in, out)       CHECK_STR(href(DFP_STR(in)), out)
#define CHECK_REFUSED(in, why)    CHECK_SAYS(refused(DFP_STR(in)), why)


TEST("a URL is taken apart into all its parts")
{
    CHECK_HREF("https://registry.lan:8443/v2/a%20b/x?n=1&m=2#top",
               "https://registry.lan:8443/v2/a%20b/x?n=1&m=2");
    CHECK_INT(url.tls, 1);
    CHECK_INT(url.default_port, 0);
    CHECK_INT(url.port, 8443);
    CHECK_STR(url.host, "registry.lan");
    CHECK_STR(url.path, "/v2/a%20b/x");
    CHECK_STR(url.query, "n=1&m=2");
    CHECK_STR(url.origin, "https://registry.lan:8443");
    CHECK_STR(url.authority, "registry.lan:8443");
}


TEST("the scheme's own port is left out, written or not")
{
    CHECK_HREF("http://a.lan:80/x", "http://a.lan/x");
    CHECK_INT(url.default_port, 1);
    CHECK_INT(url.port, 80);
    CHECK_INT(url.tls, 0);
    CHECK_STR(url.authority, "a.lan");

    CHECK_HREF("https://a.lan:443/x", "https://a.lan/x");
    CHECK_INT(url.port, 443);

    CHECK_HREF("https://a.lan/x", "https://a.lan/x");
    CHECK_INT(url.port, 443);
    CHECK_INT(url.default_port, 1);

    CHECK_HREF("http://a.lan:443/x", "http://a.lan:443/x");
    CHECK_INT(url.default_port, 0);
}


TEST("scheme and host are lower-cased, path and query are not")
{
    CHECK_HREF("HttpS://Registry.LAN/Path?Query",
               "https://registry.lan/Path?Query");
    CHECK_STR(url.host, "registry.lan");
    CHECK_STR(url.origin, "https://registry.lan");
}


TEST("an empty path is /")
{
    CHECK_HREF("http://a.lan", "http://a.lan/");
    CHECK_STR(url.path, "/");
    CHECK(url.query.data == NULL);

    CHECK_HREF("http://a.lan?x", "http://a.lan/?x");
    CHECK_STR(url.path, "/");
    CHECK_STR(url.query, "x");

    CHECK_HREF("http://a.lan#x", "http://a.lan/");
}


TEST("an empty query string is kept, and is not a missing one")
{
    CHECK_HREF("http://a.lan/x?", "http://a.lan/x?");
    CHECK_INT(url.query.len, 0);
    CHECK(url.query.data != NULL);
}


TEST("a fragment is cut off, wherever it begins")
{
    CHECK_HREF("http://a.lan/x#y?z/..", "http://a.lan/x");
    CHECK(url.query.data == NULL);
    CHECK_HREF("http://a.lan/x?y#z?", "http://a.lan/x?y");
    CHECK_HREF("http://a.lan#@b.lan/", "http://a.lan/");
}


TEST("other schemes, and texts that are no URL, are refused")
{
    CHECK_REFUSED("", "http | https URL");
    CHECK_REFUSED("not-a-url", "http | https URL");
    CHECK_REFUSED("ftp://a.lan/", "http | https URL");
    CHECK_REFUSED("file:///etc/passwd", "http | https URL");
    CHECK_REFUSED("http:/a.lan/", "http | https URL");
    CHECK_REFUSED("http:a.lan/", "http | https URL");
    CHECK_REFUSED("https:\\\\a.lan/", "http | https URL");
    CHECK_REFUSED("//a.lan/", "http | https URL");
    CHECK_REFUSED("http", "http | https URL");
    CHECK_REFUSED("httpx://a.lan/", "http | https URL");
    CHECK_INT(parse(DFP_STR_NULL), DFP_INVALID);
}


TEST("a URL may be 4096 bytes long, and not one more")
{
    CHECK_INT(parse(url_of_length("http://a.lan/", 4096)), DFP_OK);
    CHECK_INT(url.href.len, 4096);

    CHECK_SAYS(refused(url_of_length("http://a.lan/", 4097)), "4096 bytes");
}


TEST("a URL must keep to the limit as it is written, too")
{
    /* the "/" makes it longer by one */

    CHECK_INT(parse(url_of_length("http://a.lan?", 4095)), DFP_OK);
    CHECK_SAYS(refused(url_of_length("http://a.lan?", 4096)), "4096 bytes");
}


TEST("user names and passwords in URLs are refused, and not repeated")
{
    CHECK_REFUSED("http://user:secret@a.lan/", "user name | password");
    CHECK_HAS_NOT(err.text, "secret");
    CHECK_REFUSED("http://user@a.lan/", "user name | password");
    CHECK_REFUSED("http://@a.lan/", "user name | password");
    CHECK_REFUSED("http://a.lan:80@b.lan/", "user name | password");
    CHECK_REFUSED("http://[::1]@b.lan/", "user name | password");

    CHECK_HREF("http://a.lan/@b.lan", "http://a.lan/@b.lan");
    CHECK_HREF("http://a.lan?@b.lan", "http://a.lan/?@b.lan");
}


TEST("hosts: DNS names of every usual form")
{
    CHECK_HREF("http://localhost/", "http://localhost/");
    CHECK_HREF("http://my_registry/", "http://my_registry/");
    CHECK_HREF("http://a-b.c--d.1e/", "http://a-b.c--d.1e/");
    CHECK_HREF("http://1.2.3.4a/", "http://1.2.3.4a/");
    CHECK_HREF("http://xn--nxasmq6b/", "http://xn--nxasmq6b/");
    CHECK_HREF("http://0xg/", "http://0xg/");
}


TEST("hosts: what is no DNS name is refused")
{
    CHECK_REFUSED("http:///x", "no host");
    CHECK_REFUSED("http://", "no host");
    CHECK_REFUSED("http://?x", "no host");
    CHECK_REFUSED("http://:80/", "no host");
    CHECK_REFUSED("http://a..lan/", "host | DNS name | IP address");
    CHECK_REFUSED("http://.lan/", "host | DNS name | IP address");
    CHECK_REFUSED("http://a.lan./", "host | DNS name | IP address");
    CHECK_REFUSED("http://-a.lan/", "host | DNS name | IP address");
    CHECK_REFUSED("http://a-.lan/", "host | DNS name | IP address");
    CHECK_REFUSED("http://a%2elan/", "host | DNS name | IP address");
    CHECK_REFUSED("http://a,b/", "host | DNS name | IP address");
    CHECK_REFUSED("http://a$b/", "host | DNS name | IP address");
    CHECK_REFUSED("http://a\\b.lan/", "host | DNS name | IP address");
    CHECK_REFUSED("http://a.lan\\@b.lan/", "user name | password");
    CHECK_REFUSED("http://a;b/", "host | DNS name | IP address");
}


TEST("hosts: a label has up to 63 characters, a name up to 253")
{
#define L63  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L61  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

    CHECK_HREF("http://" L63 "/", "http://" L63 "/");
    CHECK_REFUSED("http://" L63 "a/", "host | DNS name | IP address");

    CHECK_HREF("http://" L63 "." L63 "." L63 "." L61 "/",
               "http://" L63 "." L63 "." L63 "." L61 "/");
    CHECK_INT(url.host.len, 253);
    CHECK_REFUSED("http://" L63 "." L63 "." L63 "." L61 "a/",
                  "host | 253 bytes");
}


TEST("hosts: an IPv4 address has four plain numbers, nothing else will do")
{
    CHECK_HREF("http://192.0.2.1/", "http://192.0.2.1/");
    CHECK_STR(url.host, "192.0.2.1");
    CHECK_HREF("http://0.0.0.0:81/", "http://0.0.0.0:81/");
    CHECK_HREF("http://255.255.255.255/", "http://255.255.255.255/");

    /* each of these is 127.0.0.1, or another address, to some resolver */

    CHECK_REFUSED("http://2130706433/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://127.1/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://0x7f000001/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://0X7F.0.0.1/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://0177.0.0.1/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://127.0.0.01/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://127.0.0.0x1/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://127.0.0.0x/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://127.0.0.1.1/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://256.0.0.1/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://a.lan.1/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://0/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://127.0.0.1./", "host | DNS name | IP address");
}


TEST("hosts: an IPv6 address has one spelling, and keeps its brackets")
{
    CHECK_HREF("http://[::1]/", "http://[::1]/");
    CHECK_STR(url.host, "[::1]");
    CHECK_STR(url.authority, "[::1]");

    CHECK_HREF("https://[2001:DB8:0:0:0:0:0:1]:8443/x",
               "https://[2001:db8::1]:8443/x");
    CHECK_STR(url.origin, "https://[2001:db8::1]:8443");
    CHECK_STR(url.authority, "[2001:db8::1]:8443");
    CHECK_INT(url.port, 8443);

    CHECK_HREF("http://[::ffff:7f00:1]/", "http://[::ffff:127.0.0.1]/");
    CHECK_HREF("http://[::ffff:127.0.0.1]/", "http://[::ffff:127.0.0.1]/");
}


TEST("hosts: what is no IPv6 address is refused")
{
    CHECK_REFUSED("http://[]/", "IPv6 address");
    CHECK_REFUSED("http://[/", "[ | without | ]");
    CHECK_REFUSED("http://[::1/", "[ | without | ]");
    CHECK_REFUSED("http://[::1%25eth0]/", "IPv6 address");
    CHECK_REFUSED("http://[v1.x]/", "IPv6 address");
    CHECK_REFUSED("http://[127.0.0.1]/", "IPv6 address");
    CHECK_REFUSED("http://[a.lan]/", "IPv6 address");
    CHECK_REFUSED("http://[1:2:3:4:5:6:7:8:9]/", "IPv6 address");
    CHECK_REFUSED("http://[0000:0000:0000:0000:0000:0000:255.255.255.2551]/",
                  "IPv6 address");
    CHECK_REFUSED("http://::1/", "no host");
    CHECK_REFUSED("http://2001:db8::1/", "host | number | IPv4 | 192.0.2.1");
    CHECK_REFUSED("http://[::1]x/", "other | port");
    CHECK_REFUSED("http://[::1]]/", "other | port");
}


TEST("ports: 1 to 65535, plain")
{
    CHECK_HREF("http://a.lan:1/", "http://a.lan:1/");
    CHECK_HREF("http://a.lan:65535/", "http://a.lan:65535/");
    CHECK_INT(url.port, 65535);

    CHECK_REFUSED("http://a.lan:0/", "port | 1 | 65535");
    CHECK_REFUSED("http://a.lan:65536/", "port | 1 | 65535");
    CHECK_REFUSED("http://a.lan:99999/", "port | 1 | 65535");
    CHECK_REFUSED("http://a.lan:4294967376/", "port | 1 | 65535");
    CHECK_REFUSED("http://a.lan:080/", "port | 1 | 65535");
    CHECK_REFUSED("http://a.lan:/", "port | 1 | 65535");
    CHECK_REFUSED("http://a.lan:-1/", "port | 1 | 65535");
    CHECK_REFUSED("http://a.lan:8x/", "port | 1 | 65535");
    CHECK_REFUSED("http://a.lan:80:80/", "port | 1 | 65535");
    CHECK_REFUSED("http://[::1]:/", "port | 1 | 65535");
}


TEST("bytes that are not printable ASCII are refused everywhere")
{
    CHECK_REFUSED("http://a.lan/a b", "printable ASCII");
    CHECK_REFUSED(" http://a.lan/", "printable ASCII");
    CHECK_REFUSED("http://a.lan/\n", "printable ASCII");
    CHECK_REFUSED("http://a.lan/?a\rb", "printable ASCII");
    CHECK_REFUSED("http://a.lan/a\0b", "printable ASCII");
    CHECK_REFUSED("http://a.lan/\t", "printable ASCII");
    CHECK_REFUSED("http://a.lan/\x7f", "printable ASCII");
    CHECK_REFUSED("http://a.lan/\xc3\xa9", "printable ASCII");
    CHECK_REFUSED("http://\xc3\xa9.lan/", "printable ASCII");
    CHECK_REFUSED("http://a.lan/#\xff", "printable ASCII");

    CHECK_HREF("http://a.lan/!~", "http://a.lan/!~");
}


TEST("a % must have two hexadecimal digits after it")
{
    CHECK_REFUSED("http://a.lan/%", "% | hexadecimal");
    CHECK_REFUSED("http://a.lan/%4", "% | hexadecimal");
    CHECK_REFUSED("http://a.lan/%4g", "% | hexadecimal");
    CHECK_REFUSED("http://a.lan/%g4", "% | hexadecimal");
    CHECK_REFUSED("http://a.lan/?%", "% | hexadecimal");
    CHECK_REFUSED("http://a.lan/?100%&x", "% | hexadecimal");
    CHECK_REFUSED("http://a.lan/%%41", "% | hexadecimal");

    CHECK_HREF("http://a.lan/%4A%4a?%4A", "http://a.lan/%4A%4a?%4A");
}


TEST("escaped NUL, CR and LF are refused everywhere")
{
    CHECK_REFUSED("http://a.lan/%00", "%00");
    CHECK_REFUSED("http://a.lan/?x=%0a", "%0A");
    CHECK_REFUSED("http://a.lan/?x=%0D%0A", "%0D");

    CHECK_HREF("http://a.lan/%09%01%7f", "http://a.lan/%09%01%7f");
}


TEST("paths that two programs may resolve in two ways are refused")
{
    CHECK_REFUSED("http://a.lan/..", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/.", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/../x", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/x/./y", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/x/..?y", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/x/..#y", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/%2e%2E/x", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/.%2e", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/%2e", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/%2e./", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/x/..;y/z", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/..;/x", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/%252e%252e/x", "escaped | \"%\" | %25 | path");
    CHECK_REFUSED("http://a.lan/%25", "escaped | \"%\" | %25 | path");
    CHECK_REFUSED("http://a.lan/..%2f", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/x/..%2F..%2fy", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/x%2f..", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/x%2F%2e%2E/y", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/x%2F.;y%2Fz", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/%2f.", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/%2f.?x", "\".\" | \"..\" | path");
    CHECK_REFUSED("http://a.lan/a%5cb", "escaped | \"\\\" | %5C | path");
    CHECK_REFUSED("http://a.lan/a\\b", "\"\\\" | path");
    CHECK_REFUSED("http://a.lan/..\\b", "\"\\\" | path");
}


TEST("an escaped slash is a part of a name, and stays as it is")
{
    CHECK_HREF("http://a.lan/a%2fb", "http://a.lan/a%2fb");
    CHECK_HREF("http://gitlab.lan/api/v4/projects/team%2Fapp/x",
               "http://gitlab.lan/api/v4/projects/team%2Fapp/x");
    CHECK_HREF("http://a.lan/%2F", "http://a.lan/%2F");
    CHECK_HREF("http://a.lan/x%2F%2Fy%2F", "http://a.lan/x%2F%2Fy%2F");
    CHECK_HREF("http://a.lan/x%2F..y%2F...", "http://a.lan/x%2F..y%2F...");
}


TEST("dots that are part of a name are fine, and so is any query")
{
    CHECK_HREF("http://a.lan/...", "http://a.lan/...");
    CHECK_HREF("http://a.lan/..a/b../.c/d.", "http://a.lan/..a/b../.c/d.");
    CHECK_HREF("http://a.lan/%2e%2e%2e", "http://a.lan/%2e%2e%2e");
    CHECK_HREF("http://a.lan/.%41", "http://a.lan/.%41");
    CHECK_HREF("http://a.lan/a;../b", "http://a.lan/a;../b");
    CHECK_HREF("http://a.lan/a//b", "http://a.lan/a//b");
    CHECK_HREF("http://a.lan//", "http://a.lan//");
    CHECK_HREF("http://a.lan/?../%2f%5c%25\\",
               "http://a.lan/?../%2f%5c%25\\");
}


static int
parse_in(dfp_mem_t *mem, void *data)
{
    return dfp_url_parse(mem, DFP_STR("https://[2001:db8::1]:8443/x?y#z"),
                         "args.url", &url, &err);
}


TEST("no memory for a URL is an error of its own")
{
    dfp_test_oom(parse_in, NULL);
}
