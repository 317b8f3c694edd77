/*
 * Dragonfly's messages that come: as recorded, at the limits, and hostile
 * ones.
 */

#include "d7y_test.h"
#include "dfp_held.h"


#define TASK "a7e23d0759278ef3601a6c978f56cb9e91202c3336613f4d1dd302923e4e3b11"
#define BLOBS "http://127.0.0.1:15000/v2/lab/multi/blobs/sha256:"

#define SMALL  2000     /* bytes of a list that is read byte by byte, too */


static size_t            n;
static int               complete;
static dfp_err_t         err;
static dfp_d7y_host_t   *hosts;
static dfp_d7y_event_t   event;
static dfp_held_t       *held;


static int
read_hosts(void *reader, dfp_str_t part, int ends, dfp_err_t *e)
{
    return dfp_d7y_hosts_read(reader, part, ends, e);
}


static int
read_list(dfp_str_t message, size_t step)
{
    int               rc;
    dfp_d7y_hosts_t  *told;

    err.text[0] = '\0';

    told = dfp_d7y_hosts_create(dfp_test_mem());
    rc = feed(read_hosts, told, message, step, &err);

    hosts = told->list;
    n = told->n;
    complete = told->complete;

    return rc;
}


static void
check_same_list(const dfp_d7y_host_t *list, size_t count)
{
    size_t  i;

    CHECK_INT(n, count);

    for (i = 0; i < n && i < count; i++) {
        CHECK_SAME(hosts[i].id, list[i].id);
        CHECK_SAME(hosts[i].hostname, list[i].hostname);
        CHECK_SAME(hosts[i].ip, list[i].ip);
        CHECK_INT(hosts[i].port, list[i].port);
        CHECK_INT(hosts[i].seed, list[i].seed);
    }
}


/* In pieces it is the same list, or the same error. */

static int
parse_hosts(dfp_str_t message)
{
    int              rc;
    size_t           i, count;
    dfp_err_t        first;
    dfp_d7y_host_t  *list;

    rc = read_list(message, WHOLE);
    first = err;
    list = hosts;
    count = n;

    for (i = 1; i < NSTEPS && message.len <= SMALL; i++) {
        CHECK_INT(read_list(message, steps[i]), rc);
        CHECK_TEXT(err.text, first.text);
        check_same_list(list, count);
    }

    CHECK_INT(complete, rc == DFP_OK);
    CHECK_INT(err.text[0] == '\0', rc == DFP_OK);

    return rc;
}


static int
read_held(void *reader, dfp_str_t part, int ends, dfp_err_t *e)
{
    return dfp_held_read(reader, part, ends, e);
}


/* Whether this host has an image or a file. */

static int
parse_stat(const dfp_d7y_host_t *host, dfp_str_t message, int image)
{
    int     rc, again;
    size_t  i;

    for (i = 0, rc = DFP_OK; i < NSTEPS; i++) {
        err.text[0] = '\0';
        held = dfp_held_create(dfp_test_mem(), host, 1, image);
        again = feed(read_held, held, message, steps[i], &err);

        if (i == 0) {
            rc = again;
        }

        CHECK_INT(again, rc);
        CHECK_INT(held->complete, rc == DFP_OK);
    }

    return rc;
}


static int
parse_event(dfp_str_t message)
{
    err.text[0] = '\0';

    return dfp_d7y_event_parse(counting(), message, &event, &err);
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
    CHECK_SAYS(err.text, "scheduler | 20000 hosts");

    /* of what is no host there may be more */

    list.len = 0;

    for (i = 0; i <= DFP_D7Y_MAX_HOSTS; i++) {
        put_str(&list, 2, DFP_STR("no host"));
    }

    CHECK_INT(parse_hosts(dfp_buf_value(&list)), DFP_OK);
    CHECK_INT(n, 0);
}


TEST("a list that grows keeps what was there")
{
    char        text[32];
    size_t      i, k, len;
    dfp_buf_t   list, host;

    list = new_buf();
    host = new_buf();

    for (i = 0; i < 1000; i++) {
        len = snprintf(text, sizeof(text), "node-%zu", i);
        put_str(&host, 1, (dfp_str_t) { len, text });
        put_int(&host, 5, i + 1);
        put_part(&list, 1, &host);
    }

    for (k = 0; k < NSTEPS; k++) {
        CHECK_INT(read_list(dfp_buf_value(&list), steps[k]), DFP_OK);
        CHECK_INT(n, 1000);

        for (i = 0; i < n; i++) {
            (void) snprintf(text, sizeof(text), "node-%zu", i);
            CHECK_SAME(hosts[i].id, dfp_test_str(text));
            CHECK_INT(hosts[i].port, i + 1);
        }
    }
}


TEST("a list is complete when its end is told, and not before")
{
    dfp_str_t         message;
    dfp_d7y_hosts_t  *told;

    message = from_hex(D7Y_HOSTS);
    told = dfp_d7y_hosts_create(dfp_test_mem());
    CHECK(!told->complete);
    CHECK_INT(told->n, 0);

    CHECK_INT(dfp_d7y_hosts_read(told, message, 0, &err), DFP_OK);
    CHECK(!told->complete);
    CHECK_INT(told->n, 3);

    CHECK_INT(dfp_d7y_hosts_read(told, DFP_STR_NULL, 1, &err), DFP_OK);
    CHECK(told->complete);
    CHECK_INT(told->n, 3);

    /* what ends within a field is not */

    told = dfp_d7y_hosts_create(dfp_test_mem());
    message.len--;
    CHECK_INT(dfp_d7y_hosts_read(told, message, 1, &err), DFP_INVALID);
    CHECK(!told->complete);
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


/* As dfdaemon.proto numbers the fields: content_length 3, created_at 7,
 * failed_at 10, finished_at 11. */

TEST("what a peer knows of a task")
{
    dfp_d7y_local_t  local;

    CHECK_INT(dfp_d7y_local_parse(counting(), from_hex("18083a0208055a020806"),
                                  &local, &err), DFP_OK);
    CHECK(local.finished && !local.failed);
    CHECK_INT(local.created, 5000);
    CHECK_INT(local.updated, 0);
    CHECK_INT(allocated, 0);

    CHECK_INT(dfp_d7y_local_parse(counting(), from_hex("3a02080552020806"),
                                  &local, &err), DFP_OK);
    CHECK(!local.finished && local.failed);

    CHECK_INT(dfp_d7y_local_parse(counting(), from_hex("3a020805"), &local,
                                  &err), DFP_OK);
    CHECK(!local.finished && !local.failed);

    CHECK_INT(dfp_d7y_local_parse(counting(), from_hex("5a02"), &local, &err),
              DFP_INVALID);
    CHECK_HAS(err.text, "the peer's message");
}


static const dfp_d7y_host_t  seed = {
    .ip = { 9, "127.0.0.1" }, .hostname = { 6, "seed-1" }
};


TEST("who has an image")
{
    size_t              i;
    static const char  *digests[] = { "c40e1ab5a0435f3e", "5d88f79cada46295",
                                      "cbdb70325722dfb8", "86a8d3a39ebda278" };

    CHECK_INT(parse_stat(&seed, from_hex(D7Y_STAT_IMAGE_REPLY), 1), DFP_OK);
    CHECK_INT(held->nlayers, 4);

    for (i = 0; i < 4; i++) {
        CHECK_INT(held->layers[i].len, sizeof(BLOBS) - 1 + 64);
        CHECK(memcmp(held->layers[i].data, BLOBS, sizeof(BLOBS) - 1) == 0);
        CHECK_HAS(held->layers[i].data, digests[i]);
        CHECK_INT(held->counts[i], 1);
        CHECK(dfp_held_by(held, 0, i));
    }
}


TEST("who has a file")
{
    CHECK_INT(parse_stat(&seed, from_hex(D7Y_STAT_FILE_REPLY), 0), DFP_OK);
    CHECK_INT(held->nlayers, 1);
    CHECK(held->layers == NULL);
    CHECK_INT(held->counts[0], 1);
    CHECK(dfp_held_by(held, 0, 0));
}


/* The names of hosts come from their list. Both are cleaned. */

TEST("a peer has the name that the list of hosts says, whatever it is")
{
    size_t      i;
    dfp_buf_t   list, host;
    dfp_str_t   names[6];

    names[0] = DFP_STR("a\x1b[0m\r\nb");
    names[1] = DFP_STR("\xff\xfe");
    names[2] = repeated('a', DFP_D7Y_MAX_TEXT);
    names[3] = repeated('a', DFP_D7Y_MAX_TEXT + 1);
    names[4] = repeated('\x01', DFP_D7Y_MAX_TEXT + 1);
    names[5] = DFP_STR("http://u:p@a.lan/ x");

    list = new_buf();
    host = new_buf();

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        list.len = 0;
        put_str(&host, 3, names[i]);
        put_str(&host, 4, DFP_STR("::FFFF:10.0.0.1"));
        put_part(&list, 1, &host);
        CHECK_INT(parse_hosts(dfp_buf_value(&list)), DFP_OK);

        list.len = 0;
        put_str(&host, 1, DFP_STR("10.0.0.1"));
        put_str(&host, 2, names[i]);
        put_url(&host, 3, DFP_STR("http://f/a"), 1);
        put_part(&list, 1, &host);
        CHECK_INT(parse_stat(hosts, dfp_buf_value(&list), 0), DFP_OK);
        CHECK_INT(held->counts[0], 1);
    }
}


TEST("a message that ends too early, or is none, is refused or read")
{
    int         rc;
    size_t      i, k, count;
    dfp_str_t   all, part;

    static const char  *hex[] = { D7Y_HOSTS, D7Y_STARTED, D7Y_STAT_FILE_REPLY,
                                  D7Y_STAT_IMAGE_REPLY };

    for (k = 0; k < 4; k++) {
        all = from_hex(hex[k]);

        for (i = 0; i < all.len; i++) {
            part.len = i;
            part.data = dfp_test_alloc(NULL, i);
            memcpy((char *) part.data, all.data, i);

            rc = (k == 0) ? parse_hosts(part)
                 : (k == 1) ? parse_event(part)
                            : parse_stat(&seed, part, k == 3);

            CHECK(rc == DFP_OK || rc == DFP_INVALID);
            CHECK((rc == DFP_OK) == (err.text[0] == '\0'));
        }
    }

    /* of a list, every host that is there as a whole was read */

    count = 0;
    all = from_hex(D7Y_HOSTS);

    for (i = 0; i < all.len; i++) {
        if (parse_hosts((dfp_str_t) { i, all.data }) == DFP_OK) {
            CHECK_INT(n, count++);
        }
    }

    CHECK_INT(count, 3);

    CHECK_INT(parse_hosts(DFP_STR("<html>")), DFP_INVALID);
    CHECK_SAYS(err.text, "scheduler | hosts | malformed");
    CHECK_INT(parse_hosts(DFP_STR("\x0a\x01\x0a")), DFP_INVALID);
    CHECK_SAYS(err.text, "scheduler | hosts | malformed");
    CHECK_INT(parse_event(DFP_STR("\xff")), DFP_INVALID);
    CHECK_SAYS(err.text, "peer | malformed");
    CHECK_INT(parse_stat(&seed, DFP_STR("\x0a\x01"), 0), DFP_INVALID);
    CHECK_SAYS(err.text, "scheduler | layers | malformed");
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
