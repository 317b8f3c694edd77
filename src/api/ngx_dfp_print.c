#include "ngx_dfp_print.h"

#include "dfp_time.h"


/* The two times of a job, which are printed several times. */
typedef struct {
    dfp_str_t  created;
    dfp_str_t  updated;
} ngx_dfp_print_times_t;


static void ngx_dfp_print_result(dfp_buf_t *b, ngx_dfp_stored_job_t *job,
    ngx_dfp_print_times_t *times);
static ngx_uint_t ngx_dfp_print_state(dfp_buf_t *b, ngx_dfp_stored_job_t *job,
    ngx_uint_t first, dfp_str_t created);
static dfp_str_t ngx_dfp_print_quoted(dfp_buf_t *b, int64_t ms);
static const char *ngx_dfp_print_state_name(ngx_dfp_part_t *part,
    ngx_uint_t n);
static void ngx_dfp_print_errors(dfp_buf_t *b, ngx_dfp_part_t *part,
    ngx_uint_t n);
static void ngx_dfp_print_fragments(dfp_buf_t *b, ngx_dfp_part_t *part,
    ngx_uint_t n, size_t offset);
static void ngx_dfp_print_clusters(dfp_buf_t *b, ngx_dfp_api_t *api);
static void ngx_dfp_print_text(dfp_buf_t *b, const char *key,
    ngx_str_t *value);


void
ngx_dfp_print_job(dfp_buf_t *b, ngx_dfp_api_t *api, ngx_uint_t result)
{
    ngx_dfp_stored_job_t   *job;
    ngx_dfp_print_times_t         times;

    job = &api->stored;

    times.created = ngx_dfp_print_quoted(b, job->created);
    times.updated = ngx_dfp_print_quoted(b, job->updated);

    dfp_buf_cstr(b, "{\"id\":");
    dfp_buf_int(b, job->id);
    dfp_buf_cstr(b, ",\"created_at\":");
    dfp_buf_str(b, times.created);
    dfp_buf_cstr(b, ",\"updated_at\":");
    dfp_buf_str(b, times.updated);
    dfp_buf_cstr(b, ",\"is_del\":0,\"task_id\":\"group_");
    dfp_buf_str(b, ngx_dfp_dfp_str(job->uuid));
    dfp_buf_cstr(b, "\"");
    dfp_buf_str(b, ngx_dfp_dfp_str(job->about));
    ngx_dfp_print_text(b, ",\"state\":", &job->state);
    dfp_buf_cstr(b, ",\"args\":");
    dfp_buf_str(b, ngx_dfp_dfp_str(job->args));
    dfp_buf_cstr(b, ",\"result\":");

    if (result) {
        ngx_dfp_print_result(b, job, &times);

    } else {
        dfp_buf_cstr(b, "null");
    }

    dfp_buf_cstr(b, ",\"user\":" NGX_DFP_PRINT_NO_USER);
    dfp_buf_cstr(b, result ? ",\"seed_peer_clusters\":[]"
                           : ",\"seed_peer_clusters\":null");
    dfp_buf_cstr(b, ",\"scheduler_clusters\":[");
    ngx_dfp_print_clusters(b, api);
    dfp_buf_cstr(b, "]}");
}


static void
ngx_dfp_print_result(dfp_buf_t *b, ngx_dfp_stored_job_t *job,
    ngx_dfp_print_times_t *times)
{
    ngx_uint_t  i;

    dfp_buf_cstr(b, "{\"created_at\":");
    dfp_buf_str(b, times->created);
    dfp_buf_cstr(b, ",\"group_uuid\":\"group_");
    dfp_buf_str(b, ngx_dfp_dfp_str(job->uuid));
    dfp_buf_cstr(b, "\",\"job_states\":[");

    for (i = 0; i < job->nparts; /* void */ ) {
        dfp_buf_cstr(b, i ? "," : "");
        i += ngx_dfp_print_state(b, job, i, times->created);
    }

    dfp_buf_cstr(b, "]");
    ngx_dfp_print_text(b, ",\"state\":", &job->state);
    dfp_buf_cstr(b, ",\"updated_at\":");
    dfp_buf_str(b, times->updated);
    dfp_buf_cstr(b, "}");
}


/* Prints the job state of the cluster whose parts begin at FIRST. Returns the
 * number of its parts. */

static ngx_uint_t
ngx_dfp_print_state(dfp_buf_t *b, ngx_dfp_stored_job_t *job, ngx_uint_t first,
    dfp_str_t created)
{
    int64_t          lost;
    ngx_uint_t       i, n;
    ngx_dfp_part_t  *part;

    part = &job->parts[first];
    lost = 0;

    for (n = 1; first + n < job->nparts; n++) {
        if (part[n].cluster != part->cluster) {
            break;
        }
    }

    for (i = 0; i < n; i++) {
        lost += part[i].lost_attempts;
    }

    dfp_buf_cstr(b, "{\"created_at\":");
    dfp_buf_str(b, created);
    dfp_buf_cstr(b, ",\"error\":");
    ngx_dfp_print_errors(b, part, n);
    dfp_buf_cstr(b, ",\"lost_attempts\":");
    dfp_buf_int(b, lost);
    dfp_buf_cstr(b, ",\"progress\":");
    ngx_dfp_print_fragments(b, part, n, offsetof(ngx_dfp_part_t, progress));
    dfp_buf_cstr(b, ",\"results\":");
    ngx_dfp_print_fragments(b, part, n, offsetof(ngx_dfp_part_t, results));
    dfp_buf_cstr(b, ",\"state\":\"");
    dfp_buf_cstr(b, ngx_dfp_print_state_name(part, n));
    dfp_buf_cstr(b, "\",\"task_name\":\"preheat\",\"task_uuid\":\"task_");
    dfp_buf_str(b, ngx_dfp_dfp_str(part->task_uuid));
    dfp_buf_cstr(b, "\",\"ttl\":0}");

    return n;
}


static const char *
ngx_dfp_print_state_name(ngx_dfp_part_t *part, ngx_uint_t n)
{
    ngx_uint_t   i;
    const char  *name;

    name = "SUCCESS";

    for (i = 0; i < n; i++) {

        if (part[i].state.len && part[i].state.data[0] == 'P') {
            return "PENDING";
        }

        if (part[i].state.len && part[i].state.data[0] == 'F') {
            name = "FAILURE";
        }
    }

    return name;
}


static void
ngx_dfp_print_errors(dfp_buf_t *b, ngx_dfp_part_t *part, ngx_uint_t n)
{
    ngx_uint_t  i;
    dfp_buf_t   text;

    dfp_buf_init(&text, b->mem, 256, 0);

    for (i = 0; i < n; i++) {
        if (part[i].error.len) {
            dfp_buf_cstr(&text, text.len ? "; " : "");
            dfp_buf_str(&text, ngx_dfp_dfp_str(part[i].error));
        }
    }

    dfp_buf_json(b, dfp_buf_value(&text));
    b->failed |= text.failed;
}


/* Fragments are JSON; parts without one are left out. */

static void
ngx_dfp_print_fragments(dfp_buf_t *b, ngx_dfp_part_t *part, ngx_uint_t n,
    size_t offset)
{
    ngx_str_t   *fragment;
    ngx_uint_t   i, some;

    some = 0;

    for (i = 0; i < n; i++) {
        fragment = (ngx_str_t *) ((u_char *) &part[i] + offset);

        if (fragment->len) {
            dfp_buf_cstr(b, some ? "," : "[");
            dfp_buf_str(b, ngx_dfp_dfp_str(*fragment));
            some = 1;
        }
    }

    dfp_buf_cstr(b, some ? "]" : "null");
}


static void
ngx_dfp_print_clusters(dfp_buf_t *b, ngx_dfp_api_t *api)
{
    ngx_uint_t          i, k, some;
    ngx_dfp_part_t     *part;
    ngx_dfp_cluster_t  *cluster;

    part = api->stored.parts;
    cluster = api->conf->clusters.elts;
    some = 0;

    for (i = 0; i < api->stored.nparts; i++) {

        if (i && part[i].cluster == part[i - 1].cluster) {
            continue;
        }

        for (k = 0; k < api->conf->clusters.nelts; k++) {
            if (cluster[k].id == part[i].cluster) {
                dfp_buf_cstr(b, some ? "," : "");
                dfp_buf_str(b, ngx_dfp_dfp_str(cluster[k].json));
                some = 1;
                break;
            }
        }
    }
}


static void
ngx_dfp_print_text(dfp_buf_t *b, const char *key, ngx_str_t *value)
{
    dfp_buf_cstr(b, key);
    dfp_buf_json(b, ngx_dfp_dfp_str(*value));
}


static dfp_str_t
ngx_dfp_print_quoted(dfp_buf_t *b, int64_t ms)
{
    dfp_buf_t  text;

    dfp_buf_init(&text, b->mem, 32, 0);
    ngx_dfp_print_time(&text, "", ms);
    b->failed |= text.failed;

    return dfp_buf_value(&text);
}


void
ngx_dfp_print_time(dfp_buf_t *b, const char *key, int64_t ms)
{
    dfp_buf_cstr(b, key);
    dfp_buf_cstr(b, "\"");
    dfp_time_print(b, ms);
    dfp_buf_cstr(b, "\"");
}
