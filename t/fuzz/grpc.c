/*
 * gRPC's frames in pieces, and how a call ended: the first byte is the size of
 * a piece, at most, the rest is a stream, whose bytes say how large each piece
 * is, and a grpc-message, a grpc-status and a time.
 */

#include "dfp_buf.h"
#include "dfp_fuzz.h"
#include "dfp_grpc.h"
#include "dfp_text.h"
#include "dfp_utf8.h"


#define FUZZ_MAX       4096     /* bytes of a message */
#define FUZZ_MESSAGES  64       /* of a stream */


static size_t  allocated;


static void *
count_alloc(void *ctx, size_t size)
{
    allocated += size;

    return dfp_fuzz_alloc(ctx, size);
}


/* A piece of the stream from I on, of at most STEP bytes; 0: all that is there.
 * It is a block of its own. */

static dfp_str_t
piece_of(dfp_str_t stream, size_t i, size_t step)
{
    char    *piece;
    size_t   n;

    n = stream.len - i;

    if (step && n > 1 + (unsigned char) stream.data[i] % step) {
        n = 1 + (unsigned char) stream.data[i] % step;
    }

    piece = dfp_fuzz_alloc(NULL, n);
    memcpy(piece, stream.data + i, n);

    return (dfp_str_t) { n, piece };
}


/* Reads a stream in pieces; returns how it ended, and its messages. */

static int
read_all(dfp_str_t stream, size_t step, dfp_str_t *messages, size_t *n,
    int *clean)
{
    int                 rc;
    size_t              i;
    dfp_err_t           err;
    dfp_mem_t           mem = { count_alloc, NULL };
    dfp_str_t           message, piece;
    const char         *p;
    dfp_grpc_reader_t   reader;

    *n = 0;
    rc = DFP_DECLINED;
    err.text[0] = '\0';
    allocated = 0;

    dfp_grpc_reader_init(&reader, &mem, FUZZ_MAX);

    for (i = 0; i < stream.len && rc == DFP_DECLINED; i += piece.len) {
        piece = piece_of(stream, i, step);
        p = piece.data;

        for ( ;; ) {
            rc = dfp_grpc_read(&reader, &p, piece.data + piece.len, &message,
                               &err);

            if (rc != DFP_OK) {
                break;
            }

            MUST(message.len <= FUZZ_MAX && message.data != NULL);

            if (*n < FUZZ_MESSAGES) {
                messages[*n].len = message.len;
                messages[*n].data = dfp_strdup(dfp_fuzz_mem(), message.data,
                                               message.len);
            }

            (*n)++;
        }

        MUST(rc == DFP_INVALID || p == piece.data + piece.len);
    }

    MUST(rc == DFP_DECLINED || (rc == DFP_INVALID && err.text[0] != '\0'));
    MUST(allocated < 3 * FUZZ_MAX);

    *clean = (rc == DFP_DECLINED && dfp_grpc_reader_clean(&reader));

    return rc;
}


/* The same, in parts, of which nothing is kept. */

static int
read_parts(dfp_str_t stream, size_t step, dfp_str_t *messages, size_t *n,
    int *clean)
{
    int                 rc, within;
    size_t              i;
    dfp_buf_t           b;
    dfp_err_t           err;
    dfp_mem_t           mem = { count_alloc, NULL };
    dfp_str_t           piece;
    const char         *p, *last;
    dfp_grpc_part_t     part;
    dfp_grpc_reader_t   reader;

    *n = 0;
    rc = DFP_DECLINED;
    within = 0;
    err.text[0] = '\0';
    allocated = 0;

    dfp_grpc_reader_init(&reader, &mem, FUZZ_MAX);
    dfp_buf_init(&b, dfp_fuzz_mem(), 0, FUZZ_MAX);

    for (i = 0; i < stream.len && rc == DFP_DECLINED; i += piece.len) {
        piece = piece_of(stream, i, step);
        p = piece.data;
        last = p + piece.len;

        while ((rc = dfp_grpc_read_part(&reader, &p, last, &part, &err))
               == DFP_OK)
        {
            MUST(part.bytes.len == 0 || part.bytes.data + part.bytes.len == p);
            MUST(part.bytes.data != NULL && part.begins == !within);
            MUST(part.bytes.len || (part.begins && part.ends));
            MUST(part.ends || p == last);

            within = !part.ends;
            dfp_buf_str(&b, part.bytes);
            MUST(!b.failed);

            if (within) {
                continue;
            }

            if (*n < FUZZ_MESSAGES) {
                messages[*n].len = b.len;
                messages[*n].data = dfp_strdup(dfp_fuzz_mem(),
                                               b.len ? b.data : "", b.len);
            }

            (*n)++;
            b.len = 0;
        }

        MUST(rc == DFP_INVALID || p == last);
    }

    MUST(rc == DFP_DECLINED || (rc == DFP_INVALID && err.text[0] != '\0'));
    MUST(allocated == 0);

    *clean = (rc == DFP_DECLINED && dfp_grpc_reader_clean(&reader));

    return rc;
}


/* Whole and in pieces, as messages and in parts: it is the same. */

static void
check_stream(dfp_str_t stream, size_t step)
{
    int         i, rc, clean, clean_again;
    size_t      k, n, again;
    dfp_str_t   one[FUZZ_MESSAGES], two[FUZZ_MESSAGES];

    rc = read_all(stream, 0, one, &n, &clean);

    for (i = 0; i < 3; i++) {
        MUST((i ? read_parts : read_all)(stream, i == 1 ? 0 : step + 1, two,
                                         &again, &clean_again)
             == rc);
        MUST(n == again && clean == clean_again);

        for (k = 0; k < n && k < FUZZ_MESSAGES; k++) {
            MUST(dfp_str_eq(one[k], two[k]));
        }
    }
}


static void
check_message(dfp_str_t value)
{
    size_t      i, n;
    uint32_t    ch;
    dfp_str_t   text;

    MUST(dfp_grpc_message(dfp_fuzz_mem(), value, &text) == DFP_OK);
    MUST(text.data != NULL && text.len <= DFP_GRPC_MESSAGE_MAX);

    for (i = 0; i < text.len; i += n) {
        n = dfp_utf8_decode(text.data + i, text.len - i, &ch);

        MUST(ch != DFP_UTF8_MALFORMED);
        MUST(ch >= 0x20 && (ch < 0x7f || ch > 0x9f));
        MUST(ch != ' ' || (i && i + 1 < text.len && text.data[i - 1] != ' '));
    }
}


static void
check_status(dfp_str_t value)
{
    int     status;
    size_t  i, len;

    status = dfp_grpc_status(value);
    MUST(status >= 0);

    /* success is said by zeros, and by nothing else */

    for (i = 0; i < value.len && value.data[i] == '0'; i++) { /* void */ }

    MUST(status != DFP_GRPC_OK || i == value.len);

    len = strlen(dfp_grpc_status_name(status));
    MUST(len > 1 && len < 30);
}


static void
check_timeout(dfp_str_t value)
{
    char      text[DFP_GRPC_TIMEOUT_LEN], *end;
    int64_t   ms, n, unit;

    ms = 0;
    memcpy(&ms, value.data ? value.data : "",
           value.len < sizeof(ms) ? value.len : sizeof(ms));

    dfp_grpc_timeout(ms, text);

    n = strtoll(text, &end, 10);
    MUST(end > text && end - text <= 8 && end[1] == '\0');
    MUST(text[0] != '-' && text[0] != '0');

    unit = (*end == 'm') ? 1 : (*end == 'S') ? 1000 : (*end == 'M') ? 60000
                                                                    : 3600000;
    MUST(unit < 3600000 || *end == 'H');
    MUST(n * unit >= ms || (n == 99999999 && *end == 'H'));
    MUST(n == 1 || n * unit - unit < ms);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dfp_str_t  rest;

    if (size == 0) {
        return 0;
    }

    rest = (dfp_str_t) { size - 1, (const char *) data + 1 };

    check_stream(rest, data[0]);
    check_message(rest);
    check_status(rest);
    check_timeout(rest);

    dfp_fuzz_free();

    return 0;
}
