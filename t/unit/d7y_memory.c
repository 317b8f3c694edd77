/*
 * What the parsers of Dragonfly's messages need: with hostile ones, and where
 * there is no memory.
 */

#include "d7y_test.h"
#include "dfp_held.h"


/* at most, for a message of LEN bytes: 16 for protobuf-c, 4 for a field in
 * pieces, the rest for results, of which the shortest texts cost most; and for
 * a list of N hosts, which is outgrown again and again */
#define COST(len)  (32 * (len) + 32768)
#define LIST(n)    (4 * (n) * sizeof(dfp_d7y_host_t))

#define MANY       100000
#define PIECE      4096
#define PEERS      1000

#define BLOB       "http://registry.lan:5000/v2/library/image/blobs/sha256:"  \
                   "c40e1ab5a0435f3ec40e1ab5a0435f3ec40e1ab5a0435f3ec40e%012d"


typedef enum { HOSTS, EVENT, IMAGE, FILE_ } kind_t;


typedef struct {
    kind_t      kind;
    dfp_str_t   message;
    size_t      step;
} input_t;


static size_t      n;      /* of hosts */
static dfp_err_t   err;


static int
read_hosts(void *reader, dfp_str_t part, int ends, dfp_err_t *e)
{
    return dfp_d7y_hosts_read(reader, part, ends, e);
}


static int
read_held(void *reader, dfp_str_t part, int ends, dfp_err_t *e)
{
    return dfp_held_read(reader, part, ends, e);
}


static int
parse(dfp_mem_t *mem, void *data)
{
    int               rc;
    input_t          *in;
    dfp_held_t       *held;
    dfp_d7y_event_t   event;
    dfp_d7y_hosts_t  *hosts;

    static const dfp_d7y_host_t  host = {
        .ip = { 9, "127.0.0.1" }, .hostname = { 6, "seed-1" }
    };

    in = data;
    n = 0;

    switch (in->kind) {

    case HOSTS:
        hosts = dfp_d7y_hosts_create(mem);
        if (hosts == NULL) {
            return DFP_ERROR;
        }

        rc = feed(read_hosts, hosts, in->message, in->step, &err);
        n = hosts->n;

        return rc;

    case EVENT:
        return dfp_d7y_event_parse(mem, in->message, &event, &err);

    default:
        held = dfp_held_create(mem, &host, 1, in->kind == IMAGE);

        return held ? feed(read_held, held, in->message, in->step, &err)
                    : DFP_ERROR;
    }
}


/* As a whole, and in pieces. */

static int
cost_of(kind_t kind, dfp_buf_t *message)
{
    int      rc;
    input_t  in;

    in.kind = kind;
    in.message = dfp_buf_value(message);

    for (in.step = WHOLE, rc = DFP_OK; /* void */ ; in.step = PIECE) {
        rc = parse(counting(), &in);

        if (allocated > COST(in.message.len) + LIST(n)) {
            printf("# %zu for %zu bytes\n", allocated, in.message.len);
            CHECK(0);
        }

        if (in.step == PIECE) {
            return rc;
        }
    }
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
check_empty(kind_t kind, unsigned in, unsigned of, const char *facts)
{
    dfp_buf_t  message;

    message = empty(MANY, in, of);
    CHECK_INT(cost_of(kind, &message), DFP_INVALID);
    CHECK_SAYS(err.text, facts);
}


TEST("fields without anything in them are not built without an end")
{
    static const char  fields[] = "fields | Dragonfly";

    check_empty(HOSTS, 1, 1, fields);
    check_empty(EVENT, 4, 4, fields);
    check_empty(EVENT, 0, 4, fields);
    check_empty(EVENT, 0, 5, fields);
    check_empty(IMAGE, 1, 1, fields);
    check_empty(IMAGE, 2, 3, fields);
    check_empty(FILE_, 1, 3, fields);
}


TEST("those of a long message are built one at a time, up to a limit")
{
    check_empty(HOSTS, 0, 1, "20000 hosts");
    check_empty(IMAGE, 0, 1, "image | peers");
    check_empty(IMAGE, 0, 2, "20000 peers");
    check_empty(FILE_, 0, 1, "20000 peers");
}


/* MANY fields that nobody knows: texts, or numbers. */

static dfp_buf_t
unknown(int texts)
{
    size_t     i;
    dfp_buf_t  message;

    if (texts) {
        return empty(MANY, 0, 31);
    }

    message = new_buf();

    for (i = 0; i < MANY; i++) {
        put_int(&message, 30, 1);
    }

    return message;
}


TEST("unknown fields are not kept without an end")
{
    int        texts;
    kind_t     kind;
    dfp_buf_t  message, part;

    for (texts = 0; texts < 2; texts++) {
        message = unknown(texts);
        CHECK_INT(cost_of(EVENT, &message), DFP_INVALID);

        for (kind = HOSTS; kind <= FILE_; kind++) {
            message = new_buf();
            part = unknown(texts);
            put_part(&message, kind == EVENT ? 4 : 1, &part);
            CHECK_INT(cost_of(kind, &message), DFP_INVALID);
            CHECK_SAYS(err.text, "fields | Dragonfly");
        }

        message = new_buf();
        part = unknown(texts);
        put_part(&message, 2, &part);
        CHECK_INT(cost_of(IMAGE, &message), DFP_INVALID);
        CHECK_SAYS(err.text, "fields | Dragonfly");
    }
}


TEST("those of a long message are not kept at all")
{
    int        texts;
    kind_t     kind;
    dfp_buf_t  message;

    for (texts = 0; texts < 2; texts++) {
        for (kind = HOSTS; kind <= FILE_; kind++) {
            if (kind != EVENT) {
                message = unknown(texts);
                CHECK_INT(cost_of(kind, &message), DFP_OK);
                CHECK(allocated < PIECE * 2);
            }
        }
    }
}


TEST("an image that is sent again and again is not merged without an end")
{
    size_t     i;
    dfp_buf_t  message, image, part;

    message = new_buf();
    part = new_buf();
    image = new_buf();

    for (i = 0; i < 100; i++) {
        put_url(&image, 1, DFP_STR("http://a.lan/x"), 0);
    }

    for (i = 0; i < 1000; i++) {
        dfp_buf_str(&part, dfp_buf_value(&image));
        put_part(&message, 1, &part);
    }

    CHECK_INT(cost_of(IMAGE, &message), DFP_INVALID);
    CHECK_SAYS(err.text, "scheduler | image | peers");
}


/* COUNT fields OF, layers or files, in one field IN: the image, or a peer. */

static int
read_many(kind_t kind, size_t count, unsigned in, unsigned of)
{
    size_t     i;
    dfp_buf_t  message, part;

    message = new_buf();
    part = new_buf();

    for (i = 0; i < count; i++) {
        put_url(&part, of, DFP_STR("http://registry.lan/v2/a/blobs/sha256:"),
                1);
    }

    put_part(&message, in, &part);

    return cost_of(kind, &message);
}


TEST("layers, and what a peer has, are limited")
{
    CHECK_INT(read_many(IMAGE, DFP_HELD_MAX_LAYERS, 1, 1), DFP_OK);
    CHECK_INT(read_many(IMAGE, DFP_HELD_MAX_LAYERS + 1, 1, 1), DFP_INVALID);
    CHECK_SAYS(err.text, "image | 20000 layers");

    CHECK_INT(read_many(IMAGE, DFP_HELD_MAX_LAYERS, 2, 3), DFP_OK);
    CHECK_INT(read_many(IMAGE, DFP_HELD_MAX_LAYERS + 1, 2, 3), DFP_INVALID);
    CHECK_SAYS(err.text, "scheduler | 20000 URLs | peer");

    CHECK_INT(read_many(FILE_, DFP_HELD_MAX_LAYERS, 1, 3), DFP_OK);
    CHECK_INT(read_many(FILE_, DFP_HELD_MAX_LAYERS + 1, 1, 3), DFP_INVALID);
    CHECK_SAYS(err.text, "scheduler | 20000 URLs | peer");
}


TEST("peers are limited, also those that a job is not about")
{
    size_t     i;
    kind_t     kind;
    dfp_buf_t  message, peer;

    peer = new_buf();

    for (kind = IMAGE; kind <= FILE_; kind++) {
        message = new_buf();

        for (i = 0; i < DFP_HELD_MAX_PEERS; i++) {
            put_str(&peer, 1, DFP_STR("10.0.0.1"));
            put_url(&peer, 3, DFP_STR("http://registry.lan/file"), 1);
            put_part(&message, kind == IMAGE ? 2 : 1, &peer);
        }

        CHECK_INT(cost_of(kind, &message), DFP_OK);
        put_part(&message, kind == IMAGE ? 2 : 1, &peer);
        CHECK_INT(cost_of(kind, &message), DFP_INVALID);
        CHECK_SAYS(err.text, "scheduler | 20000 peers");
    }
}


/* A reply that is too large to be kept: the Kth of so many layers is on those
 * peers whose number (as a port) is at least K, so that each count is another
 * one. Returns what it has cost. */

static size_t
check_cluster(int nlayers, size_t step)
{
    int              i, k;
    char             text[256];
    dfp_buf_t        message, part;
    dfp_held_t      *held;
    dfp_d7y_host_t  *hosts;

    message = new_buf();
    part = new_buf();
    hosts = dfp_test_alloc(NULL, PEERS * sizeof(dfp_d7y_host_t));
    memset(hosts, 0, PEERS * sizeof(dfp_d7y_host_t));

    for (k = 0; k < nlayers; k++) {
        (void) snprintf(text, sizeof(text), BLOB, k);
        put_url(&part, 1, dfp_test_str(text), 0);
    }

    put_part(&message, 1, &part);

    for (i = 0; i < PEERS; i++) {
        k = snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
        hosts[i].ip = (dfp_str_t) { k, dfp_strdup(dfp_test_mem(), text, k) };
        hosts[i].hostname = DFP_STR("peer");
        hosts[i].port = i;

        put_str(&part, 1, hosts[i].ip);
        put_str(&part, 2, hosts[i].hostname);

        for (k = 0; k <= i && k < nlayers; k++) {
            (void) snprintf(text, sizeof(text), BLOB, k);
            put_url(&part, 3, dfp_test_str(text), 1);
        }

        put_part(&message, 2, &part);
    }

    dfp_held_sort(hosts, PEERS);
    held = dfp_held_create(counting(), hosts, PEERS, 1);
    CHECK_INT(feed(read_held, held, dfp_buf_value(&message), step, &err),
              DFP_OK);
    CHECK_INT(held->nlayers, nlayers);

    for (k = 0; k < nlayers && CHECK_INT(held->counts[k], PEERS - k); k++) {
        for (i = 0; i < PEERS; i++) {
            if (dfp_held_by(held, i, k) != (hosts[i].port >= k)) {
                CHECK(0);
                return allocated;
            }
        }
    }

    return allocated;
}


TEST("a large cluster with a large image needs less than a megabyte")
{
    CHECK(check_cluster(100, WHOLE) < 100000);
    CHECK(check_cluster(100, PIECE) < 150000);
    CHECK(check_cluster(1000, PIECE) < 1000000);
}


/* What one field has used the next one uses, but here each needs a block that
 * is larger than all before. */

TEST("fields that grow cost no more")
{
    size_t     i, k;
    dfp_buf_t  message, peer;

    message = new_buf();
    peer = new_buf();

    for (i = 0; i < 50; i++) {
        for (k = 0; k < 2100 + 2 * i; k++) {
            put_url(&peer, 3, DFP_STR("http://a.lan/"), 1);
        }

        put_part(&message, 2, &peer);
    }

    CHECK_INT(cost_of(IMAGE, &message), DFP_OK);
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

            for (k = 0; k < (lens[i] < 10000 ? 100 : 5); k++) {
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


TEST("a layer of each peer costs less than it takes to tell of it")
{
    size_t     i;
    dfp_buf_t  message, peer, part;

    message = new_buf();
    peer = new_buf();
    part = new_buf();

    put_url(&part, 1, DFP_STR("http://a.lan/x"), 0);
    put_part(&message, 1, &part);

    for (i = 0; i < DFP_HELD_MAX_PEERS; i++) {
        put_str(&peer, 1, DFP_STR("127.0.0.1"));
        put_str(&peer, 2, DFP_STR("seed-1"));
        put_url(&peer, 3, DFP_STR("http://a.lan/x"), 1);
        put_part(&message, 2, &peer);
    }

    CHECK_INT(cost_of(IMAGE, &message), DFP_OK);
    CHECK(allocated < 2 * PIECE);
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


/* Recorded messages, each with a field that is larger than what the reader has
 * room for. */

static input_t
large(kind_t kind, const char *hex, unsigned of)
{
    size_t      i;
    input_t     in;
    dfp_buf_t   message, part;
    dfp_str_t   recorded;

    message = new_buf();
    part = new_buf();
    recorded = from_hex(hex);

    for (i = 0; i < 20; i++) {
        if (kind != IMAGE || i == 0) {
            dfp_buf_str(&message, recorded);
        }

        put_url(&part, 3, repeated('u', 500), 1);
    }

    put_part(&message, of, &part);

    in.kind = kind;
    in.message = dfp_buf_value(&message);
    in.step = WHOLE;

    return in;
}


TEST("no memory is an error")
{
    size_t   i;
    input_t  in[4];

    in[0] = large(HOSTS, D7Y_HOSTS, 1);
    in[1] = large(IMAGE, D7Y_STAT_IMAGE_REPLY, 2);
    in[2] = large(FILE_, D7Y_STAT_FILE_REPLY, 1);
    in[3] = large(EVENT, D7Y_STARTED, 31);

    for (i = 0; i < 4; i++) {
        dfp_test_oom(parse, &in[i]);
        in[i].step = 1000;
        dfp_test_oom(parse, &in[i]);
    }
}
