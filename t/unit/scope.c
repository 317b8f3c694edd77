/*
 * Which peers a job goes to, and in which order they are tried for a task.
 */

#include <stdarg.h>

#include "dfp_scope.h"
#include "dfp_test.h"


#define MAX  1000


static dfp_job_t        job;
static dfp_scope_t      scope;
static dfp_d7y_host_t   hosts[MAX];
static size_t           nhosts;


static dfp_str_t
text_of(const char *fmt, ...)
{
    char     *s;
    size_t    len;
    va_list   args;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    s = dfp_test_alloc(NULL, len + 1);

    va_start(args, fmt);
    (void) vsnprintf(s, len + 1, fmt, args);
    va_end(args);

    return (dfp_str_t) { len, s };
}


static dfp_d7y_host_t *
add(const char *id, const char *ip, int port, int seed)
{
    dfp_d7y_host_t  *host;

    host = &hosts[nhosts++];
    memset(host, 0, sizeof(dfp_d7y_host_t));

    host->id = text_of("%s", id);
    host->hostname = host->id;
    host->ip = text_of("%s", ip);
    host->port = (uint16_t) port;
    host->seed = seed;

    return host;
}


/* COUNT hosts as Dragonfly names them, from FIRST on. */

static void
add_many(int first, int count, int seed)
{
    int        i;
    dfp_str_t  ip, id;

    for (i = first; i < first + count; i++) {
        ip = text_of("10.%d.%d.%d", seed, i / 256, i % 256);
        id = text_of("%s-%s-%d%s", ip.data, seed ? "seed" : "peer", i,
                     seed ? "-seed" : "");
        (void) add(id.data, ip.data, 4000, seed);
    }
}


static void
start(dfp_job_scope_t which)
{
    memset(&job, 0, sizeof(dfp_job_t));
    job.scope = which;
    nhosts = 0;
}


static void
pick(void)
{
    CHECK_INT(dfp_scope_pick(dfp_test_mem(), &job, hosts, nhosts, &scope),
              DFP_OK);
}


static int
chosen(const dfp_d7y_host_t *host)
{
    int     count;
    size_t  i;

    count = 0;

    for (i = 0; i < scope.n; i++) {
        count += (scope.hosts[i] == host);
    }

    return count;
}


static int
chosen_id(const char *id)
{
    int     count;
    size_t  i;

    count = 0;

    for (i = 0; i < scope.n; i++) {
        count += dfp_str_eq(scope.hosts[i]->id, dfp_test_str(id));
    }

    return count;
}


static void
set_ips(dfp_str_t *ips, size_t n)
{
    job.ips = ips;
    job.nips = n;
}


TEST("seed peers are for two scopes, the others for one")
{
    size_t                        i, j;
    static const dfp_job_scope_t  scopes[] = {
        DFP_SCOPE_SINGLE_SEED_PEER, DFP_SCOPE_ALL_SEED_PEERS,
        DFP_SCOPE_ALL_PEERS
    };

    for (i = 0; i < 3; i++) {
        start(scopes[i]);
        add_many(0, 3, 1);
        add_many(0, 5, 0);
        pick();

        CHECK_INT(scope.n, i == 2 ? 5 : 3);
        CHECK_INT(scope.nmissing + scope.nunusable, 0);

        for (j = 0; j < scope.n; j++) {
            CHECK_INT(scope.hosts[j]->seed, i < 2);
        }
    }
}


TEST("where there are no hosts none are chosen")
{
    dfp_str_t  ip = DFP_STR("10.0.0.2");

    start(DFP_SCOPE_ALL_PEERS);
    pick();
    CHECK_INT(scope.n + scope.nmissing + scope.nunusable, 0);

    job.percentage = 50;
    pick();
    CHECK_INT(scope.n, 0);

    add_many(0, 3, 1);
    pick();
    CHECK_INT(scope.n, 0);

    nhosts = 0;
    set_ips(&ip, 1);
    pick();
    CHECK_INT(scope.n, 0);
    CHECK_INT(scope.nmissing, 1);
}


TEST("a count, one too many, and more than there are")
{
    int  i;

    start(DFP_SCOPE_ALL_PEERS);
    add_many(0, 7, 0);
    add_many(0, 7, 1);

    for (i = 1; i <= DFP_JOB_MAX_COUNT; i++) {
        job.count = i;
        pick();
        CHECK_INT(scope.n, i < 7 ? i : 7);
    }
}


TEST("percentages are rounded down, to one at least")
{
    int     i;
    size_t  j, expected;

    static const int  counts[] = { 1, 2, 3, 1000 };

    for (j = 0; j < 4; j++) {
        start(DFP_SCOPE_ALL_SEED_PEERS);
        add_many(0, counts[j], 1);

        for (i = 1; i <= 100; i++) {
            job.percentage = i;
            pick();

            switch (counts[j]) {

            case 1:
                expected = 1;
                break;

            case 2:
                expected = (i == 100) ? 2 : 1;
                break;

            case 3:
                expected = (i == 100) ? 3 : (i >= 67) ? 2 : 1;
                break;

            default:
                expected = 10 * i;
            }

            CHECK_INT(scope.n, expected);
        }
    }
}


TEST("ips come before a count, a count before a percentage")
{
    dfp_str_t  ip = DFP_STR("10.0.0.3");

    start(DFP_SCOPE_ALL_PEERS);
    add_many(0, 10, 0);

    job.percentage = 90;
    job.count = 2;
    pick();
    CHECK_INT(scope.n, 2);

    set_ips(&ip, 1);
    pick();
    CHECK_INT(scope.n, 1);
    CHECK_SAME(scope.hosts[0]->ip, ip);
}


TEST("none of them means anything for a single seed peer")
{
    dfp_str_t  ip = DFP_STR("192.0.2.1");

    start(DFP_SCOPE_SINGLE_SEED_PEER);
    add_many(0, 4, 1);

    job.percentage = 1;
    job.count = 1;
    set_ips(&ip, 1);
    pick();

    CHECK_INT(scope.n, 4);
    CHECK_INT(scope.nmissing, 0);
}


TEST("an address matches in any spelling")
{
    size_t      i;
    dfp_str_t   ip;

    static const char  *spellings[][2] = {
        { "2001:db8::1", "2001:DB8:0:0:0::0001" },
        { "::1", "0:0:0:0:0:0:0:1" },
        { "10.0.0.1", "::ffff:10.0.0.1" },
        { "10.0.0.1", "::FFFF:A00:1" },
        { "64:ff9b::a00:1", "64:ff9b::10.0.0.1" }
    };

    for (i = 0; i < 5; i++) {
        start(DFP_SCOPE_ALL_PEERS);
        add("a", spellings[i][0], 1, 0);
        add("b", "192.0.2.1", 1, 0);
        ip = dfp_test_str(spellings[i][1]);
        set_ips(&ip, 1);
        pick();

        CHECK_INT(scope.n, 1);
        CHECK(chosen(&hosts[0]));
        CHECK_INT(scope.nmissing, 0);
    }
}


TEST("addresses that nobody has are named, as they were given, once")
{
    dfp_str_t  ips[] = { DFP_STR("10.0.0.2"), DFP_STR("10.0.0.9"),
                         DFP_STR("2001:DB8::1"), DFP_STR("2001:db8:0::1"),
                         DFP_STR("10.0.0.9"), DFP_STR("x"),
                         DFP_STR("10.1.0.0"), DFP_STR("0.0.0.0") };

    start(DFP_SCOPE_ALL_PEERS);
    add_many(0, 5, 0);
    add_many(0, 5, 1);
    add("no address", "", 1, 0);
    set_ips(ips, 8);
    pick();

    /* 10.1.0.0 is a seed peer's */

    CHECK_INT(scope.n, 1);
    CHECK(chosen(&hosts[2]));
    CHECK_INT(scope.nmissing, 5);
    CHECK_STR(scope.missing[0], "10.0.0.9");
    CHECK_STR(scope.missing[1], "2001:DB8::1");
    CHECK_STR(scope.missing[2], "x");
    CHECK_STR(scope.missing[3], "10.1.0.0");
    CHECK_STR(scope.missing[4], "0.0.0.0");
    CHECK_INT(scope.nunusable, 0);
}


TEST("all hosts at an address are meant")
{
    dfp_str_t  ip = DFP_STR("10.0.0.1");

    start(DFP_SCOPE_ALL_PEERS);
    add("a", "10.0.0.1", 1, 0);
    add("b", "10.0.0.1", 2, 0);
    add("c", "10.0.0.2", 1, 0);
    set_ips(&ip, 1);
    pick();
    CHECK_INT(scope.n, 2);
    CHECK(!chosen_id("c"));
}


TEST("hosts that are listed twice count once")
{
    start(DFP_SCOPE_ALL_PEERS);
    add("a", "10.0.0.1", 1, 0);
    add("a", "10.0.0.2", 1, 0);
    add("b", "10.0.0.3", 1, 0);
    add("c", "10.0.0.3", 1, 0);
    add("c", "10.0.0.3", 1, 0);
    add("d", "10.0.0.3", 2, 0);
    add("", "10.0.0.4", 1, 0);
    add("", "10.0.0.5", 1, 0);
    pick();

    CHECK_INT(scope.n, 5);
    CHECK_INT(chosen_id("a"), 1);
    CHECK_INT(chosen_id("b") + chosen_id("c"), 1);
    CHECK_INT(chosen_id("d"), 1);
    CHECK_INT(chosen_id(""), 2);

    job.percentage = 40;
    pick();
    CHECK_INT(scope.n, 2);
}


TEST("hosts without an address or a port are named, and not chosen")
{
    dfp_str_t  ips[] = { DFP_STR("10.0.0.1"), DFP_STR("10.0.0.2") };

    start(DFP_SCOPE_ALL_PEERS);
    add("a", "10.0.0.1", 1, 0);
    add("b", "10.0.0.2", 0, 0);
    add("c", "", 1, 0);
    add("c", "", 1, 0);
    add("seed", "", 0, 1);
    add("d", "", 0, 0);
    add("d", "10.0.0.4", 1, 0);
    add("", "", 0, 0);
    add("", "", 0, 0);
    pick();

    /* d can be used by its other entry; nobody knows who "" is */

    CHECK_INT(scope.n, 2);
    CHECK(chosen(&hosts[0]) && chosen(&hosts[6]));
    CHECK_INT(scope.nunusable, 4);
    CHECK_STR(scope.unusable[0]->id, "");
    CHECK_STR(scope.unusable[2]->id, "b");
    CHECK_STR(scope.unusable[3]->id, "c");

    /* with ips, only those that were meant */

    set_ips(ips, 2);
    pick();
    CHECK_INT(scope.n, 1);
    CHECK_INT(scope.nmissing, 0);
    CHECK_INT(scope.nunusable, 1);
    CHECK_STR(scope.unusable[0]->id, "b");

    /* and none where some of them are as good as others */

    job.nips = 0;
    job.count = 3;
    pick();
    CHECK_INT(scope.n, 2);
    CHECK_INT(scope.nunusable, 0);

    job.count = 0;
    job.percentage = 100;
    pick();
    CHECK_INT(scope.n, 2);
    CHECK_INT(scope.nunusable, 0);

    job.percentage = 0;
    job.scope = DFP_SCOPE_SINGLE_SEED_PEER;
    pick();
    CHECK_INT(scope.n + scope.nunusable, 0);
}


TEST("the order of the list means nothing")
{
    size_t                  i, j, n;
    dfp_str_t               ids[MAX];
    dfp_d7y_host_t          host;

    start(DFP_SCOPE_ALL_PEERS);
    add_many(0, 50, 0);
    add("10.0.0.7-peer-7", "10.0.0.200", 4000, 0);
    add("other", "10.0.0.8", 4000, 0);
    job.count = 20;
    pick();

    n = scope.n;

    for (i = 0; i < n; i++) {
        ids[i] = scope.hosts[i]->id;
    }

    for (j = 0; j < nhosts; j++) {
        host = hosts[j];
        hosts[j] = hosts[j * 7 % nhosts];
        hosts[j * 7 % nhosts] = host;
        pick();

        CHECK_INT(scope.n, n);

        for (i = 0; i < n; i++) {
            CHECK_SAME(scope.hosts[i]->id, ids[i]);
        }
    }
}


TEST("one host more or less changes at most one choice")
{
    size_t      i, same;
    dfp_str_t   before[MAX];

    start(DFP_SCOPE_ALL_PEERS);
    add_many(0, 100, 0);
    job.count = 30;
    pick();

    for (i = 0; i < 30; i++) {
        before[i] = scope.hosts[i]->id;
    }

    add_many(100, 1, 0);
    pick();

    for (same = 0, i = 0; i < 30; i++) {
        same += chosen_id(before[i].data);
    }

    CHECK(same >= 29);

    hosts[5] = hosts[--nhosts];
    pick();

    for (same = 0, i = 0; i < 30; i++) {
        same += chosen_id(before[i].data);
    }

    CHECK(same >= 29);
}


TEST("a choice depends on ids alone")
{
    size_t      i;
    dfp_str_t   before[10];

    start(DFP_SCOPE_ALL_PEERS);
    add_many(0, 50, 0);
    job.count = 10;
    pick();

    for (i = 0; i < 10; i++) {
        before[i] = scope.hosts[i]->id;
    }

    for (i = 0; i < nhosts; i++) {
        hosts[i].ip = text_of("192.0.2.%zu", nhosts - i);
        hosts[i].port = (uint16_t) (1 + i * 7 % nhosts);
    }

    pick();

    for (i = 0; i < 10; i++) {
        CHECK_INT(chosen_id(before[i].data), 1);
    }
}


/* The host that is tried first for a task. */

static const dfp_d7y_host_t *
first_of(int task)
{
    size_t  order[MAX];

    dfp_scope_order(&scope, text_of("%064d", task), order);

    return scope.hosts[order[0]];
}


TEST("an order has every host once, and is the same each time")
{
    int     seen[MAX];
    size_t  i, j, n, one[MAX], two[MAX];

    static const int  counts[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 255, 256, MAX };

    for (j = 0; j < sizeof(counts) / sizeof(int); j++) {
        start(DFP_SCOPE_SINGLE_SEED_PEER);
        add_many(0, counts[j], 1);
        pick();

        n = scope.n;
        CHECK_INT(n, counts[j]);

        memset(seen, 0, sizeof(seen));
        dfp_scope_order(&scope, DFP_STR("task"), one);
        dfp_scope_order(&scope, DFP_STR("task"), two);

        for (i = 0; i < n; i++) {
            CHECK(one[i] < n && !seen[one[i]]++);
            CHECK_INT(one[i], two[i]);
        }
    }
}


TEST("tasks are spread evenly, over first and second places")
{
    int     firsts[5] = { 0 }, seconds[5] = { 0 };
    size_t  i, order[5];

    start(DFP_SCOPE_SINGLE_SEED_PEER);
    add_many(1, 5, 1);
    pick();

    for (i = 0; i < 1000; i++) {
        dfp_scope_order(&scope, text_of("%064zx", i), order);
        firsts[order[0]]++;
        seconds[order[1]]++;
    }

    /* 200 each; four standard deviations are 50 */

    for (i = 0; i < 5; i++) {
        CHECK(firsts[i] > 150 && firsts[i] < 250);
        CHECK(seconds[i] > 150 && seconds[i] < 250);
    }
}


TEST("a host that goes or comes moves only its own tasks")
{
    int                     i, moved;
    const dfp_d7y_host_t   *before[1000], *gone;

    start(DFP_SCOPE_SINGLE_SEED_PEER);
    add_many(1, 5, 1);
    pick();

    for (i = 0; i < 1000; i++) {
        before[i] = first_of(i);
    }

    /* the last one goes */

    gone = &hosts[--nhosts];
    pick();
    CHECK_INT(scope.n, 4);

    for (i = 0; i < 1000; i++) {
        CHECK(before[i] == gone ? first_of(i) != gone
                                : first_of(i) == before[i]);
    }

    /* it comes back, and another one with it */

    add_many(5, 2, 1);
    pick();
    CHECK_INT(scope.n, 6);

    moved = 0;

    for (i = 0; i < 1000; i++) {
        if (first_of(i) != before[i]) {
            CHECK(first_of(i) == &hosts[5]);
            moved++;
        }
    }

    CHECK(moved > 100 && moved < 235);
}


TEST("who has no id is told apart by address and port")
{
    int     firsts[3] = { 0 };
    int     i;
    size_t  order[3];

    start(DFP_SCOPE_SINGLE_SEED_PEER);
    add("", "10.0.0.1", 1, 1);
    add("", "10.0.0.1", 2, 1);
    add("", "10.0.0.2", 1, 1);
    pick();
    CHECK_INT(scope.n, 3);

    for (i = 0; i < 300; i++) {
        dfp_scope_order(&scope, text_of("%064d", i), order);
        firsts[order[0]]++;
    }

    CHECK(firsts[0] > 60 && firsts[1] > 60 && firsts[2] > 60);
}


static int
run(dfp_mem_t *mem, void *data)
{
    return dfp_scope_pick(mem, &job, hosts, nhosts, &scope);
}


TEST("no memory is an error")
{
    dfp_str_t  ips[] = { DFP_STR("10.0.0.1"), DFP_STR("x") };

    start(DFP_SCOPE_ALL_PEERS);
    add_many(0, 10, 0);
    dfp_test_oom(run, NULL);

    job.count = 3;
    dfp_test_oom(run, NULL);

    set_ips(ips, 2);
    dfp_test_oom(run, NULL);
}
