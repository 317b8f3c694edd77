/*
 * Base64.
 */

#include "dfp_base64.h"


dfp_rc_t
dfp_base64_decode(dfp_str_t text, char *out, size_t *len)
{
    size_t       i, digits, padding;
    unsigned     bits;
    const char  *digit;

    static const char  alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "abcdefghijklmnopqrstuvwxyz0123456789+/";

    *len = 0;
    digits = 0;
    padding = 0;
    bits = 0;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] == '\r' || text.data[i] == '\n') {
            continue;
        }

        if (text.data[i] == '=') {
            padding++;
            continue;
        }

        digit = memchr(alphabet, text.data[i], sizeof(alphabet) - 1);

        if (digit == NULL || padding) {
            return DFP_INVALID;
        }

        /* each digit but the first of four completes a byte */

        bits = (bits << 6 | (unsigned) (digit - alphabet)) & 0xffff;

        if (digits % 4) {
            out[(*len)++] = (char) (bits >> (6 - 2 * (digits % 4)));
        }

        digits++;
    }

    digits %= 4;

    if (digits == 1 || (padding && (digits == 0 || digits + padding != 4))) {
        return DFP_INVALID;
    }

    return DFP_OK;
}
