/*
 * Special addresses: for each version of IP a table of ranges, in which the
 * first match counts.
 */

#include "dfp_addr.h"


#define DFP_ADDR_IPV4_LEN   4
#define DFP_ADDR_IPV6_LEN   16

#define DFP_ADDR_LAST_UNICAST  223    /* of IPv4: the first byte */

/* where IPv6 addresses carry IPv4 ones */
#define DFP_ADDR_ROUTER     2     /* of 6to4 */
#define DFP_ADDR_SERVER     4     /* of Teredo */
#define DFP_ADDR_INTERFACE  8     /* the identifier, which may be ISATAP's */
#define DFP_ADDR_LAST       12

/* the bit of an interface identifier that says it is unique in the world */
#define DFP_ADDR_UNIVERSAL  0x02


typedef struct {
    unsigned char  prefix[DFP_ADDR_IPV6_LEN];
    unsigned       bits;        /* of the prefix that count */
    const char    *name;
    /* without a name: an address inside this one decides */
    const char  *(*within)(const unsigned char *ip);
} dfp_addr_range_t;


static const char *dfp_addr_find(const dfp_addr_range_t *range,
    const unsigned char *ip);
static int dfp_addr_in(const dfp_addr_range_t *range,
    const unsigned char *ip);
static const char *dfp_addr_ordinary(const unsigned char *ip);
static const char *dfp_addr_ipv4(const unsigned char *ip);
static const char *dfp_addr_last(const unsigned char *ip);
static const char *dfp_addr_6to4(const unsigned char *ip);
static const char *dfp_addr_teredo(const unsigned char *ip);
static const char *dfp_addr_isatap(const unsigned char *ip);


/* The last range of each table contains every address. */

static const dfp_addr_range_t  dfp_addr_ipv4_ranges[] = {
    { { 0, 0, 0, 0 }, 32, "unspecified", NULL },
    { { 0 }, 8, "this network", NULL },
    { { 10 }, 8, "private", NULL },
    { { 100, 64 }, 10, "shared by a provider's customers", NULL },
    { { 127 }, 8, "loopback", NULL },
    { { 169, 254 }, 16, "link-local", NULL },
    { { 172, 16 }, 12, "private", NULL },
    { { 192, 0, 0 }, 24, "for protocols", NULL },
    { { 192, 0, 2 }, 24, "documentation", NULL },
    { { 192, 31, 196 }, 24, "AS112", NULL },
    { { 192, 52, 193 }, 24, "AMT", NULL },
    { { 192, 88, 99 }, 24, "6to4 relay", NULL },
    { { 192, 168 }, 16, "private", NULL },
    { { 192, 175, 48 }, 24, "AS112", NULL },
    { { 198, 18 }, 15, "benchmarking", NULL },
    { { 198, 51, 100 }, 24, "documentation", NULL },
    { { 203, 0, 113 }, 24, "documentation", NULL },
    { { 224 }, 4, "multicast", NULL },
    { { 255, 255, 255, 255 }, 32, "broadcast", NULL },
    { { 240 }, 4, "reserved", NULL },
    { { 0 }, 0, NULL, dfp_addr_ordinary }
};


/* Addresses outside of 2000::/3 without a purpose of their own are reserved,
 * also those between the networks of 64:ff9b::. */

static const dfp_addr_range_t  dfp_addr_ipv6_ranges[] = {
    { { 0 }, 128, "unspecified", NULL },
    { { [15] = 1 }, 128, "loopback", NULL },
    { { 0 }, 96, NULL, dfp_addr_last },
    { { [10] = 0xff, [11] = 0xff }, 96, NULL, dfp_addr_last },
    { { 0x00, 0x64, 0xff, 0x9b }, 96, NULL, dfp_addr_last },
    { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, "local translation", NULL },
    { { 0x01 }, 64, "discard", NULL },
    { { 0x01, [7] = 1 }, 64, "dummy", NULL },
    { { 0x20, 0x01, 0x00, 0x00 }, 32, NULL, dfp_addr_teredo },
    { { 0x20, 0x01, 0x00, 0x02, 0x00, 0x00 }, 48, "benchmarking", NULL },
    { { 0x20, 0x01, 0x00 }, 23, "for protocols", NULL },
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32, "documentation", NULL },
    { { 0x20, 0x02 }, 16, NULL, dfp_addr_6to4 },
    { { 0x26, 0x20, 0x00, 0x4f, 0x80, 0x00 }, 48, "AS112", NULL },
    { { 0x3f, 0xff, 0x00 }, 20, "documentation", NULL },
    { { 0x20 }, 3, NULL, dfp_addr_isatap },
    { { 0x5f, 0x00 }, 16, "segment routing", NULL },
    { { 0xfc }, 7, "unique local", NULL },
    { { 0xfe, 0x80 }, 10, "link-local", NULL },
    { { 0xfe, 0xc0 }, 10, "site-local", NULL },
    { { 0xff }, 8, "multicast", NULL },
    { { 0 }, 0, "reserved", NULL }
};


const char *
dfp_addr_special(const unsigned char *ip, size_t len)
{
    switch (len) {

    case DFP_ADDR_IPV4_LEN:
        return dfp_addr_find(dfp_addr_ipv4_ranges, ip);

    case DFP_ADDR_IPV6_LEN:
        return dfp_addr_find(dfp_addr_ipv6_ranges, ip);

    default:
        return "invalid";
    }
}


static const char *
dfp_addr_find(const dfp_addr_range_t *range, const unsigned char *ip)
{
    while (!dfp_addr_in(range, ip)) {
        range++;
    }

    return range->name ? range->name : range->within(ip);
}


static int
dfp_addr_in(const dfp_addr_range_t *range, const unsigned char *ip)
{
    size_t         bytes;
    unsigned char  mask;

    bytes = range->bits / 8;

    if (memcmp(ip, range->prefix, bytes) != 0) {
        return 0;
    }

    if (range->bits % 8 == 0) {
        return 1;
    }

    mask = (unsigned char) (0xff << (8 - range->bits % 8));

    return (ip[bytes] & mask) == range->prefix[bytes];
}


static const char *
dfp_addr_ordinary(const unsigned char *ip)
{
    return NULL;
}


static const char *
dfp_addr_ipv4(const unsigned char *ip)
{
    return dfp_addr_find(dfp_addr_ipv4_ranges, ip);
}


/* IPv4-mapped and -compatible addresses (RFC 4291), and those of a NAT64 (RFC
 * 6052): the last 32 bits. */

static const char *
dfp_addr_last(const unsigned char *ip)
{
    return dfp_addr_ipv4(ip + DFP_ADDR_LAST);
}


/* RFC 3056: the router's address follows the prefix. */

static const char *
dfp_addr_6to4(const unsigned char *ip)
{
    const char  *name;

    name = dfp_addr_ipv4(ip + DFP_ADDR_ROUTER);

    return name ? name : dfp_addr_isatap(ip);
}


/* RFC 4380: the server's address follows the prefix, and the last 32 bits are
 * the client's, inverted. Both get packets. */

static const char *
dfp_addr_teredo(const unsigned char *ip)
{
    size_t          i;
    const char     *name;
    unsigned char   client[DFP_ADDR_IPV4_LEN];

    name = dfp_addr_ipv4(ip + DFP_ADDR_SERVER);
    if (name) {
        return name;
    }

    for (i = 0; i < sizeof(client); i++) {
        client[i] = ip[DFP_ADDR_LAST + i] ^ 0xff;
    }

    return dfp_addr_ipv4(client);
}


/* RFC 5214: in any network, the interface identifier says by its first half
 * that the second one is an IPv4 address. */

static const char *
dfp_addr_isatap(const unsigned char *ip)
{
    const unsigned char  *id;

    id = ip + DFP_ADDR_INTERFACE;

    if ((id[0] & ~DFP_ADDR_UNIVERSAL) == 0x00 && id[1] == 0x00
        && id[2] == 0x5e && id[3] == 0xfe)
    {
        return dfp_addr_ipv4(ip + DFP_ADDR_LAST);
    }

    return NULL;
}


size_t
dfp_addr_text(dfp_str_t text, char ip[INET6_ADDRSTRLEN])
{
    int            family;
    char           copy[INET6_ADDRSTRLEN];
    unsigned char  addr[sizeof(struct in6_addr)], *p;

    static const unsigned char  none[sizeof(struct in6_addr)];
    static const unsigned char  mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                             0xff, 0xff };

    if (text.len == 0 || text.len >= sizeof(copy)
        || memchr(text.data, '\0', text.len))
    {
        return 0;
    }

    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';

    family = AF_INET;
    p = addr;

    if (inet_pton(AF_INET, copy, addr) != 1) {

        if (inet_pton(AF_INET6, copy, addr) != 1) {
            return 0;
        }

        if (memcmp(addr, mapped, sizeof(mapped)) == 0) {
            p += sizeof(mapped);

        } else {
            family = AF_INET6;
        }
    }

    /* nothing listens at an unspecified or a multicast address */

    if (family == AF_INET ? p[0] == 0 || p[0] > DFP_ADDR_LAST_UNICAST
                          : p[0] == 0xff || memcmp(p, none, sizeof(none)) == 0)
    {
        return 0;
    }

    return inet_ntop(family, p, ip, INET6_ADDRSTRLEN) ? strlen(ip) : 0;
}
