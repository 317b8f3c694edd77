/*
 * Requests to Dragonfly.
 */

#include "dfp_addr.h"
#include "dfp_d7y_parser.h"
#include "dfp_grpc.h"

#include "dfdaemon.pb-c.h"
#include "scheduler.pb-c.h"


#define DFP_D7Y_SECOND  INT64_C(1000000000)    /* nanoseconds */


/* An entry of a map: the types of all maps have this layout. */
typedef struct {
    ProtobufCMessage             base;
    char                        *key;
    char                        *value;
} dfp_d7y_entry_t;


/* The fields that all requests for a URL have, as protobuf-c needs them. */
typedef struct {
    char                        *url;
    char                        *tag;
    char                        *application;
    char                       **filter;
    size_t                       nfilter;
    dfp_d7y_entry_t            **headers;
    size_t                       nheaders;
    Google__Protobuf__Duration   duration;
    Google__Protobuf__Duration  *timeout;
    ProtobufCBinaryData         *certificates;
    size_t                       ncertificates;
} dfp_d7y_fields_t;


/* The fields have the same names in all messages but one. */

#define DFP_D7Y_SET(message, fields, request)                                 \
    do {                                                                      \
        (message)->url = (fields)->url;                                       \
        (message)->tag = (fields)->tag;                                       \
        (message)->application = (fields)->application;                       \
        (message)->filtered_query_params = (fields)->filter;                  \
        (message)->n_filtered_query_params = (fields)->nfilter;               \
        (message)->timeout = (fields)->timeout;                               \
        (message)->certificate_chain = (fields)->certificates;                \
        (message)->n_certificate_chain = (fields)->ncertificates;             \
        DFP_D7Y_SET_INT(message, piece_length, (request)->piece_length);      \
    } while (0)

#define DFP_D7Y_SET_HEADERS(message, name, fields)                            \
    do {                                                                      \
        (message)->name = (void *) (fields)->headers;                         \
        (message)->n_##name = (fields)->nheaders;                             \
    } while (0)

/* 0 is not given: no field allows it */

#define DFP_D7Y_SET_INT(message, name, n)                                     \
    do {                                                                      \
        (message)->has_##name = ((n) > 0);                                    \
        (message)->name = (n);                                                \
    } while (0)

#define DFP_D7Y_SET_BLOB_DIGEST(message, request)                             \
    do {                                                                      \
        (message)->has_enable_task_id_based_blob_digest =                     \
            (request)->blob_digest;                                           \
        (message)->enable_task_id_based_blob_digest = (request)->blob_digest; \
    } while (0)

/* the target */

#define DFP_D7Y_SET_PREHEAT(message, request, job)                            \
    do {                                                                      \
        (message)->scope = (char *) dfp_job_scope_name((job)->scope);         \
        (message)->n_ips = (job)->nips;                                       \
        DFP_D7Y_SET_INT(message, percentage, (job)->percentage);              \
        DFP_D7Y_SET_INT(message, count, (job)->count);                        \
        DFP_D7Y_SET_INT(message, concurrent_task_count,                       \
                        (job)->concurrent_task_count);                        \
        DFP_D7Y_SET_INT(message, concurrent_peer_count,                       \
                        (job)->concurrent_peer_count);                        \
        DFP_D7Y_SET_INT(message, priority, (request)->priority);              \
    } while (0)


static dfp_rc_t dfp_d7y_preheat_image(dfp_mem_t *mem,
    const dfp_d7y_request_t *request, const dfp_job_t *job, dfp_str_t *frame);
static dfp_rc_t dfp_d7y_preheat_file(dfp_mem_t *mem,
    const dfp_d7y_request_t *request, const dfp_job_t *job, dfp_str_t *frame);
static dfp_rc_t dfp_d7y_stat_image(dfp_mem_t *mem,
    const dfp_d7y_request_t *request, const dfp_job_t *job, dfp_str_t *frame);
static dfp_rc_t dfp_d7y_stat_file(dfp_mem_t *mem,
    const dfp_d7y_request_t *request, const dfp_job_t *job, dfp_str_t *frame);
static dfp_rc_t dfp_d7y_fields(dfp_mem_t *mem,
    const dfp_d7y_request_t *request, const ProtobufCMessageDescriptor *header,
    dfp_d7y_fields_t *fields);
static dfp_rc_t dfp_d7y_headers(dfp_mem_t *mem,
    const dfp_d7y_request_t *request,
    const ProtobufCMessageDescriptor *descriptor, dfp_d7y_fields_t *fields);
static dfp_rc_t dfp_d7y_certificates(dfp_mem_t *mem,
    const dfp_d7y_request_t *request, dfp_d7y_fields_t *fields);
static dfp_rc_t dfp_d7y_credentials(dfp_mem_t *mem, const dfp_job_t *job,
    char **username, char **password, char **platform);
static dfp_rc_t dfp_d7y_ips(dfp_mem_t *mem, const dfp_job_t *job, char ***ips);
static dfp_rc_t dfp_d7y_copy(dfp_mem_t *mem, dfp_str_t s, char **copy);
static dfp_rc_t dfp_d7y_pack(dfp_mem_t *mem, const ProtobufCMessage *message,
    dfp_str_t *frame);


dfp_rc_t
dfp_d7y_list_hosts(dfp_mem_t *mem, dfp_str_t *frame)
{
    Scheduler__V2__ListHostsRequest  message;

    scheduler__v2__list_hosts_request__init(&message);

    return dfp_d7y_pack(mem, &message.base, frame);
}


dfp_rc_t
dfp_d7y_download(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    dfp_str_t *frame)
{
    dfp_d7y_fields_t                   fields;
    Common__V2__Download               download;
    Dfdaemon__V2__DownloadTaskRequest  message;

    if (dfp_d7y_fields(mem, request,
                       &common__v2__download__request_header_entry__descriptor,
                       &fields)
        != DFP_OK)
    {
        return DFP_ERROR;
    }

    common__v2__download__init(&download);
    DFP_D7Y_SET(&download, &fields, request);
    DFP_D7Y_SET_HEADERS(&download, request_header, &fields);
    DFP_D7Y_SET_INT(&download, priority, request->priority);

    DFP_D7Y_SET_BLOB_DIGEST(&download, request);

    dfdaemon__v2__download_task_request__init(&message);
    message.download = &download;

    return dfp_d7y_pack(mem, &message.base, frame);
}


dfp_rc_t
dfp_d7y_stat_local(dfp_mem_t *mem, dfp_str_t task_id, dfp_str_t *frame)
{
    Dfdaemon__V2__StatLocalTaskRequest  message;

    dfdaemon__v2__stat_local_task_request__init(&message);

    if (dfp_d7y_copy(mem, task_id, &message.task_id) != DFP_OK) {
        return DFP_ERROR;
    }

    return dfp_d7y_pack(mem, &message.base, frame);
}


dfp_rc_t
dfp_d7y_delete_task(dfp_mem_t *mem, dfp_str_t task_id, dfp_str_t *frame)
{
    Dfdaemon__V2__DeleteTaskRequest  message;

    dfdaemon__v2__delete_task_request__init(&message);

    if (dfp_d7y_copy(mem, task_id, &message.task_id) != DFP_OK) {
        return DFP_ERROR;
    }

    return dfp_d7y_pack(mem, &message.base, frame);
}


dfp_rc_t
dfp_d7y_preheat(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const dfp_job_t *job, dfp_str_t *frame)
{
    if (job->type == DFP_JOB_IMAGE) {
        return dfp_d7y_preheat_image(mem, request, job, frame);
    }

    return dfp_d7y_preheat_file(mem, request, job, frame);
}


static dfp_rc_t
dfp_d7y_preheat_image(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const dfp_job_t *job, dfp_str_t *frame)
{
    dfp_d7y_fields_t                    fields;
    Scheduler__V2__PreheatImageRequest  message;

    scheduler__v2__preheat_image_request__init(&message);

    if (dfp_d7y_fields(mem, request,
            &scheduler__v2__preheat_image_request__header_entry__descriptor,
            &fields) != DFP_OK
        || dfp_d7y_ips(mem, job, &message.ips) != DFP_OK
        || dfp_d7y_credentials(mem, job, &message.username, &message.password,
                               &message.platform)
           != DFP_OK)
    {
        return DFP_ERROR;
    }

    DFP_D7Y_SET(&message, &fields, request);
    DFP_D7Y_SET_HEADERS(&message, header, &fields);
    DFP_D7Y_SET_PREHEAT(&message, request, job);
    DFP_D7Y_SET_BLOB_DIGEST(&message, request);

    return dfp_d7y_pack(mem, &message.base, frame);
}


static dfp_rc_t
dfp_d7y_preheat_file(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const dfp_job_t *job, dfp_str_t *frame)
{
    dfp_d7y_fields_t                   fields;
    Scheduler__V2__PreheatFileRequest  message;

    scheduler__v2__preheat_file_request__init(&message);

    if (dfp_d7y_fields(mem, request,
            &scheduler__v2__preheat_file_request__header_entry__descriptor,
            &fields) != DFP_OK
        || dfp_d7y_ips(mem, job, &message.ips) != DFP_OK)
    {
        return DFP_ERROR;
    }

    DFP_D7Y_SET(&message, &fields, request);
    DFP_D7Y_SET_HEADERS(&message, header, &fields);
    DFP_D7Y_SET_PREHEAT(&message, request, job);

    return dfp_d7y_pack(mem, &message.base, frame);
}


dfp_rc_t
dfp_d7y_stat(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const dfp_job_t *job, dfp_str_t *frame)
{
    if (job->type == DFP_JOB_IMAGE) {
        return dfp_d7y_stat_image(mem, request, job, frame);
    }

    return dfp_d7y_stat_file(mem, request, job, frame);
}


/* A layer is a task of its own. */

static dfp_rc_t
dfp_d7y_stat_image(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const dfp_job_t *job, dfp_str_t *frame)
{
    dfp_d7y_fields_t                 fields;
    Scheduler__V2__StatImageRequest  message;

    scheduler__v2__stat_image_request__init(&message);

    if (dfp_d7y_fields(mem, request,
            &scheduler__v2__stat_image_request__header_entry__descriptor,
            &fields) != DFP_OK
        || dfp_d7y_credentials(mem, job, &message.username, &message.password,
                               &message.platform)
           != DFP_OK)
    {
        return DFP_ERROR;
    }

    DFP_D7Y_SET(&message, &fields, request);
    DFP_D7Y_SET_HEADERS(&message, header, &fields);
    DFP_D7Y_SET_INT(&message, concurrent_layer_count,
                    job->concurrent_task_count);
    DFP_D7Y_SET_INT(&message, concurrent_peer_count,
                    job->concurrent_peer_count);
    DFP_D7Y_SET_BLOB_DIGEST(&message, request);

    /* seed peers are asked by a name that stands for all of them */

    message.scope = (char *) dfp_job_scope_name(
                        job->scope == DFP_SCOPE_SINGLE_SEED_PEER
                        ? DFP_SCOPE_ALL_SEED_PEERS : job->scope);

    return dfp_d7y_pack(mem, &message.base, frame);
}


static dfp_rc_t
dfp_d7y_stat_file(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const dfp_job_t *job, dfp_str_t *frame)
{
    dfp_d7y_fields_t                fields;
    Scheduler__V2__StatFileRequest  message;

    if (dfp_d7y_fields(mem, request,
            &scheduler__v2__stat_file_request__header_entry__descriptor,
            &fields) != DFP_OK)
    {
        return DFP_ERROR;
    }

    scheduler__v2__stat_file_request__init(&message);
    DFP_D7Y_SET(&message, &fields, request);
    DFP_D7Y_SET_HEADERS(&message, header, &fields);
    DFP_D7Y_SET_INT(&message, concurrent_peer_count,
                    job->concurrent_peer_count);

    return dfp_d7y_pack(mem, &message.base, frame);
}


static dfp_rc_t
dfp_d7y_fields(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const ProtobufCMessageDescriptor *header, dfp_d7y_fields_t *fields)
{
    size_t      i;
    dfp_str_t  *names;

    memset(fields, 0, sizeof(dfp_d7y_fields_t));

    if (dfp_d7y_copy(mem, request->url, &fields->url) != DFP_OK
        || dfp_d7y_copy(mem, request->tag, &fields->tag) != DFP_OK
        || dfp_d7y_copy(mem, request->application, &fields->application)
           != DFP_OK
        || dfp_d7y_names(mem, request->filter, &names, &fields->nfilter)
           != DFP_OK
        || dfp_d7y_headers(mem, request, header, fields) != DFP_OK
        || dfp_d7y_certificates(mem, request, fields) != DFP_OK)
    {
        return DFP_ERROR;
    }

    if (fields->nfilter) {
        fields->filter = mem->alloc(mem->ctx,
                                    fields->nfilter * sizeof(char *));
        if (fields->filter == NULL) {
            return DFP_ERROR;
        }
    }

    for (i = 0; i < fields->nfilter; i++) {
        if (dfp_d7y_copy(mem, names[i], &fields->filter[i]) != DFP_OK) {
            return DFP_ERROR;
        }
    }

    if (request->timeout > 0) {
        google__protobuf__duration__init(&fields->duration);
        DFP_D7Y_SET_INT(&fields->duration, seconds,
                        request->timeout / DFP_D7Y_SECOND);
        DFP_D7Y_SET_INT(&fields->duration, nanos,
                        (int32_t) (request->timeout % DFP_D7Y_SECOND));
        fields->timeout = &fields->duration;
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_d7y_headers(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const ProtobufCMessageDescriptor *descriptor, dfp_d7y_fields_t *fields)
{
    size_t                   i;
    dfp_d7y_entry_t         *entries;
    const dfp_job_header_t  *header;

    fields->nheaders = request->nheaders;

    if (request->nheaders == 0) {
        return DFP_OK;
    }

    entries = mem->alloc(mem->ctx,
                         request->nheaders * sizeof(dfp_d7y_entry_t));
    fields->headers = mem->alloc(mem->ctx,
                                 request->nheaders
                                 * sizeof(dfp_d7y_entry_t *));

    if (entries == NULL || fields->headers == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < request->nheaders; i++) {
        header = &request->headers[i];
        fields->headers[i] = &entries[i];

        protobuf_c_message_init(descriptor, &entries[i]);

        if (dfp_d7y_copy(mem, header->name, &entries[i].key) != DFP_OK
            || dfp_d7y_copy(mem, header->value, &entries[i].value) != DFP_OK)
        {
            return DFP_ERROR;
        }
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_d7y_certificates(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    dfp_d7y_fields_t *fields)
{
    size_t                i;
    ProtobufCBinaryData  *data;

    fields->ncertificates = request->ncertificates;

    if (request->ncertificates == 0) {
        return DFP_OK;
    }

    data = mem->alloc(mem->ctx,
                      request->ncertificates * sizeof(ProtobufCBinaryData));
    if (data == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < request->ncertificates; i++) {
        data[i].len = request->certificates[i].len;
        data[i].data = (uint8_t *) request->certificates[i].data;
    }

    fields->certificates = data;

    return DFP_OK;
}


static dfp_rc_t
dfp_d7y_credentials(dfp_mem_t *mem, const dfp_job_t *job, char **username,
    char **password, char **platform)
{
    if (dfp_d7y_copy(mem, job->username, username) != DFP_OK
        || dfp_d7y_copy(mem, job->password, password) != DFP_OK
        || dfp_d7y_copy(mem, job->platform, platform) != DFP_OK)
    {
        return DFP_ERROR;
    }

    return DFP_OK;
}


/* The scheduler compares addresses as texts, in their canonical form. */

static dfp_rc_t
dfp_d7y_ips(dfp_mem_t *mem, const dfp_job_t *job, char ***ips)
{
    char       text[INET6_ADDRSTRLEN];
    size_t     i, len;
    dfp_str_t  ip;

    if (job->nips == 0) {
        return DFP_OK;
    }

    *ips = mem->alloc(mem->ctx, job->nips * sizeof(char *));
    if (*ips == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < job->nips; i++) {
        len = dfp_addr_text(job->ips[i], text);
        ip = len ? (dfp_str_t) { len, text } : job->ips[i];

        (*ips)[i] = dfp_strdup(mem, ip.data, ip.len);
        if ((*ips)[i] == NULL) {
            return DFP_ERROR;
        }
    }

    return DFP_OK;
}


/* NULL, which is not sent, if it is empty. */

static dfp_rc_t
dfp_d7y_copy(dfp_mem_t *mem, dfp_str_t s, char **copy)
{
    *copy = NULL;

    if (s.len == 0) {
        return DFP_OK;
    }

    *copy = dfp_strdup(mem, s.data, s.len);

    return *copy ? DFP_OK : DFP_ERROR;
}


/* A job and the configuration are far smaller than the 4 GB of a prefix. */

static dfp_rc_t
dfp_d7y_pack(dfp_mem_t *mem, const ProtobufCMessage *message,
    dfp_str_t *frame)
{
    size_t          len;
    unsigned char  *p;

    len = protobuf_c_message_get_packed_size(message);

    p = mem->alloc(mem->ctx, DFP_GRPC_PREFIX + len);
    if (p == NULL) {
        return DFP_ERROR;
    }

    dfp_grpc_prefix(len, p);
    (void) protobuf_c_message_pack(message, p + DFP_GRPC_PREFIX);

    *frame = (dfp_str_t) { DFP_GRPC_PREFIX + len, (char *) p };

    return DFP_OK;
}
