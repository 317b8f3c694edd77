/*
 * The hosts that hold layers.
 */

#include <stdlib.h>

#include "dfp_addr.h"
#include "dfp_d7y_parser.h"
#include "dfp_d7y_reader.h"
#include "dfp_held.h"
#include "dfp_text.h"

#include "scheduler.pb-c.h"


#define DFP_HELD_IMAGE       1    /* of StatImageResponse: the image, */
#define DFP_HELD_PEER        2    /* and who holds some of it */
#define DFP_HELD_FILE_PEER   1    /* of StatFileResponse */

#define DFP_HELD_BYTE        8    /* bits */


/* A layer, by its URL. */
typedef struct dfp_held_layer_s {
    dfp_str_t  url;
    size_t     pos;
} dfp_held_layer_t;


static dfp_rc_t dfp_held_places(dfp_held_t *held, size_t n);
static dfp_rc_t dfp_held_field(void *data, unsigned number, dfp_str_t value,
    dfp_err_t *err);
static dfp_rc_t dfp_held_image(dfp_held_t *held, dfp_str_t value,
    dfp_err_t *err);
static dfp_rc_t dfp_held_peer(dfp_held_t *held, dfp_str_t value,
    dfp_err_t *err);
static dfp_rc_t dfp_held_host(dfp_held_t *held, const char *ip,
    const char *hostname, const dfp_d7y_host_t **host);
static void dfp_held_one(dfp_held_t *held, size_t host, const char *url);
static int dfp_held_url(const char *url);
static void dfp_held_doubles(dfp_held_t *held);
static int dfp_held_by_address(const void *one, const void *two);
static int dfp_held_by_url(const void *one, const void *two);


void
dfp_held_sort(dfp_d7y_host_t *hosts, size_t n)
{
    if (n) {
        qsort(hosts, n, sizeof(dfp_d7y_host_t), dfp_held_by_address);
    }
}


dfp_held_t *
dfp_held_create(dfp_mem_t *mem, const dfp_d7y_host_t *hosts, size_t n,
    int image)
{
    dfp_held_t  *held;

    held = mem->alloc(mem->ctx, sizeof(dfp_held_t));
    if (held == NULL) {
        return NULL;
    }

    memset(held, 0, sizeof(dfp_held_t));

    held->hosts = hosts;
    held->nhosts = n;
    held->image = image;
    held->reader = dfp_d7y_reader_create(mem,
        "the scheduler's list of layers and peers");

    if (held->reader == NULL || (!image && dfp_held_places(held, 1) != DFP_OK))
    {
        return NULL;
    }

    return held;
}


/* Allocates for N layers. */

static dfp_rc_t
dfp_held_places(dfp_held_t *held, size_t n)
{
    size_t      size;
    dfp_mem_t  *mem;

    mem = &held->reader->mem;
    size = held->nhosts * n / DFP_HELD_BYTE + 1;

    held->counts = mem->alloc(mem->ctx, n * sizeof(size_t));
    held->bits = mem->alloc(mem->ctx, size);

    if (held->counts == NULL || held->bits == NULL) {
        return DFP_ERROR;
    }

    memset(held->counts, 0, n * sizeof(size_t));
    memset(held->bits, 0, size);

    held->nlayers = n;

    return DFP_OK;
}


dfp_rc_t
dfp_held_read(dfp_held_t *held, dfp_str_t part, int ends, dfp_err_t *err)
{
    dfp_rc_t  rc;

    rc = dfp_d7y_read(held->reader, part, ends, dfp_held_field, held, err);

    held->complete = (rc == DFP_OK && ends);

    if (held->complete && held->sorted) {
        dfp_held_doubles(held);
    }

    return rc;
}


static dfp_rc_t
dfp_held_field(void *data, unsigned number, dfp_str_t value, dfp_err_t *err)
{
    dfp_held_t  *held;

    held = data;

    if (held->image && number == DFP_HELD_IMAGE) {
        return dfp_held_image(held, value, err);
    }

    if (number == (held->image ? DFP_HELD_PEER : DFP_HELD_FILE_PEER)) {
        return dfp_held_peer(held, value, err);
    }

    return DFP_OK;
}


/* No layer may be ignored: nobody would be checked for it. */

static dfp_rc_t
dfp_held_image(dfp_held_t *held, dfp_str_t value, dfp_err_t *err)
{
    size_t                 i, n;
    dfp_mem_t             *mem;
    Scheduler__V2__Image  *image;

    if (held->known || held->npeers) {
        return dfp_invalid(err, "the scheduler's image is repeated, or "
                           "follows its peers");
    }

    image = dfp_d7y_unpack(held->reader, &scheduler__v2__image__descriptor,
                           value);
    if (image == NULL) {
        return dfp_d7y_unpack_error(held->reader, err);
    }

    held->known = 1;
    n = image->n_layers;
    mem = &held->reader->mem;

    if (n == 0) {
        return DFP_OK;
    }

    if (n > DFP_HELD_MAX_LAYERS) {
        return dfp_invalid(err, "the scheduler's image has more than %d "
                           "layers", DFP_HELD_MAX_LAYERS);
    }

    held->layers = mem->alloc(mem->ctx, n * sizeof(dfp_str_t));
    held->sorted = mem->alloc(mem->ctx, n * sizeof(dfp_held_layer_t));

    if (held->layers == NULL || held->sorted == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (!dfp_held_url(image->layers[i]->url)) {
            return dfp_invalid(err, "the scheduler's image has a layer "
                               "without a URL of 1 to %d printable characters",
                               DFP_URL_MAX_LEN);
        }

        held->layers[i].len = strlen(image->layers[i]->url);
        held->layers[i].data = dfp_strdup(mem, image->layers[i]->url,
                                          held->layers[i].len);

        if (held->layers[i].data == NULL) {
            return DFP_ERROR;
        }

        held->sorted[i].url = held->layers[i];
        held->sorted[i].pos = i;
    }

    qsort(held->sorted, n, sizeof(dfp_held_layer_t), dfp_held_by_url);

    return dfp_held_places(held, n);
}


/* Peers of files and of images have the same fields. */

static dfp_rc_t
dfp_held_peer(dfp_held_t *held, dfp_str_t value, dfp_err_t *err)
{
    size_t                      i;
    const dfp_d7y_host_t       *host;
    Scheduler__V2__PeerImage   *peer;

    if (held->npeers++ == DFP_HELD_MAX_PEERS) {
        return dfp_invalid(err, "the scheduler lists more than %d peers",
                           DFP_HELD_MAX_PEERS);
    }

    peer = dfp_d7y_unpack(held->reader,
                          &scheduler__v2__peer_image__descriptor, value);
    if (peer == NULL) {
        return dfp_d7y_unpack_error(held->reader, err);
    }

    if (peer->n_cached_layers > DFP_HELD_MAX_LAYERS) {
        return dfp_invalid(err, "the scheduler lists more than %d URLs of one "
                           "peer", DFP_HELD_MAX_LAYERS);
    }

    if (dfp_held_host(held, peer->ip, peer->hostname, &host) != DFP_OK) {
        return DFP_ERROR;
    }

    for (i = 0; host && i < peer->n_cached_layers; i++) {
        if (peer->cached_layers[i]->is_finished) {
            dfp_held_one(held, host - held->hosts,
                         peer->cached_layers[i]->url);
        }
    }

    return DFP_OK;
}


/* NULL: the job is not about this peer. */

static dfp_rc_t
dfp_held_host(dfp_held_t *held, const char *ip, const char *hostname,
    const dfp_d7y_host_t **host)
{
    char             text[INET6_ADDRSTRLEN];
    dfp_mem_t        mem;
    dfp_d7y_host_t   key;

    *host = NULL;
    mem = dfp_d7y_reader_mem(held->reader);
    memset(&key, 0, sizeof(dfp_d7y_host_t));

    if (ip) {
        key.ip.len = dfp_addr_text(dfp_cstr(ip), text);
        key.ip.data = text;
    }

    if (hostname
        && dfp_text_clean(&mem, dfp_cstr(hostname),
                          DFP_D7Y_MAX_TEXT, &key.hostname)
           != DFP_OK)
    {
        return DFP_ERROR;
    }

    if (held->nhosts) {
        *host = bsearch(&key, held->hosts, held->nhosts,
                        sizeof(dfp_d7y_host_t), dfp_held_by_address);
    }

    return DFP_OK;
}


/* Each pair of host and layer is a bit, and is counted once. */

static void
dfp_held_one(dfp_held_t *held, size_t host, const char *url)
{
    size_t             bit;
    dfp_held_layer_t   key, *layer;

    if (!dfp_held_url(url)) {
        return;
    }

    key.url = dfp_cstr(url);
    key.pos = 0;
    layer = &key;

    if (held->image) {
        layer = held->nlayers ? bsearch(&key, held->sorted, held->nlayers,
                                        sizeof(dfp_held_layer_t),
                                        dfp_held_by_url)
                              : NULL;
    }

    if (layer == NULL || dfp_held_by(held, host, layer->pos)) {
        return;
    }

    bit = host * held->nlayers + layer->pos;

    held->bits[bit / DFP_HELD_BYTE] |= 1 << bit % DFP_HELD_BYTE;
    held->counts[layer->pos]++;
}


static int
dfp_held_url(const char *url)
{
    size_t  i;

    if (url == NULL) {
        return 0;
    }

    for (i = 0; url[i] != '\0'; i++) {
        if (i == DFP_URL_MAX_LEN || url[i] <= 0x20 || url[i] >= 0x7f) {
            return 0;
        }
    }

    return i > 0;
}


int
dfp_held_by(const dfp_held_t *held, size_t host, size_t layer)
{
    size_t  bit;

    bit = host * held->nlayers + layer;

    return (held->bits[bit / DFP_HELD_BYTE] >> bit % DFP_HELD_BYTE) & 1;
}


int
dfp_held_reported(const dfp_held_t *held, size_t layer)
{
    dfp_held_layer_t   key, *found;

    if (held->sorted == NULL) {
        return 1;
    }

    key.url = held->layers[layer];
    key.pos = layer;

    found = bsearch(&key, held->sorted, held->nlayers,
                    sizeof(dfp_held_layer_t), dfp_held_by_url);

    return found && found->pos == layer;
}


/* Of equal layers one was found each time. */

static void
dfp_held_doubles(dfp_held_t *held)
{
    size_t             i, k, first, most;
    dfp_held_layer_t  *layers;

    layers = held->sorted;

    for (first = 0; first < held->nlayers; first = i) {

        most = 0;

        for (i = first;
             i < held->nlayers && dfp_str_eq(layers[i].url, layers[first].url);
             i++)
        {
            if (held->counts[layers[i].pos] > most) {
                most = held->counts[layers[i].pos];
            }
        }

        for (k = first; k < i; k++) {
            held->counts[layers[k].pos] = most;
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
