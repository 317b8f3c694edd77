#include <stdio.h>
#include <stdlib.h>

#include "dfp_ring.h"


/* a number, "[IP]:port" and a NUL */
#define DFP_RING_TEXT  72


static uint32_t dfp_ring_hash(const char *text, size_t len);
static int dfp_ring_by_hash(const void *one, const void *two);
static size_t dfp_ring_first(const dfp_ring_t *ring, uint32_t hash);


dfp_rc_t
dfp_ring_create(dfp_mem_t *mem, const dfp_d7y_host_t *const *hosts, size_t n,
    dfp_ring_t *ring)
{
    int                i, len;
    char               text[DFP_RING_TEXT];
    size_t             k;
    const char        *form;
    dfp_ring_point_t  *point;

    ring->n = 0;
    ring->points = mem->alloc(mem->ctx, (n * DFP_RING_POINTS + 1)
                                        * sizeof(dfp_ring_point_t));
    if (ring->points == NULL) {
        return DFP_ERROR;
    }

    for (k = 0; k < n; k++) {
        form = memchr(hosts[k]->ip.data, ':', hosts[k]->ip.len)
               ? "%d[%.*s]:%d" : "%d%.*s:%d";

        for (i = 0; i < DFP_RING_POINTS; i++) {
            len = snprintf(text, sizeof(text), form, i, (int) hosts[k]->ip.len,
                           hosts[k]->ip.data, hosts[k]->port);

            point = &ring->points[ring->n++];
            point->hash = dfp_ring_hash(text, len);
            point->host = (uint32_t) k;
        }
    }

    qsort(ring->points, ring->n, sizeof(dfp_ring_point_t), dfp_ring_by_hash);

    return DFP_OK;
}


/* CRC-32 (IEEE 802.3), four bits at a time. */

static uint32_t
dfp_ring_hash(const char *text, size_t len)
{
    size_t    i;
    uint32_t  crc;

    static const uint32_t  table[] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
        0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
    };

    crc = 0xffffffff;

    for (i = 0; i < len; i++) {
        crc ^= (unsigned char) text[i];
        crc = table[crc & 0xf] ^ (crc >> 4);
        crc = table[crc & 0xf] ^ (crc >> 4);
    }

    return ~crc;
}


static int
dfp_ring_by_hash(const void *one, const void *two)
{
    const dfp_ring_point_t  *a, *b;

    a = one;
    b = two;

    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }

    return (a->host > b->host) - (a->host < b->host);
}


size_t
dfp_ring_find(const dfp_ring_t *ring, dfp_str_t task_id, size_t *order,
    size_t max)
{
    size_t  i, k, n, at, host;

    at = dfp_ring_first(ring, dfp_ring_hash(task_id.data, task_id.len));

    for (i = 0, n = 0; i < ring->n && n < max; i++) {
        host = ring->points[(at + i) % ring->n].host;

        for (k = 0; k < n && order[k] != host; k++) { /* void */ }

        if (k == n) {
            order[n++] = host;
        }
    }

    return n;
}


/* The index of the first point with a greater hash; ring->n: there is none. */

static size_t
dfp_ring_first(const dfp_ring_t *ring, uint32_t hash)
{
    size_t  low, high, middle;

    low = 0;
    high = ring->n;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (ring->points[middle].hash > hash) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return low;
}
