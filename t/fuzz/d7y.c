/*
 * Dragonfly's messages: the whole of an input is each of those that come, at
 * once and in pieces whose sizes its bytes say; and its lines are what goes
 * into those that are sent, which are decoded again.
 */

#include "dfp_addr.h"
#include "dfp_d7y_parser.h"
#include "dfp_fuzz.h"
#include "dfp_held.h"
#include "dfp_hex.h"
#include "dfp_ring.h"
#include "dfp_scope.h"

#include "dfdaemon.pb-c.h"
#include "scheduler.pb-c.h"


#define FUZZ_LINES    16
#define FUZZ_HOSTS    1000     /* of which the scope picks */

#define FUZZ_PIECE    32       /* bytes of one, at most */
#define FUZZ_LAYERS   32       /* of which each is looked at */

/* what a message of LEN bytes may cost: 16 of them for protobuf-c, as much
 * again where each field is larger than all before, 4 for what is in pieces,
 * the rest for results, of which URLs of three bytes as names cost most; and
 * the reader with a block. A list of N hosts is outgrown again and again. */
#define FUZZ_COST(len)  (64 * (len) + 32768)
#define FUZZ_LIST(n)    (4 * (n) * sizeof(dfp_d7y_host_t))


typedef int (*read_pt)(void *reader, dfp_str_t part, int ends, dfp_err_t *err);

static size_t     allocated;
static dfp_str_t  lines[FUZZ_LINES];


static void *
count_alloc(void *ctx, size_t size)
{
    allocated += size;

    return dfp_fuzz_alloc(ctx, size);
}


static dfp_mem_t *
counting(void)
{
    static dfp_mem_t  mem = { count_alloc, NULL };

    allocated = 0;

    return &mem;
}


static void
check_ended(int rc, const dfp_err_t *err, size_t cost)
{
    MUST(rc == DFP_OK || (rc == DFP_INVALID && err->text[0] != '\0'));
    MUST(allocated <= cost);
}


/* Hands a message to READ, in pieces or not. Each is a block of its own, which
 * is gone after the call. */

static int
feed(read_pt read, void *reader, dfp_str_t message, int pieces,
    dfp_err_t *err)
{
    int      rc;
    char    *piece;
    size_t   i, n;

    i = 0;
    err->text[0] = '\0';

    do {
        n = message.len - i;

        if (n && pieces) {
            n = 1 + (unsigned char) message.data[i] % FUZZ_PIECE;
            n = (n < message.len - i) ? n : message.len - i;
        }

        piece = malloc(n);
        MUST(piece != NULL);
        memcpy(piece, n ? message.data + i : "", n);

        i += n;
        rc = read(reader, (dfp_str_t) { n, piece }, i == message.len, err);
        free(piece);

    } while (rc == DFP_OK && i < message.len);

    return rc;
}


static void
check_text(dfp_str_t text)
{
    size_t  i;

    MUST(text.data != NULL && text.len <= DFP_D7Y_MAX_TEXT);

    for (i = 0; i < text.len; i++) {
        MUST((unsigned char) text.data[i] >= 0x20 && text.data[i] != 0x7f);
    }
}


/* An address is spelled as its own spelling is. */

static void
check_ip(dfp_str_t ip)
{
    char  text[INET6_ADDRSTRLEN];

    MUST(ip.data != NULL);
    MUST(ip.len == 0 || dfp_addr_text(ip, text) == ip.len);
    MUST(ip.len == 0 || memcmp(ip.data, text, ip.len) == 0);
}


static void
check_scope(const dfp_d7y_host_t *hosts, size_t n, dfp_str_t task_id)
{
    char              seen[FUZZ_HOSTS] = { 0 };
    size_t            i, order[FUZZ_HOSTS];
    dfp_job_t         job;
    dfp_ring_t        ring;
    dfp_scope_t       scope;

    memset(&job, 0, sizeof(dfp_job_t));

    job.scope = DFP_SCOPE_SINGLE_SEED_PEER + task_id.len % 3;
    job.percentage = task_id.len % 101;
    job.count = (task_id.len % 5) ? 0 : task_id.len % 7;
    job.ips = lines;
    job.nips = (task_id.len % 4) ? 0 : FUZZ_LINES;

    MUST(dfp_scope_pick(dfp_fuzz_mem(), &job, hosts, n, &scope) == DFP_OK);
    MUST(scope.n + scope.nunusable <= n && scope.nmissing <= job.nips);

    MUST(dfp_ring_create(dfp_fuzz_mem(), scope.hosts, scope.n, &ring) == DFP_OK);
    MUST(dfp_ring_find(&ring, task_id, order, FUZZ_HOSTS) == scope.n);

    for (i = 0; i < scope.n; i++) {
        MUST(order[i] < scope.n && !seen[order[i]]);
        seen[order[i]] = 1;

        MUST(scope.hosts[i]->ip.len && scope.hosts[i]->port);
        MUST(scope.hosts[i]->seed == (job.scope != DFP_SCOPE_ALL_PEERS));
    }
}


static int
read_hosts(void *reader, dfp_str_t part, int ends, dfp_err_t *err)
{
    return dfp_d7y_hosts_read(reader, part, ends, err);
}


/* protobuf-c builds as many out of the whole. */

static void
check_list(dfp_str_t message, const dfp_d7y_hosts_t *hosts)
{
    Scheduler__V2__ListHostsResponse  *list;

    list = scheduler__v2__list_hosts_response__unpack(NULL, message.len,
                                             (const uint8_t *) message.data);
    MUST(list == NULL || hosts->n == list->n_hosts);

    scheduler__v2__list_hosts_response__free_unpacked(list, NULL);
}


static void
check_hosts(dfp_str_t message)
{
    int               rc, again;
    size_t            i;
    dfp_err_t         err, second;
    dfp_d7y_host_t   *one, *two;
    dfp_d7y_hosts_t  *hosts, *pieces;

    hosts = dfp_d7y_hosts_create(counting());
    rc = feed(read_hosts, hosts, message, 0, &err);
    check_ended(rc, &err, FUZZ_COST(message.len) + FUZZ_LIST(hosts->n));

    pieces = dfp_d7y_hosts_create(counting());
    again = feed(read_hosts, pieces, message, 1, &second);
    check_ended(again, &second, FUZZ_COST(message.len) + FUZZ_LIST(hosts->n));

    MUST(rc == again && strcmp(err.text, second.text) == 0);
    MUST(hosts->n <= DFP_D7Y_MAX_HOSTS && hosts->n == pieces->n);
    MUST(hosts->complete == (rc == DFP_OK));
    MUST(hosts->complete == pieces->complete);

    for (i = 0; i < hosts->n; i++) {
        one = &hosts->list[i];
        two = &pieces->list[i];

        check_text(one->id);
        check_text(one->hostname);
        check_ip(one->ip);

        MUST(dfp_str_eq(one->id, two->id) && dfp_str_eq(one->ip, two->ip));
        MUST(dfp_str_eq(one->hostname, two->hostname));
        MUST(one->port == two->port && one->seed == two->seed);
    }

    if (rc == DFP_OK) {
        check_list(message, hosts);
        check_scope(hosts->list, hosts->n < FUZZ_HOSTS ? hosts->n : FUZZ_HOSTS,
                    message);
    }
}


static void
check_event(dfp_str_t message)
{
    int               rc;
    dfp_err_t         err;
    dfp_d7y_event_t   event;

    rc = dfp_d7y_event_parse(counting(), message, &event, &err);
    check_ended(rc, &err, FUZZ_COST(message.len));

    if (rc == DFP_OK) {
        check_text(event.host_id);
        check_text(event.task_id);
        MUST(!(event.started && event.piece));
    }
}


static void
check_local(dfp_str_t message)
{
    int               rc;
    dfp_err_t         err;
    dfp_d7y_local_t   local;

    rc = dfp_d7y_local_parse(counting(), message, &local, &err);
    check_ended(rc, &err, FUZZ_COST(message.len));
}


static int
read_held(void *reader, dfp_str_t part, int ends, dfp_err_t *err)
{
    return dfp_held_read(reader, part, ends, err);
}


/* Those that the replies of the corpus tell of, in their order, and others. */

static dfp_d7y_host_t  peers[] = {
    { .ip = { 9, "127.0.0.1" }, .hostname = { 0, "" } },
    { .ip = { 9, "127.0.0.1" }, .hostname = { 1, "a" } },
    { .ip = { 9, "127.0.0.1" }, .hostname = { 6, "seed-1" } },
    { .ip = { 3, "::1" }, .hostname = { 0, "" } }
};

#define FUZZ_PEERS  (sizeof(peers) / sizeof(peers[0]))

/* A layer is held by those who hold it, or one that is the same. */

static void
check_layer(const dfp_held_t *held, size_t layer)
{
    size_t      i, k, n;
    dfp_str_t   url;

    if (held->layers) {
        url = held->layers[layer];
        MUST(url.len > 0 && url.len <= DFP_URL_MAX_LEN);

        for (i = 0; i < url.len; i++) {
            MUST(url.data[i] > 0x20 && url.data[i] < 0x7f);
        }
    }

    for (i = 0, n = 0; i < FUZZ_PEERS; i++) {
        for (k = 0; k < held->nlayers; k++) {
            n += dfp_held_by(held, i, k)
                 && (k == layer
                     || dfp_str_eq(held->layers[k], held->layers[layer]));
        }
    }

    MUST(n == held->counts[layer] && n <= FUZZ_PEERS);
}


static void
check_stat(dfp_str_t message, int image)
{
    int          rc, again;
    size_t       i, k;
    dfp_err_t    err, second;
    dfp_held_t  *held, *pieces;

    held = dfp_held_create(counting(), peers, FUZZ_PEERS, image);
    rc = feed(read_held, held, message, 0, &err);
    check_ended(rc, &err, FUZZ_COST(message.len));

    pieces = dfp_held_create(counting(), peers, FUZZ_PEERS, image);
    again = feed(read_held, pieces, message, 1, &second);
    check_ended(again, &second, FUZZ_COST(message.len));

    MUST(rc == again && strcmp(err.text, second.text) == 0);
    MUST(held->complete == (rc == DFP_OK));
    MUST(held->complete == pieces->complete);

    if (rc != DFP_OK) {
        return;
    }

    MUST(image || (held->nlayers == 1 && held->layers == NULL));
    MUST(held->nlayers == pieces->nlayers);

    for (k = 0; k < held->nlayers; k++) {
        MUST(held->counts[k] == pieces->counts[k]);
        MUST(!image || dfp_str_eq(held->layers[k], pieces->layers[k]));

        for (i = 0; i < FUZZ_PEERS; i++) {
            MUST(dfp_held_by(held, i, k) == dfp_held_by(pieces, i, k));
        }

        if (k < FUZZ_LAYERS) {
            check_layer(held, k);
        }
    }
}


static void
check_sent(const char *sent, dfp_str_t s)
{
    MUST((sent == NULL) == (s.len == 0));
    MUST(sent == NULL || (strlen(sent) == s.len
                          && memcmp(sent, s.data, s.len) == 0));
}


static void
check_names(char *const *sent, size_t n, dfp_str_t filter)
{
    size_t      i, count;
    dfp_str_t  *names;

    MUST(dfp_d7y_names(dfp_fuzz_mem(), filter, &names, &count) == DFP_OK);
    MUST(n == count);

    for (i = 0; i < n; i++) {
        check_sent(sent[i], names[i]);
    }
}


#define CHECK_COMMON(m, r, map)                                               \
    do {                                                                      \
        check_sent((m)->url, (r)->url);                                       \
        check_sent((m)->tag, (r)->tag);                                       \
        check_sent((m)->application, (r)->application);                       \
        check_names((m)->filtered_query_params,                               \
                    (m)->n_filtered_query_params, (r)->filter);               \
        MUST((m)->n_##map == (r)->nheaders);                                  \
        check_sent((m)->map[0]->key, (r)->headers[0].name);                   \
        check_sent((m)->map[0]->value, (r)->headers[0].value);                \
        MUST((m)->piece_length == (uint64_t) (r)->piece_length);              \
        MUST((m)->has_piece_length == ((r)->piece_length > 0));               \
        MUST((m)->timeout ? (m)->timeout->seconds * INT64_C(1000000000)       \
                            + (m)->timeout->nanos == (r)->timeout             \
                          : (r)->timeout == 0);                               \
        MUST((m)->n_certificate_chain == 1);                                  \
        MUST((m)->certificate_chain[0].len == (r)->certificates[0].len);      \
    } while (0)


static const uint8_t *
message_of(dfp_str_t frame, size_t *len)
{
    *len = frame.len - 5;

    MUST(frame.data[0] == 0);
    MUST((unsigned char) frame.data[4] == (*len & 0xff));

    return (const uint8_t *) frame.data + 5;
}


static void
check_download(const dfp_d7y_request_t *request)
{
    size_t                              len;
    dfp_str_t                           frame;
    const uint8_t                      *p;
    Dfdaemon__V2__DownloadTaskRequest  *m;

    MUST(dfp_d7y_download(dfp_fuzz_mem(), request, &frame) == DFP_OK);

    p = message_of(frame, &len);
    m = dfdaemon__v2__download_task_request__unpack(NULL, len, p);
    MUST(m != NULL && m->download != NULL);

    CHECK_COMMON(m->download, request, request_header);
    MUST(m->download->priority == request->priority);
    MUST(m->download->enable_task_id_based_blob_digest
         == (int) request->blob_digest);

    dfdaemon__v2__download_task_request__free_unpacked(m, NULL);
}


static void
check_preheat(const dfp_d7y_request_t *request, dfp_job_t *job)
{
    size_t                               len;
    dfp_str_t                            frame;
    const uint8_t                       *p;
    Scheduler__V2__PreheatFileRequest   *f;
    Scheduler__V2__PreheatImageRequest  *m;

    job->type = DFP_JOB_IMAGE;
    MUST(dfp_d7y_preheat(dfp_fuzz_mem(), request, job, &frame) == DFP_OK);

    p = message_of(frame, &len);
    m = scheduler__v2__preheat_image_request__unpack(NULL, len, p);
    MUST(m != NULL);

    CHECK_COMMON(m, request, header);
    check_sent(m->username, job->username);
    check_sent(m->password, job->password);
    check_sent(m->platform, job->platform);
    MUST(strcmp(m->scope, dfp_job_scope_name(job->scope)) == 0);
    MUST(m->n_ips == job->nips && m->percentage == (uint32_t) job->percentage);

    scheduler__v2__preheat_image_request__free_unpacked(m, NULL);

    job->type = DFP_JOB_FILE;
    MUST(dfp_d7y_preheat(dfp_fuzz_mem(), request, job, &frame) == DFP_OK);

    p = message_of(frame, &len);
    f = scheduler__v2__preheat_file_request__unpack(NULL, len, p);
    MUST(f != NULL);

    CHECK_COMMON(f, request, header);
    MUST(f->n_ips == job->nips && f->count == (uint32_t) job->count);

    scheduler__v2__preheat_file_request__free_unpacked(f, NULL);
}


static void
check_stat_sent(const dfp_d7y_request_t *request, dfp_job_t *job)
{
    size_t                            len;
    dfp_str_t                         frame;
    const uint8_t                    *p;
    Scheduler__V2__StatFileRequest   *f;
    Scheduler__V2__StatImageRequest  *m;

    job->type = DFP_JOB_IMAGE;
    MUST(dfp_d7y_stat(dfp_fuzz_mem(), request, job, &frame) == DFP_OK);

    p = message_of(frame, &len);
    m = scheduler__v2__stat_image_request__unpack(NULL, len, p);
    MUST(m != NULL);

    CHECK_COMMON(m, request, header);
    check_sent(m->username, job->username);
    check_sent(m->password, job->password);
    check_sent(m->platform, job->platform);

    scheduler__v2__stat_image_request__free_unpacked(m, NULL);

    job->type = DFP_JOB_FILE;
    MUST(dfp_d7y_stat(dfp_fuzz_mem(), request, job, &frame) == DFP_OK);

    p = message_of(frame, &len);
    f = scheduler__v2__stat_file_request__unpack(NULL, len, p);
    MUST(f != NULL);

    CHECK_COMMON(f, request, header);
    MUST(f->concurrent_peer_count == job->concurrent_peer_count);

    scheduler__v2__stat_file_request__free_unpacked(f, NULL);
}


/* The URL that is hashed is a URL, and written as it is written again, unless
 * it ended in a "/". */

static void
check_id(dfp_d7y_request_t *request)
{
    int             rc, finds;
    size_t          i;
    dfp_str_t       id, one, two;
    dfp_d7y_url_t   url;

    rc = dfp_d7y_stat_finds(dfp_fuzz_mem(), request);
    MUST(rc == DFP_OK || rc == DFP_DECLINED);
    finds = (rc == DFP_OK);

    request->blob_digest = 0;
    rc = dfp_d7y_task_id(dfp_fuzz_mem(), request, &id);
    MUST(rc == DFP_OK || (rc == DFP_INVALID && !finds));

    if (rc != DFP_OK) {
        return;
    }

    MUST(id.len == 64);

    for (i = 0; i < id.len; i++) {
        MUST(dfp_hex(id.data[i]) >= 0 && id.data[i] != 'A');
    }

    MUST(dfp_d7y_url_split(dfp_fuzz_mem(), request->url, &url) == DFP_OK);
    MUST(dfp_d7y_url_print(dfp_fuzz_mem(), &url, NULL, 0, &one) == DFP_OK);

    rc = dfp_d7y_url_split(dfp_fuzz_mem(), one, &url);
    MUST(rc == DFP_OK || one.len > DFP_URL_MAX_LEN);

    if (rc == DFP_OK) {
        MUST(dfp_d7y_url_print(dfp_fuzz_mem(), &url, NULL, 0, &two) == DFP_OK);
        MUST(dfp_str_eq(one, two));
    }

    request->blob_digest = 1;
    rc = dfp_d7y_task_id(dfp_fuzz_mem(), request, &id);
    MUST(rc == DFP_INVALID || id.len == 64 || id.len == 128 || id.len == 10);
}


/* The lines of an input, each a block of its own, without NULs. */

static void
read_lines(const char *p, const char *last)
{
    char    *s;
    size_t   i;

    for (i = 0; i < FUZZ_LINES; i++) {
        s = dfp_fuzz_alloc(NULL, last - p);
        lines[i] = (dfp_str_t) { 0, s };

        for ( /* void */ ; p < last && *p != '\n'; p++) {
            if (*p != '\0') {
                s[lines[i].len++] = *p;
            }
        }

        p += (p < last);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dfp_job_t           job;
    dfp_str_t           message = { size, (const char *) data };
    dfp_job_header_t    header;
    dfp_d7y_request_t   request;

    read_lines(size ? message.data : "", size ? message.data + size : "");

    check_hosts(message);
    check_event(message);
    check_local(message);
    check_stat(message, 0);
    check_stat(message, 1);

    memset(&job, 0, sizeof(dfp_job_t));
    memset(&request, 0, sizeof(dfp_d7y_request_t));

    request.url = lines[0];
    request.filter = lines[1];
    request.tag = lines[2];
    request.application = lines[3];
    header.name = lines[4];
    header.value = lines[5];
    request.headers = &header;
    request.nheaders = 1;
    request.certificates = &message;
    request.ncertificates = 1;
    request.piece_length = (int64_t) (size * size);
    request.timeout = (int64_t) size * 123456789;
    request.priority = (int) (size % 7);
    request.blob_digest = size % 2;

    job.scope = DFP_SCOPE_SINGLE_SEED_PEER + size % 3;
    job.username = lines[6];
    job.password = lines[7];
    job.platform = lines[8];
    job.ips = &lines[9];
    job.nips = FUZZ_LINES - 9;
    job.percentage = (int) (size % 101);
    job.count = (int) (size % 201);
    job.concurrent_peer_count = (int) (size % 1001);

    check_download(&request);
    check_preheat(&request, &job);
    check_stat_sent(&request, &job);
    check_id(&request);

    dfp_fuzz_free();

    return 0;
}
