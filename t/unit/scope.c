/*
 * Which peers a job goes to.
 */

#include "scope_test.h"


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
