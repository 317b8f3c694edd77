/*
 * Scopes.
 */

#include <stdlib.h>

#include "dfp_addr.h"
#include "dfp_d7y_parser.h"
#include "dfp_scope.h"


/* FNV-1a, of 64 bits */
#define DFP_SCOPE_FNV_BASIS  UINT64_C(0xcbf29ce484222325)
#define DFP_SCOPE_FNV_PRIME  UINT64_C(0x00000100000001b3)

/* odd numbers with no pattern: digits of pi */
#define DFP_SCOPE_MIX_ONE    UINT64_C(0x243f6a8885a308d3)
#define DFP_SCOPE_MIX_TWO    UINT64_C(0x082efa98ec4e6c89)


typedef int (*dfp_scope_compare_pt)(const void *one, const void *two);


typedef struct {
    const dfp_d7y_host_t  *host;
    uint64_t               rank;
} dfp_scope_place_t;


static dfp_rc_t dfp_scope_sort(dfp_mem_t *mem, const dfp_job_t *job,
    const dfp_d7y_host_t *hosts, size_t n, dfp_scope_t *scope);
static size_t dfp_scope_unique(const dfp_d7y_host_t **hosts, size_t n,
    dfp_scope_compare_pt order, dfp_scope_compare_pt same);
static size_t dfp_scope_without(const dfp_d7y_host_t **hosts, size_t n,
    const dfp_d7y_host_t **others, size_t nothers);
static int dfp_scope_by_id(const void *one, const void *two);
static int dfp_scope_by_address(const void *one, const void *two);
static int dfp_scope_same_id(const void *one, const void *two);
static int dfp_scope_same_address(const void *one, const void *two);
static dfp_rc_t dfp_scope_pick_ips(dfp_mem_t *mem, const dfp_job_t *job,
    dfp_scope_t *scope);
static size_t dfp_scope_keep(const dfp_d7y_host_t **hosts, size_t n,
    const dfp_str_t *ips, char *found, size_t nips);
static dfp_rc_t dfp_scope_pick_some(dfp_mem_t *mem, size_t count,
    dfp_scope_t *scope);
static int dfp_scope_by_rank(const void *one, const void *two);
static uint64_t dfp_scope_rank(const dfp_d7y_host_t *host);
static uint64_t dfp_scope_hash(uint64_t hash, const void *data, size_t len);


/* With ips, hosts that are not in ips do not matter, also if they cannot be
 * used. */

dfp_rc_t
dfp_scope_pick(dfp_mem_t *mem, const dfp_job_t *job,
    const dfp_d7y_host_t *hosts, size_t n, dfp_scope_t *scope)
{
    size_t  count;

    memset(scope, 0, sizeof(dfp_scope_t));

    if (n && dfp_scope_sort(mem, job, hosts, n, scope) != DFP_OK) {
        return DFP_ERROR;
    }

    if (job->scope == DFP_SCOPE_SINGLE_SEED_PEER) {
        scope->nunusable = 0;
        return DFP_OK;
    }

    if (job->nips) {
        return dfp_scope_pick_ips(mem, job, scope);
    }

    if (job->count == 0 && job->percentage == 0) {
        return DFP_OK;
    }

    scope->nunusable = 0;
    count = job->count;

    if (count == 0) {
        count = scope->n * job->percentage / 100;
        count += (count == 0);
    }

    if (count >= scope->n) {
        return DFP_OK;
    }

    return dfp_scope_pick_some(mem, count, scope);
}


/* The order of a list changes; the result does not depend on it. */

static dfp_rc_t
dfp_scope_sort(dfp_mem_t *mem, const dfp_job_t *job,
    const dfp_d7y_host_t *hosts, size_t n, dfp_scope_t *scope)
{
    size_t    i;
    unsigned  seed;

    scope->hosts = mem->alloc(mem->ctx, n * sizeof(dfp_d7y_host_t *));
    scope->unusable = mem->alloc(mem->ctx, n * sizeof(dfp_d7y_host_t *));

    if (scope->hosts == NULL || scope->unusable == NULL) {
        return DFP_ERROR;
    }

    seed = (job->scope != DFP_SCOPE_ALL_PEERS);

    for (i = 0; i < n; i++) {

        if (hosts[i].seed != seed) {
            continue;
        }

        if (hosts[i].ip.len && hosts[i].port) {
            scope->hosts[scope->n++] = &hosts[i];

        } else {
            scope->unusable[scope->nunusable++] = &hosts[i];
        }
    }

    scope->n = dfp_scope_unique(scope->hosts, scope->n, dfp_scope_by_id,
                                dfp_scope_same_id);
    scope->nunusable = dfp_scope_unique(scope->unusable, scope->nunusable,
                                        dfp_scope_by_id, dfp_scope_same_id);

    /* usable if one of the entries is */

    scope->nunusable = dfp_scope_without(scope->unusable, scope->nunusable,
                                         scope->hosts, scope->n);

    scope->n = dfp_scope_unique(scope->hosts, scope->n, dfp_scope_by_address,
                                dfp_scope_same_address);

    return DFP_OK;
}


/* Sorts, and removes duplicates. */

static size_t
dfp_scope_unique(const dfp_d7y_host_t **hosts, size_t n,
    dfp_scope_compare_pt order, dfp_scope_compare_pt same)
{
    size_t  i, kept;

    qsort(hosts, n, sizeof(dfp_d7y_host_t *), order);

    kept = 0;

    for (i = 0; i < n; i++) {
        if (kept == 0 || !same(&hosts[kept - 1], &hosts[i])) {
            hosts[kept++] = hosts[i];
        }
    }

    return kept;
}


/* Removes those whose id is in the other list. Both are sorted by id. */

static size_t
dfp_scope_without(const dfp_d7y_host_t **hosts, size_t n,
    const dfp_d7y_host_t **others, size_t nothers)
{
    size_t  i, j, kept;

    kept = 0;
    j = 0;

    for (i = 0; i < n; i++) {

        while (j < nothers
               && dfp_str_cmp(others[j]->id, hosts[i]->id) < 0)
        {
            j++;
        }

        if (j == nothers || !dfp_scope_same_id(&others[j], &hosts[i])) {
            hosts[kept++] = hosts[i];
        }
    }

    return kept;
}


static int
dfp_scope_by_id(const void *one, const void *two)
{
    int                    order;
    const dfp_d7y_host_t  *a, *b;

    a = *(const dfp_d7y_host_t *const *) one;
    b = *(const dfp_d7y_host_t *const *) two;

    order = dfp_str_cmp(a->id, b->id);
    order = order ? order : dfp_str_cmp(a->ip, b->ip);

    return order ? order : (int) a->port - b->port;
}


static int
dfp_scope_by_address(const void *one, const void *two)
{
    int                    order;
    const dfp_d7y_host_t  *a, *b;

    a = *(const dfp_d7y_host_t *const *) one;
    b = *(const dfp_d7y_host_t *const *) two;

    order = dfp_str_cmp(a->ip, b->ip);
    order = order ? order : (int) a->port - b->port;

    return order ? order : dfp_str_cmp(a->id, b->id);
}


static int
dfp_scope_same_id(const void *one, const void *two)
{
    const dfp_d7y_host_t  *a, *b;

    a = *(const dfp_d7y_host_t *const *) one;
    b = *(const dfp_d7y_host_t *const *) two;

    return a->id.len && dfp_str_eq(a->id, b->id);
}


static int
dfp_scope_same_address(const void *one, const void *two)
{
    const dfp_d7y_host_t  *a, *b;

    a = *(const dfp_d7y_host_t *const *) one;
    b = *(const dfp_d7y_host_t *const *) two;

    return a->port == b->port && dfp_str_eq(a->ip, b->ip);
}


static dfp_rc_t
dfp_scope_pick_ips(dfp_mem_t *mem, const dfp_job_t *job, dfp_scope_t *scope)
{
    char       *found, *text;
    size_t      i, j;
    dfp_str_t  *ips;

    ips = mem->alloc(mem->ctx, job->nips * sizeof(dfp_str_t));
    text = mem->alloc(mem->ctx, job->nips * INET6_ADDRSTRLEN);
    found = mem->alloc(mem->ctx, job->nips);
    scope->missing = mem->alloc(mem->ctx, job->nips * sizeof(dfp_str_t));

    if (ips == NULL || text == NULL || found == NULL || scope->missing == NULL)
    {
        return DFP_ERROR;
    }

    memset(found, 0, job->nips);

    for (i = 0; i < job->nips; i++) {
        ips[i].data = text + i * INET6_ADDRSTRLEN;
        ips[i].len = dfp_addr_text(job->ips[i], text + i * INET6_ADDRSTRLEN);

        if (ips[i].len == 0) {
            ips[i] = job->ips[i];
        }
    }

    scope->n = dfp_scope_keep(scope->hosts, scope->n, ips, found, job->nips);
    scope->nunusable = dfp_scope_keep(scope->unusable, scope->nunusable, ips,
                                      found, job->nips);

    for (i = 0; i < job->nips; i++) {

        for (j = 0; j < i && !dfp_str_eq(ips[j], ips[i]); j++) {
            /* void */
        }

        if (!found[i] && j == i) {
            scope->missing[scope->nmissing++] = job->ips[i];
        }
    }

    return DFP_OK;
}


/* Removes those without one of the addresses; FOUND says which were found. */

static size_t
dfp_scope_keep(const dfp_d7y_host_t **hosts, size_t n, const dfp_str_t *ips,
    char *found, size_t nips)
{
    int     keep;
    size_t  i, j, kept;

    kept = 0;

    for (i = 0; i < n; i++) {
        keep = 0;

        for (j = 0; j < nips; j++) {
            if (dfp_str_eq(hosts[i]->ip, ips[j])) {
                found[j] = 1;
                keep = 1;
            }
        }

        if (keep) {
            hosts[kept++] = hosts[i];
        }
    }

    return kept;
}


static dfp_rc_t
dfp_scope_pick_some(dfp_mem_t *mem, size_t count, dfp_scope_t *scope)
{
    size_t              i;
    dfp_scope_place_t  *places;

    places = mem->alloc(mem->ctx, scope->n * sizeof(dfp_scope_place_t));
    if (places == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < scope->n; i++) {
        places[i].host = scope->hosts[i];
        places[i].rank = dfp_scope_rank(scope->hosts[i]);
    }

    qsort(places, scope->n, sizeof(dfp_scope_place_t), dfp_scope_by_rank);

    for (i = 0; i < count; i++) {
        scope->hosts[i] = places[i].host;
    }

    scope->n = count;

    return DFP_OK;
}


static int
dfp_scope_by_rank(const void *one, const void *two)
{
    const dfp_scope_place_t  *a, *b;

    a = one;
    b = two;

    return a->rank == b->rank ? dfp_scope_by_address(&a->host, &b->host)
                              : a->rank < b->rank ? 1 : -1;
}


/* A host with an id is identified by it alone. */

static uint64_t
dfp_scope_rank(const dfp_d7y_host_t *host)
{
    uint64_t       rank;
    dfp_str_t      id;
    unsigned char  port[2];

    id = host->id.len ? host->id : host->ip;

    port[0] = host->id.len ? 0 : (unsigned char) (host->port >> 8);
    port[1] = host->id.len ? 0 : (unsigned char) host->port;

    rank = dfp_scope_hash(DFP_SCOPE_FNV_BASIS, port, sizeof(port));
    rank = dfp_scope_hash(rank, id.data, id.len);

    rank = (rank ^ rank >> 32) * DFP_SCOPE_MIX_ONE;
    rank = (rank ^ rank >> 32) * DFP_SCOPE_MIX_TWO;

    return rank ^ rank >> 32;
}


static uint64_t
dfp_scope_hash(uint64_t hash, const void *data, size_t len)
{
    size_t                i;
    const unsigned char  *p;

    p = data;

    for (i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * DFP_SCOPE_FNV_PRIME;
    }

    return hash;
}
