/*
 * Which seed peer a task belongs to, and which is next.
 */

#include "dfp_ring.h"
#include "dfp_test.h"


#define FLEET_MAX  5
#define MANY       200


typedef struct {
    const char  *task;
    size_t       order[FLEET_MAX];
} vector_t;


#include "ring_vectors.h"


static dfp_ring_t             ring;
static dfp_d7y_host_t         hosts[MANY];
static const dfp_d7y_host_t  *fleet[MANY];
static size_t                 n;


/* ADDRESS as "IP:port" or "[IP]:port". */

static void
add(const char *address)
{
    const char      *colon;
    dfp_d7y_host_t  *host;

    host = &hosts[n];
    colon = strrchr(address, ':');

    memset(host, 0, sizeof(dfp_d7y_host_t));

    host->ip = (*address == '[')
               ? text_of("%.*s", (int) (colon - address - 2), address + 1)
               : text_of("%.*s", (int) (colon - address), address);
    host->port = (uint16_t) atoi(colon + 1);

    fleet[n++] = host;
}


static void
build(void)
{
    CHECK_INT(dfp_ring_create(dfp_test_mem(), fleet, n, &ring), DFP_OK);
    CHECK_INT(ring.n, n * DFP_RING_POINTS);
}


static void
check_vectors(const char *const *addresses, size_t count,
    const vector_t *vectors, size_t nvectors)
{
    size_t  i, k, order[FLEET_MAX];

    n = 0;

    for (i = 0; i < count; i++) {
        add(addresses[i]);
    }

    build();

    for (i = 0; i < nvectors; i++) {
        CHECK_INT(dfp_ring_find(&ring, dfp_test_str(vectors[i].task), order,
                                FLEET_MAX),
                  count);

        for (k = 0; k < count; k++) {
            CHECK_INT(order[k], vectors[i].order[k]);
        }
    }
}

#define CHECK_VECTORS(fleet, vectors)                                         \
    check_vectors(fleet, sizeof(fleet) / sizeof(fleet[0]), vectors,           \
                  sizeof(vectors) / sizeof(vectors[0]))


TEST("a task belongs to the seed peer that Dragonfly's scheduler would pick")
{
    CHECK_VECTORS(fleet_0, vectors_0);
    CHECK_VECTORS(fleet_1, vectors_1);
    CHECK_VECTORS(fleet_2, vectors_2);
}


TEST("without seed peers it belongs to none")
{
    size_t  order[1];

    n = 0;
    build();

    CHECK_INT(dfp_ring_find(&ring, DFP_STR("task"), order, 1), 0);
}


TEST("each seed peer comes once, and no more than asked for")
{
    int     seen[MANY] = { 0 };
    size_t  i, order[MANY];

    n = 0;

    for (i = 0; i < MANY; i++) {
        add(text_of("10.0.0.%zu:4000", i).data);
    }

    build();

    CHECK_INT(dfp_ring_find(&ring, DFP_STR("task"), order, 4), 4);
    CHECK_INT(dfp_ring_find(&ring, DFP_STR("task"), order, MANY), MANY);

    for (i = 0; i < MANY; i++) {
        CHECK(order[i] < MANY && !seen[order[i]]++);
    }
}


static int
create(dfp_mem_t *mem, void *data)
{
    return dfp_ring_create(mem, fleet, n, &ring);
}


TEST("no memory is an error")
{
    n = 0;
    add("10.0.0.1:4000");
    dfp_test_oom(create, NULL);
}
