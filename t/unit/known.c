/*
 * The peers that a scheduler has listed, as a text.
 */

#include "dfp_known.h"
#include "dfp_test.h"


#define NOW  INT64_C(1700000000)


static dfp_str_t       text;
static dfp_job_t       job;
static dfp_known_t     known;
static dfp_d7y_host_t  hosts[] = {
    { .hostname = { 6, "peer 1" }, .ip = { 8, "10.0.0.1" }, .port = 65000 },
    { .hostname = { 6, "seed-1" }, .ip = { 3, "::1" }, .port = 1, .seed = 1 },
    { .hostname = { 3, "bad" }, .ip = { 0, "" }, .port = 1 },
    { .hostname = { 3, "bad" }, .ip = { 8, "10.0.0.9" } }
};


static void
parse(const char *s, int64_t now)
{
    CHECK_INT(dfp_known_parse(dfp_test_mem(), dfp_test_str(s), now, &known),
              DFP_OK);
}


static void
print(size_t n, int64_t now)
{
    CHECK_INT(dfp_known_print(dfp_test_mem(), &known, hosts, n, now, &text),
              DFP_OK);
}


TEST("a list that is the first one")
{
    parse("", NOW);
    CHECK_INT(known.n, 0);

    dfp_known_listed(&known, hosts, 4, NOW);
    CHECK(known.changed);

    print(4, NOW);
    CHECK_STR(text, "1700000000 n 65000 10.0.0.1 peer 1\n"
                    "1700000000 s 1 ::1 seed-1\n");
}


TEST("a list that lacks one")
{
    parse("1700000000 n 65000 10.0.0.1 peer 1\n1700000000 s 1 ::1 seed-1\n",
          NOW + 299);
    CHECK_INT(known.n, 2);
    CHECK_STR(known.list[0].host.hostname, "peer 1");
    CHECK_INT(known.list[1].host.port, 1);
    CHECK(known.list[1].host.seed && !known.list[0].host.seed);

    dfp_known_listed(&known, hosts, 1, NOW + 299);
    CHECK(!known.changed && known.list[0].listed && !known.list[1].listed);

    print(1, NOW + 299);
    CHECK_STR(text, "1700000299 n 65000 10.0.0.1 peer 1\n"
                    "1700000000 s 1 ::1 seed-1\n");

    known.list[1].lost = 1;
    print(1, NOW + 299);
    CHECK_STR(text, "1700000299 n 65000 10.0.0.1 peer 1\n");

    dfp_known_listed(&known, hosts, 1, NOW + 300);
    CHECK(known.changed);
}


TEST("a peer that became a seed peer, and one with another port")
{
    parse("1700000000 n 1 ::1 seed-1\n", NOW);
    dfp_known_listed(&known, hosts, 2, NOW);
    CHECK(known.changed && known.list[0].listed);

    parse("1700000000 s 2 ::1 seed-1\n", NOW);
    dfp_known_listed(&known, hosts, 2, NOW);
    CHECK(known.changed && !known.list[0].listed);
}


TEST("what is older than an hour, of the future, or no line")
{
    parse("1700000000 n 1 10.0.0.1 a\n", NOW + 3599);
    CHECK_INT(known.n, 1);
    parse("1700000000 n 1 10.0.0.1 a\n", NOW + 3600);
    CHECK_INT(known.n, 0);
    parse("1700000000 n 1 10.0.0.1 a\n", NOW - 1);
    CHECK_INT(known.n, 0);

    parse("\n1700000000 n 1\n1700000000 n 0 10.0.0.1 a\n"
          "1700000000 n 65536 10.0.0.1 a\n1700000000 n 1 10.0.0 a\n"
          "x n 1 10.0.0.1 a\n1700000000 nn 1 10.0.0.1 a\n"
          "9999999999999999 n 1 10.0.0.1 a\n 1700000000 n 1 10.0.0.1 a\n"
          "1700000000 n 1 ::0001 a\n1700000000 n 1  a\n"
          "1700000000 n 1 10.0.0.1 a\tb\n1700000000 n 1 10.0.0.1 cut", NOW);
    CHECK_INT(known.n, 0);

    parse("1700000000 n 1 10.0.0.1 \n", NOW);
    CHECK_INT(known.n, 1);
}


TEST("which of them a job is about")
{
    dfp_str_t  ips[] = { { 9, "127.0.0.1" }, { 15, "0:0:0:0:0:0:0:1" } };

    parse("1700000000 n 1 10.0.0.1 a\n1700000000 s 1 ::1 b\n", NOW);
    memset(&job, 0, sizeof(dfp_job_t));

    job.scope = DFP_SCOPE_ALL_PEERS;
    CHECK(dfp_known_meant(&known.list[0], &job));
    CHECK(!dfp_known_meant(&known.list[1], &job));

    job.scope = DFP_SCOPE_ALL_SEED_PEERS;
    CHECK(!dfp_known_meant(&known.list[0], &job));
    CHECK(dfp_known_meant(&known.list[1], &job));

    job.ips = ips;
    job.nips = 1;
    CHECK(!dfp_known_meant(&known.list[1], &job));
    job.nips = 2;
    CHECK(dfp_known_meant(&known.list[1], &job));
}


static int
run(dfp_mem_t *mem, void *data)
{
    dfp_rc_t  rc;

    rc = dfp_known_parse(mem, DFP_STR("1700000000 n 1 10.0.0.1 a\n"), NOW,
                         &known);

    return rc == DFP_OK ? dfp_known_print(mem, &known, hosts, 4, NOW, &text)
                        : rc;
}


TEST("no memory is an error")
{
    dfp_test_oom(run, NULL);
}
