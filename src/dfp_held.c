/*
 * Who holds which layers.
 */

#include <stdlib.h>

#include "dfp_held.h"


/* A layer, by its URL. */
typedef struct {
    dfp_str_t  url;
    size_t     pos;
} dfp_held_layer_t;


static void dfp_held_doubles(const dfp_held_layer_t *layers, size_t n,
    size_t *counts);
static int dfp_held_by_address(const void *one, const void *two);
static int dfp_held_by_url(const void *one, const void *two);
static const dfp_d7y_host_t *dfp_held_host(const dfp_d7y_host_t *hosts,
    size_t n, const dfp_d7y_holder_t *holder);


void
dfp_held_sort(dfp_d7y_host_t *hosts, size_t n)
{
    if (n) {
        qsort(hosts, n, sizeof(dfp_d7y_host_t), dfp_held_by_address);
    }
}


/* A pair of host and layer is a bit: it is counted when it is first seen. */

int
dfp_held_count(dfp_mem_t *mem, const dfp_d7y_host_t *hosts, size_t n,
    dfp_d7y_stat_t *stat, size_t *counts)
{
    size_t                 i, k, bit, left, places;
    unsigned char         *seen;
    dfp_held_layer_t      *layers, key, *found;
    dfp_d7y_holder_t      *holder;
    const dfp_d7y_host_t  *host;

    places = stat->nlayers ? stat->nlayers : 1;
    memset(counts, 0, places * sizeof(size_t));

    layers = mem->alloc(mem->ctx, places * sizeof(dfp_held_layer_t));
    seen = mem->alloc(mem->ctx, n * places / 8 + 1);

    if (layers == NULL || seen == NULL) {
        return DFP_ERROR;
    }

    memset(seen, 0, n * places / 8 + 1);

    for (i = 0; i < stat->nlayers; i++) {
        layers[i].url = stat->layers[i];
        layers[i].pos = i;
    }

    qsort(layers, stat->nlayers, sizeof(dfp_held_layer_t), dfp_held_by_url);

    for (i = 0; i < stat->nholders; i++) {

        holder = &stat->holders[i];
        host = dfp_held_host(hosts, n, holder);
        left = 0;

        for (k = 0; host && k < holder->nurls; k++) {

            key.url = holder->urls[k];
            key.pos = 0;

            if (stat->nlayers) {
                found = bsearch(&key, layers, stat->nlayers,
                                sizeof(dfp_held_layer_t), dfp_held_by_url);
                if (found == NULL) {
                    continue;
                }

                key.pos = found->pos;
            }

            bit = (host - hosts) * places + key.pos;

            if ((seen[bit / 8] & (1 << bit % 8)) == 0) {
                seen[bit / 8] |= 1 << bit % 8;
                counts[key.pos]++;
                holder->urls[left++] = key.url;
            }
        }

        holder->nurls = left;
    }

    dfp_held_doubles(layers, stat->nlayers, counts);

    return DFP_OK;
}


/* One of two layers that are the same was found each time. */

static void
dfp_held_doubles(const dfp_held_layer_t *layers, size_t n, size_t *counts)
{
    size_t  i, k, first, most;

    for (first = 0; first < n; first = i) {

        most = 0;

        for (i = first; i < n && dfp_str_eq(layers[i].url, layers[first].url);
             i++)
        {
            if (counts[layers[i].pos] > most) {
                most = counts[layers[i].pos];
            }
        }

        for (k = first; k < i; k++) {
            counts[layers[k].pos] = most;
        }
    }
}


static int
dfp_held_by_address(const void *one, const void *two)
{
    int                    order;
    const dfp_d7y_host_t  *a, *b;

    a = one;
    b = two;
    order = dfp_str_cmp(a->ip, b->ip);

    return order ? order : dfp_str_cmp(a->hostname, b->hostname);
}


static int
dfp_held_by_url(const void *one, const void *two)
{
    return dfp_str_cmp(((const dfp_held_layer_t *) one)->url,
                            ((const dfp_held_layer_t *) two)->url);
}


static const dfp_d7y_host_t *
dfp_held_host(const dfp_d7y_host_t *hosts, size_t n,
    const dfp_d7y_holder_t *holder)
{
    dfp_d7y_host_t  key;

    memset(&key, 0, sizeof(dfp_d7y_host_t));
    key.ip = holder->ip;
    key.hostname = holder->hostname;

    return n ? bsearch(&key, hosts, n, sizeof(dfp_d7y_host_t),
                       dfp_held_by_address)
             : NULL;
}
