/*
 * Who holds which layers of an image, of those peers that a job is about.
 */

#include "dfp_held.h"
#include "dfp_test.h"


#define MAX     16
#define MANY    1000


static dfp_d7y_host_t    hosts[MAX];
static size_t            nhosts;
static dfp_str_t         layers[MAX];
static dfp_d7y_holder_t  holders[MAX];
static dfp_d7y_stat_t    reply;
static size_t            counts[MAX];


static void
start(void)
{
    memset(&reply, 0, sizeof(dfp_d7y_stat_t));
    reply.layers = layers;
    reply.holders = holders;
    nhosts = 0;

    /* what is not counted is seen */
    memset(counts, 0xa5, sizeof(counts));
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
    reply.layers[reply.nlayers++] = dfp_test_str(url);
}


/* Who holds up to three URLs; NULL: no more. */

static void
add_holder(const char *ip, const char *hostname, const char *one,
    const char *two, const char *three)
{
    size_t             i;
    const char        *urls[] = { one, two, three };
    dfp_d7y_holder_t  *holder;

    holder = &reply.holders[reply.nholders++];

    holder->ip = dfp_test_str(ip);
    holder->hostname = dfp_test_str(hostname);
    holder->urls = dfp_test_alloc(NULL, 3 * sizeof(dfp_str_t));
    holder->nurls = 0;

    for (i = 0; i < 3 && urls[i]; i++) {
        holder->urls[holder->nurls++] = dfp_test_str(urls[i]);
    }
}


static void
count(void)
{
    dfp_held_sort(hosts, nhosts);
    CHECK_INT(dfp_held_count(dfp_test_mem(), hosts, nhosts, &reply, counts),
              DFP_OK);
}


/* Three peers, in no order, and an image of three layers. */

static void
start_image(void)
{
    start();
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

    CHECK_INT(counts[0], 1);
    CHECK_INT(counts[1], 2);
    CHECK_INT(counts[2], 3);
}


TEST("where nobody holds anything all counts are 0")
{
    start_image();
    count();
    CHECK_INT(counts[0] + counts[1] + counts[2], 0);

    add_holder("10.0.0.1", "a", NULL, NULL, NULL);
    count();
    CHECK_INT(counts[0] + counts[1] + counts[2], 0);
}


TEST("a peer that is told of twice counts once for each layer")
{
    start_image();
    add_holder("10.0.0.1", "a", "http://r/config", "http://r/base", NULL);
    add_holder("10.0.0.1", "a", "http://r/config", "http://r/top", NULL);
    count();

    CHECK_INT(counts[0], 1);
    CHECK_INT(counts[1], 1);
    CHECK_INT(counts[2], 1);
}


TEST("a peer that tells of a layer twice counts once")
{
    start_image();
    add_holder("10.0.0.2", "b", "http://r/top", "http://r/top",
               "http://r/top");
    count();

    CHECK_INT(counts[0] + counts[1], 0);
    CHECK_INT(counts[2], 1);
}


TEST("a layer that an image has twice is held in both places")
{
    start();
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

    CHECK_INT(counts[0], 1);
    CHECK_INT(counts[1], 2);
    CHECK_INT(counts[2], 0);
    CHECK_INT(counts[3], 2);
    CHECK_INT(counts[4], 2);
}


TEST("peers that a job is not about do not count")
{
    start_image();
    add_holder("10.0.0.4", "d", "http://r/config", "http://r/base", NULL);
    add_holder("10.0.0", "a", "http://r/config", NULL, NULL);
    add_holder("10.0.0.11", "a", "http://r/config", NULL, NULL);
    add_holder("", "", "http://r/config", NULL, NULL);
    count();
    CHECK_INT(counts[0] + counts[1] + counts[2], 0);

    add_holder("10.0.0.1", "a", "http://r/config", NULL, NULL);
    count();
    CHECK_INT(counts[0], 1);
}


TEST("layers that the image does not have do not count")
{
    start_image();
    add_holder("10.0.0.1", "a", "http://r/to", "http://r/topmost",
               "http://r/a");
    add_holder("10.0.0.2", "b", "", "http://r/zzz", "http://r/base");
    count();

    CHECK_INT(counts[0], 0);
    CHECK_INT(counts[1], 1);
    CHECK_INT(counts[2], 0);
}


TEST("hosts of one address are told apart by their names")
{
    start();
    add_host("10.0.0.1", "b");
    add_host("10.0.0.1", "a");
    add_host("10.0.0.2", "a");
    add_layer("http://r/config");
    add_holder("10.0.0.1", "a", "http://r/config", NULL, NULL);
    add_holder("10.0.0.1", "c", "http://r/config", NULL, NULL);
    add_holder("10.0.0.1", "", "http://r/config", NULL, NULL);
    count();
    CHECK_INT(counts[0], 1);

    CHECK_INT(holders[0].nurls, 1);
    CHECK_INT(holders[1].nurls, 0);
    CHECK_INT(holders[2].nurls, 0);

    add_holder("10.0.0.1", "b", "http://r/config", NULL, NULL);
    add_holder("10.0.0.2", "a", "http://r/config", NULL, NULL);
    count();
    CHECK_INT(counts[0], 3);
}


TEST("of a file there is one count, whatever it is called")
{
    start();
    add_host("10.0.0.2", "b");
    add_host("10.0.0.1", "a");
    count();
    CHECK_INT(counts[0], 0);

    add_holder("10.0.0.1", "a", "http://f/a?b=c", "http://f/a", NULL);
    add_holder("10.0.0.2", "b", NULL, NULL, NULL);
    add_holder("10.0.0.3", "c", "http://f/a", NULL, NULL);
    count();
    CHECK_INT(counts[0], 1);

    add_holder("10.0.0.2", "b", "http://f/a", NULL, NULL);
    add_holder("10.0.0.1", "a", "http://f/a", NULL, NULL);
    count();
    CHECK_INT(counts[0], 2);
}


TEST("without hosts nobody holds anything")
{
    start();
    add_layer("http://r/config");
    add_holder("10.0.0.1", "a", "http://r/config", NULL, NULL);
    count();

    CHECK_INT(counts[0], 0);
    CHECK_INT(holders[0].nurls, 0);

    dfp_held_sort(NULL, 0);
}


TEST("who is one of the hosts is found wherever it stands")
{
    size_t       i;
    char         text[16];
    const char  *ip;

    start();

    for (i = 0; i < MAX; i++) {
        (void) snprintf(text, sizeof(text), "10.0.0.%zu", i * 7 % MAX);
        ip = dfp_strdup(dfp_test_mem(), text, strlen(text));

        if (i % 4) {
            add_host(ip, "same");
        }

        add_holder(ip, "same", "http://f/a", NULL, NULL);
    }

    count();
    CHECK_INT(counts[0], nhosts);

    for (i = 0; i < MAX; i++) {
        CHECK_INT(holders[i].nurls, i % 4 ? 1 : 0);
    }
}


/* Many layers on many peers: the Kth layer is on those whose number is at least
 * K, so that each count is another one. */

TEST("a large cluster with a large image")
{
    int                i, k;
    char               text[32];
    size_t            *many;
    dfp_str_t         *urls;
    dfp_mem_t         *mem;
    dfp_d7y_host_t    *peers;
    dfp_d7y_stat_t     large;
    dfp_d7y_holder_t  *holder;

    mem = dfp_test_mem();
    urls = dfp_test_alloc(NULL, MANY * sizeof(dfp_str_t));
    peers = dfp_test_alloc(NULL, MANY * sizeof(dfp_d7y_host_t));
    holder = dfp_test_alloc(NULL, MANY * sizeof(dfp_d7y_holder_t));
    many = dfp_test_alloc(NULL, MANY * sizeof(size_t));

    for (i = 0; i < MANY; i++) {
        k = snprintf(text, sizeof(text), "http://r/%d", i);
        urls[i] = (dfp_str_t) { k, dfp_strdup(mem, text, k) };

        k = snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
        memset(&peers[i], 0, sizeof(dfp_d7y_host_t));
        peers[i].ip = (dfp_str_t) { k, dfp_strdup(mem, text, k) };
        peers[i].hostname = DFP_STR("peer");

        holder[i].ip = peers[i].ip;
        holder[i].hostname = peers[i].hostname;
        holder[i].urls = urls;
        holder[i].nurls = i + 1;
    }

    large = (dfp_d7y_stat_t) { urls, MANY, holder, MANY };
    dfp_held_sort(peers, MANY);
    CHECK_INT(dfp_held_count(mem, peers, MANY, &large, many), DFP_OK);

    for (i = 0; i < MANY; i++) {
        if (!CHECK_INT(many[i], MANY - i)) {
            break;
        }
    }
}


static int
run(dfp_mem_t *mem, void *data)
{
    return dfp_held_count(mem, hosts, nhosts, &reply, counts);
}


TEST("no memory is an error")
{
    start_image();
    add_holder("10.0.0.1", "a", "http://r/config", NULL, NULL);
    dfp_held_sort(hosts, nhosts);
    dfp_test_oom(run, NULL);
    CHECK_INT(counts[0], 1);

    reply.nlayers = 0;
    dfp_test_oom(run, NULL);
    CHECK_INT(counts[0], 1);
}
