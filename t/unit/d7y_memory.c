/*
 * What the parsers of Dragonfly's messages need: with hostile ones, and where
 * there is no memory.
 */

#include "d7y_test.h"


/* at most, for a message of LEN bytes: 16 for protobuf-c, the rest for
 * results, of which the shortest texts cost most */
#define COST(len)  (32 * (len) + 16384)

#define MANY       100000


typedef enum { HOSTS, EVENT, IMAGE, FILE_ } kind_t;


typedef struct {
    kind_t      kind;
    dfp_str_t   message;
} input_t;


static size_t      allocated;
static dfp_err_t   err;


static void *
count_alloc(void *ctx, size_t size)
{
    allocated += size;

    return dfp_test_alloc(ctx, size);
}


static int
parse(dfp_mem_t *mem, void *data)
{
    size_t            n;
    input_t          *in;
    dfp_d7y_host_t   *hosts;
    dfp_d7y_stat_t    stat_;
    dfp_d7y_event_t   event;

    in = data;

    switch (in->kind) {

    case HOSTS:
        return dfp_d7y_hosts_parse(mem, in->message, &hosts, &n, &err);

    case EVENT:
        return dfp_d7y_event_parse(mem, in->message, &event, &err);

    default:
        return dfp_d7y_stat_parse(mem, in->message, in->kind == IMAGE, &stat_,
                                  &err);
    }
}


static int
cost_of(kind_t kind, dfp_buf_t *message)
{
    int        rc;
    input_t    in;
    dfp_mem_t  mem = { count_alloc, NULL };

    in.kind = kind;
    in.message = dfp_buf_value(message);

    allocated = 0;
    rc = parse(&mem, &in);

    if (allocated > COST(in.message.len)) {
        printf("# %zu for %zu bytes\n", allocated, in.message.len);
        CHECK(0);
    }

    return rc;
}


/* COUNT empty fields OF, in a field IN where that is not 0. */

static dfp_buf_t
empty(size_t count, unsigned in, unsigned of)
{
    size_t     i;
    dfp_buf_t  message, part;

    message = new_buf();
    part = new_buf();

    for (i = 0; i < count; i++) {
        put_str(&part, of, DFP_STR(""));
    }

    if (in == 0) {
        return part;
    }

    put_part(&message, in, &part);

    return message;
}


static void
check_empty(kind_t kind, unsigned in, unsigned of)
{
    dfp_buf_t  message;

    message = empty(MANY, in, of);
    CHECK_INT(cost_of(kind, &message), DFP_INVALID);
    CHECK_HAS(err.text, "more fields than any that Dragonfly sends");
}


TEST("fields without anything in them are not built without an end")
{
    check_empty(HOSTS, 0, 1);
    check_empty(HOSTS, 1, 1);
    check_empty(EVENT, 4, 4);
    check_empty(EVENT, 0, 4);
    check_empty(EVENT, 0, 5);
    check_empty(IMAGE, 0, 1);
    check_empty(IMAGE, 0, 2);
    check_empty(IMAGE, 1, 1);
    check_empty(IMAGE, 2, 3);
    check_empty(FILE_, 0, 1);
    check_empty(FILE_, 1, 3);
}


TEST("unknown fields are not kept without an end")
{
    kind_t     kind;
    size_t     i;
    dfp_buf_t  message;

    for (kind = HOSTS; kind <= FILE_; kind++) {
        check_empty(kind, 0, 15);

        message = new_buf();

        for (i = 0; i < MANY; i++) {
            put_int(&message, 14, 1);
        }

        CHECK_INT(cost_of(kind, &message), DFP_INVALID);
    }
}


TEST("an image that is sent again and again is not merged without an end")
{
    size_t     i;
    dfp_buf_t  message, image, part;

    message = new_buf();
    part = new_buf();
    image = empty(100, 0, 1);

    for (i = 0; i < 1000; i++) {
        dfp_buf_str(&part, dfp_buf_value(&image));
        put_part(&message, 1, &part);
    }

    CHECK_INT(cost_of(IMAGE, &message), DFP_INVALID);
    CHECK_HAS(err.text, "more fields than any that Dragonfly sends");
}


TEST("long texts, wrong ones and URLs cost no more")
{
    size_t      i, j, k;
    dfp_str_t   text;
    dfp_buf_t   message, host;

    static const size_t  lens[] = { 1, 3, 10, 100, 250, 260, 1000, 100000 };

    for (i = 0; i < sizeof(lens) / sizeof(size_t); i++) {
        for (j = 0; j < 3; j++) {
            text = repeated(j == 2 ? '\xff' : 'a', lens[i]);

            if (j == 1) {
                memcpy((char *) text.data, "://?a://u:",
                       lens[i] < 10 ? lens[i] : 10);
            }

            message = new_buf();
            host = new_buf();

            for (k = 0; k < 100; k++) {
                put_str(&host, 1, text);
                put_str(&host, 3, text);
                put_part(&message, 1, &host);
            }

            (void) cost_of(HOSTS, &message);
        }
    }
}


TEST("what Dragonfly sends fits, recorded or short, alone or often")
{
    size_t     i, j;
    dfp_buf_t  message, host, list;
    dfp_str_t  recorded;

    recorded = from_hex(D7Y_HOSTS);
    message = new_buf();
    host = new_buf();
    list = new_buf();

    for (i = 1; i <= 10000; i *= 10) {
        message.len = 0;
        list.len = 0;

        for (j = 0; j < i; j++) {
            dfp_buf_str(&message, recorded);

            put_str(&host, 1, DFP_STR("h1"));
            put_str(&host, 4, DFP_STR("10.0.0.1"));
            put_int(&host, 5, 80);
            put_part(&list, 1, &host);
        }

        if (3 * i <= DFP_D7Y_MAX_HOSTS) {
            CHECK_INT(cost_of(HOSTS, &message), DFP_OK);
        }

        CHECK_INT(cost_of(HOSTS, &list), DFP_OK);
    }
}


TEST("a download may have a hundred thousand pieces")
{
    size_t     i;
    dfp_buf_t  message, started, piece;

    message = new_buf();
    started = new_buf();
    piece = new_buf();

    for (i = 0; i < 100000; i++) {
        put_int(&piece, 1, i);
        put_int(&piece, 3, i * 4194304);
        put_int(&piece, 4, 4194304);
        put_str(&piece, 9, DFP_STR("\x08\xcb\xe2\x98\xd8\x06\x10\x96\xe3\xa3"
                                   "\xe5\x01"));
        put_part(&started, 4, &piece);
    }

    put_part(&message, 4, &started);
    CHECK_INT(cost_of(EVENT, &message), DFP_OK);
}


/* A message of KIND that is larger than what the stack has room for. */

static input_t
large(kind_t kind, const char *hex)
{
    size_t      i;
    input_t     in;
    dfp_buf_t   message;
    dfp_str_t   recorded;

    message = new_buf();
    recorded = from_hex(hex);

    for (i = 0; i < 20; i++) {
        dfp_buf_str(&message, recorded);
    }

    in.kind = kind;
    in.message = dfp_buf_value(&message);

    return in;
}


TEST("no memory is an error")
{
    size_t      i;
    input_t     in[4];

    in[0] = large(HOSTS, D7Y_HOSTS);
    in[1] = large(IMAGE, D7Y_STAT_IMAGE_REPLY);
    in[2] = large(FILE_, D7Y_STAT_FILE_REPLY);
    in[3] = large(EVENT, D7Y_STARTED);

    for (i = 0; i < 4; i++) {
        dfp_test_oom(parse, &in[i]);
    }
}
