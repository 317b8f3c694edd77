/*
 * What the tests of the choice of peers share: a job, a list of hosts, and who is
 * chosen of them.
 */

#ifndef SCOPE_TEST_H
#define SCOPE_TEST_H


#include "dfp_scope.h"
#include "dfp_test.h"


#define MAX  1000


static dfp_job_t        job;
static dfp_scope_t      scope;
static dfp_d7y_host_t   hosts[MAX];
static size_t           nhosts;


static inline dfp_d7y_host_t *
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

static inline void
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


static inline void
start(dfp_job_scope_t which)
{
    memset(&job, 0, sizeof(dfp_job_t));
    job.scope = which;
    nhosts = 0;
}


static inline void
pick(void)
{
    CHECK_INT(dfp_scope_pick(dfp_test_mem(), &job, hosts, nhosts, &scope),
              DFP_OK);
}


static inline int
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


static inline int
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


static inline void
set_ips(dfp_str_t *ips, size_t n)
{
    job.ips = ips;
    job.nips = n;
}


#endif /* SCOPE_TEST_H */
