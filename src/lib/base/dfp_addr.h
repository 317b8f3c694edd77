/*
 * Which IP addresses are none of the public Internet's: nobody may be led there
 * by a URL, unless the operator named the origin.
 */

#ifndef DFP_ADDR_H
#define DFP_ADDR_H


#include "dfp_mem.h"


/*
 * What is special about an address: NULL where it is an ordinary unicast
 * address of the Internet, else the name of its range for people ("loopback",
 * "private", "link-local", ...). IP is 4 or 16 bytes in network order, as LEN
 * says; any other LEN is "invalid".
 *
 * Sources: IANA's registries of special-purpose IPv4 and IPv6 addresses (RFC
 * 6890 and its updates) and of IPv6 address space, where only 2000::/3 is
 * global unicast. An IPv4 address within an IPv6 one (mapped ::ffff:0:0/96,
 * compatible ::/96, NAT64 64:ff9b::/96, 6to4 2002::/16, Teredo 2001::/32, ISATAP
 * interface identifiers) counts for what it is; 64:ff9b:1::/48 is special.
 */
const char *dfp_addr_special(const unsigned char *ip, size_t len);


#endif /* DFP_ADDR_H */
