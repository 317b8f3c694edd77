/*
 * A job printed again, with or without its secrets, and its URLs.
 */

#include <stdlib.h>

#include "dfp_job_parser.h"
#include "dfp_time.h"


#define DFP_JOB_HIDDEN  "***"


typedef struct {
    dfp_buf_t  *buf;
    int         redact;
    int         hidden;
} dfp_job_printer_t;


typedef struct {
    dfp_str_t   url;
    size_t      pos;
} dfp_job_place_t;


/* A KEY includes the comma, the quotes and the colon. */

static void dfp_job_print_flag(dfp_job_printer_t *p, const char *text, int is);
static void dfp_job_print_preheat(dfp_job_printer_t *p, const dfp_job_t *job);
static void dfp_job_print_task(dfp_job_printer_t *p, const dfp_job_t *job);
static void dfp_job_print_action(dfp_job_printer_t *p, dfp_job_action_t action);
static void dfp_job_print_text(dfp_job_printer_t *p, const char *key,
    dfp_str_t s);
static void dfp_job_print_secret(dfp_job_printer_t *p, const char *key,
    dfp_str_t s);
static void dfp_job_print_int(dfp_job_printer_t *p, const char *key,
    int64_t n);
static void dfp_job_print_blob_digest(dfp_job_printer_t *p,
    const dfp_job_t *job);
static void dfp_job_print_headers(dfp_job_printer_t *p, const dfp_job_t *job);
static void dfp_job_print_ips(dfp_job_printer_t *p, const dfp_job_t *job);
static void dfp_job_print_urls(dfp_job_printer_t *p, const dfp_job_t *job);
static void dfp_job_print_url(dfp_job_printer_t *p, dfp_str_t url);
static int dfp_job_by_url(const void *one, const void *two);
static int dfp_job_by_pos(const void *one, const void *two);


int
dfp_job_print_args(dfp_buf_t *b, const dfp_job_t *job, int redact)
{
    dfp_job_printer_t  p;

    p.buf = b;
    p.redact = redact;
    p.hidden = 0;

    dfp_buf_cstr(b, "{");

    dfp_job_print_action(&p, job->action);
    dfp_job_print_text(&p, "\"application\":", job->application);

    if (dfp_job_of_task(job->action)) {
        dfp_job_print_task(&p, job);

    } else {
        dfp_job_print_preheat(&p, job);
    }

    dfp_buf_cstr(b, "}");

    return p.hidden;
}


static void
dfp_job_print_preheat(dfp_job_printer_t *p, const dfp_job_t *job)
{
    dfp_job_print_int(p, ",\"concurrent_peer_count\":",
                      job->concurrent_peer_count);
    dfp_job_print_int(p, ",\"concurrent_task_count\":",
                      job->concurrent_task_count);
    dfp_job_print_int(p, ",\"count\":", job->count);

    /* not a field of Dragonfly: printed only if it is given, as others below */

    if (job->digest.len) {
        dfp_job_print_text(p, ",\"digest\":", job->digest);
    }

    dfp_job_print_blob_digest(p, job);
    dfp_job_print_text(p, ",\"filtered_query_params\":", job->filter);
    dfp_buf_cstr(p->buf, ",\"hdfs\":null,\"headers\":");
    dfp_job_print_headers(p, job);
    dfp_buf_cstr(p->buf, ",\"ips\":");
    dfp_job_print_ips(p, job);

    if (job->keep_until) {
        dfp_buf_cstr(p->buf, ",\"keep_until\":\"");
        dfp_time_print(p->buf, job->keep_until);
        dfp_buf_cstr(p->buf, "\"");
    }

    dfp_buf_cstr(p->buf, ",\"object_storage\":null");
    dfp_job_print_secret(p, ",\"password\":", job->password);
    dfp_job_print_int(p, ",\"percentage\":", job->percentage);
    dfp_job_print_int(p, ",\"piece_length\":", job->piece_length);
    dfp_job_print_text(p, ",\"platform\":", job->platform);

    if (job->pushed.len) {
        dfp_job_print_text(p, ",\"pushed\":", job->pushed);
    }

    dfp_job_print_flag(p, ",\"refresh\":true", job->refresh);

    dfp_buf_cstr(p->buf, ",\"scope\":\"");
    dfp_buf_cstr(p->buf, dfp_job_scope_name(job->scope));
    dfp_buf_cstr(p->buf, "\"");

    if (job->size) {
        dfp_job_print_int(p, ",\"size\":", job->size);
    }

    dfp_job_print_flag(p, ",\"subjects\":true", job->subjects);

    if (job->success_threshold) {
        dfp_job_print_int(p, ",\"success_threshold\":",
                          job->success_threshold);
    }

    dfp_job_print_text(p, ",\"tag\":", job->tag);
    dfp_job_print_int(p, ",\"timeout\":", job->timeout);
    dfp_buf_cstr(p->buf, ",\"type\":\"");
    dfp_buf_cstr(p->buf, job->type == DFP_JOB_IMAGE ? "image" : "file");
    dfp_buf_cstr(p->buf, "\",\"url\":");
    dfp_job_print_url(p, job->url);
    dfp_buf_cstr(p->buf, ",\"urls\":");
    dfp_job_print_urls(p, job);
    dfp_job_print_secret(p, ",\"username\":", job->username);

    dfp_job_print_flag(p, ",\"verify\":true", job->verify);
}


static void
dfp_job_print_flag(dfp_job_printer_t *p, const char *text, int is)
{
    if (is) {
        dfp_buf_cstr(p->buf, text);
    }
}


static void
dfp_job_print_task(dfp_job_printer_t *p, const dfp_job_t *job)
{
    if (job->action == DFP_JOB_GET_TASK) {
        dfp_job_print_int(p, ",\"concurrent_peer_count\":",
                          job->concurrent_peer_count);
    }

    dfp_buf_cstr(p->buf, ",\"content_for_calculating_task_id\":");

    if (job->content.len) {
        dfp_buf_json(p->buf, job->content);

    } else {
        dfp_buf_cstr(p->buf, "null");
    }

    dfp_job_print_text(p, ",\"filtered_query_params\":", job->filter);

    if (job->found_url.len) {
        dfp_buf_cstr(p->buf, ",\"found_url\":");
        dfp_job_print_url(p, job->found_url);
    }

    dfp_job_print_int(p, ",\"piece_length\":", job->piece_length);

    if (job->platform.len) {
        dfp_job_print_text(p, ",\"platform\":", job->platform);
    }

    dfp_job_print_text(p, ",\"tag\":", job->tag);
    dfp_job_print_text(p, ",\"task_id\":", job->task_id);
    dfp_job_print_int(p, ",\"timeout\":", job->timeout);
    dfp_buf_cstr(p->buf, ",\"url\":");
    dfp_job_print_url(p, job->url);
}


static void
dfp_job_print_action(dfp_job_printer_t *p, dfp_job_action_t action)
{
    switch (action) {

    case DFP_JOB_LOOK:
        dfp_buf_cstr(p->buf, "\"action\":\"look\",");
        break;

    case DFP_JOB_REMOVE:
        dfp_buf_cstr(p->buf, "\"action\":\"remove\",");
        break;

    case DFP_JOB_DRY:
        dfp_buf_cstr(p->buf, "\"action\":\"dry_run\",");
        break;

    case DFP_JOB_GET_TASK:
    case DFP_JOB_DELETE_TASK:
    case DFP_JOB_DISTRIBUTION:
        dfp_buf_cstr(p->buf, "\"action\":\"");
        dfp_buf_cstr(p->buf, dfp_job_type_name(action));
        dfp_buf_cstr(p->buf, "\",");
        break;

    default: /* DFP_JOB_PREHEAT */
        break;
    }
}


static void
dfp_job_print_text(dfp_job_printer_t *p, const char *key, dfp_str_t s)
{
    dfp_buf_cstr(p->buf, key);
    dfp_buf_json(p->buf, s);
}


static void
dfp_job_print_secret(dfp_job_printer_t *p, const char *key, dfp_str_t s)
{
    if (p->redact && s.len) {
        s = DFP_STR(DFP_JOB_HIDDEN);
        p->hidden = 1;
    }

    dfp_job_print_text(p, key, s);
}


/* 0 is not given: no field allows it. */

static void
dfp_job_print_int(dfp_job_printer_t *p, const char *key, int64_t n)
{
    dfp_buf_cstr(p->buf, key);

    if (n == 0) {
        dfp_buf_cstr(p->buf, "null");
        return;
    }

    dfp_buf_int(p->buf, n);
}


static void
dfp_job_print_blob_digest(dfp_job_printer_t *p, const dfp_job_t *job)
{
    dfp_buf_cstr(p->buf, ",\"enable_task_id_based_blob_digest\":");
    dfp_buf_cstr(p->buf, job->blob_digest == 0 ? "null"
                         : job->blob_digest > 0 ? "true" : "false");
}


static void
dfp_job_print_headers(dfp_job_printer_t *p, const dfp_job_t *job)
{
    size_t                   i;
    const dfp_job_header_t  *header;

    if (job->nheaders == 0) {
        dfp_buf_cstr(p->buf, "null");
        return;
    }

    for (i = 0; i < job->nheaders; i++) {
        header = &job->headers[i];

        dfp_job_print_text(p, i ? "," : "{", header->name);

        if (dfp_job_header_secret(header->name)) {
            dfp_job_print_secret(p, ":", header->value);

        } else {
            dfp_job_print_text(p, ":", header->value);
        }
    }

    dfp_buf_cstr(p->buf, "}");
}


static void
dfp_job_print_ips(dfp_job_printer_t *p, const dfp_job_t *job)
{
    size_t  i;

    if (job->nips == 0) {
        dfp_buf_cstr(p->buf, "null");
        return;
    }

    for (i = 0; i < job->nips; i++) {
        dfp_job_print_text(p, i ? "," : "[", job->ips[i]);
    }

    dfp_buf_cstr(p->buf, "]");
}


static void
dfp_job_print_urls(dfp_job_printer_t *p, const dfp_job_t *job)
{
    size_t  i;

    if (job->nurls == 0) {
        dfp_buf_cstr(p->buf, "null");
        return;
    }

    for (i = 0; i < job->nurls; i++) {
        dfp_buf_cstr(p->buf, i ? "," : "[");
        dfp_job_print_url(p, job->urls[i]);
    }

    dfp_buf_cstr(p->buf, "]");
}


static void
dfp_job_print_url(dfp_job_printer_t *p, dfp_str_t url)
{
    int  changed;

    if (p->redact) {
        if (dfp_url_redact(p->buf->mem, url, &url, &changed) != DFP_OK) {
            p->buf->failed = 1;
            return;
        }

        p->hidden |= changed;
    }

    dfp_buf_json(p->buf, url);
}


const char *
dfp_job_scope_name(dfp_job_scope_t scope)
{
    switch (scope) {

    case DFP_SCOPE_SINGLE_SEED_PEER:
        return "single_seed_peer";

    case DFP_SCOPE_ALL_SEED_PEERS:
        return "all_seed_peers";

    case DFP_SCOPE_ALL_PEERS:
        return "all_peers";

    default:
        return "";
    }
}


/*
 * Sorted by text, duplicates are adjacent; sorted by position again, the rest
 * is in its original order. Comparing all pairs would take a good part of a
 * second for DFP_JOB_MAX_URLS.
 */

dfp_rc_t
dfp_job_urls(dfp_mem_t *mem, const dfp_job_t *job, dfp_str_t **urls, size_t *n)
{
    size_t            i, given, kept;
    dfp_job_place_t  *places;

    given = 0;
    places = mem->alloc(mem->ctx, (job->nurls + 1) * sizeof(dfp_job_place_t));
    *urls = mem->alloc(mem->ctx, (job->nurls + 1) * sizeof(dfp_str_t));

    if (places == NULL || *urls == NULL) {
        return DFP_ERROR;
    }

    if (job->url.len) {
        places[given].url = job->url;
        places[given++].pos = 0;
    }

    for (i = 0; i < job->nurls; i++) {
        places[given].url = job->urls[i];
        places[given++].pos = i + 1;
    }

    qsort(places, given, sizeof(dfp_job_place_t), dfp_job_by_url);

    kept = 0;

    for (i = 0; i < given; i++) {
        if (kept == 0 || !dfp_str_eq(places[kept - 1].url, places[i].url)) {
            places[kept++] = places[i];
        }
    }

    qsort(places, kept, sizeof(dfp_job_place_t), dfp_job_by_pos);

    for (i = 0; i < kept; i++) {
        (*urls)[i] = places[i].url;
    }

    *n = kept;

    return DFP_OK;
}


static int
dfp_job_by_url(const void *one, const void *two)
{
    int                     rc;
    const dfp_job_place_t  *a, *b;

    a = one;
    b = two;

    if (a->url.len != b->url.len) {
        return (a->url.len < b->url.len) ? -1 : 1;
    }

    rc = memcmp(a->url.data, b->url.data, a->url.len);

    return rc ? rc : dfp_job_by_pos(one, two);
}


static int
dfp_job_by_pos(const void *one, const void *two)
{
    const dfp_job_place_t  *a, *b;

    a = one;
    b = two;

    return (a->pos > b->pos) - (a->pos < b->pos);
}
