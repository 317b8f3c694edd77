/*
 * That a choice of peers is the same each time.
 */

#include "scope_test.h"


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
