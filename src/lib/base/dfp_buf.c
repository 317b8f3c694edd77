/*
 * A growing byte buffer, and JSON printed into it.
 */

#include <stdio.h>

#include "dfp_buf.h"
#include "dfp_utf8.h"


#define DFP_BUF_MIN_SIZE  64


static dfp_rc_t dfp_buf_reserve(dfp_buf_t *b, size_t len);
static void dfp_buf_json_escape(dfp_buf_t *b, unsigned char ch);


void
dfp_buf_init(dfp_buf_t *b, dfp_mem_t *mem, size_t size, size_t max)
{
    memset(b, 0, sizeof(dfp_buf_t));

    b->mem = mem;
    b->max = max;

    if (max && size > max) {
        size = max;
    }

    if (size) {
        (void) dfp_buf_reserve(b, size);
    }
}


/* Makes room for LEN more bytes. The old block stays allocated in MEM, so the
 * size doubles: less is wasted than is used. */

static dfp_rc_t
dfp_buf_reserve(dfp_buf_t *b, size_t len)
{
    char    *data;
    size_t   size, limit;

    if (b->failed) {
        return DFP_ERROR;
    }

    if (len <= b->size - b->len) {
        return DFP_OK;
    }

    limit = b->max ? b->max : SIZE_MAX / 2;

    if (len > limit - b->len) {
        b->failed = 1;
        return DFP_ERROR;
    }

    size = b->size ? b->size : DFP_BUF_MIN_SIZE;

    while (size < b->len + len) {
        size *= 2;
    }

    if (size > limit) {
        size = limit;
    }

    data = b->mem->alloc(b->mem->ctx, size);
    if (data == NULL) {
        b->failed = 1;
        return DFP_ERROR;
    }

    if (b->len) {
        memcpy(data, b->data, b->len);
    }

    b->data = data;
    b->size = size;

    return DFP_OK;
}


void
dfp_buf_append(dfp_buf_t *b, const char *data, size_t len)
{
    if (len == 0 || dfp_buf_reserve(b, len) != DFP_OK) {
        return;
    }

    memcpy(b->data + b->len, data, len);
    b->len += len;
}


void
dfp_buf_str(dfp_buf_t *b, dfp_str_t s)
{
    dfp_buf_append(b, s.data, s.len);
}


void
dfp_buf_int(dfp_buf_t *b, int64_t n)
{
    char       text[sizeof("-9223372036854775808")], *p;
    uint64_t   u;

    /* by hand: a job has many numbers, and snprintf() is slow */

    u = (n < 0) ? 0 - (uint64_t) n : (uint64_t) n;
    p = text + sizeof(text);

    do {
        *--p = '0' + u % 10;
        u /= 10;
    } while (u);

    if (n < 0) {
        *--p = '-';
    }

    dfp_buf_append(b, p, text + sizeof(text) - p);
}


static void
dfp_buf_json_escape(dfp_buf_t *b, unsigned char ch)
{
    char  text[sizeof("\\u0000")];

    switch (ch) {

    case '"':
        dfp_buf_cstr(b, "\\\"");
        break;

    case '\\':
        dfp_buf_cstr(b, "\\\\");
        break;

    case '\n':
        dfp_buf_cstr(b, "\\n");
        break;

    case '\r':
        dfp_buf_cstr(b, "\\r");
        break;

    case '\t':
        dfp_buf_cstr(b, "\\t");
        break;

    default:
        (void) snprintf(text, sizeof(text), "\\u%04x", ch);
        dfp_buf_cstr(b, text);
    }
}


void
dfp_buf_json(dfp_buf_t *b, dfp_str_t s)
{
    size_t       n;
    uint32_t     ch;
    const char  *p, *last, *plain;

    p = s.data;
    last = s.len ? p + s.len : p;
    plain = p;

    dfp_buf_append(b, "\"", 1);

    /* what needs no change is copied in runs, from PLAIN up to P */

    while (p < last) {
        n = 1;
        ch = (unsigned char) *p;

        if (ch >= 0x80) {
            n = dfp_utf8_decode(p, last - p, &ch);
        }

        if (ch != DFP_UTF8_MALFORMED && ch >= 0x20 && ch != '"' && ch != '\\') {
            p += n;
            continue;
        }

        dfp_buf_append(b, plain, p - plain);

        if (ch == DFP_UTF8_MALFORMED) {
            dfp_buf_cstr(b, DFP_UTF8_REPLACEMENT);

        } else {
            dfp_buf_json_escape(b, (unsigned char) ch);
        }

        p++;
        plain = p;
    }

    dfp_buf_append(b, plain, p - plain);
    dfp_buf_append(b, "\"", 1);
}


dfp_str_t
dfp_buf_value(dfp_buf_t *b)
{
    return (dfp_str_t) { b->len, b->data };
}
