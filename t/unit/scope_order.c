/*
 * That a choice of peers is the same each time, and in which order they are tried
 * for a task.
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
