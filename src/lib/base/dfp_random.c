/*
 * Random bytes, by OpenSSL, and UUIDs.
 */

#include <openssl/err.h>
#include <openssl/rand.h>

#include "dfp_hex.h"
#include "dfp_random.h"


/* An error that stays in OpenSSL's queue would be reported as an alert by the
 * next TLS connection of the process. */

dfp_rc_t
dfp_random(unsigned char *data, size_t len)
{
    if (RAND_bytes(data, (int) len) != 1) {
        ERR_clear_error();
        return DFP_ERROR;
    }

    return DFP_OK;
}


dfp_rc_t
dfp_uuid(char *out)
{
    size_t         i;
    unsigned char  bytes[16], *p;

    static const size_t  groups[] = { 4, 2, 2, 2, 6 };

    if (dfp_random(bytes, sizeof(bytes)) != DFP_OK) {
        return DFP_ERROR;
    }

    /* the version and the variant */

    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;

    p = bytes;

    for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {

        if (i) {
            *out++ = '-';
        }

        out = dfp_hex_print(p, groups[i], out);
        p += groups[i];
    }

    *out = '\0';

    return DFP_OK;
}
