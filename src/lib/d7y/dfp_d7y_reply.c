/*
 * Replies of Dragonfly: what is needed of them is checked and copied.
 */

#include "dfp_addr.h"
#include "dfp_d7y_parser.h"
#include "dfp_d7y_reader.h"
#include "dfp_text.h"

#include "dfdaemon.pb-c.h"
#include "scheduler.pb-c.h"


/* protoc-c's names do not fit into a line */
#define DFP_D7Y_STARTED                                                       \
DFDAEMON__V2__DOWNLOAD_TASK_RESPONSE__RESPONSE_DOWNLOAD_TASK_STARTED_RESPONSE
#define DFP_D7Y_FINISHED                                                      \
DFDAEMON__V2__DOWNLOAD_TASK_RESPONSE__RESPONSE_DOWNLOAD_PIECE_FINISHED_RESPONSE

#define DFP_D7Y_HOSTS       64      /* that there is place for at first */
#define DFP_D7Y_HOST_FIELD  1       /* of ListHostsResponse */

#define DFP_D7Y_PORT_MAX    65535


#define DFP_D7Y_SECONDS_MAX  INT64_C(253402300799)    /* the year 9999 */


static int64_t dfp_d7y_ms(Google__Protobuf__Timestamp *time);
static dfp_rc_t dfp_d7y_hosts_field(void *data, unsigned number,
    dfp_str_t value, dfp_err_t *err);
static dfp_rc_t dfp_d7y_hosts_reserve(dfp_d7y_hosts_t *hosts);
static dfp_rc_t dfp_d7y_host(dfp_mem_t *mem, const Common__V2__Host *from,
    dfp_d7y_host_t *host);
static dfp_rc_t dfp_d7y_text(dfp_mem_t *mem, const char *s, dfp_str_t *text);
static dfp_rc_t dfp_d7y_ip_copy(dfp_mem_t *mem, const char *s, dfp_str_t *ip);


dfp_d7y_hosts_t *
dfp_d7y_hosts_create(dfp_mem_t *mem)
{
    dfp_d7y_hosts_t  *hosts;

    hosts = mem->alloc(mem->ctx, sizeof(dfp_d7y_hosts_t));

    if (hosts == NULL) {
        return NULL;
    }

    memset(hosts, 0, sizeof(dfp_d7y_hosts_t));

    hosts->reader = dfp_d7y_reader_create(mem, "the scheduler's list of hosts");

    return hosts->reader ? hosts : NULL;
}


dfp_rc_t
dfp_d7y_hosts_read(dfp_d7y_hosts_t *hosts, dfp_str_t part, int ends,
    dfp_err_t *err)
{
    dfp_rc_t  rc;

    rc = dfp_d7y_read(hosts->reader, part, ends, dfp_d7y_hosts_field, hosts,
                      err);

    hosts->complete = (rc == DFP_OK && ends);

    return rc;
}


static dfp_rc_t
dfp_d7y_hosts_field(void *data, unsigned number, dfp_str_t value,
    dfp_err_t *err)
{
    Common__V2__Host  *host;
    dfp_d7y_hosts_t   *hosts;

    hosts = data;

    if (number != DFP_D7Y_HOST_FIELD) {
        return DFP_OK;
    }

    if (hosts->n == DFP_D7Y_MAX_HOSTS) {
        return dfp_invalid(err, "the scheduler lists more than %d hosts",
                           DFP_D7Y_MAX_HOSTS);
    }

    host = dfp_d7y_unpack(hosts->reader, &common__v2__host__descriptor, value);

    if (host == NULL) {
        return dfp_d7y_unpack_error(hosts->reader, err);
    }

    if (dfp_d7y_hosts_reserve(hosts) != DFP_OK
        || dfp_d7y_host(&hosts->reader->mem, host, &hosts->list[hosts->n])
           != DFP_OK)
    {
        return DFP_ERROR;
    }

    hosts->n++;

    return DFP_OK;
}


/* Makes room for one more. The old list stays allocated. */

static dfp_rc_t
dfp_d7y_hosts_reserve(dfp_d7y_hosts_t *hosts)
{
    size_t           size;
    dfp_mem_t       *mem;
    dfp_d7y_host_t  *list;

    if (hosts->n < hosts->size) {
        return DFP_OK;
    }

    mem = &hosts->reader->mem;
    size = hosts->size ? 2 * hosts->size : DFP_D7Y_HOSTS;

    list = mem->alloc(mem->ctx, size * sizeof(dfp_d7y_host_t));
    if (list == NULL) {
        return DFP_ERROR;
    }

    if (hosts->n) {
        memcpy(list, hosts->list, hosts->n * sizeof(dfp_d7y_host_t));
    }

    hosts->list = list;
    hosts->size = size;

    return DFP_OK;
}


static dfp_rc_t
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


dfp_rc_t
dfp_d7y_event_parse(dfp_mem_t *mem, dfp_str_t message,
    dfp_d7y_event_t *event, dfp_err_t *err)
{
    dfp_d7y_reader_t                               reader;
    Dfdaemon__V2__DownloadTaskResponse            *r;
    Dfdaemon__V2__DownloadPieceFinishedResponse   *finished;

    memset(event, 0, sizeof(dfp_d7y_event_t));

    dfp_d7y_reader_init(&reader, mem, "the peer's message");

    r = dfp_d7y_unpack(&reader,
                       &dfdaemon__v2__download_task_response__descriptor,
                       message);
    if (r == NULL) {
        return dfp_d7y_unpack_error(&reader, err);
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


static int64_t
dfp_d7y_ms(Google__Protobuf__Timestamp *time)
{
    if (time == NULL || time->seconds < 0
        || time->seconds > DFP_D7Y_SECONDS_MAX)
    {
        return 0;
    }

    return time->seconds * 1000;
}


dfp_rc_t
dfp_d7y_local_parse(dfp_mem_t *mem, dfp_str_t message,
    dfp_d7y_local_t *local, dfp_err_t *err)
{
    dfp_d7y_reader_t                      reader;
    Dfdaemon__V2__StatLocalTaskResponse  *r;

    memset(local, 0, sizeof(dfp_d7y_local_t));

    dfp_d7y_reader_init(&reader, mem, "the peer's message");

    r = dfp_d7y_unpack(&reader,
                       &dfdaemon__v2__stat_local_task_response__descriptor,
                       message);
    if (r == NULL) {
        return dfp_d7y_unpack_error(&reader, err);
    }

    local->created = dfp_d7y_ms(r->created_at);
    local->updated = dfp_d7y_ms(r->updated_at);
    local->finished = (r->finished_at != NULL);
    local->failed = (r->failed_at != NULL);

    return DFP_OK;
}


static dfp_rc_t
dfp_d7y_text(dfp_mem_t *mem, const char *s, dfp_str_t *text)
{
    dfp_str_t  from;

    from = s ? dfp_cstr(s) : DFP_STR("");

    return dfp_text_clean(mem, from, DFP_D7Y_MAX_TEXT, text);
}


static dfp_rc_t
dfp_d7y_ip_copy(dfp_mem_t *mem, const char *s, dfp_str_t *ip)
{
    char  text[INET6_ADDRSTRLEN];

    *ip = DFP_STR("");

    if (s == NULL) {
        return DFP_OK;
    }

    ip->len = dfp_addr_text(dfp_cstr(s), text);

    if (ip->len) {
        ip->data = dfp_strdup(mem, text, ip->len);
    }

    return ip->data ? DFP_OK : DFP_ERROR;
}
