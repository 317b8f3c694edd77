/*
 * Dragonfly's messages that come. protobuf-c builds a message out of what was
 * sent; what is needed of it is copied, checked.
 */

#include <string.h>

#include "dfp_d7y_parser.h"
#include "dfp_text.h"

#include "dfdaemon.pb-c.h"
#include "scheduler.pb-c.h"


/*
 * What protobuf-c builds of N bytes may need at most DFP_D7Y_FACTOR * N +
 * DFP_D7Y_BLOCK of the caller's memory. Dragonfly's own messages need 3 to 9
 * bytes for each of theirs. Without a limit, fields of two bytes each would
 * need more than 100, and an image that is sent again and again, with some
 * layers each time, the square of it all.
 */
#define DFP_D7Y_FACTOR  16
#define DFP_D7Y_BLOCK   16384
#define DFP_D7Y_FIRST   4096     /* on the stack: enough for most events */

/* what protoc-c calls them does not fit a line */
#define DFP_D7Y_STARTED                                                       \
DFDAEMON__V2__DOWNLOAD_TASK_RESPONSE__RESPONSE_DOWNLOAD_TASK_STARTED_RESPONSE
#define DFP_D7Y_FINISHED                                                      \
DFDAEMON__V2__DOWNLOAD_TASK_RESPONSE__RESPONSE_DOWNLOAD_PIECE_FINISHED_RESPONSE

#define DFP_D7Y_LAST_ADDR   223     /* of unicast IPv4: the first byte */
#define DFP_D7Y_PORT_MAX    65535


/* Memory for protobuf-c, from which nothing is freed. */
typedef struct {
    dfp_mem_t            *mem;
    ProtobufCAllocator    allocator;
    char                 *p;        /* what is free of the last block */
    char                 *last;
    size_t                left;     /* bytes that MEM may still be asked for */
    unsigned              failed:1;
    unsigned              exceeded:1;
    max_align_t           first[DFP_D7Y_FIRST / sizeof(max_align_t)];
} dfp_d7y_scratch_t;


static ProtobufCMessage *dfp_d7y_unpack(dfp_d7y_scratch_t *scratch,
    dfp_mem_t *mem, const ProtobufCMessageDescriptor *type,
    dfp_str_t message);
static void *dfp_d7y_scratch_alloc(void *data, size_t size);
static void dfp_d7y_scratch_free(void *data, void *p);
static int dfp_d7y_unpack_error(const dfp_d7y_scratch_t *scratch,
    const char *what, dfp_err_t *err);
static int dfp_d7y_host(dfp_mem_t *mem, const Common__V2__Host *from,
    dfp_d7y_host_t *host);
static int dfp_d7y_stat_image_parse(dfp_mem_t *mem,
    const Scheduler__V2__StatImageResponse *message, dfp_d7y_stat_t *stat,
    dfp_err_t *err);
static int dfp_d7y_stat_file_parse(dfp_mem_t *mem,
    const Scheduler__V2__StatFileResponse *message, dfp_d7y_stat_t *stat,
    dfp_err_t *err);
static int dfp_d7y_layers(dfp_mem_t *mem, const Scheduler__V2__Image *image,
    dfp_d7y_stat_t *stat, dfp_err_t *err);
static int dfp_d7y_holders(dfp_mem_t *mem, size_t n, dfp_d7y_stat_t *stat,
    dfp_err_t *err);
static int dfp_d7y_holder(dfp_mem_t *mem, const char *ip,
    const char *hostname, size_t n, dfp_d7y_holder_t *holder,
    dfp_err_t *err);
static int dfp_d7y_held(dfp_mem_t *mem, const char *url, int finished,
    dfp_d7y_holder_t *holder);
static int dfp_d7y_url_valid(const char *url);
static int dfp_d7y_text(dfp_mem_t *mem, const char *s, dfp_str_t *text);
static int dfp_d7y_ip_copy(dfp_mem_t *mem, const char *s, dfp_str_t *ip);


int
dfp_d7y_hosts_parse(dfp_mem_t *mem, dfp_str_t message, dfp_d7y_host_t **hosts,
    size_t *n, dfp_err_t *err)
{
    size_t                             i;
    dfp_d7y_scratch_t                  scratch;
    Scheduler__V2__ListHostsResponse  *list;

    *hosts = NULL;
    *n = 0;

    list = (void *) dfp_d7y_unpack(&scratch, mem,
                               &scheduler__v2__list_hosts_response__descriptor,
                               message);
    if (list == NULL) {
        return dfp_d7y_unpack_error(&scratch, "the scheduler's list of hosts",
                                    err);
    }

    if (list->n_hosts > DFP_D7Y_MAX_HOSTS) {
        return dfp_invalid(err, "the scheduler lists more than %d hosts",
                           DFP_D7Y_MAX_HOSTS);
    }

    if (list->n_hosts == 0) {
        return DFP_OK;
    }

    *hosts = mem->alloc(mem->ctx, list->n_hosts * sizeof(dfp_d7y_host_t));
    if (*hosts == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < list->n_hosts; i++) {
        if (dfp_d7y_host(mem, list->hosts[i], &(*hosts)[i]) != DFP_OK) {
            return DFP_ERROR;
        }
    }

    *n = list->n_hosts;

    return DFP_OK;
}


static ProtobufCMessage *
dfp_d7y_unpack(dfp_d7y_scratch_t *scratch, dfp_mem_t *mem,
    const ProtobufCMessageDescriptor *type, dfp_str_t message)
{
    scratch->mem = mem;
    scratch->allocator.alloc = dfp_d7y_scratch_alloc;
    scratch->allocator.free = dfp_d7y_scratch_free;
    scratch->allocator.allocator_data = scratch;
    scratch->p = (char *) scratch->first;
    scratch->last = scratch->p + sizeof(scratch->first);
    scratch->left = DFP_D7Y_FACTOR * message.len + DFP_D7Y_BLOCK;
    scratch->failed = 0;
    scratch->exceeded = 0;

    return protobuf_c_message_unpack(type, &scratch->allocator, message.len,
                                     (const uint8_t *) message.data);
}


static void *
dfp_d7y_scratch_alloc(void *data, size_t size)
{
    char               *p;
    size_t              block;
    dfp_d7y_scratch_t  *scratch;

    scratch = data;
    size += -size % sizeof(max_align_t);

    if (size <= (size_t) (scratch->last - scratch->p)) {
        p = scratch->p;
        scratch->p += size;
        return p;
    }

    /* what is large gets a block of its own, and the rest of the last one is
     * used up */

    block = (size > DFP_D7Y_BLOCK / 4) ? size : DFP_D7Y_BLOCK;

    if (block > scratch->left) {
        scratch->exceeded = 1;
        return NULL;
    }

    p = scratch->mem->alloc(scratch->mem->ctx, block);
    if (p == NULL) {
        scratch->failed = 1;
        return NULL;
    }

    scratch->left -= block;

    if (block > size) {
        scratch->p = p + size;
        scratch->last = p + block;
    }

    return p;
}


static void
dfp_d7y_scratch_free(void *data, void *p)
{
    /* it is the caller's memory that goes, all at once */
}


static int
dfp_d7y_unpack_error(const dfp_d7y_scratch_t *scratch, const char *what,
    dfp_err_t *err)
{
    if (scratch->failed) {
        return DFP_ERROR;
    }

    if (scratch->exceeded) {
        return dfp_invalid(err, "%s consists of more fields than any that "
                           "Dragonfly sends", what);
    }

    return dfp_invalid(err, "%s is no message of the kind that it should be",
                       what);
}


static int
dfp_d7y_host(dfp_mem_t *mem, const Common__V2__Host *from,
    dfp_d7y_host_t *host)
{
    memset(host, 0, sizeof(dfp_d7y_host_t));

    host->seed = (from->type != 0);

    if (from->port > 0 && from->port <= DFP_D7Y_PORT_MAX) {
        host->port = (uint16_t) from->port;
    }

    if (dfp_d7y_text(mem, from->id, &host->id) != DFP_OK
        || dfp_d7y_text(mem, from->hostname, &host->hostname) != DFP_OK
        || dfp_d7y_ip_copy(mem, from->ip, &host->ip) != DFP_OK)
    {
        return DFP_ERROR;
    }

    return DFP_OK;
}


int
dfp_d7y_event_parse(dfp_mem_t *mem, dfp_str_t message,
    dfp_d7y_event_t *event, dfp_err_t *err)
{
    dfp_d7y_scratch_t                              scratch;
    Dfdaemon__V2__DownloadTaskResponse            *r;
    Dfdaemon__V2__DownloadPieceFinishedResponse   *finished;

    memset(event, 0, sizeof(dfp_d7y_event_t));

    r = (void *) dfp_d7y_unpack(&scratch, mem,
                             &dfdaemon__v2__download_task_response__descriptor,
                             message);
    if (r == NULL) {
        return dfp_d7y_unpack_error(&scratch, "the peer's message", err);
    }

    switch (r->response_case) {

    case DFP_D7Y_STARTED:
        event->started = 1;
        event->content_length =
                     r->download_task_started_response->content_length;
        break;

    case DFP_D7Y_FINISHED:
        finished = r->download_piece_finished_response;
        event->piece = 1;
        event->length = finished->piece ? finished->piece->length : 0;
        break;

    default:
        break;
    }

    if (dfp_d7y_text(mem, r->host_id, &event->host_id) != DFP_OK
        || dfp_d7y_text(mem, r->task_id, &event->task_id) != DFP_OK)
    {
        return DFP_ERROR;
    }

    return DFP_OK;
}


int
dfp_d7y_stat_parse(dfp_mem_t *mem, dfp_str_t message, int image,
    dfp_d7y_stat_t *stat, dfp_err_t *err)
{
    ProtobufCMessage   *r;
    dfp_d7y_scratch_t   scratch;

    memset(stat, 0, sizeof(dfp_d7y_stat_t));

    r = dfp_d7y_unpack(&scratch, mem,
                       image ? &scheduler__v2__stat_image_response__descriptor
                             : &scheduler__v2__stat_file_response__descriptor,
                       message);
    if (r == NULL) {
        return dfp_d7y_unpack_error(&scratch, "the scheduler's list of who "
                                    "has what", err);
    }

    return image ? dfp_d7y_stat_image_parse(mem, (void *) r, stat, err)
                 : dfp_d7y_stat_file_parse(mem, (void *) r, stat, err);
}


static int
dfp_d7y_stat_image_parse(dfp_mem_t *mem,
    const Scheduler__V2__StatImageResponse *message, dfp_d7y_stat_t *stat,
    dfp_err_t *err)
{
    int                              rc;
    size_t                           i, j;
    dfp_d7y_holder_t                *holder;
    const Scheduler__V2__PeerImage  *peer;

    rc = dfp_d7y_layers(mem, message->image, stat, err);

    if (rc == DFP_OK) {
        rc = dfp_d7y_holders(mem, message->n_peers, stat, err);
    }

    for (i = 0; rc == DFP_OK && i < message->n_peers; i++) {
        peer = message->peers[i];
        holder = &stat->holders[stat->nholders];

        rc = dfp_d7y_holder(mem, peer->ip, peer->hostname,
                            peer->n_cached_layers, holder, err);

        for (j = 0; rc == DFP_OK && j < peer->n_cached_layers; j++) {
            rc = dfp_d7y_held(mem, peer->cached_layers[j]->url,
                              peer->cached_layers[j]->is_finished, holder);
        }

        stat->nholders += (rc == DFP_OK && holder->nurls);
    }

    return rc;
}


static int
dfp_d7y_stat_file_parse(dfp_mem_t *mem,
    const Scheduler__V2__StatFileResponse *message, dfp_d7y_stat_t *stat,
    dfp_err_t *err)
{
    int                             rc;
    size_t                          i, j;
    dfp_d7y_holder_t               *holder;
    const Scheduler__V2__PeerFile  *peer;

    rc = dfp_d7y_holders(mem, message->n_peers, stat, err);

    for (i = 0; rc == DFP_OK && i < message->n_peers; i++) {
        peer = message->peers[i];
        holder = &stat->holders[stat->nholders];

        rc = dfp_d7y_holder(mem, peer->ip, peer->hostname,
                            peer->n_cached_files, holder, err);

        for (j = 0; rc == DFP_OK && j < peer->n_cached_files; j++) {
            rc = dfp_d7y_held(mem, peer->cached_files[j]->url,
                              peer->cached_files[j]->is_finished, holder);
        }

        stat->nholders += (rc == DFP_OK && holder->nurls);
    }

    return rc;
}


/* A layer that was left out would be one that nobody needs to have. */

static int
dfp_d7y_layers(dfp_mem_t *mem, const Scheduler__V2__Image *image,
    dfp_d7y_stat_t *stat, dfp_err_t *err)
{
    size_t       i;
    const char  *url;

    if (image == NULL || image->n_layers == 0) {
        return DFP_OK;
    }

    if (image->n_layers > DFP_D7Y_MAX_LAYERS) {
        return dfp_invalid(err, "the scheduler's image has more than %d "
                           "layers", DFP_D7Y_MAX_LAYERS);
    }

    stat->layers = mem->alloc(mem->ctx, image->n_layers * sizeof(dfp_str_t));
    if (stat->layers == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < image->n_layers; i++) {
        url = image->layers[i]->url;

        if (!dfp_d7y_url_valid(url)) {
            return dfp_invalid(err, "the scheduler's image has a layer "
                               "without a URL of 1 to %d printable characters",
                               DFP_URL_MAX_LEN);
        }

        stat->layers[i].len = strlen(url);
        stat->layers[i].data = dfp_strdup(mem, url, strlen(url));

        if (stat->layers[i].data == NULL) {
            return DFP_ERROR;
        }
    }

    stat->nlayers = image->n_layers;

    return DFP_OK;
}


static int
dfp_d7y_holders(dfp_mem_t *mem, size_t n, dfp_d7y_stat_t *stat,
    dfp_err_t *err)
{
    if (n > DFP_D7Y_MAX_PEERS) {
        return dfp_invalid(err, "the scheduler lists more than %d peers",
                           DFP_D7Y_MAX_PEERS);
    }

    if (n == 0) {
        return DFP_OK;
    }

    stat->holders = mem->alloc(mem->ctx, n * sizeof(dfp_d7y_holder_t));

    return stat->holders ? DFP_OK : DFP_ERROR;
}


static int
dfp_d7y_holder(dfp_mem_t *mem, const char *ip, const char *hostname,
    size_t n, dfp_d7y_holder_t *holder, dfp_err_t *err)
{
    memset(holder, 0, sizeof(dfp_d7y_holder_t));

    if (n > DFP_D7Y_MAX_LAYERS) {
        return dfp_invalid(err, "the scheduler lists more than %d URLs of one "
                           "peer", DFP_D7Y_MAX_LAYERS);
    }

    if (n == 0) {
        return DFP_OK;
    }

    holder->urls = mem->alloc(mem->ctx, n * sizeof(dfp_str_t));

    if (holder->urls == NULL
        || dfp_d7y_ip_copy(mem, ip, &holder->ip) != DFP_OK
        || dfp_d7y_text(mem, hostname, &holder->hostname) != DFP_OK)
    {
        return DFP_ERROR;
    }

    return DFP_OK;
}


/* A URL that cannot be one of ours is held for nothing. */

static int
dfp_d7y_held(dfp_mem_t *mem, const char *url, int finished,
    dfp_d7y_holder_t *holder)
{
    size_t       len;
    const char  *copy;

    if (!finished || !dfp_d7y_url_valid(url)) {
        return DFP_OK;
    }

    len = strlen(url);

    copy = dfp_strdup(mem, url, len);
    if (copy == NULL) {
        return DFP_ERROR;
    }

    holder->urls[holder->nurls++] = (dfp_str_t) { len, copy };

    return DFP_OK;
}


static int
dfp_d7y_url_valid(const char *url)
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


static int
dfp_d7y_text(dfp_mem_t *mem, const char *s, dfp_str_t *text)
{
    dfp_str_t  from;

    from = s ? (dfp_str_t) { strlen(s), s } : DFP_STR("");

    return dfp_text_clean(mem, from, DFP_D7Y_MAX_TEXT, text);
}


static int
dfp_d7y_ip_copy(dfp_mem_t *mem, const char *s, dfp_str_t *ip)
{
    char  text[INET6_ADDRSTRLEN];

    *ip = DFP_STR("");

    if (s == NULL) {
        return DFP_OK;
    }

    ip->len = dfp_d7y_ip((dfp_str_t) { strlen(s), s }, text);

    if (ip->len) {
        ip->data = dfp_strdup(mem, text, ip->len);
    }

    return ip->data ? DFP_OK : DFP_ERROR;
}


size_t
dfp_d7y_ip(dfp_str_t text, char ip[INET6_ADDRSTRLEN])
{
    int            family;
    char           copy[INET6_ADDRSTRLEN];
    unsigned char  addr[sizeof(struct in6_addr)], *p;

    static const unsigned char  none[sizeof(struct in6_addr)];
    static const unsigned char  mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                             0xff, 0xff };

    if (text.len == 0 || text.len >= sizeof(copy)
        || memchr(text.data, '\0', text.len))
    {
        return 0;
    }

    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';

    family = AF_INET;
    p = addr;

    if (inet_pton(AF_INET, copy, addr) != 1) {

        if (inet_pton(AF_INET6, copy, addr) != 1) {
            return 0;
        }

        if (memcmp(addr, mapped, sizeof(mapped)) == 0) {
            p += sizeof(mapped);

        } else {
            family = AF_INET6;
        }
    }

    /* nothing listens at an unspecified or a multicast address */

    if (family == AF_INET ? p[0] == 0 || p[0] > DFP_D7Y_LAST_ADDR
                          : p[0] == 0xff || memcmp(p, none, sizeof(none)) == 0)
    {
        return 0;
    }

    return inet_ntop(family, p, ip, INET6_ADDRSTRLEN) ? strlen(ip) : 0;
}
