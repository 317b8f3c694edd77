/*
 * Messages, time-outs and the status of gRPC.
 */

#include <stdio.h>

#include "dfp_buf.h"
#include "dfp_hex.h"
#include "dfp_grpc.h"
#include "dfp_text.h"


#define DFP_GRPC_MIN_SIZE      4096          /* of a reader's buffer */
#define DFP_GRPC_TIMEOUT_MAX   INT64_C(99999999)   /* eight digits */
#define DFP_GRPC_STATUS_LEN    9             /* digits that an int has */


/* Units of a grpc-timeout, from one millisecond up. */
typedef struct {
    int64_t      ms;
    char         name;
} dfp_grpc_unit_t;


static dfp_rc_t dfp_grpc_read_prefix(dfp_grpc_reader_t *reader,
    dfp_err_t *err);
static dfp_rc_t dfp_grpc_reserve(dfp_grpc_reader_t *reader, size_t have,
    size_t len);
static void dfp_grpc_unescape(dfp_buf_t *b, dfp_str_t s);


static const dfp_grpc_unit_t  dfp_grpc_units[] = {
    { 1, 'm' }, { 1000, 'S' }, { 60 * 1000, 'M' }, { 3600 * 1000, 'H' }
};


/* The index is the code. */

static const char *const  dfp_grpc_names[] = {
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"
};


void
dfp_grpc_reader_init(dfp_grpc_reader_t *reader, dfp_mem_t *mem, size_t max)
{
    memset(reader, 0, sizeof(dfp_grpc_reader_t));

    reader->mem = mem;
    reader->max = max;
}


dfp_rc_t
dfp_grpc_read(dfp_grpc_reader_t *reader, const char **p, const char *last,
    dfp_str_t *message, dfp_err_t *err)
{
    dfp_rc_t         rc;
    size_t           have;
    dfp_grpc_part_t  part;

    do {
        have = reader->have;
        rc = dfp_grpc_read_part(reader, p, last, &part, err);

        if (rc != DFP_OK) {
            return rc;
        }

        if (part.bytes.len == 0) {
            continue;
        }

        if (dfp_grpc_reserve(reader, have, part.bytes.len) != DFP_OK) {
            return DFP_ERROR;
        }

        memcpy(reader->buf + have, part.bytes.data, part.bytes.len);

    } while (!part.ends);

    *message = reader->len ? (dfp_str_t) { reader->len, reader->buf }
                           : DFP_STR("");

    return DFP_OK;
}


dfp_rc_t
dfp_grpc_read_part(dfp_grpc_reader_t *reader, const char **p,
    const char *last, dfp_grpc_part_t *part, dfp_err_t *err)
{
    size_t  n;

    while (reader->nprefix < DFP_GRPC_PREFIX) {

        if (*p == last) {
            return DFP_DECLINED;
        }

        reader->prefix[reader->nprefix++] = (unsigned char) *(*p)++;

        if (reader->nprefix == DFP_GRPC_PREFIX
            && dfp_grpc_read_prefix(reader, err) != DFP_OK)
        {
            return DFP_INVALID;
        }
    }

    n = last - *p;

    if (n > reader->len - reader->have) {
        n = reader->len - reader->have;
    }

    if (n == 0 && reader->len) {
        return DFP_DECLINED;
    }

    part->bytes = n ? (dfp_str_t) { n, *p } : DFP_STR("");
    part->begins = (reader->have == 0);

    *p += n;
    reader->have += n;

    part->ends = (reader->have == reader->len);

    if (part->ends) {
        reader->nprefix = 0;
        reader->have = 0;
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_grpc_read_prefix(dfp_grpc_reader_t *reader, dfp_err_t *err)
{
    const unsigned char  *p;

    p = reader->prefix;

    if (p[0] == 1) {
        return dfp_invalid(err, "a message is compressed, although "
                           "compression was not requested");
    }

    if (p[0] != 0) {
        return dfp_invalid(err, "a message has the compression flag %u, which "
                           "gRPC does not define", p[0]);
    }

    reader->len = (size_t) p[1] << 24 | (size_t) p[2] << 16
                  | (size_t) p[3] << 8 | p[4];

    if (reader->len > reader->max) {
        return dfp_invalid(err, "a message of %zu bytes is longer than %zu",
                           reader->len, reader->max);
    }

    return DFP_OK;
}


/*
 * Makes room for LEN more bytes. Memory is allocated for what has arrived, not
 * for the length in the prefix. Old blocks stay allocated, so the size doubles
 * up to max: all blocks of a reader together have less than three times that.
 */

static dfp_rc_t
dfp_grpc_reserve(dfp_grpc_reader_t *reader, size_t have, size_t len)
{
    char    *buf;
    size_t   n;

    if (have + len <= reader->size) {
        return DFP_OK;
    }

    n = reader->size ? reader->size : DFP_GRPC_MIN_SIZE;

    while (n < have + len) {
        n *= 2;
    }

    if (n > reader->max) {
        n = reader->max;
    }

    buf = reader->mem->alloc(reader->mem->ctx, n);
    if (buf == NULL) {
        return DFP_ERROR;
    }

    if (have) {
        memcpy(buf, reader->buf, have);
    }

    reader->buf = buf;
    reader->size = n;

    return DFP_OK;
}


int
dfp_grpc_reader_clean(const dfp_grpc_reader_t *reader)
{
    return reader->nprefix == 0;
}


void
dfp_grpc_prefix(size_t len, unsigned char prefix[DFP_GRPC_PREFIX])
{
    prefix[0] = 0;
    prefix[1] = (unsigned char) (len >> 24);
    prefix[2] = (unsigned char) (len >> 16);
    prefix[3] = (unsigned char) (len >> 8);
    prefix[4] = (unsigned char) len;
}


/* Eight digits of hours are longer than anybody waits. */

void
dfp_grpc_timeout(int64_t ms, char text[DFP_GRPC_TIMEOUT_LEN])
{
    size_t                  i, n;
    int64_t                 value;
    const dfp_grpc_unit_t  *unit;

    n = sizeof(dfp_grpc_units) / sizeof(dfp_grpc_unit_t);

    for (i = 0; i < n - 1; i++) {
        if (ms <= DFP_GRPC_TIMEOUT_MAX * dfp_grpc_units[i].ms) {
            break;
        }
    }

    unit = &dfp_grpc_units[i];
    value = ms / unit->ms + (ms % unit->ms != 0);

    if (value > DFP_GRPC_TIMEOUT_MAX) {
        value = DFP_GRPC_TIMEOUT_MAX;
    }

    if (value < 1) {
        value = 1;
    }

    (void) snprintf(text, DFP_GRPC_TIMEOUT_LEN, "%d%c", (int) value,
                    unit->name);
}


/* A number that overflows an int could become 0, which is success. */

int
dfp_grpc_status(dfp_str_t value)
{
    int     status;
    size_t  i;

    if (value.len == 0 || value.len > DFP_GRPC_STATUS_LEN) {
        return DFP_GRPC_UNKNOWN;
    }

    status = 0;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return DFP_GRPC_UNKNOWN;
        }

        status = status * 10 + (value.data[i] - '0');
    }

    return status;
}


const char *
dfp_grpc_status_name(int status)
{
    int  n;

    n = sizeof(dfp_grpc_names) / sizeof(char *);

    if (status < 0 || status >= n) {
        status = DFP_GRPC_UNKNOWN;
    }

    return dfp_grpc_names[status];
}


dfp_rc_t
dfp_grpc_message(dfp_mem_t *mem, dfp_str_t value, dfp_str_t *text)
{
    dfp_buf_t  b;

    if (value.len && memchr(value.data, '%', value.len)) {
        dfp_buf_init(&b, mem, value.len, 0);
        dfp_grpc_unescape(&b, value);

        if (b.failed) {
            return DFP_ERROR;
        }

        value = dfp_buf_value(&b);
    }

    return dfp_text_clean(mem, value, DFP_GRPC_MESSAGE_MAX, text);
}


/* Malformed escapes are kept, as gRPC requires. */

static void
dfp_grpc_unescape(dfp_buf_t *b, dfp_str_t s)
{
    int     byte;
    char    ch;
    size_t  i;

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        byte = (ch == '%' && s.len - i > 2) ? dfp_hex_byte(&s.data[i + 1]) : -1;

        if (byte >= 0) {
            ch = (char) byte;
            i += 2;
        }

        dfp_buf_append(b, &ch, 1);
    }
}
