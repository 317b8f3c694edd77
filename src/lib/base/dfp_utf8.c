/*
 * UTF-8 that may be malformed.
 */

#include "dfp_utf8.h"


size_t
dfp_utf8_decode(const char *s, size_t len, uint32_t *ch)
{
    size_t                i, n;
    unsigned char         low, high;
    const unsigned char  *p;

    p = (const unsigned char *) s;

    if (p[0] < 0x80) {
        *ch = p[0];
        return 1;
    }

    n = (p[0] < 0xc2 || p[0] > 0xf4) ? 1
        : (p[0] < 0xe0) ? 2 : (p[0] < 0xf0) ? 3 : 4;

    *ch = p[0] & (0x7f >> n);

    /* nothing overlong, no surrogates, nothing over U+10FFFF: only the second
     * byte has a narrower range */

    low = (p[0] == 0xe0) ? 0xa0 : (p[0] == 0xf0) ? 0x90 : 0x80;
    high = (p[0] == 0xed) ? 0x9f : (p[0] == 0xf4) ? 0x8f : 0xbf;

    for (i = 1; i < n && i < len && p[i] >= low && p[i] <= high; i++) {
        *ch = *ch << 6 | (p[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }

    if (n == 1 || i < n) {
        *ch = DFP_UTF8_MALFORMED;
    }

    return i;
}
