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
#define CHECK_REFUSED(in, why)    CHECK_HAS(refused(DFP_STR(in)), why)


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
    CHECK_REFUSED("", "must be an http or https URL");
    CHECK_REFUSED("not-a-url", "must be an http or https URL");
    CHECK_REFUSED("ftp://a.lan/", "must be an http or https URL");
    CHECK_REFUSED("file:///etc/passwd", "must be an http or https URL");
    CHECK_REFUSED("http:/a.lan/", "must be an http or https URL");
    CHECK_REFUSED("http:a.lan/", "must be an http or https URL");
    CHECK_REFUSED("https:\\\\a.lan/", "must be an http or https URL");
    CHECK_REFUSED("//a.lan/", "must be an http or https URL");
    CHECK_REFUSED("http", "must be an http or https URL");
    CHECK_REFUSED("httpx://a.lan/", "must be an http or https URL");
    CHECK_INT(parse(DFP_STR_NULL), DFP_INVALID);
}


TEST("a URL may be 4096 bytes long, and not one more")
{
    CHECK_INT(parse(url_of_length("http://a.lan/", 4096)), DFP_OK);
    CHECK_INT(url.href.len, 4096);

    CHECK_HAS(refused(url_of_length("http://a.lan/", 4097)),
              "must not be longer than 4096 bytes");
}


TEST("a URL must keep to the limit as it is written, too")
{
    /* the "/" makes it longer by one */

    CHECK_INT(parse(url_of_length("http://a.lan?", 4095)), DFP_OK);
    CHECK_HAS(refused(url_of_length("http://a.lan?", 4096)),
              "must not be longer than 4096 bytes");
}


TEST("user names and passwords in URLs are refused, and not repeated")
{
    CHECK_REFUSED("http://user:secret@a.lan/", "a user name or a password");
    CHECK_HAS_NOT(err.text, "secret");
    CHECK_REFUSED("http://user@a.lan/", "a user name or a password");
    CHECK_REFUSED("http://@a.lan/", "a user name or a password");
    CHECK_REFUSED("http://a.lan:80@b.lan/", "a user name or a password");
    CHECK_REFUSED("http://[::1]@b.lan/", "a user name or a password");

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
    CHECK_REFUSED("http:///x", "has no host");
    CHECK_REFUSED("http://", "has no host");
    CHECK_REFUSED("http://?x", "has no host");
    CHECK_REFUSED("http://:80/", "has no host");
    CHECK_REFUSED("http://a..lan/", "neither a DNS name nor");
    CHECK_REFUSED("http://.lan/", "neither a DNS name nor");
    CHECK_REFUSED("http://a.lan./", "neither a DNS name nor");
    CHECK_REFUSED("http://-a.lan/", "neither a DNS name nor");
    CHECK_REFUSED("http://a-.lan/", "neither a DNS name nor");
    CHECK_REFUSED("http://a%2elan/", "neither a DNS name nor");
    CHECK_REFUSED("http://a,b/", "neither a DNS name nor");
    CHECK_REFUSED("http://a$b/", "neither a DNS name nor");
    CHECK_REFUSED("http://a\\b.lan/", "neither a DNS name nor");
    CHECK_REFUSED("http://a.lan\\@b.lan/", "a user name or a password");
    CHECK_REFUSED("http://a;b/", "neither a DNS name nor");
}


TEST("hosts: a label has up to 63 characters, a name up to 253")
{
#define L63  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L61  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

    CHECK_HREF("http://" L63 "/", "http://" L63 "/");
    CHECK_REFUSED("http://" L63 "a/", "neither a DNS name nor");

    CHECK_HREF("http://" L63 "." L63 "." L63 "." L61 "/",
               "http://" L63 "." L63 "." L63 "." L61 "/");
    CHECK_INT(url.host.len, 253);
    CHECK_REFUSED("http://" L63 "." L63 "." L63 "." L61 "a/",
                  "a host longer than 253 bytes");
}


TEST("hosts: an IPv4 address has four plain numbers, nothing else will do")
{
    CHECK_HREF("http://192.0.2.1/", "http://192.0.2.1/");
    CHECK_STR(url.host, "192.0.2.1");
    CHECK_HREF("http://0.0.0.0:81/", "http://0.0.0.0:81/");
    CHECK_HREF("http://255.255.255.255/", "http://255.255.255.255/");

    /* each of these is 127.0.0.1, or another address, to some resolver */

    CHECK_REFUSED("http://2130706433/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://127.1/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://0x7f000001/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://0X7F.0.0.1/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://0177.0.0.1/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://127.0.0.01/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://127.0.0.0x1/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://127.0.0.0x/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://127.0.0.1.1/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://256.0.0.1/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://a.lan.1/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://0/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://127.0.0.1./", "neither a DNS name nor");
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
    CHECK_REFUSED("http://[]/", "no valid IPv6 address");
    CHECK_REFUSED("http://[/", "has a [ without a ]");
    CHECK_REFUSED("http://[::1/", "has a [ without a ]");
    CHECK_REFUSED("http://[::1%25eth0]/", "no valid IPv6 address");
    CHECK_REFUSED("http://[v1.x]/", "no valid IPv6 address");
    CHECK_REFUSED("http://[127.0.0.1]/", "no valid IPv6 address");
    CHECK_REFUSED("http://[a.lan]/", "no valid IPv6 address");
    CHECK_REFUSED("http://[1:2:3:4:5:6:7:8:9]/", "no valid IPv6 address");
    CHECK_REFUSED("http://[0000:0000:0000:0000:0000:0000:255.255.255.2551]/",
                  "no valid IPv6 address");
    CHECK_REFUSED("http://::1/", "has no host");
    CHECK_REFUSED("http://2001:db8::1/", "of the form 192.0.2.1");
    CHECK_REFUSED("http://[::1]x/", "other than a port");
    CHECK_REFUSED("http://[::1]]/", "other than a port");
}


TEST("ports: 1 to 65535, plain")
{
    CHECK_HREF("http://a.lan:1/", "http://a.lan:1/");
    CHECK_HREF("http://a.lan:65535/", "http://a.lan:65535/");
    CHECK_INT(url.port, 65535);

    CHECK_REFUSED("http://a.lan:0/", "a port between 1 and 65535");
    CHECK_REFUSED("http://a.lan:65536/", "a port between 1 and 65535");
    CHECK_REFUSED("http://a.lan:99999/", "a port between 1 and 65535");
    CHECK_REFUSED("http://a.lan:4294967376/", "a port between 1 and 65535");
    CHECK_REFUSED("http://a.lan:080/", "a port between 1 and 65535");
    CHECK_REFUSED("http://a.lan:/", "a port between 1 and 65535");
    CHECK_REFUSED("http://a.lan:-1/", "a port between 1 and 65535");
    CHECK_REFUSED("http://a.lan:8x/", "a port between 1 and 65535");
    CHECK_REFUSED("http://a.lan:80:80/", "a port between 1 and 65535");
    CHECK_REFUSED("http://[::1]:/", "a port between 1 and 65535");
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
    CHECK_REFUSED("http://a.lan/%", "a % that two hexadecimal");
    CHECK_REFUSED("http://a.lan/%4", "a % that two hexadecimal");
    CHECK_REFUSED("http://a.lan/%4g", "a % that two hexadecimal");
    CHECK_REFUSED("http://a.lan/%g4", "a % that two hexadecimal");
    CHECK_REFUSED("http://a.lan/?%", "a % that two hexadecimal");
    CHECK_REFUSED("http://a.lan/?100%&x", "a % that two hexadecimal");
    CHECK_REFUSED("http://a.lan/%%41", "a % that two hexadecimal");

    CHECK_HREF("http://a.lan/%4A%4a?%4A", "http://a.lan/%4A%4a?%4A");
}


TEST("escaped NUL, CR and LF are refused everywhere")
{
    CHECK_REFUSED("http://a.lan/%00", "must not contain %00");
    CHECK_REFUSED("http://a.lan/?x=%0a", "must not contain %0A");
    CHECK_REFUSED("http://a.lan/?x=%0D%0A", "must not contain %0D");

    CHECK_HREF("http://a.lan/%09%01%7f", "http://a.lan/%09%01%7f");
}


TEST("paths that two programs may resolve in two ways are refused")
{
    CHECK_REFUSED("http://a.lan/..", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/.", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/../x", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/x/./y", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/x/..?y", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/x/..#y", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/%2e%2E/x", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/.%2e", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/%2e", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/%2e./", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/x/..;y/z", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/..;/x", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/%252e%252e/x", "an escaped \"%\" (%25)");
    CHECK_REFUSED("http://a.lan/%25", "an escaped \"%\" (%25)");
    CHECK_REFUSED("http://a.lan/..%2f", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/x/..%2F..%2fy", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/x%2f..", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/x%2F%2e%2E/y", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/x%2F.;y%2Fz", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/%2f.", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/%2f.?x", "\".\" or \"..\"");
    CHECK_REFUSED("http://a.lan/a%5cb", "an escaped \"\\\" (%5C)");
    CHECK_REFUSED("http://a.lan/a\\b", "must not have \"\\\"");
    CHECK_REFUSED("http://a.lan/..\\b", "must not have \"\\\"");
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
