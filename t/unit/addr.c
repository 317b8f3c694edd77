/*
 * Special addresses: each range at both of its ends, and IPv4 within IPv6.
 */

#include <arpa/inet.h>

#include "dfp_addr.h"
#include "dfp_test.h"


#define ORDINARY  "ordinary"


typedef struct {
    const char     *first;
    const char     *last;
    const char     *name;
    const char     *before;    /* what the neighbours are; NULL: none */
    const char     *after;
} range_t;


static size_t
parse(const char *text, unsigned char *ip)
{
    if (inet_pton(AF_INET, text, ip) == 1) {
        return 4;
    }

    if (!CHECK_INT(inet_pton(AF_INET6, text, ip), 1)) {
        printf("#   %s\n", text);
    }

    return 16;
}


/* The address after IP, or before it; 0 where there is none. */

static int
step(unsigned char *ip, size_t len, int by)
{
    while (len--) {
        ip[len] = (unsigned char) (ip[len] + by);

        if (ip[len] != (by > 0 ? 0x00 : 0xff)) {
            return 1;
        }
    }

    return 0;
}


static void
check_ip(const unsigned char *ip, size_t len, const char *name, int line)
{
    char         text[INET6_ADDRSTRLEN];
    const char  *got;

    got = dfp_addr_special(ip, len);

    if (!dfp_test_check_str(dfp_test_str(got ? got : ORDINARY),
                            dfp_test_str(name), line, "the name"))
    {
        printf("#   of %s\n", inet_ntop(len == 4 ? AF_INET : AF_INET6, ip,
                                        text, sizeof(text)));
    }
}


static void
check_text(const char *text, const char *name, int line)
{
    unsigned char  ip[16];

    check_ip(ip, parse(text, ip), name, line);
}


static void
check_end(const char *end, int by, const char *name, const char *neighbour,
    int line)
{
    size_t         len;
    unsigned char  ip[16];

    len = parse(end, ip);

    check_ip(ip, len, name, line);
    CHECK_INT(step(ip, len, by), neighbour != NULL);

    if (neighbour) {
        check_ip(ip, len, neighbour, line);
    }
}


static void
check_ranges(const range_t *range, size_t n, int line)
{
    while (n--) {
        check_end(range->first, -1, range->name, range->before, line);
        check_end(range->last, 1, range->name, range->after, line);
        range++;
    }
}


#define CHECK_IP(text, name)  check_text(text, name, __LINE__)
#define CHECK_RANGES(ranges)                                                  \
    check_ranges(ranges, sizeof(ranges) / sizeof(ranges[0]), __LINE__)


TEST("the special ranges of IPv4 begin and end where IANA says")
{
    static const range_t  ranges[] = {
        { "0.0.0.0", "0.0.0.0", "unspecified", NULL, "this network" },
        { "0.0.0.1", "0.255.255.255", "this network", "unspecified",
          ORDINARY },
        { "10.0.0.0", "10.255.255.255", "private", ORDINARY, ORDINARY },
        { "100.64.0.0", "100.127.255.255", "shared by a provider's customers",
          ORDINARY, ORDINARY },
        { "127.0.0.0", "127.255.255.255", "loopback", ORDINARY, ORDINARY },
        { "169.254.0.0", "169.254.255.255", "link-local", ORDINARY,
          ORDINARY },
        { "172.16.0.0", "172.31.255.255", "private", ORDINARY, ORDINARY },
        { "192.0.0.0", "192.0.0.255", "for protocols", ORDINARY, ORDINARY },
        { "192.0.2.0", "192.0.2.255", "documentation", ORDINARY, ORDINARY },
        { "192.31.196.0", "192.31.196.255", "AS112", ORDINARY, ORDINARY },
        { "192.52.193.0", "192.52.193.255", "AMT", ORDINARY, ORDINARY },
        { "192.88.99.0", "192.88.99.255", "6to4 relay", ORDINARY, ORDINARY },
        { "192.168.0.0", "192.168.255.255", "private", ORDINARY, ORDINARY },
        { "192.175.48.0", "192.175.48.255", "AS112", ORDINARY, ORDINARY },
        { "198.18.0.0", "198.19.255.255", "benchmarking", ORDINARY,
          ORDINARY },
        { "198.51.100.0", "198.51.100.255", "documentation", ORDINARY,
          ORDINARY },
        { "203.0.113.0", "203.0.113.255", "documentation", ORDINARY,
          ORDINARY },
        { "224.0.0.0", "239.255.255.255", "multicast", ORDINARY, "reserved" },
        { "240.0.0.0", "255.255.255.254", "reserved", "multicast",
          "broadcast" },
        { "255.255.255.255", "255.255.255.255", "broadcast", "reserved",
          NULL }
    };

    CHECK_RANGES(ranges);
}


#define F4   "ffff:ffff:ffff:ffff"
#define F5   "ffff:" F4
#define F6   "ffff:" F5
#define F7   "ffff:" F6


TEST("the special ranges of IPv6 begin and end where IANA says")
{
    static const range_t  ranges[] = {
        { "::", "::", "unspecified", NULL, "loopback" },
        { "::1", "::1", "loopback", "unspecified", "this network" },
        { "64:ff9b:1::", "64:ff9b:1:" F5, "local translation", "reserved",
          "reserved" },
        { "100::", "100::" F4, "discard", "reserved", "dummy" },
        { "100:0:0:1::", "100:0:0:1:" F4, "dummy", "discard", "reserved" },
        { "2001:1::", "2001:1:" F6, "for protocols", "broadcast",
          "benchmarking" },
        { "2001:2::", "2001:2:0:" F5, "benchmarking", "for protocols",
          "for protocols" },
        { "2001:2:1::", "2001:1ff:" F6, "for protocols", "benchmarking",
          ORDINARY },
        { "2001:db8::", "2001:db8:" F6, "documentation", ORDINARY, ORDINARY },
        { "2620:4f:8000::", "2620:4f:8000:" F5, "AS112", ORDINARY, ORDINARY },
        { "3fff::", "3fff:fff:" F6, "documentation", ORDINARY, ORDINARY },
        { "4000::", "5eff:" F7, "reserved", ORDINARY, "segment routing" },
        { "5f00::", "5f00:" F7, "segment routing", "reserved", "reserved" },
        { "5f01::", "fbff:" F7, "reserved", "segment routing",
          "unique local" },
        { "fc00::", "fdff:" F7, "unique local", "reserved", "reserved" },
        { "fe00::", "fe7f:" F7, "reserved", "unique local", "link-local" },
        { "fe80::", "febf:" F7, "link-local", "reserved", "site-local" },
        { "fec0::", "feff:" F7, "site-local", "link-local", "multicast" },
        { "ff00::", "ffff:" F7, "multicast", "site-local", NULL }
    };

    CHECK_RANGES(ranges);
}


TEST("only 2000::/3 is the Internet's, and what a translator makes of IPv4")
{
    static const range_t  ranges[] = {
        { "2000::", "2000:" F7, ORDINARY, "reserved", "unspecified" },
        { "2001:200::", "2001:db7:" F6, ORDINARY, "for protocols",
          "documentation" },
        { "2001:db9::", "2001:" F7, ORDINARY, "documentation",
          "unspecified" },
        { "2003::", "2620:4f:7fff:" F5, ORDINARY, "broadcast", "AS112" },
        { "3fff:1000::", "3fff:" F7, ORDINARY, "documentation", "reserved" }
    };

    CHECK_RANGES(ranges);

    CHECK_IP("2606:4700:4700::1111", ORDINARY);
    CHECK_IP("2001:4860:4860::8888", ORDINARY);
    CHECK_IP("200::", "reserved");
    CHECK_IP("1234::1", "reserved");
    CHECK_IP("8000::1", "reserved");
}


/* Each way to carry an IPv4 address in the last 32 bits. */

static void
check_last(const char *network, int line)
{
    size_t         i, len, len4;
    unsigned char  ip[16];

    static const struct {
        const char  *ip;
        const char  *name;
    } ips[] = {
        { "8.8.8.8", ORDINARY },
        { "1.0.0.0", ORDINARY },
        { "223.255.255.255", ORDINARY },
        { "10.0.0.1", "private" },
        { "127.0.0.1", "loopback" },
        { "169.254.169.254", "link-local" },
        { "172.16.0.1", "private" },
        { "172.32.0.0", ORDINARY },
        { "192.168.1.1", "private" },
        { "100.100.100.200", "shared by a provider's customers" },
        { "224.0.0.1", "multicast" },
        { "255.255.255.255", "broadcast" },
        { "0.0.0.2", "this network" }
    };

    len = parse(network, ip);

    for (i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
        len4 = parse(ips[i].ip, ip + 12);
        CHECK_INT(len4, 4);

        check_ip(ip, len, ips[i].name, line);
    }
}


TEST("mapped, compatible and translated addresses count for the IPv4 ones")
{
    check_last("::ffff:0.0.0.0", __LINE__);
    check_last("::", __LINE__);
    check_last("64:ff9b::", __LINE__);

    CHECK_IP("::ffff:0:0", "unspecified");
    CHECK_IP("64:ff9b::", "unspecified");
}


TEST("what is beside the ranges of IPv4 within IPv6 is reserved")
{
    CHECK_IP("::fffe:8.8.8.8", "reserved");
    CHECK_IP("::1:8.8.8.8", "reserved");
    CHECK_IP("::1:ffff:8.8.8.8", "reserved");
    CHECK_IP("::ffff:0:8.8.8.8", "reserved");
    CHECK_IP("64:ff9b::1:8.8.8.8", "reserved");
    CHECK_IP("64:ff9a:ffff:ffff:ffff:ffff:8.8.8.8", "reserved");
    CHECK_IP("64:ff9b:0:1::808:808", "reserved");
    CHECK_IP("64:ff9b:1::8.8.8.8", "local translation");
    CHECK_IP("64:ff9b:2::8.8.8.8", "reserved");
    CHECK_IP("64:ff9c::8.8.8.8", "reserved");
}


TEST("a 6to4 address counts for its router's")
{
    CHECK_IP("2002:808:808::1", ORDINARY);
    CHECK_IP("2002:a00:1::1", "private");
    CHECK_IP("2002:7f00:1::1", "loopback");
    CHECK_IP("2002:a9fe:a9fe::1", "link-local");
    CHECK_IP("2002::", "unspecified");
    CHECK_IP("2002:" F7, "broadcast");
    CHECK_IP("2002:9ff:ffff::", ORDINARY);
    CHECK_IP("2002:aff:ffff::", "private");
    CHECK_IP("2002:b00::", ORDINARY);
    CHECK_IP("2003:a00:1::1", ORDINARY);
}


/* 8.8.8.8 inverted is f7f7:f7f7, 10.0.0.1 is f5ff:fffe. */

TEST("a Teredo address counts for its server's and for its client's")
{
    CHECK_IP("2001:0:808:808:0:0:f7f7:f7f7", ORDINARY);
    CHECK_IP("2001:0:808:808:0:0:f5ff:fffe", "private");
    CHECK_IP("2001:0:a00:1:0:0:f7f7:f7f7", "private");
    CHECK_IP("2001:0:808:808:0:0:5601:5601", "link-local");
    CHECK_IP("2001:0:a9fe:a9fe:0:0:f7f7:f7f7", "link-local");
    CHECK_IP("2001:0:808:808:0:0:80ff:fffe", "loopback");

    /* not inverted it would be 10.0.0.1: as it is, 245.255.255.254 */
    CHECK_IP("2001:0:808:808:0:0:a00:1", "reserved");
}


TEST("an ISATAP identifier counts for its address, in any network")
{
    CHECK_IP("2606:4700::5efe:8.8.8.8", ORDINARY);
    CHECK_IP("2606:4700::200:5efe:8.8.8.8", ORDINARY);
    CHECK_IP("2606:4700::5efe:10.0.0.1", "private");
    CHECK_IP("2606:4700::200:5efe:10.0.0.1", "private");
    CHECK_IP("2606:4700::5efe:169.254.169.254", "link-local");
    CHECK_IP("2002:808:808::5efe:127.0.0.1", "loopback");
    CHECK_IP("2002:808:808::5efe:8.8.8.8", ORDINARY);
    CHECK_IP("fe80::5efe:8.8.8.8", "link-local");

    CHECK_IP("2606:4700::5eff:10.0.0.1", ORDINARY);
    CHECK_IP("2606:4700::5ffe:10.0.0.1", ORDINARY);
    CHECK_IP("2606:4700::400:5efe:10.0.0.1", ORDINARY);
    CHECK_IP("2606:4700::1:5efe:10.0.0.1", ORDINARY);
}


TEST("the services that tell a machine its secrets are special in each form")
{
    CHECK_IP("169.254.169.254", "link-local");
    CHECK_IP("::ffff:169.254.169.254", "link-local");
    CHECK_IP("::169.254.169.254", "link-local");
    CHECK_IP("64:ff9b::169.254.169.254", "link-local");
    CHECK_IP("2002:a9fe:a9fe::", "link-local");
    CHECK_IP("2001:0:a9fe:a9fe::f7f7:f7f7", "link-local");
    CHECK_IP("2606:4700::5efe:169.254.169.254", "link-local");
    CHECK_IP("169.254.170.2", "link-local");
    CHECK_IP("100.100.100.200", "shared by a provider's customers");
    CHECK_IP("192.0.0.192", "for protocols");
    CHECK_IP("fd00:ec2::254", "unique local");
    CHECK_IP("fd20:ce::254", "unique local");
}


TEST("other lengths than 4 and 16 are invalid, and not looked at")
{
    size_t          len;
    unsigned char  *ip;

    for (len = 0; len < 40; len++) {

        if (len == 4 || len == 16) {
            continue;
        }

        ip = dfp_test_alloc(NULL, len);
        memset(ip, 8, len);
        CHECK_TEXT(dfp_addr_special(ip, len), "invalid");
    }

    CHECK_TEXT(dfp_addr_special(NULL, 0), "invalid");
    CHECK_TEXT(dfp_addr_special((unsigned char *) "\x08\x08\x08\x08",
                                (size_t) -12), "invalid");
}


TEST("an address is read to its end, and not further")
{
    unsigned char  *ip;

    ip = dfp_test_alloc(NULL, 4);
    memset(ip, 255, 4);
    CHECK_TEXT(dfp_addr_special(ip, 4), "broadcast");

    ip = dfp_test_alloc(NULL, 16);
    memset(ip, 0, 16);
    CHECK_TEXT(dfp_addr_special(ip, 16), "unspecified");
}
