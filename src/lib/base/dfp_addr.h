/*
 * IP addresses: those that do not belong to the public Internet, where a URL of
 * a job must not lead unless the operator has configured its origin; and the
 * form in which addresses are compared.
 */

#ifndef DFP_ADDR_H
#define DFP_ADDR_H


#include <arpa/inet.h>

#include "dfp_mem.h"


/*
 * Returns the name of the special range that an address is in, as "loopback",
 * "private" or "link-local", or NULL if it is an ordinary unicast address of
 * the Internet. IP has LEN bytes in network order, 4 or 16; with any other LEN
 * the result is "invalid".
 *
 * Sources: IANA's registries of special-purpose IPv4 and IPv6 addresses (RFC
 * 6890 and its updates) and of the IPv6 address space, in which only 2000::/3
 * is global unicast. If an IPv6 address contains an IPv4 address, the range of
 * that one is returned: mapped ::ffff:0:0/96, compatible ::/96, NAT64
 * 64:ff9b::/96, 6to4 2002::/16, Teredo 2001::/32, ISATAP interface identifiers.
 * 64:ff9b:1::/48 is special.
 */
const char *dfp_addr_special(const unsigned char *ip, size_t len);

/*
 * Writes the canonical form of an IP address, with a NUL, and returns its
 * length. An IPv4 address within an IPv6 one (::ffff:192.0.2.1) becomes an
 * IPv4 address. 0: TEXT is not an address, or one at which nothing can listen.
 */
size_t dfp_addr_text(dfp_str_t text, char ip[INET6_ADDRSTRLEN]);


#endif /* DFP_ADDR_H */
