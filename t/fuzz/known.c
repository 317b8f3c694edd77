/*
 * The peers that a cluster had, as Redis returns them: what is read is valid,
 * and is printed as it is read again.
 */

#include "dfp_addr.h"
#include "dfp_fuzz.h"
#include "dfp_known.h"


#define FUZZ_NOW  INT64_C(1700000000)


static void
check_peer(const dfp_known_peer_t *peer, const dfp_known_t *again)
{
    char              ip[INET6_ADDRSTRLEN];
    size_t            i;
    const dfp_str_t  *name;

    name = &peer->host.hostname;

    MUST(name->len <= DFP_D7Y_MAX_TEXT);

    for (i = 0; i < name->len; i++) {
        MUST((unsigned char) name->data[i] >= 0x20 && name->data[i] != 0x7f);
    }

    MUST(peer->host.ip.len > 0 && peer->host.port > 0);
    MUST(dfp_addr_text(peer->host.ip, ip) == peer->host.ip.len);
    MUST(memcmp(peer->host.ip.data, ip, peer->host.ip.len) == 0);

    MUST(peer->seen <= FUZZ_NOW);
    MUST(peer->seen > FUZZ_NOW - DFP_KNOWN_SECONDS);

    for (i = 0; i < again->n; i++) {
        if (dfp_str_eq(again->list[i].host.ip, peer->host.ip)
            && again->list[i].host.port == peer->host.port)
        {
            return;
        }
    }

    MUST(0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        i;
    dfp_str_t     text, printed;
    dfp_known_t   known, again;

    text.data = size ? (const char *) data : "";
    text.len = size;

    MUST(dfp_known_parse(dfp_fuzz_mem(), text, FUZZ_NOW, &known) == DFP_OK);
    MUST(known.n <= DFP_D7Y_MAX_HOSTS);

    MUST(dfp_known_print(dfp_fuzz_mem(), &known, NULL, 0, FUZZ_NOW, &printed)
         == DFP_OK);
    MUST(dfp_known_parse(dfp_fuzz_mem(), printed, FUZZ_NOW, &again) == DFP_OK);
    MUST(again.n == known.n);

    for (i = 0; i < known.n; i++) {
        check_peer(&known.list[i], &again);
    }

    dfp_fuzz_free();

    return 0;
}
