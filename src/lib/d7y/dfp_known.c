/*
 * The peers that a scheduler has listed.
 */

#include "dfp_addr.h"
#include "dfp_buf.h"
#include "dfp_known.h"


#define DFP_KNOWN_FIELDS  5


static int dfp_known_line(dfp_str_t line, int64_t now, dfp_known_peer_t *peer);
static int dfp_known_number(dfp_str_t s, int64_t max, int64_t *number);
static int dfp_known_order(const void *one, const void *two);
static void dfp_known_write(dfp_buf_t *b, const dfp_d7y_host_t *host,
    int64_t seen);


dfp_rc_t
dfp_known_parse(dfp_mem_t *mem, dfp_str_t text, int64_t now,
    dfp_known_t *known)
{
    size_t      lines;
    dfp_str_t   line;
    const char *p, *end, *last;

    memset(known, 0, sizeof(dfp_known_t));

    last = text.data + text.len;

    for (p = text.data, lines = 0; p < last; p++) {
        lines += (*p == '\n');
    }

    if (lines > DFP_D7Y_MAX_HOSTS) {
        lines = DFP_D7Y_MAX_HOSTS;
    }

    known->list = mem->alloc(mem->ctx,
                             (lines + 1) * sizeof(dfp_known_peer_t));
    if (known->list == NULL) {
        return DFP_ERROR;
    }

    for (p = text.data; p < last && known->n < lines; p = end + 1) {

        end = memchr(p, '\n', last - p);
        if (end == NULL) {
            break;
        }

        line = (dfp_str_t) { end - p, p };

        if (dfp_known_line(line, now, &known->list[known->n])) {
            known->n++;
        }
    }

    if (known->n) {
        qsort(known->list, known->n, sizeof(dfp_known_peer_t),
              dfp_known_order);
    }

    return DFP_OK;
}


/* Whether LINE is a peer that was seen within the hour. */

static int
dfp_known_line(dfp_str_t line, int64_t now, dfp_known_peer_t *peer)
{
    char         ip[INET6_ADDRSTRLEN];
    size_t       i;
    int64_t      port;
    dfp_str_t    field[DFP_KNOWN_FIELDS];
    const char  *p, *end, *last;

    p = line.data;
    last = p + line.len;

    for (i = 0; i < DFP_KNOWN_FIELDS - 1; i++) {

        end = memchr(p, ' ', last - p);
        if (end == NULL) {
            return 0;
        }

        field[i] = (dfp_str_t) { end - p, p };
        p = end + 1;
    }

    memset(peer, 0, sizeof(dfp_known_peer_t));

    if (!dfp_known_number(field[0], now, &peer->seen)
        || now - peer->seen >= DFP_KNOWN_SECONDS
        || field[1].len != 1
        || !dfp_known_number(field[2], 65535, &port)
        || port == 0
        || last - p > DFP_D7Y_MAX_TEXT)
    {
        return 0;
    }

    if (field[3].len == 0
        || dfp_addr_text(field[3], ip) != field[3].len
        || memcmp(ip, field[3].data, field[3].len) != 0)
    {
        return 0;
    }

    for (i = 0; p + i < last; i++) {
        if ((unsigned char) p[i] < 0x20 || p[i] == 0x7f) {
            return 0;
        }
    }

    peer->host.seed = (field[1].data[0] == 's');
    peer->host.port = (uint16_t) port;
    peer->host.ip = field[3];
    peer->host.hostname = (dfp_str_t) { last - p, p };

    return 1;
}


static int
dfp_known_number(dfp_str_t s, int64_t max, int64_t *number)
{
    size_t  i;

    if (s.len == 0 || s.len > 15) {
        return 0;
    }

    for (i = 0, *number = 0; i < s.len; i++) {

        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }

        *number = *number * 10 + (s.data[i] - '0');
    }

    return *number <= max;
}


static int
dfp_known_order(const void *one, const void *two)
{
    int                      order;
    const dfp_known_peer_t  *a, *b;

    a = one;
    b = two;
    order = dfp_str_cmp(a->host.ip, b->host.ip);

    return order ? order : (int) a->host.port - (int) b->host.port;
}


void
dfp_known_listed(dfp_known_t *known, const dfp_d7y_host_t *hosts, size_t n,
    int64_t now)
{
    size_t             i;
    dfp_known_peer_t   key, *peer;

    for (i = 0; i < known->n; i++) {
        known->list[i].listed = 0;
    }

    for (i = 0; i < n; i++) {

        if (hosts[i].ip.len == 0 || hosts[i].port == 0) {
            continue;
        }

        key.host = hosts[i];
        peer = known->n ? bsearch(&key, known->list, known->n,
                                  sizeof(dfp_known_peer_t), dfp_known_order)
                        : NULL;

        if (peer) {
            peer->listed = 1;
        }

        if (peer == NULL || peer->host.seed != hosts[i].seed
            || now - peer->seen >= DFP_KNOWN_FRESH)
        {
            known->changed = 1;
        }
    }
}


int
dfp_known_meant(const dfp_known_peer_t *peer, const dfp_job_t *job)
{
    char       ip[INET6_ADDRSTRLEN];
    size_t     i, len;

    if (peer->host.seed != (job->scope != DFP_SCOPE_ALL_PEERS)) {
        return 0;
    }

    if (job->scope == DFP_SCOPE_SINGLE_SEED_PEER) {
        return 1;
    }

    for (i = 0; i < job->nips; i++) {
        len = dfp_addr_text(job->ips[i], ip);

        if (dfp_str_eq(peer->host.ip, (dfp_str_t) { len, ip })) {
            return 1;
        }
    }

    return job->nips == 0;
}


dfp_rc_t
dfp_known_print(dfp_mem_t *mem, const dfp_known_t *known,
    const dfp_d7y_host_t *hosts, size_t n, int64_t now, dfp_str_t *text)
{
    size_t                   i, lines;
    dfp_buf_t                b;
    const dfp_known_peer_t  *peer;

    dfp_buf_init(&b, mem, (n + known->n + 1) * 64, 0);
    lines = 0;

    for (i = 0; i < n; i++) {
        if (hosts[i].ip.len && hosts[i].port) {
            dfp_known_write(&b, &hosts[i], now);
            lines++;
        }
    }

    for (i = 0; i < known->n && lines < DFP_D7Y_MAX_HOSTS; i++) {
        peer = &known->list[i];

        if (!peer->listed && !peer->lost) {
            dfp_known_write(&b, &peer->host, peer->seen);
            lines++;
        }
    }

    *text = dfp_buf_value(&b);

    return b.failed ? DFP_ERROR : DFP_OK;
}


static void
dfp_known_write(dfp_buf_t *b, const dfp_d7y_host_t *host, int64_t seen)
{
    char  line[64];

    (void) snprintf(line, sizeof(line), "%lld %c %d ", (long long) seen,
                    host->seed ? 's' : 'n', (int) host->port);

    dfp_buf_cstr(b, line);
    dfp_buf_str(b, host->ip);
    dfp_buf_cstr(b, " ");
    dfp_buf_str(b, host->hostname);
    dfp_buf_cstr(b, "\n");
}
