/*
 * gRPC's frames, times and endings.
 */

#include "dfp_buf.h"
#include "dfp_grpc.h"
#include "dfp_test.h"


#define MAX    1000
#define LARGE  100000

#define CHECK_TIMEOUT(ms, expected)                                           \
    CHECK_TEXT(timeout_of(ms), expected)

#define CHECK_MESSAGE(value, expected)                                        \
    CHECK_INT(dfp_grpc_message(dfp_test_mem(), DFP_STR(value), &text),        \
              DFP_OK);                                                        \
    CHECK_STR(text, expected)


static dfp_err_t           err;
static dfp_str_t           text;
static dfp_grpc_reader_t   reader;
static size_t              allocated;


static const char *
timeout_of(int64_t ms)
{
    static char  value[DFP_GRPC_TIMEOUT_LEN];

    dfp_grpc_timeout(ms, value);

    return value;
}


static void *
count_alloc(void *ctx, size_t size)
{
    allocated += size;

    return dfp_test_alloc(ctx, size);
}


static dfp_mem_t  counted = { count_alloc, NULL };


/* LEN bytes of 'x' with their prefix, N times. */

static dfp_str_t
frames_of(size_t len, size_t n)
{
    char    *p;
    size_t   i, size;

    size = DFP_GRPC_PREFIX + len;
    p = dfp_test_alloc(NULL, n * size);
    memset(p, 'x', n * size);

    for (i = 0; i < n; i++) {
        dfp_grpc_prefix(len, (unsigned char *) p + i * size);
    }

    return (dfp_str_t) { n * size, p };
}


/* Reads FRAMES in pieces of STEP bytes, each a block of its own; returns how
 * many messages of LEN bytes of 'x' there were, or an error. */

static int
read_all(dfp_str_t frames, size_t step, size_t len)
{
    int          rc, n;
    char        *piece;
    size_t       i, size;
    dfp_str_t    message;
    const char  *p, *last;

    n = 0;

    for (i = 0; i < frames.len; i += size) {
        size = (frames.len - i < step) ? frames.len - i : step;
        piece = dfp_test_alloc(NULL, size);
        memcpy(piece, frames.data + i, size);

        p = piece;
        last = p + size;

        for ( ;; ) {
            rc = dfp_grpc_read(&reader, &p, last, &message, &err);

            if (rc != DFP_OK) {
                break;
            }

            CHECK_INT(message.len, len);
            CHECK(message.data != NULL);
            CHECK(message.len == 0 || (message.data[0] == 'x'
                                       && message.data[len - 1] == 'x'));
            n++;
        }

        if (rc != DFP_DECLINED) {
            return rc;
        }

        CHECK(p == last);
    }

    return n;
}


TEST("messages come out of pieces of any size")
{
    size_t                i, j;
    static const size_t   lens[] = { 0, 1, 4, 5, 6, 255, 256, MAX };
    static const size_t   steps[] = { 1, 2, 3, 4, 5, 6, 7, 100, 4096 };

    for (i = 0; i < sizeof(lens) / sizeof(size_t); i++) {
        for (j = 0; j < sizeof(steps) / sizeof(size_t); j++) {
            dfp_grpc_reader_init(&reader, dfp_test_mem(), MAX);
            CHECK_INT(read_all(frames_of(lens[i], 5), steps[j], lens[i]), 5);
            CHECK(dfp_grpc_reader_clean(&reader));
        }
    }
}


TEST("messages of different lengths share one buffer")
{
    dfp_grpc_reader_init(&reader, dfp_test_mem(), LARGE);

    CHECK_INT(read_all(frames_of(10000, 1), 4096, 10000), 1);
    CHECK_INT(read_all(frames_of(3, 2), 4096, 3), 2);
    CHECK_INT(read_all(frames_of(0, 2), 4096, 0), 2);
    CHECK_INT(read_all(frames_of(LARGE, 1), 4096, LARGE), 1);
    CHECK(reader.size <= LARGE);
}


TEST("a stream is clean between two messages only")
{
    size_t       i;
    dfp_str_t    frame, message;
    const char  *p;

    frame = frames_of(2, 1);
    dfp_grpc_reader_init(&reader, dfp_test_mem(), MAX);
    CHECK(dfp_grpc_reader_clean(&reader));

    for (i = 1; i < frame.len; i++) {
        p = frame.data + i - 1;
        CHECK_INT(dfp_grpc_read(&reader, &p, p + 1, &message, &err),
                  DFP_DECLINED);
        CHECK(!dfp_grpc_reader_clean(&reader));
    }

    p = frame.data + i - 1;
    CHECK_INT(dfp_grpc_read(&reader, &p, p + 1, &message, &err), DFP_OK);
    CHECK(dfp_grpc_reader_clean(&reader));
    CHECK_STR(message, "xx");
}


TEST("nothing is nothing")
{
    dfp_str_t    message;
    const char  *p;

    p = NULL;
    dfp_grpc_reader_init(&reader, dfp_test_mem(), MAX);
    CHECK_INT(dfp_grpc_read(&reader, &p, NULL, &message, &err), DFP_DECLINED);
    CHECK(dfp_grpc_reader_clean(&reader));
}


TEST("a message may be as long as the limit, and not longer")
{
    dfp_grpc_reader_init(&reader, dfp_test_mem(), MAX);
    CHECK_INT(read_all(frames_of(MAX, 1), 64, MAX), 1);

    dfp_grpc_reader_init(&reader, dfp_test_mem(), MAX);
    CHECK_INT(read_all(frames_of(MAX + 1, 1), 64, MAX + 1), DFP_INVALID);
    CHECK_SAYS(err.text, "1001 bytes | 1000");

    dfp_grpc_reader_init(&reader, dfp_test_mem(), MAX);
    CHECK_INT(read_all(DFP_STR("\0\xff\xff\xff\xff"), 64, 0), DFP_INVALID);
    CHECK_SAYS(err.text, "4294967295 bytes | 1000");

    dfp_grpc_reader_init(&reader, dfp_test_mem(), 0);
    CHECK_INT(read_all(frames_of(0, 3), 64, 0), 3);
    CHECK_INT(read_all(frames_of(1, 1), 64, 1), DFP_INVALID);
}


TEST("nothing that is compressed is taken, and no other flags")
{
    dfp_grpc_reader_init(&reader, dfp_test_mem(), MAX);
    CHECK_INT(read_all(DFP_STR("\1\0\0\0\1x"), 64, 1), DFP_INVALID);
    CHECK_SAYS(err.text, "compressed");

    dfp_grpc_reader_init(&reader, dfp_test_mem(), MAX);
    CHECK_INT(read_all(DFP_STR("\2\0\0\0\1x"), 64, 1), DFP_INVALID);
    CHECK_SAYS(err.text, "flag 2 | gRPC");

    dfp_grpc_reader_init(&reader, dfp_test_mem(), MAX);
    CHECK_INT(read_all(DFP_STR("HTTP/1.1 400"), 3, 1), DFP_INVALID);
}


TEST("memory is taken for what has come, not for what was promised")
{
    int          rc;
    char         byte;
    size_t       i;
    dfp_str_t    message, frames;
    const char  *p;

    dfp_grpc_reader_init(&reader, &counted, 64 << 20);
    allocated = 0;

    p = "\0\3\0\0\0x";
    CHECK_INT(dfp_grpc_read(&reader, &p, p + 6, &message, &err), DFP_DECLINED);
    CHECK(allocated <= 4096);

    /* byte by byte, and all buffers together */

    dfp_grpc_reader_init(&reader, &counted, LARGE);
    allocated = 0;

    for (i = 1; i < 40; i++) {
        frames = frames_of(i * LARGE / 40, 1);
        CHECK_INT(read_all(frames, 1000, i * LARGE / 40), 1);
    }

    CHECK(allocated < 3 * LARGE);

    rc = DFP_DECLINED;
    byte = 'x';

    for (i = 0; rc == DFP_DECLINED && i <= DFP_GRPC_PREFIX + LARGE; i++) {
        p = (i < DFP_GRPC_PREFIX) ? &"\0\0\1\x86\xa0"[i] : &byte;
        rc = dfp_grpc_read(&reader, &p, p + 1, &message, &err);
    }

    CHECK_INT(rc, DFP_OK);
    CHECK_INT(message.len, LARGE);
    CHECK(allocated < 3 * LARGE);
}


static int
run_read(dfp_mem_t *mem, void *data)
{
    int          rc;
    dfp_str_t    message, *frame;
    const char  *p, *last, *end;

    frame = data;
    p = frame->data;
    last = p + frame->len;

    dfp_grpc_reader_init(&reader, mem, LARGE);

    do {
        end = (last - p > 5000) ? p + 5000 : last;
        rc = dfp_grpc_read(&reader, &p, end, &message, &err);
    } while (rc == DFP_DECLINED && p < last);

    return rc;
}


TEST("no memory is an error")
{
    dfp_str_t  frame;

    frame = frames_of(50000, 1);
    dfp_test_oom(run_read, &frame);
}


/* Reads a stream in parts, in pieces of STEP bytes; what came is written as
 * "<abc>" for a message. Returns how it ended. */

static int
read_parts(dfp_str_t stream, size_t step, size_t max, dfp_buf_t *trace)
{
    int               rc;
    char             *piece;
    size_t            i, n;
    const char       *p, *before;
    dfp_grpc_part_t   part;

    rc = DFP_DECLINED;
    trace->len = 0;
    allocated = 0;
    dfp_grpc_reader_init(&reader, &counted, max);

    for (i = 0; i < stream.len && rc == DFP_DECLINED; i += n) {
        n = (stream.len - i < step) ? stream.len - i : step;
        piece = dfp_test_alloc(NULL, n);
        memcpy(piece, stream.data + i, n);
        p = before = piece;

        while ((rc = dfp_grpc_read_part(&reader, &p, piece + n, &part, &err))
               == DFP_OK)
        {
            /* where it is, not a copy */

            CHECK(part.bytes.data != NULL);
            CHECK(part.bytes.len == 0
                  || (part.bytes.data >= before
                      && part.bytes.data + part.bytes.len == p));
            CHECK(part.bytes.len || (part.begins && part.ends));

            dfp_buf_cstr(trace, part.begins ? "<" : "");
            dfp_buf_str(trace, part.bytes);
            dfp_buf_cstr(trace, part.ends ? ">" : "");

            CHECK(!part.ends || dfp_grpc_reader_clean(&reader));
            before = p;
        }

        CHECK(rc != DFP_DECLINED || p == piece + n);
    }

    CHECK_INT(allocated, 0);

    return rc;
}


#define CHECK_PARTS(stream, rc, expected, ends_clean)                         \
    do {                                                                      \
        for (step = 1; step < 40; step++) {                                   \
            CHECK_INT(read_parts(DFP_STR(stream), step, 9, &trace), rc);      \
            CHECK_STR(dfp_buf_value(&trace), expected);                       \
            CHECK_INT(dfp_grpc_reader_clean(&reader), ends_clean);            \
        }                                                                     \
    } while (0)


TEST("parts of messages, in pieces of any size")
{
    size_t     step;
    dfp_buf_t  trace;

    dfp_buf_init(&trace, dfp_test_mem(), 0, 0);

    CHECK_PARTS("\0\0\0\0\3xyz", DFP_DECLINED, "<xyz>", 1);
    CHECK_PARTS("\0\0\0\0\0", DFP_DECLINED, "<>", 1);
    CHECK_PARTS("\0\0\0\0\0\0\0\0\0\0", DFP_DECLINED, "<><>", 1);
    CHECK_PARTS("\0\0\0\0\0\0\0\0\0\2xy\0\0\0\0\0\0\0\0\0\1z",
                DFP_DECLINED, "<><xy><><z>", 1);
    CHECK_PARTS("\0\0\0\0\x09" "123456789\0\0\0\0\1x", DFP_DECLINED,
                "<123456789><x>", 1);

    /* what does not end */

    CHECK_PARTS("\0\0\0\0\1x\0\0\0\0", DFP_DECLINED, "<x>", 0);
    CHECK_PARTS("\0\0\0\0\1x\0\0\0\0\2", DFP_DECLINED, "<x>", 0);
    CHECK_PARTS("\0\0\0\0\1x\0\0\0\0\3yz", DFP_DECLINED, "<x><yz", 0);

    /* what is none, after one that is */

    CHECK_PARTS("\0\0\0\0\1x\0\0\0\0\x0a", DFP_INVALID, "<x>", 0);
    CHECK_SAYS(err.text, "10 bytes | 9");
    CHECK_PARTS("\0\0\0\0\1x\1\0\0\0\1y", DFP_INVALID, "<x>", 0);
    CHECK_SAYS(err.text, "compressed");
    CHECK_PARTS("\0\0\0\0\0\2\0\0\0\1y", DFP_INVALID, "<>", 0);
    CHECK_SAYS(err.text, "flag 2 | gRPC");
}


TEST("a part is as much as is there")
{
    dfp_str_t         stream;
    const char       *p, *last;
    dfp_grpc_part_t   part;

    stream = DFP_STR("\0\0\0\0\5" "12345\0\0\0\0\0");
    p = stream.data;
    last = p + stream.len;
    dfp_grpc_reader_init(&reader, &counted, MAX);

    CHECK_INT(dfp_grpc_read_part(&reader, &p, p + 7, &part, &err), DFP_OK);
    CHECK_STR(part.bytes, "12");
    CHECK_INT(dfp_grpc_read_part(&reader, &p, p, &part, &err), DFP_DECLINED);
    CHECK_INT(dfp_grpc_read_part(&reader, &p, last, &part, &err), DFP_OK);
    CHECK_STR(part.bytes, "345");
}


TEST("whole messages are their parts")
{
    size_t       i, step;
    dfp_buf_t    whole;
    dfp_str_t    stream, message;
    const char  *p, *end;

    stream = DFP_STR("\0\0\0\0\0\0\0\0\0\2xy\0\0\0\0\0\0\0\0\0\1z\0");

    for (step = 1; step <= stream.len; step++) {
        dfp_buf_init(&whole, dfp_test_mem(), 0, 0);
        dfp_grpc_reader_init(&reader, dfp_test_mem(), 9);
        p = stream.data;

        for (i = 0; i < stream.len; i += step) {
            end = p + (stream.len - i < step ? stream.len - i : step);

            while (dfp_grpc_read(&reader, &p, end, &message, &err) == DFP_OK) {
                dfp_buf_cstr(&whole, "<");
                dfp_buf_str(&whole, message);
                dfp_buf_cstr(&whole, ">");
            }
        }

        CHECK_STR(dfp_buf_value(&whole), "<><xy><><z>");
        CHECK(!dfp_grpc_reader_clean(&reader));
    }
}


TEST("a prefix")
{
    unsigned char  prefix[DFP_GRPC_PREFIX];

    dfp_grpc_prefix(0, prefix);
    CHECK(memcmp(prefix, "\0\0\0\0\0", DFP_GRPC_PREFIX) == 0);

    dfp_grpc_prefix(0x12345678, prefix);
    CHECK(memcmp(prefix, "\0\x12\x34\x56\x78", DFP_GRPC_PREFIX) == 0);

    dfp_grpc_prefix(0xffffffff, prefix);
    CHECK(memcmp(prefix, "\0\xff\xff\xff\xff", DFP_GRPC_PREFIX) == 0);
}


TEST("a time-out has at most eight digits, and is never shorter")
{
    CHECK_TIMEOUT(0, "1m");
    CHECK_TIMEOUT(-5, "1m");
    CHECK_TIMEOUT(INT64_MIN, "1m");
    CHECK_TIMEOUT(1, "1m");
    CHECK_TIMEOUT(1500, "1500m");
    CHECK_TIMEOUT(99999999, "99999999m");
    CHECK_TIMEOUT(100000000, "100000S");
    CHECK_TIMEOUT(100000001, "100001S");
    CHECK_TIMEOUT(INT64_C(99999999000), "99999999S");
    CHECK_TIMEOUT(INT64_C(99999999001), "1666667M");
    CHECK_TIMEOUT(INT64_C(99999999) * 60000, "99999999M");
    CHECK_TIMEOUT(INT64_C(99999999) * 60000 + 1, "1666667H");
    CHECK_TIMEOUT(INT64_C(99999999) * 3600000, "99999999H");
    CHECK_TIMEOUT(INT64_C(99999999) * 3600000 + 1, "99999999H");
    CHECK_TIMEOUT(INT64_MAX, "99999999H");
}


TEST("a status is a number, and all else is UNKNOWN")
{
    CHECK_INT(dfp_grpc_status(DFP_STR("0")), DFP_GRPC_OK);
    CHECK_INT(dfp_grpc_status(DFP_STR("00")), DFP_GRPC_OK);
    CHECK_INT(dfp_grpc_status(DFP_STR("13")), DFP_GRPC_INTERNAL);
    CHECK_INT(dfp_grpc_status(DFP_STR("16")), DFP_GRPC_UNAUTHENTICATED);
    CHECK_INT(dfp_grpc_status(DFP_STR("17")), 17);
    CHECK_INT(dfp_grpc_status(DFP_STR("999999999")), 999999999);

    CHECK_INT(dfp_grpc_status(DFP_STR("1000000000")), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR("4294967296")), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR("18446744073709551616")),
              DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR("0000000000")), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR("")), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR_NULL), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR("-1")), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR("+0")), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR(" 0")), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR("0 ")), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR("0\0")), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR("0x0")), DFP_GRPC_UNKNOWN);
    CHECK_INT(dfp_grpc_status(DFP_STR("OK")), DFP_GRPC_UNKNOWN);
}


TEST("every status has a name")
{
    CHECK_TEXT(dfp_grpc_status_name(DFP_GRPC_OK), "OK");
    CHECK_TEXT(dfp_grpc_status_name(DFP_GRPC_CANCELLED), "CANCELLED");
    CHECK_TEXT(dfp_grpc_status_name(DFP_GRPC_UNKNOWN), "UNKNOWN");
    CHECK_TEXT(dfp_grpc_status_name(DFP_GRPC_INVALID_ARGUMENT),
               "INVALID_ARGUMENT");
    CHECK_TEXT(dfp_grpc_status_name(DFP_GRPC_DEADLINE_EXCEEDED),
               "DEADLINE_EXCEEDED");
    CHECK_TEXT(dfp_grpc_status_name(DFP_GRPC_NOT_FOUND), "NOT_FOUND");
    CHECK_TEXT(dfp_grpc_status_name(6), "ALREADY_EXISTS");
    CHECK_TEXT(dfp_grpc_status_name(7), "PERMISSION_DENIED");
    CHECK_TEXT(dfp_grpc_status_name(DFP_GRPC_RESOURCE_EXHAUSTED),
               "RESOURCE_EXHAUSTED");
    CHECK_TEXT(dfp_grpc_status_name(9), "FAILED_PRECONDITION");
    CHECK_TEXT(dfp_grpc_status_name(10), "ABORTED");
    CHECK_TEXT(dfp_grpc_status_name(11), "OUT_OF_RANGE");
    CHECK_TEXT(dfp_grpc_status_name(12), "UNIMPLEMENTED");
    CHECK_TEXT(dfp_grpc_status_name(DFP_GRPC_INTERNAL), "INTERNAL");
    CHECK_TEXT(dfp_grpc_status_name(DFP_GRPC_UNAVAILABLE), "UNAVAILABLE");
    CHECK_TEXT(dfp_grpc_status_name(15), "DATA_LOSS");
    CHECK_TEXT(dfp_grpc_status_name(DFP_GRPC_UNAUTHENTICATED),
               "UNAUTHENTICATED");
    CHECK_TEXT(dfp_grpc_status_name(17), "UNKNOWN");
    CHECK_TEXT(dfp_grpc_status_name(-1), "UNKNOWN");
    CHECK_TEXT(dfp_grpc_status_name(999999999), "UNKNOWN");
}


TEST("messages that Dragonfly sends")
{
    CHECK_MESSAGE("backend error: 404 Not Found",
                  "backend error: 404 Not Found");
    CHECK_MESSAGE("backend error: ", "backend error:");
    CHECK_MESSAGE("invalid PreheatImageRequest.Url: value must be absolute",
                  "invalid PreheatImageRequest.Url: value must be absolute");
    CHECK_MESSAGE("", "");
}


TEST("a message is percent-decoded, once")
{
    CHECK_MESSAGE("caf%C3%a9", "caf\xc3\xa9");
    CHECK_MESSAGE("100%25", "100%");
    CHECK_MESSAGE("%2541", "%41");
    CHECK_MESSAGE("a%20b", "a b");
}


TEST("what is no escape stays")
{
    CHECK_MESSAGE("100%", "100%");
    CHECK_MESSAGE("100%4", "100%4");
    CHECK_MESSAGE("%zz%4g", "%zz%4g");
    CHECK_MESSAGE("%%41", "%A");
}


TEST("a message is printable text in one line")
{
    CHECK_MESSAGE("a%0D%0Ab%00c%1b[0m", "a bc[0m");
    CHECK_MESSAGE("%ff%fe", "\xef\xbf\xbd\xef\xbf\xbd");
    CHECK_MESSAGE("%E2%82", "\xef\xbf\xbd");
    CHECK_MESSAGE("%0a", "");
    CHECK_MESSAGE("Get https://u:p@a.lan/?sig=1", "Get https://***@a.lan/"
                  "?sig=***");
}


TEST("a long message is cut between characters")
{
    char  value[300];

    memset(value, 'a', sizeof(value));

    CHECK_INT(dfp_grpc_message(dfp_test_mem(),
                               (dfp_str_t) { DFP_GRPC_MESSAGE_MAX, value },
                               &text), DFP_OK);
    CHECK_INT(text.len, DFP_GRPC_MESSAGE_MAX);

    CHECK_INT(dfp_grpc_message(dfp_test_mem(),
                               (dfp_str_t) { DFP_GRPC_MESSAGE_MAX + 1, value },
                               &text), DFP_OK);
    CHECK_INT(text.len, DFP_GRPC_MESSAGE_MAX);

    memcpy(value + DFP_GRPC_MESSAGE_MAX - 1, "%C3%A9", 6);
    CHECK_INT(dfp_grpc_message(dfp_test_mem(),
                               (dfp_str_t) { sizeof(value), value }, &text),
              DFP_OK);
    CHECK_INT(text.len, DFP_GRPC_MESSAGE_MAX - 1);
}


static int
run_message(dfp_mem_t *mem, void *data)
{
    return dfp_grpc_message(mem, dfp_test_str(data), &text);
}


TEST("no memory for a message is an error")
{
    dfp_test_oom(run_message, "word");
    dfp_test_oom(run_message, "backend error: 404");
    dfp_test_oom(run_message, "a%20b%ff");
}
