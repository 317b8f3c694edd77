/*
 * Who holds which layers of an image, of those peers that a job is about.
 */

#include "d7y_test.h"
#include "dfp_held.h"


#define MAX     16
#define SMALL   20000    /* bytes of a reply that is read byte by byte, too */


static dfp_d7y_host_t   hosts[MAX];
static size_t           nhosts;
static int              image;
static dfp_buf_t        layers, peers;     /* as they are written */
static dfp_held_t      *held;
static dfp_err_t        err;


static void
start(int of_image)
{
    image = of_image;
    layers = new_buf();
    peers = new_buf();
    nhosts = 0;
}


static void
add_host(const char *ip, const char *hostname)
{
    dfp_d7y_host_t  *host;

    host = &hosts[nhosts++];
    memset(host, 0, sizeof(dfp_d7y_host_t));

    host->id = dfp_test_str("an id");
    host->ip = dfp_test_str(ip);
    host->hostname = dfp_test_str(hostname);
    host->port = 4000;
}


static void
add_layer(const char *url)
{
    put_url(&layers, 1, dfp_test_str(url), 0);
}


/* Who holds up to three URLs; NULL: no more. */

static void
add_holder(const char *ip, const char *hostname, const char *one,
    const char *two, const char *three)
{
    size_t       i;
    dfp_buf_t    peer;
    const char  *urls[] = { one, two, three };

    peer = new_buf();
    put_str(&peer, 1, dfp_test_str(ip));
    put_str(&peer, 2, dfp_test_str(hostname));

    for (i = 0; i < 3 && urls[i]; i++) {
        put_url(&peer, 3, dfp_test_str(urls[i]), 1);
    }

    put_part(&peers, image ? 2 : 1, &peer);
}


/* The reply as the scheduler writes it. */

static dfp_str_t
reply(void)
{
    dfp_buf_t  message;

    message = new_buf();

    if (image) {
        put_str(&message, 1, dfp_buf_value(&layers));
    }

    dfp_buf_str(&message, dfp_buf_value(&peers));

    return dfp_buf_value(&message);
}


static int
read_held(void *reader, dfp_str_t part, int ends, dfp_err_t *e)
{
    return dfp_held_read(reader, part, ends, e);
}


static int
read_reply(dfp_str_t message, size_t step)
{
    int  rc;

    err.text[0] = '\0';

    held = dfp_held_create(counting(), hosts, nhosts, image);
    CHECK(!held->complete);

    rc = feed(read_held, held, message, step, &err);
    CHECK_INT(held->complete, rc == DFP_OK);
    CHECK_INT(err.text[0] == '\0', rc == DFP_OK);

    return rc;
}


static void
check_same(const dfp_held_t *one, const dfp_held_t *two)
{
    size_t  i, k;

    CHECK_INT(two->nlayers, one->nlayers);

    for (k = 0; k < one->nlayers && k < two->nlayers; k++) {
        CHECK_INT(two->counts[k], one->counts[k]);

        if (image) {
            CHECK_SAME(two->layers[k], one->layers[k]);
        }

        for (i = 0; i < nhosts; i++) {
            CHECK_INT(dfp_held_by(two, i, k), dfp_held_by(one, i, k));
        }
    }
}


/* In pieces it is the same, or the same error. */

static int
read_all(dfp_str_t message)
{
    int          rc;
    size_t       i;
    dfp_err_t    first;
    dfp_held_t  *whole;

    dfp_held_sort(hosts, nhosts);

    rc = read_reply(message, WHOLE);
    whole = held;
    first = err;

    for (i = 1; i < NSTEPS && message.len <= SMALL; i++) {
        CHECK_INT(read_reply(message, steps[i]), rc);
        CHECK_TEXT(err.text, first.text);

        if (rc == DFP_OK) {
            check_same(whole, held);
        }
    }

    return rc;
}


static void
count(void)
{
    CHECK_INT(read_all(reply()), DFP_OK);
}


/* Whether this host, wherever it stands, holds a layer. */

static int
holds(const char *ip, const char *hostname, size_t layer)
{
    size_t  i;

    for (i = 0; i < nhosts; i++) {
        if (dfp_str_eq(hosts[i].ip, dfp_test_str(ip))
            && dfp_str_eq(hosts[i].hostname, dfp_test_str(hostname)))
        {
            return dfp_held_by(held, i, layer);
        }
    }

    return -1;
}


#define CHECK_COUNTS(a, b, c)                                                 \
    CHECK_INT(held->nlayers, 3);                                              \
    CHECK_INT(held->counts[0], a);                                            \
    CHECK_INT(held->counts[1], b);                                            \
    CHECK_INT(held->counts[2], c)


/* Three peers, in no order, and an image of three layers. */

static void
start_image(void)
{
    start(1);
    add_host("10.0.0.3", "c");
    add_host("10.0.0.1", "a");
    add_host("10.0.0.2", "b");
    add_layer("http://r/config");
    add_layer("http://r/base");
    add_layer("http://r/top");
}


TEST("each layer has its own count, in the order of the image")
{
    start_image();
    add_holder("10.0.0.1", "a", "http://r/top", "http://r/base",
               "http://r/config");
    add_holder("10.0.0.2", "b", "http://r/base", "http://r/top", NULL);
    add_holder("10.0.0.3", "c", "http://r/top", NULL, NULL);
    count();

    CHECK_COUNTS(1, 2, 3);
    CHECK_STR(held->layers[0], "http://r/config");
    CHECK_STR(held->layers[1], "http://r/base");
    CHECK_STR(held->layers[2], "http://r/top");
    CHECK_INT(holds("10.0.0.1", "a", 0), 1);
    CHECK_INT(holds("10.0.0.2", "b", 0), 0);
    CHECK_INT(holds("10.0.0.2", "b", 1), 1);
    CHECK_INT(holds("10.0.0.3", "c", 1), 0);
    CHECK_INT(holds("10.0.0.3", "c", 2), 1);
}


TEST("where nobody holds anything all counts are 0")
{
    start_image();
    count();
    CHECK_COUNTS(0, 0, 0);

    add_holder("10.0.0.1", "a", NULL, NULL, NULL);
    count();
    CHECK_COUNTS(0, 0, 0);
}


TEST("a peer that is told of twice counts once for each layer")
{
    start_image();
    add_holder("10.0.0.1", "a", "http://r/config", "http://r/base", NULL);
    add_holder("10.0.0.1", "a", "http://r/config", "http://r/top", NULL);
    count();
    CHECK_COUNTS(1, 1, 1);
}


TEST("a peer that tells of a layer twice counts once")
{
    start_image();
    add_holder("10.0.0.2", "b", "http://r/top", "http://r/top",
               "http://r/top");
    count();
    CHECK_COUNTS(0, 0, 1);
}


TEST("a layer that an image has twice is held in both places")
{
    size_t  i, n;

    start(1);
    add_host("10.0.0.1", "a");
    add_host("10.0.0.2", "b");
    add_layer("http://r/config");
    add_layer("http://r/empty");
    add_layer("http://r/base");
    add_layer("http://r/empty");
    add_layer("http://r/empty");
    add_holder("10.0.0.1", "a", "http://r/empty", "http://r/config", NULL);
    add_holder("10.0.0.2", "b", "http://r/empty", "http://r/empty", NULL);
    count();

    CHECK_INT(held->nlayers, 5);
    CHECK_INT(held->counts[0], 1);
    CHECK_INT(held->counts[1], 2);
    CHECK_INT(held->counts[2], 0);
    CHECK_INT(held->counts[3], 2);
    CHECK_INT(held->counts[4], 2);

    /* of each host it is told once */

    CHECK_INT(holds("10.0.0.1", "a", 1) + holds("10.0.0.1", "a", 3)
              + holds("10.0.0.1", "a", 4), 1);
    CHECK_INT(holds("10.0.0.2", "b", 1) + holds("10.0.0.2", "b", 3)
              + holds("10.0.0.2", "b", 4), 1);

    /* and of all hosts in the same place */

    for (i = 0, n = 0; i < held->nlayers; i++) {
        if (dfp_held_reported(held, i)) {
            n += holds("10.0.0.1", "a", i) + holds("10.0.0.2", "b", i);

        } else {
            CHECK_INT(holds("10.0.0.1", "a", i), 0);
        }
    }

    CHECK_INT(n, 3);
    CHECK_INT(dfp_held_reported(held, 0), 1);
    CHECK_INT(dfp_held_reported(held, 2), 1);
}


TEST("a file is one layer, which is reported")
{
    start(0);
    count();
    CHECK_INT(dfp_held_reported(held, 0), 1);
}


TEST("peers that a job is not about do not count")
{
    start_image();
    add_holder("10.0.0.4", "d", "http://r/config", "http://r/base", NULL);
    add_holder("10.0.0", "a", "http://r/config", NULL, NULL);
    add_holder("10.0.0.11", "a", "http://r/config", NULL, NULL);
    add_holder("", "", "http://r/config", NULL, NULL);
    count();
    CHECK_COUNTS(0, 0, 0);

    add_holder("10.0.0.1", "a", "http://r/config", NULL, NULL);
    count();
    CHECK_COUNTS(1, 0, 0);
}


TEST("layers that the image does not have do not count")
{
    start_image();
    add_holder("10.0.0.1", "a", "http://r/to", "http://r/topmost",
               "http://r/a");
    add_holder("10.0.0.2", "b", "", "http://r/zzz", "http://r/base");
    count();
    CHECK_COUNTS(0, 1, 0);
}


TEST("hosts of one address are told apart by their names")
{
    start(1);
    add_host("10.0.0.1", "b");
    add_host("10.0.0.1", "a");
    add_host("10.0.0.2", "a");
    add_layer("http://r/config");
    add_holder("10.0.0.1", "a", "http://r/config", NULL, NULL);
    add_holder("10.0.0.1", "c", "http://r/config", NULL, NULL);
    add_holder("10.0.0.1", "", "http://r/config", NULL, NULL);
    count();
    CHECK_INT(held->counts[0], 1);
    CHECK_INT(holds("10.0.0.1", "a", 0), 1);
    CHECK_INT(holds("10.0.0.1", "b", 0), 0);
    CHECK_INT(holds("10.0.0.2", "a", 0), 0);

    add_holder("10.0.0.1", "b", "http://r/config", NULL, NULL);
    add_holder("10.0.0.2", "a", "http://r/config", NULL, NULL);
    count();
    CHECK_INT(held->counts[0], 3);
}


TEST("an address is the same however it is spelled")
{
    size_t  i;

    static const char  *ips[][3] = {
        { "2001:db8::1", "2001:DB8:0::0:1", "2001:db8::2" },
        { "10.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1" },
        { "10.0.0.1", "::FFFF:a00:1", "010.0.0.1" },
        { "::1", "0:0:0:0:0:0:0:1", "[::1]" }
    };

    for (i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
        start(0);
        add_host(ips[i][0], "a");
        add_holder(ips[i][2], "a", "http://f/a", NULL, NULL);
        count();
        CHECK_INT(held->counts[0], 0);

        add_holder(ips[i][1], "a", "http://f/a", NULL, NULL);
        count();
        CHECK_INT(held->counts[0], 1);
    }
}


TEST("of a file there is one count, whatever it is called")
{
    start(0);
    add_host("10.0.0.2", "b");
    add_host("10.0.0.1", "a");
    count();
    CHECK_INT(held->nlayers, 1);
    CHECK_INT(held->counts[0], 0);

    add_holder("10.0.0.1", "a", "http://f/a?b=c", "http://f/a", NULL);
    add_holder("10.0.0.2", "b", NULL, NULL, NULL);
    add_holder("10.0.0.3", "c", "http://f/a", NULL, NULL);
    count();
    CHECK_INT(held->counts[0], 1);
    CHECK_INT(holds("10.0.0.1", "a", 0), 1);
    CHECK_INT(holds("10.0.0.2", "b", 0), 0);

    add_holder("10.0.0.2", "b", "http://f/a", NULL, NULL);
    add_holder("10.0.0.1", "a", "http://f/a", NULL, NULL);
    count();
    CHECK_INT(held->counts[0], 2);
}


TEST("without hosts nobody holds anything")
{
    start(1);
    add_layer("http://r/config");
    add_holder("10.0.0.1", "a", "http://r/config", NULL, NULL);
    count();
    CHECK_INT(held->nlayers, 1);
    CHECK_INT(held->counts[0], 0);

    start(0);
    add_holder("10.0.0.1", "a", "http://r/config", NULL, NULL);
    count();
    CHECK_INT(held->counts[0], 0);

    dfp_held_sort(NULL, 0);
}


TEST("who is one of the hosts is found wherever it stands")
{
    size_t       i;
    char         text[32];
    const char  *ip;

    start(0);

    for (i = 0; i < MAX; i++) {
        (void) snprintf(text, sizeof(text), "10.0.0.%zu", i * 7 % MAX + 1);
        ip = dfp_strdup(dfp_test_mem(), text, strlen(text));

        if (i % 4) {
            add_host(ip, "same");
        }

        if (i % 3) {
            add_holder(ip, "same", "http://f/a", NULL, NULL);
        }
    }

    count();
    CHECK_INT(held->counts[0], 8);

    for (i = 0; i < MAX; i++) {
        (void) snprintf(text, sizeof(text), "10.0.0.%zu", i * 7 % MAX + 1);
        CHECK_INT(holds(text, "same", 0), i % 4 ? i % 3 != 0 : -1);
    }
}


/* Whether a peer's layer, or file, with this URL counts. */

static void
check_held(int of_image, dfp_str_t url, int finished, size_t expected)
{
    dfp_buf_t  peer;

    start(of_image);
    add_host("10.0.0.1", "a");
    add_layer("http://a.lan/x");
    put_url(&layers, 1, repeated('u', DFP_URL_MAX_LEN), 1);

    peer = new_buf();
    put_str(&peer, 1, DFP_STR("10.0.0.1"));
    put_str(&peer, 2, DFP_STR("a"));
    put_url(&peer, 3, url, finished);
    put_part(&peers, image ? 2 : 1, &peer);

    count();
    CHECK_INT(held->counts[0] + (image ? held->counts[1] : 0), expected);
}


TEST("who has nothing that is finished, or no URL, holds nothing")
{
    int  i;

    for (i = 0; i < 2; i++) {
        check_held(i, DFP_STR("http://a.lan/x"), 1, 1);
        check_held(i, DFP_STR("http://a.lan/x"), 0, 0);
        check_held(i, DFP_STR(""), 1, 0);
        check_held(i, DFP_STR("http://a.lan/a b"), 1, 0);
        check_held(i, DFP_STR("http://a.lan/\n"), 1, 0);
        check_held(i, DFP_STR("http://a.lan/\x80"), 1, 0);
        check_held(i, DFP_STR("http://a.lan/\x7f"), 1, 0);
        check_held(i, repeated('u', DFP_URL_MAX_LEN), 1, 1);
        check_held(i, repeated('u', DFP_URL_MAX_LEN + 1), 1, 0);
    }
}


static int
read_layer(dfp_str_t url)
{
    start(1);
    add_layer("http://a.lan/x");
    put_url(&layers, 1, url, 0);

    return read_all(reply());
}


TEST("a layer with a wrong URL cannot be left out")
{
    CHECK_INT(read_layer(DFP_STR("http://a.lan/y")), DFP_OK);
    CHECK_INT(held->nlayers, 2);
    CHECK_INT(read_layer(repeated('u', DFP_URL_MAX_LEN)), DFP_OK);
    CHECK_INT(held->nlayers, 2);
    CHECK_INT(read_layer(repeated('u', DFP_URL_MAX_LEN + 1)), DFP_INVALID);
    CHECK_SAYS(err.text, "4096");
    CHECK_INT(read_layer(DFP_STR("")), DFP_INVALID);
    CHECK_INT(read_layer(DFP_STR("http://a.lan/\r\n")), DFP_INVALID);
    CHECK_INT(read_layer(DFP_STR("http://a.lan/ ")), DFP_INVALID);
    CHECK_INT(read_layer(DFP_STR("http://a.lan/\x7f")), DFP_INVALID);
    CHECK_INT(held->nlayers, 0);

    CHECK_INT(read_all(DFP_STR("\x0a\x02\x0a\0")), DFP_INVALID);
    CHECK_SAYS(err.text, "layer | URL | 1 | 4096");
}


TEST("an image without layers, or none, is held by nobody")
{
    start(1);
    add_host("10.0.0.1", "a");
    add_holder("10.0.0.1", "a", "http://r/config", "http://r/base", NULL);
    count();
    CHECK_INT(held->nlayers, 0);

    CHECK_INT(read_all(dfp_buf_value(&peers)), DFP_OK);
    CHECK_INT(held->nlayers, 0);
    CHECK_INT(read_all(DFP_STR("")), DFP_OK);
    CHECK_INT(held->nlayers, 0);
    CHECK_INT(read_all(DFP_STR("\x0a\0")), DFP_OK);
    CHECK_INT(held->nlayers, 0);
}


static void
check_order(dfp_str_t one, dfp_str_t two)
{
    dfp_buf_t  message;

    message = new_buf();
    dfp_buf_str(&message, one);
    dfp_buf_str(&message, two);

    CHECK_INT(read_all(dfp_buf_value(&message)), DFP_INVALID);
    CHECK_SAYS(err.text, "scheduler | image | peers");
}


TEST("there is one image, and then the peers")
{
    dfp_str_t  whole, nothing;

    start_image();
    whole = reply();
    nothing = DFP_STR("\x0a\0");

    check_order(whole, whole);
    check_order(whole, nothing);
    check_order(nothing, whole);
    check_order(nothing, nothing);

    add_holder("10.0.0.9", "z", NULL, NULL, NULL);
    check_order(dfp_buf_value(&peers), whole);
    check_order(dfp_buf_value(&peers), nothing);
}


TEST("a reply is complete when its end is told, and not before")
{
    dfp_str_t  message;

    start_image();
    add_holder("10.0.0.1", "a", "http://r/top", NULL, NULL);
    message = reply();
    dfp_held_sort(hosts, nhosts);

    held = dfp_held_create(dfp_test_mem(), hosts, nhosts, 1);
    CHECK_INT(dfp_held_read(held, message, 0, &err), DFP_OK);
    CHECK(!held->complete);
    CHECK_INT(dfp_held_read(held, DFP_STR_NULL, 1, &err), DFP_OK);
    CHECK(held->complete);
    CHECK_COUNTS(0, 0, 1);

    held = dfp_held_create(dfp_test_mem(), hosts, nhosts, 1);
    message.len--;
    CHECK_INT(dfp_held_read(held, message, 1, &err), DFP_INVALID);
    CHECK(!held->complete);
}
