/*
 * Percent-encoding.
 */

#include "dfp_char.h"
#include "dfp_escape.h"


void
dfp_escape_byte(dfp_buf_t *b, char ch)
{
    char           text[3];
    unsigned char  byte;

    static const char  digits[] = "0123456789ABCDEF";

    byte = (unsigned char) ch;

    text[0] = '%';
    text[1] = digits[byte >> 4];
    text[2] = digits[byte & 0x0f];

    dfp_buf_append(b, text, sizeof(text));
}


dfp_rc_t
dfp_escape(dfp_mem_t *mem, dfp_str_t s, dfp_str_t *escaped)
{
    size_t     i;
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, s.len, 0);

    for (i = 0; i < s.len; i++) {

        if (dfp_alnum(s.data[i]) || memchr("-._~", s.data[i], 4)) {
            dfp_buf_append(&b, &s.data[i], 1);

        } else {
            dfp_escape_byte(&b, s.data[i]);
        }
    }

    if (b.failed) {
        return DFP_ERROR;
    }

    *escaped = (b.len == s.len) ? s : dfp_buf_value(&b);

    return DFP_OK;
}


dfp_rc_t
dfp_escape_url(dfp_mem_t *mem, dfp_str_t s, dfp_str_t *escaped)
{
    size_t     i;
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, s.len, 0);

    for (i = 0; i < s.len; i++) {

        if ((unsigned char) s.data[i] >= 0x80
            || (s.data[i] == ' ' && i > 0 && i + 1 < s.len))
        {
            dfp_escape_byte(&b, s.data[i]);

        } else {
            dfp_buf_append(&b, &s.data[i], 1);
        }
    }

    if (b.failed) {
        return DFP_ERROR;
    }

    *escaped = (b.len == s.len) ? s : dfp_buf_value(&b);

    return DFP_OK;
}
