/*
 * A message that is taken field by field, as it comes; and the memory of what
 * is built out of a field.
 */

#include "d7y_test.h"
#include "dfp_d7y_reader.h"


#define CHECK_READ(message, expected)                                         \
    CHECK_INT(read_all(DFP_STR(message)), DFP_OK);                            \
    CHECK_STR(dfp_buf_value(&trace), expected)

#define CHECK_REFUSED(message, expected)                                      \
    CHECK_INT(read_all(DFP_STR(message)), DFP_INVALID);                       \
    CHECK_SAYS(err.text, "thing | malformed");                                \
    CHECK_STR(dfp_buf_value(&trace), expected)

#define CHECK_LONG(message)                                                   \
    start();                                                                  \
    CHECK_INT(read_trace(reader, DFP_STR(message), 0, &err), DFP_INVALID);    \
    CHECK_INT(read_all(DFP_STR(message)), DFP_INVALID);                       \
    CHECK_SAYS(err.text, "thing | 4194304 bytes")

#define FF9   "\xff\xff\xff\xff\xff\xff\xff\xff\xff"


/* PeerImage: ip = 1, hostname = 2, cached_layers = 3. The tests do without what
 * protoc-c makes of it but this. */
extern const ProtobufCMessageDescriptor  scheduler__v2__peer_image__descriptor;

static dfp_err_t           err;
static dfp_buf_t           trace;      /* "1:its value 2:..." */
static dfp_d7y_reader_t   *reader;


static void
start(void)
{
    trace = new_buf();
    err.text[0] = '\0';
    reader = dfp_d7y_reader_create(counting(), "the thing");
    allocated = 0;
}


static int
write_field(void *data, unsigned number, dfp_str_t value, dfp_err_t *e)
{
    CHECK(data == &trace && e == &err);

    dfp_buf_int(&trace, number);
    dfp_buf_append(&trace, ":", 1);
    dfp_buf_str(&trace, value);
    dfp_buf_append(&trace, " ", 1);

    return DFP_OK;
}


static int
read_trace(void *r, dfp_str_t part, int ends, dfp_err_t *e)
{
    return dfp_d7y_read(r, part, ends, write_field, &trace, e);
}


/* Whole and in pieces: the fields and the error are the same. */

static int
read_all(dfp_str_t message)
{
    int         rc, again;
    size_t      i;
    dfp_err_t   first;
    dfp_str_t   fields;

    start();
    rc = feed(read_trace, reader, message, WHOLE, &err);
    fields = dfp_buf_value(&trace);
    first = err;

    for (i = 1; i < NSTEPS; i++) {
        start();
        again = feed(read_trace, reader, message, steps[i], &err);

        if (!CHECK_INT(again, rc)) {
            printf("#   in pieces of %zu\n", steps[i]);
        }

        CHECK_SAME(dfp_buf_value(&trace), fields);
        CHECK_TEXT(err.text, first.text);
    }

    return rc;
}


TEST("a field with a value of its own is told of")
{
    CHECK_READ("\x0a\x03" "abc", "1:abc ");
    CHECK_READ("\x0a\0", "1: ");
    CHECK_READ("\x0a\x01x\x7a\x02yz\x0a\0\x0a\x01z", "1:x 15:yz 1: 1:z ");
    CHECK_READ("\x0a\x03\xff\0\x0a", "1:\xff\0\x0a ");
}


TEST("one with a number is not")
{
    CHECK_READ("\x08\0", "");
    CHECK_READ("\x08\x96\x01\x0a\x01x", "1:x ");
    CHECK_READ("\x09\x0a\x01x\xff\x80\0\0\xff\x0a\x01x", "1:x ");
    CHECK_READ("\x0d\x0a\xff\x80\0\x12\x01y", "2:y ");
    CHECK_READ("\x12\x01y\x0d\x0a\xff\x80\0\x09\0\0\0\0\0\0\0\0\x10\0",
               "2:y ");
}


TEST("an empty message has no fields")
{
    CHECK_READ("", "");

    start();
    CHECK_INT(read_trace(reader, DFP_STR_NULL, 0, &err), DFP_OK);
    CHECK_INT(read_trace(reader, DFP_STR_NULL, 1, &err), DFP_OK);
    CHECK_STR(dfp_buf_value(&trace), "");
}


TEST("fields have numbers of 1 to 536870911")
{
    CHECK_READ("\x7a\x01x", "15:x ");
    CHECK_READ("\x82\x01\x01x", "16:x ");
    CHECK_READ("\xfa\x7f\x01x", "2047:x ");
    CHECK_READ("\x82\x80\x01\x01x", "2048:x ");
    CHECK_READ("\xfa\xff\xff\xff\x0f\x01x", "536870911:x ");

    CHECK_REFUSED("\x02\x01x", "");
    CHECK_REFUSED("\x0a\x01x\0\x01", "1:x ");
    CHECK_REFUSED("\x01\0\0\0\0\0\0\0\0", "");
    CHECK_REFUSED("\x05\0\0\0\0", "");
    CHECK_REFUSED("\x82\x80\x80\x80\x10\x01x", "");
    CHECK_REFUSED("\x82\x80\x80\x80\x80\x01\x01x", "");
    CHECK_REFUSED("\x8a\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01x", "");
    CHECK_REFUSED(FF9 "\x01", "");
}


TEST("there are no groups, and no types that nobody knows")
{
    CHECK_REFUSED("\x0b\x0c", "");
    CHECK_REFUSED("\x0c", "");
    CHECK_REFUSED("\x0a\x01x\x0e", "1:x ");
    CHECK_REFUSED("\x0a\x01x\x0f\x0a\x01y", "1:x ");
}


/* A number, a tag and a length are written alike. */

TEST("a number of variable length has at most ten bytes and 64 bits")
{
    CHECK_READ("\x08" FF9 "\x01\x12\x01x", "2:x ");
    CHECK_READ("\x08" FF9 "\0\x12\x01x", "2:x ");
    CHECK_REFUSED("\x08" FF9 "\x02\x12\x01x", "");
    CHECK_REFUSED("\x08" FF9 "\x7f\x12\x01x", "");
    CHECK_REFUSED("\x08" FF9 "\x80\0\x12\x01x", "");
    CHECK_REFUSED("\x08" FF9 "\x81\0\x12\x01x", "");

    CHECK_READ("\x0a\x83\x80\x80\x80\x80\x80\x80\x80\x80\0abc", "1:abc ");
    CHECK_REFUSED("\x0a\x83\x80\x80\x80\x80\x80\x80\x80\x80\x02" "abc", "");
    CHECK_REFUSED("\x0a\x83\x80\x80\x80\x80\x80\x80\x80\x80\x80\0abc", "");

    CHECK_READ("\x8a\x80\x80\x80\x80\x80\x80\x80\x80\0\x01x", "1:x ");
    CHECK_REFUSED("\x8a\x80\x80\x80\x80\x80\x80\x80\x80\x02\x01x", "");
    CHECK_REFUSED("\x8a\x80\x80\x80\x80\x80\x80\x80\x80\x80\0\x01x", "");

    /* what was there of one is not part of the next */

    CHECK_READ("\x08\xff\x01\x08\x01\x0a\x01x\x08\xff\xff\x7f\x12\0",
               "1:x 2: ");
}


/* The fields of the message end at these places, and what is there of them
 * then was told of. */

TEST("a message ends between two fields, and nowhere else")
{
    size_t      i, k;
    dfp_str_t   message;

    static const struct {
        size_t       pos;
        const char  *fields;
    } ends[] = {
        { 0, "" }, { 4, "" }, { 14, "" }, { 25, "2048:value " },
        { 29, "2048:value 16: " }, { 35, "2048:value 16: " }
    };

    message = DFP_STR("\x80\x01\xac\x02"
                      "\x81\x01" "12345678"
                      "\x82\x80\x01\x85\x80\0" "value"
                      "\x82\x01\x80\0"
                      "\x85\x01" "1234");

    for (i = 0, k = 0; i <= message.len; i++) {

        if (i == ends[k].pos) {
            CHECK_INT(read_all((dfp_str_t) { i, message.data }), DFP_OK);
            CHECK_SAME(dfp_buf_value(&trace), dfp_test_str(ends[k].fields));
            k++;
            continue;
        }

        CHECK_INT(read_all((dfp_str_t) { i, message.data }), DFP_INVALID);
        CHECK_SAYS(err.text, "thing | malformed");
        CHECK_SAME(dfp_buf_value(&trace), dfp_test_str(ends[k - 1].fields));
    }

    CHECK_INT(k, sizeof(ends) / sizeof(ends[0]));
}


TEST("an end may be told of later, and a piece may be empty")
{
    size_t     i;
    dfp_str_t  message;

    message = DFP_STR("\x08\x96\x01\x0a\x03" "abc\x0d" "1234\x12\0");
    start();

    for (i = 0; i < message.len; i++) {
        CHECK_INT(read_trace(reader, DFP_STR(""), 0, &err), DFP_OK);
        CHECK_INT(read_trace(reader, (dfp_str_t) { 1, message.data + i }, 0,
                             &err), DFP_OK);
        CHECK_INT(read_trace(reader, DFP_STR_NULL, 0, &err), DFP_OK);
    }

    /* a field is told of as soon as it is there */

    CHECK_STR(dfp_buf_value(&trace), "1:abc 2: ");
    CHECK_INT(read_trace(reader, DFP_STR_NULL, 1, &err), DFP_OK);
    CHECK_STR(dfp_buf_value(&trace), "1:abc 2: ");

    for (i = 1; i < 8; i++) {
        start();
        message.len = i;
        CHECK_INT(read_trace(reader, message, 0, &err), DFP_OK);
        CHECK_INT(read_trace(reader, DFP_STR(""), 1, &err),
                  i == 3 ? DFP_OK : DFP_INVALID);
    }
}


/* What a field may say. */

static int
stop(void *data, unsigned number, dfp_str_t value, dfp_err_t *e)
{
    if (number != 7) {
        return write_field(&trace, number, value, e);
    }

    if (*(int *) data == DFP_INVALID) {
        return dfp_invalid(e, "no seven");
    }

    return *(int *) data;
}


static int  says;


static int
read_stop(void *r, dfp_str_t part, int ends, dfp_err_t *e)
{
    return dfp_d7y_read(r, part, ends, stop, &says, e);
}


TEST("the error of a field is passed on at once")
{
    size_t      i, k;
    dfp_str_t   message;

    static const int  rcs[] = { DFP_ERROR, DFP_INVALID, DFP_DECLINED };

    message = DFP_STR("\x0a\x01x\x3a\x01y\x12\x01z\x3a\0\xff");

    for (i = 0; i < 3; i++) {
        for (k = 0; k < NSTEPS; k++) {
            start();
            says = rcs[i];
            CHECK_INT(feed(read_stop, reader, message, steps[k], &err), says);
            CHECK_STR(dfp_buf_value(&trace), "1:x ");
            CHECK_TEXT(err.text, says == DFP_INVALID ? "no seven" : "");
        }
    }

    says = DFP_OK;
    start();
    CHECK_INT(feed(read_stop, reader, message, 1, &err), DFP_INVALID);
    CHECK_STR(dfp_buf_value(&trace), "1:x 2:z ");
    CHECK_SAYS(err.text, "thing | malformed");
}


TEST("what is there as a whole is not copied")
{
    dfp_buf_t  message;

    message = new_buf();
    put_str(&message, 1, repeated('x', 5000));
    put_str(&message, 2, repeated('y', 5000));

    start();
    CHECK_INT(read_trace(reader, dfp_buf_value(&message), 1, &err), DFP_OK);
    CHECK_INT(allocated, 0);
    CHECK_INT(trace.len, 2 * 5000 + 6);
}


static size_t  longest;


static int
measure(void *data, unsigned number, dfp_str_t value, dfp_err_t *e)
{
    if (value.len > longest) {
        longest = value.len;
    }

    return CHECK(value.len && value.data[0] == 'x'
                 && value.data[value.len - 1] == 'x')
           ? DFP_OK : DFP_ERROR;
}


static int
read_long(void *r, dfp_str_t part, int ends, dfp_err_t *e)
{
    return dfp_d7y_read(r, part, ends, measure, NULL, e);
}


TEST("a field may be as long as the limit, and not longer")
{
    size_t     i;
    dfp_buf_t  message;

    static const size_t  pieces[] = { WHOLE, 4096, 100003 };

    for (i = 0; i < 3; i++) {
        longest = 0;
        message = new_buf();
        put_str(&message, 1, repeated('x', DFP_D7Y_FIELD_MAX));
        put_str(&message, 2, DFP_STR("x"));

        start();
        CHECK_INT(feed(read_long, reader, dfp_buf_value(&message), pieces[i],
                       &err), DFP_OK);
        CHECK_INT(longest, DFP_D7Y_FIELD_MAX);
        CHECK(allocated <= 2 * DFP_D7Y_FIELD_MAX);

        put_str(&message, 3, repeated('x', DFP_D7Y_FIELD_MAX + 1));

        start();
        CHECK_INT(feed(read_long, reader, dfp_buf_value(&message), pieces[i],
                       &err), DFP_INVALID);
        CHECK_SAYS(err.text, "thing | 4194304 bytes");
        CHECK_INT(longest, DFP_D7Y_FIELD_MAX);
    }
}


TEST("a length is refused or not before its value is there")
{
    start();
    CHECK_INT(read_trace(reader, DFP_STR("\x0a\x80\x80\x80\x02xx"), 0, &err),
              DFP_OK);
    CHECK(allocated < 4096);

    CHECK_LONG("\x0a\x81\x80\x80\x02");
    CHECK_LONG("\x0a\x80\x80\x80\x80\x10");
    CHECK_LONG("\x0a" FF9 "\x01");
}


/* The text that a message has in the field NAME; NULL: none. */

static const char *
field_of(const void *message, const char *name)
{
    const ProtobufCFieldDescriptor  *field;

    field = protobuf_c_message_descriptor_get_field_by_name(
                &scheduler__v2__peer_image__descriptor, name);

    return *(char *const *) ((const char *) message + field->offset);
}


/* A peer with a name of LEN bytes and so many layers. */

static void
put_peer(dfp_buf_t *b, unsigned field, size_t len, size_t layers)
{
    dfp_buf_t  peer;

    peer = new_buf();
    put_str(&peer, 1, DFP_STR("10.0.0.1"));
    put_str(&peer, 2, repeated('x', len));

    while (layers--) {
        put_url(&peer, 3, DFP_STR("http://a.lan/blobs/x"), 1);
    }

    put_part(b, field, &peer);
}


static int
build(void *data, unsigned number, dfp_str_t value, dfp_err_t *e)
{
    char       *p;
    void       *message;
    size_t      i, n;
    dfp_mem_t   mem;

    message = dfp_d7y_unpack(reader, &scheduler__v2__peer_image__descriptor,
                             value);
    if (message == NULL) {
        return dfp_d7y_unpack_error(reader, e);
    }

    /* memory for more, of which none is another's */

    mem = dfp_d7y_reader_mem(reader);

    for (i = 0; i < 3; i++) {
        n = 1000 * i + 1;

        p = mem.alloc(mem.ctx, n);
        if (p == NULL) {
            return DFP_ERROR;
        }

        CHECK((uintptr_t) p % _Alignof(max_align_t) == 0);
        memset(p, 0xa5, n);
    }

    CHECK_TEXT(field_of(message, "ip"), "10.0.0.1");
    n = strlen(field_of(message, "hostname"));
    CHECK_INT(strspn(field_of(message, "hostname"), "x"), n);
    longest = (n > longest) ? n : longest;

    return DFP_OK;
}


static int
read_peers(void *r, dfp_str_t part, int ends, dfp_err_t *e)
{
    return dfp_d7y_read(r, part, ends, build, NULL, e);
}


/* What it costs to read COUNT pairs of a large field and a small one. */

static size_t
cost_of(size_t count, size_t len, size_t layers, size_t step)
{
    size_t     i;
    dfp_buf_t  message;

    message = new_buf();

    for (i = 0; i < count; i++) {
        put_peer(&message, 1, len, layers);
        put_peer(&message, 1, 1, 1);
    }

    start();
    longest = 0;
    CHECK_INT(feed(read_peers, reader, dfp_buf_value(&message), step, &err),
              DFP_OK);
    CHECK_INT(longest, len);

    return allocated;
}


TEST("a thousand fields need no more memory than two")
{
    size_t  i;

    for (i = 0; i < NSTEPS; i++) {
        CHECK_INT(cost_of(500, 10, 10, steps[i]),
                  cost_of(1, 10, 10, steps[i]));
    }

    CHECK_INT(cost_of(500, 300, 100, WHOLE), cost_of(1, 300, 100, WHOLE));
    CHECK_INT(cost_of(500, 300, 100, 1000), cost_of(1, 300, 100, 1000));
    CHECK_INT(cost_of(500, 30000, 50, WHOLE), cost_of(1, 30000, 50, WHOLE));
    CHECK_INT(cost_of(500, 30000, 50, 1000), cost_of(1, 30000, 50, 1000));
}


TEST("a small field needs no memory, and a large one no small block")
{
    dfp_buf_t  message;

    CHECK_INT(cost_of(100, 10, 1, WHOLE), 0);

    message = new_buf();
    put_peer(&message, 1, 5000, 1);
    put_peer(&message, 1, 9000, 1);
    CHECK_INT(feed(read_peers, reader, dfp_buf_value(&message), WHOLE, &err),
              DFP_OK);
    CHECK(allocated >= 14000);
}


static int
unpack(dfp_buf_t *message)
{
    err.text[0] = '\0';

    return dfp_d7y_unpack(reader, &scheduler__v2__peer_image__descriptor,
                          dfp_buf_value(message))
           ? DFP_OK : dfp_d7y_unpack_error(reader, &err);
}


TEST("why a message was not built, whatever there was before")
{
    size_t     i;
    dfp_buf_t  message;

    start();
    message = new_buf();
    put_str(&message, 2, repeated('x', 6000));

    for (i = 0; i < 100; i++) {
        CHECK_INT(unpack(&message), DFP_OK);
    }

    put_str(&message, 2, repeated('x', 1000000));
    dfp_test_fail(1);
    CHECK_INT(unpack(&message), DFP_ERROR);
    dfp_test_fail(0);

    message.len = 1;
    CHECK_INT(unpack(&message), DFP_INVALID);
    CHECK_SAYS(err.text, "thing | malformed");

    message.len = 0;

    for (i = 0; i < 10000; i++) {
        put_str(&message, 3, DFP_STR(""));
    }

    CHECK_INT(unpack(&message), DFP_INVALID);
    CHECK_SAYS(err.text, "thing | fields | Dragonfly");

    message.len = 1;
    CHECK_INT(unpack(&message), DFP_INVALID);
    CHECK_SAYS(err.text, "malformed");
}


static int
run(dfp_mem_t *mem, void *data)
{
    reader = dfp_d7y_reader_create(mem, "the thing");

    return reader ? feed(read_peers, reader, *(dfp_str_t *) data, 5000, &err)
                  : DFP_ERROR;
}


TEST("no memory is an error")
{
    dfp_buf_t  message;
    dfp_str_t  value;

    message = new_buf();
    put_peer(&message, 1, 1000, 20);
    put_peer(&message, 2, 30000, 200);
    put_peer(&message, 3, 60000, 400);
    value = dfp_buf_value(&message);

    dfp_test_oom(run, &value);
}
