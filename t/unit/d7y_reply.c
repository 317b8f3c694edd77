/*
 * Dragonfly's messages that come: as recorded, at the limits, and hostile
 * ones.
 */

#include "d7y_test.h"


#define TASK "a7e23d0759278ef3601a6c978f56cb9e91202c3336613f4d1dd302923e4e3b11"
#define BLOBS "http://127.0.0.1:15000/v2/lab/multi/blobs/sha256:"

static size_t            n;
static size_t            allocated;
static dfp_err_t         err;
static dfp_d7y_host_t   *hosts;
static dfp_d7y_event_t   event;
static dfp_d7y_stat_t    stat_;


static void *
count_alloc(void *ctx, size_t size)
{
    allocated += size;

    return dfp_test_alloc(ctx, size);
}


static dfp_mem_t *
counting(void)
{
    static dfp_mem_t  mem = { count_alloc, NULL };

    allocated = 0;
    err.text[0] = '\0';

    return &mem;
}


static int
parse_hosts(dfp_str_t message)
{
    return dfp_d7y_hosts_parse(counting(), message, &hosts, &n, &err);
}


static int
parse_event(dfp_str_t message)
{
    return dfp_d7y_event_parse(counting(), message, &event, &err);
}


static int
parse_stat(dfp_str_t message, int image)
{
    return dfp_d7y_stat_parse(counting(), message, image, &stat_, &err);
}


/* A list of one host with this address and port. */

static int
parse_host(dfp_str_t ip, uint64_t port)
{
    dfp_buf_t  list, host;

    list = new_buf();
    host = new_buf();

    put_str(&host, 4, ip);
    put_int(&host, 5, port);
    put_part(&list, 1, &host);

    return parse_hosts(dfp_buf_value(&list));
}


#define CHECK_HOST(host, i, h, t, p, s)                                       \
    CHECK_STR((host).id, i);                                                  \
    CHECK_STR((host).hostname, h);                                            \
    CHECK_STR((host).ip, t);                                                  \
    CHECK_INT((host).port, p);                                                \
    CHECK_INT((host).seed, s)


TEST("the scheduler's list of hosts")
{
    CHECK_INT(parse_hosts(from_hex(D7Y_HOSTS)), DFP_OK);
    CHECK_INT(n, 3);
    CHECK_HOST(hosts[0], "127.0.0.1-seed-1-seed", "seed-1", "127.0.0.1",
               14100, 1);
    CHECK_HOST(hosts[1], "127.0.0.3-peer-3", "peer-3", "127.0.0.3", 14300, 0);
    CHECK_HOST(hosts[2], "127.0.0.2-peer-2", "peer-2", "127.0.0.2", 14200, 0);

    CHECK_INT(parse_hosts(from_hex(D7Y_HOSTS_SEEDS)), DFP_OK);
    CHECK_INT(n, 1);
    CHECK_HOST(hosts[0], "127.0.0.1-seed-1-seed", "seed-1", "127.0.0.1",
               14100, 1);
}


TEST("a list of no hosts")
{
    CHECK_INT(parse_hosts(DFP_STR("")), DFP_OK);
    CHECK_INT(n, 0);
    CHECK_INT(parse_hosts(DFP_STR_NULL), DFP_OK);
    CHECK_INT(n, 0);
}


TEST("a host of which nothing is known is there")
{
    CHECK_INT(parse_hosts(DFP_STR("\x0a\0")), DFP_OK);
    CHECK_INT(n, 1);
    CHECK_HOST(hosts[0], "", "", "", 0, 0);
}


TEST("addresses have one spelling, and what is none is empty")
{
    size_t             i;
    static const char  *ips[][2] = {
        { "10.0.0.1", "10.0.0.1" },
        { "2001:DB8:0::0:1", "2001:db8::1" },
        { "::1", "::1" },
        { "::ffff:10.0.0.1", "10.0.0.1" },
        { "::FFFF:a00:1", "10.0.0.1" },
        { "223.255.255.255", "223.255.255.255" },
        { "1.0.0.0", "1.0.0.0" },
        { "fe80::1", "fe80::1" },
        { "", "" },
        { "10.0.0", "" },
        { "010.0.0.1", "" },
        { "10.0.0.256", "" },
        { "10.0.0.1 ", "" },
        { "[::1]", "" },
        { "fe80::1%eth0", "" },
        { "localhost", "" },
        { "0.0.0.0", "" },
        { "0.1.2.3", "" },
        { "::", "" },
        { "::ffff:0.0.0.0", "" },
        { "224.0.0.1", "" },
        { "255.255.255.255", "" },
        { "ff02::1", "" },
        { "1111:2222:3333:4444:5555:6666:7777:8888:9999:a", "" },
        { "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa", "" }
    };

    for (i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
        CHECK_INT(parse_host(dfp_test_str(ips[i][0]), 1), DFP_OK);
        CHECK_SAME(hosts[0].ip, dfp_test_str(ips[i][1]));
    }
}


TEST("a port is 1 to 65535, or none")
{
    CHECK_INT(parse_host(DFP_STR("::1"), 1), DFP_OK);
    CHECK_INT(hosts[0].port, 1);
    CHECK_INT(parse_host(DFP_STR("::1"), 65535), DFP_OK);
    CHECK_INT(hosts[0].port, 65535);
    CHECK_INT(parse_host(DFP_STR("::1"), 0), DFP_OK);
    CHECK_INT(hosts[0].port, 0);
    CHECK_INT(parse_host(DFP_STR("::1"), 65536), DFP_OK);
    CHECK_INT(hosts[0].port, 0);
    CHECK_INT(parse_host(DFP_STR("::1"), 65536 + 80), DFP_OK);
    CHECK_INT(hosts[0].port, 0);
    CHECK_INT(parse_host(DFP_STR("::1"), UINT64_MAX), DFP_OK);
    CHECK_INT(hosts[0].port, 0);
}


TEST("names are printable and have a limit")
{
    dfp_buf_t  list, host;

    list = new_buf();
    host = new_buf();

    put_str(&host, 1, repeated('a', DFP_D7Y_MAX_TEXT));
    put_str(&host, 3, repeated('b', DFP_D7Y_MAX_TEXT + 1));
    put_part(&list, 1, &host);
    put_str(&host, 1, DFP_STR("a\nb\x1b[0m"));
    put_str(&host, 3, DFP_STR("\xff" "a"));
    put_part(&list, 1, &host);

    CHECK_INT(parse_hosts(dfp_buf_value(&list)), DFP_OK);
    CHECK_INT(n, 2);
    CHECK_SAME(hosts[0].id, repeated('a', DFP_D7Y_MAX_TEXT));
    CHECK_SAME(hosts[0].hostname, repeated('b', DFP_D7Y_MAX_TEXT));
    CHECK_STR(hosts[1].id, "a b[0m");
    CHECK_STR(hosts[1].hostname, "\xef\xbf\xbd" "a");
}


TEST("every type but 0 is a seed peer's; of double fields the last counts")
{
    dfp_buf_t  list, host;
    unsigned   i;

    list = new_buf();
    host = new_buf();

    for (i = 0; i < 4; i++) {
        put_int(&host, 2, 7);
        put_int(&host, 2, i);
        put_str(&host, 1, DFP_STR("x"));
        put_str(&host, 1, DFP_STR("y"));
        put_part(&list, 1, &host);
    }

    CHECK_INT(parse_hosts(dfp_buf_value(&list)), DFP_OK);
    CHECK_INT(n, 4);

    for (i = 0; i < n; i++) {
        CHECK_INT(hosts[i].seed, i > 0);
        CHECK_STR(hosts[i].id, "y");
    }
}


TEST("there may be as many hosts as the limit says, and not more")
{
    unsigned   i;
    dfp_buf_t  list, host;

    list = new_buf();
    host = new_buf();

    for (i = 0; i < DFP_D7Y_MAX_HOSTS; i++) {
        put_str(&host, 1, DFP_STR("10.0.0.1-node-1"));
        put_str(&host, 4, DFP_STR("10.0.0.1"));
        put_int(&host, 5, 65000);
        put_part(&list, 1, &host);
    }

    CHECK_INT(parse_hosts(dfp_buf_value(&list)), DFP_OK);
    CHECK_INT(n, DFP_D7Y_MAX_HOSTS);

    put_str(&host, 1, DFP_STR("one more"));
    put_part(&list, 1, &host);

    CHECK_INT(parse_hosts(dfp_buf_value(&list)), DFP_INVALID);
    CHECK_TEXT(err.text, "the scheduler lists more than 20000 hosts");
    CHECK_INT(n, 0);
    CHECK(hosts == NULL);
}


TEST("what a peer says while it fetches")
{
    CHECK_INT(parse_event(from_hex(D7Y_STARTED)), DFP_OK);
    CHECK_STR(event.host_id, "127.0.0.1-seed-1-seed");
    CHECK_STR(event.task_id, TASK);
    CHECK(event.started && !event.piece);
    CHECK_INT(event.content_length, 9000000);

    CHECK_INT(parse_event(from_hex(D7Y_PIECE_2)), DFP_OK);
    CHECK_STR(event.host_id, "127.0.0.1-seed-1-seed");
    CHECK_STR(event.task_id, TASK);
    CHECK(!event.started && event.piece);
    CHECK_INT(event.length, 611392);

    CHECK_INT(parse_event(from_hex(D7Y_PIECE_1)), DFP_OK);
    CHECK_INT(event.length, 4194304);
    CHECK_INT(parse_event(from_hex(D7Y_PIECE_0)), DFP_OK);
    CHECK_INT(event.length, 4194304);
}


TEST("a small message costs no more than its strings")
{
    CHECK_INT(parse_event(from_hex(D7Y_PIECE_1)), DFP_OK);
    CHECK_INT(allocated, event.host_id.len + 1 + event.task_id.len + 1);
}


TEST("an event of nothing, of both, and without a piece")
{
    CHECK_INT(parse_event(DFP_STR("")), DFP_OK);
    CHECK(!event.started && !event.piece);
    CHECK_STR(event.host_id, "");

    CHECK_INT(parse_event(DFP_STR("\x22\0\x2a\0")), DFP_OK);
    CHECK(!event.started && event.piece);
    CHECK_INT(event.length, 0);

    CHECK_INT(parse_event(DFP_STR("\x2a\x02\x0a\0\x22\0")), DFP_OK);
    CHECK(event.started && !event.piece);
}


TEST("who has an image")
{
    size_t              i;
    static const char  *digests[] = { "c40e1ab5a0435f3e", "5d88f79cada46295",
                                      "cbdb70325722dfb8", "86a8d3a39ebda278" };

    CHECK_INT(parse_stat(from_hex(D7Y_STAT_IMAGE_REPLY), 1), DFP_OK);
    CHECK_INT(stat_.nlayers, 4);

    for (i = 0; i < 4; i++) {
        CHECK_INT(stat_.layers[i].len, sizeof(BLOBS) - 1 + 64);
        CHECK(memcmp(stat_.layers[i].data, BLOBS, sizeof(BLOBS) - 1) == 0);
        CHECK_HAS(stat_.layers[i].data, digests[i]);
    }

    CHECK_INT(stat_.nholders, 1);
    CHECK_STR(stat_.holders[0].ip, "127.0.0.1");
    CHECK_STR(stat_.holders[0].hostname, "seed-1");
    CHECK_INT(stat_.holders[0].nurls, 4);
    CHECK_SAME(stat_.holders[0].urls[0], stat_.layers[0]);
    CHECK_SAME(stat_.holders[0].urls[1], stat_.layers[3]);
    CHECK_SAME(stat_.holders[0].urls[3], stat_.layers[1]);
}


TEST("who has a file")
{
    CHECK_INT(parse_stat(from_hex(D7Y_STAT_FILE_REPLY), 0), DFP_OK);
    CHECK_INT(stat_.nlayers, 0);
    CHECK_INT(stat_.nholders, 1);
    CHECK_STR(stat_.holders[0].ip, "127.0.0.1");
    CHECK_STR(stat_.holders[0].hostname, "seed-1");
    CHECK_INT(stat_.holders[0].nurls, 1);
    CHECK_STR(stat_.holders[0].urls[0],
              "http://127.0.0.1:15009/file/vec?size=1000");
}


TEST("nobody has anything")
{
    CHECK_INT(parse_stat(DFP_STR(""), 0), DFP_OK);
    CHECK_INT(stat_.nholders, 0);
    CHECK_INT(parse_stat(DFP_STR(""), 1), DFP_OK);
    CHECK_INT(stat_.nlayers + stat_.nholders, 0);
    CHECK_INT(parse_stat(DFP_STR("\x0a\0"), 1), DFP_OK);
    CHECK_INT(stat_.nlayers + stat_.nholders, 0);
}


/* A peer with one URL, in messages of both kinds. */

static void
check_held(dfp_str_t url, int finished, size_t expected)
{
    int        image;
    dfp_buf_t  message, peer, part;

    message = new_buf();
    peer = new_buf();
    part = new_buf();

    for (image = 0; image < 2; image++) {
        message.len = 0;
        put_str(&part, 1, url);
        put_int(&part, 2, finished);
        put_str(&peer, 2, DFP_STR("p"));
        put_part(&peer, 3, &part);
        put_part(&message, image ? 2 : 1, &peer);

        CHECK_INT(parse_stat(dfp_buf_value(&message), image), DFP_OK);
        CHECK_INT(stat_.nholders, expected);
    }
}


TEST("who has nothing that is finished, or no URL, holds nothing")
{
    check_held(DFP_STR("http://a.lan/x"), 1, 1);
    check_held(DFP_STR("http://a.lan/x"), 0, 0);
    check_held(DFP_STR(""), 1, 0);
    check_held(DFP_STR("http://a.lan/a b"), 1, 0);
    check_held(DFP_STR("http://a.lan/\n"), 1, 0);
    check_held(DFP_STR("http://a.lan/\x80"), 1, 0);
    check_held(DFP_STR("http://a.lan/\x7f"), 1, 0);
    check_held(repeated('u', DFP_URL_MAX_LEN), 1, 1);
    check_held(repeated('u', DFP_URL_MAX_LEN + 1), 1, 0);
}


static int
parse_layer(dfp_str_t url)
{
    dfp_buf_t  message, image, layer;

    message = new_buf();
    image = new_buf();
    layer = new_buf();

    put_str(&layer, 1, DFP_STR("http://a.lan/x"));
    put_part(&image, 1, &layer);
    put_str(&layer, 1, url);
    put_part(&image, 1, &layer);
    put_part(&message, 1, &image);

    return parse_stat(dfp_buf_value(&message), 1);
}


TEST("a layer with a wrong URL cannot be left out")
{
    CHECK_INT(parse_layer(DFP_STR("http://a.lan/y")), DFP_OK);
    CHECK_INT(stat_.nlayers, 2);
    CHECK_INT(parse_layer(repeated('u', DFP_URL_MAX_LEN)), DFP_OK);
    CHECK_INT(parse_layer(repeated('u', DFP_URL_MAX_LEN + 1)), DFP_INVALID);
    CHECK_HAS(err.text, "4096");
    CHECK_INT(parse_layer(DFP_STR("")), DFP_INVALID);
    CHECK_INT(parse_layer(DFP_STR("http://a.lan/\r\n")), DFP_INVALID);
    CHECK_INT(stat_.nlayers, 0);
}


/* COUNT fields OF, layers or files, in one field IN: the image, or a peer. */

static int
parse_many(size_t count, unsigned in, unsigned of, int image)
{
    size_t     i;
    dfp_buf_t  message, outer, inner;

    message = new_buf();
    outer = new_buf();
    inner = new_buf();

    for (i = 0; i < count; i++) {
        put_str(&inner, 1, DFP_STR("http://registry.lan/v2/a/blobs/sha256:"));
        put_int(&inner, 2, 1);
        put_part(&outer, of, &inner);
    }

    put_part(&message, in, &outer);

    return parse_stat(dfp_buf_value(&message), image);
}


TEST("layers, and what a peer has, are limited")
{
    CHECK_INT(parse_many(DFP_D7Y_MAX_LAYERS, 1, 1, 1), DFP_OK);
    CHECK_INT(stat_.nlayers, DFP_D7Y_MAX_LAYERS);
    CHECK_INT(parse_many(DFP_D7Y_MAX_LAYERS + 1, 1, 1, 1), DFP_INVALID);
    CHECK_TEXT(err.text, "the scheduler's image has more than 20000 layers");

    CHECK_INT(parse_many(DFP_D7Y_MAX_LAYERS, 2, 3, 1), DFP_OK);
    CHECK_INT(stat_.holders[0].nurls, DFP_D7Y_MAX_LAYERS);
    CHECK_INT(parse_many(DFP_D7Y_MAX_LAYERS + 1, 2, 3, 1), DFP_INVALID);
    CHECK_TEXT(err.text, "the scheduler lists more than 20000 URLs of one "
               "peer");

    CHECK_INT(parse_many(DFP_D7Y_MAX_LAYERS, 1, 3, 0), DFP_OK);
    CHECK_INT(stat_.holders[0].nurls, DFP_D7Y_MAX_LAYERS);
    CHECK_INT(parse_many(DFP_D7Y_MAX_LAYERS + 1, 1, 3, 0), DFP_INVALID);
    CHECK_TEXT(err.text, "the scheduler lists more than 20000 URLs of one "
               "peer");
}


TEST("peers are limited")
{
    int        image;
    size_t     i;
    dfp_buf_t  message, peer, held;

    message = new_buf();
    peer = new_buf();
    held = new_buf();

    for (image = 0; image < 2; image++) {
        message.len = 0;

        for (i = 0; i < DFP_D7Y_MAX_PEERS; i++) {
            put_str(&held, 1, DFP_STR("http://registry.lan/file"));
            put_int(&held, 2, 1);
            put_str(&peer, 1, DFP_STR("10.0.0.1"));
            put_part(&peer, 3, &held);
            put_part(&message, image ? 2 : 1, &peer);
        }

        CHECK_INT(parse_stat(dfp_buf_value(&message), image), DFP_OK);
        CHECK_INT(stat_.nholders, DFP_D7Y_MAX_PEERS);

        put_part(&message, image ? 2 : 1, &peer);

        CHECK_INT(parse_stat(dfp_buf_value(&message), image), DFP_INVALID);
        CHECK_TEXT(err.text, "the scheduler lists more than 20000 peers");
    }
}


TEST("a message that ends too early, or is none, is refused or read")
{
    int         rc, kind;
    size_t      i;
    dfp_str_t   all, part;

    static const char  *hex[] = { D7Y_HOSTS, D7Y_STARTED, D7Y_STAT_FILE_REPLY,
                                  D7Y_STAT_IMAGE_REPLY };

    for (kind = 0; kind < 4; kind++) {
        all = from_hex(hex[kind]);

        for (i = 0; i < all.len; i++) {
            part.len = i;
            part.data = dfp_test_alloc(NULL, i);
            memcpy((char *) part.data, all.data, i);

            rc = (kind == 0) ? parse_hosts(part)
                 : (kind == 1) ? parse_event(part)
                               : parse_stat(part, kind == 3);

            CHECK(rc == DFP_OK || rc == DFP_INVALID);
            CHECK((rc == DFP_OK) == (err.text[0] == '\0'));
            CHECK(rc == DFP_OK || n == 0);
        }
    }

    CHECK_INT(parse_hosts(DFP_STR("<html>")), DFP_INVALID);
    CHECK_TEXT(err.text, "the scheduler's list of hosts is no message of the "
               "kind that it should be");
    CHECK_INT(parse_event(DFP_STR("\xff")), DFP_INVALID);
    CHECK_HAS(err.text, "the peer's message");
    CHECK_INT(parse_stat(DFP_STR("\x0a\x01"), 0), DFP_INVALID);
    CHECK_HAS(err.text, "the scheduler's list of who has what");
}


TEST("a peer's words tell what the origin has answered")
{
    size_t  i;

    static const struct {
        const char  *text;
        int          status;
    } texts[] = {
        { "backend error: 404 Not Found", 404 },
        { "INTERNAL: backend error: 401 Unauthorized", 401 },
        { "backend error: 503", 503 },
        { "backend error: ", 0 },
        { "backend error: 40", 0 },
        { "backend error: 4o4", 0 },
        { "backend error: dns", 0 },
        { "INTERNAL: backend error:", 0 },
        { "backend errors: 404", -1 },
        { "no space left", -1 },
        { "", -1 }
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK_INT(dfp_d7y_backend_status(dfp_test_str(texts[i].text)),
                  texts[i].status);
    }
}
