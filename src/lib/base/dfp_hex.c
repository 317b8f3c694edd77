/*
 * Hexadecimal digits.
 */

#include "dfp_hex.h"


int
dfp_hex(char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }

    return -1;
}


int
dfp_hex_byte(const char *p)
{
    int  high, low;

    high = dfp_hex(p[0]);
    low = high < 0 ? -1 : dfp_hex(p[1]);

    return low < 0 ? -1 : high * 16 + low;
}


char *
dfp_hex_print(const unsigned char *data, size_t len, char *out)
{
    size_t  i;

    static const char  digits[] = "0123456789abcdef";

    for (i = 0; i < len; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 0x0f];
    }

    return out;
}
