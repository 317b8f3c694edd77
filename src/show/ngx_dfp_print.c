#include "ngx_dfp_print.h"

#include "dfp_dry.h"
#include "dfp_job.h"
#include "dfp_time.h"
#include "dfp_told.h"


/* The two times of a job, which are printed several times. */
typedef struct {
    dfp_str_t  created;
    dfp_str_t  updated;
} ngx_dfp_print_times_t;


static void ngx_dfp_print_result(dfp_buf_t *b, ngx_dfp_stored_job_t *job,
    ngx_dfp_print_times_t *times);
static ngx_uint_t ngx_dfp_print_parts(ngx_dfp_stored_job_t *job,
    ngx_uint_t first);
static ngx_uint_t ngx_dfp_print_state(dfp_buf_t *b, ngx_dfp_stored_job_t *job,
    ngx_uint_t first, dfp_str_t created);
static dfp_str_t ngx_dfp_print_quoted(dfp_buf_t *b, int64_t ms);
static const char *ngx_dfp_print_state_name(ngx_dfp_part_t *part,
    ngx_uint_t n);
static void ngx_dfp_print_error(dfp_buf_t *b, ngx_dfp_part_t *part,
    ngx_uint_t n, const char *state);
static void ngx_dfp_print_progress(dfp_buf_t *b, ngx_dfp_part_t *part,
    ngx_uint_t n);
static void ngx_dfp_print_results(dfp_buf_t *b, ngx_dfp_part_t *part,
    ngx_uint_t n);
static void ngx_dfp_print_told(dfp_buf_t *b, ngx_dfp_part_t *part,
    ngx_uint_t n);
static void ngx_dfp_print_failed(dfp_buf_t *b, ngx_dfp_part_t *part);
static void ngx_dfp_print_dry(dfp_buf_t *b, ngx_dfp_part_t *part,
    ngx_uint_t n);
static void ngx_dfp_print_clusters(dfp_buf_t *b, ngx_dfp_main_conf_t *conf,
    ngx_dfp_stored_job_t *job);
static void ngx_dfp_print_kept(dfp_buf_t *b, ngx_dfp_stored_job_t *job);
static void ngx_dfp_print_webhook(dfp_buf_t *b, ngx_dfp_stored_job_t *job);
static void ngx_dfp_print_text(dfp_buf_t *b, const char *key,
    ngx_str_t *value);


void
ngx_dfp_print_job(dfp_buf_t *b, ngx_dfp_main_conf_t *conf,
    ngx_dfp_stored_job_t *job, ngx_dfp_print_form_e form)
{
    ngx_dfp_print_times_t  times;

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

    if (job->args.len) {
        dfp_job_args_show(b, ngx_dfp_dfp_str(job->args));

    } else {
        dfp_buf_cstr(b, "null");
    }

    dfp_buf_cstr(b, ",\"result\":");

    if (form != NGX_DFP_PRINT_NEW && job->nparts) {
        ngx_dfp_print_result(b, job, &times);

    } else {
        dfp_buf_cstr(b, "null");
    }

    dfp_buf_cstr(b, ",\"user\":" NGX_DFP_PRINT_NO_USER);
    dfp_buf_cstr(b, form == NGX_DFP_PRINT_ONE ? ",\"seed_peer_clusters\":[]"
                                              : ",\"seed_peer_clusters\":null");
    dfp_buf_cstr(b, ",\"scheduler_clusters\":");

    if (form == NGX_DFP_PRINT_LISTED) {
        dfp_buf_cstr(b, "null");

    } else {
        dfp_buf_cstr(b, "[");
        ngx_dfp_print_clusters(b, conf, job);
        dfp_buf_cstr(b, "]");
    }

    if (job->looks) {
        ngx_dfp_print_kept(b, job);
    }

    if (job->webhook.state.len) {
        ngx_dfp_print_webhook(b, job);
    }

    dfp_buf_cstr(b, "}");
}


void
ngx_dfp_print_change(dfp_buf_t *b, ngx_dfp_stored_job_t *job)
{
    ngx_uint_t       i, n;
    const char      *state;
    ngx_dfp_part_t  *part;

    dfp_buf_cstr(b, "{\"id\":");
    dfp_buf_int(b, job->id);
    ngx_dfp_print_text(b, ",\"state\":", &job->state);
    ngx_dfp_print_time(b, ",\"updated_at\":", job->updated);
    dfp_buf_cstr(b, ",\"job_states\":[");

    for (i = 0; i < job->nparts; i += n) {
        part = &job->parts[i];
        n = ngx_dfp_print_parts(job, i);
        state = ngx_dfp_print_state_name(part, n);

        dfp_buf_cstr(b, i ? ",{\"scheduler_cluster_id\":"
                          : "{\"scheduler_cluster_id\":");
        dfp_buf_int(b, part->cluster);
        dfp_buf_cstr(b, ",\"state\":\"");
        dfp_buf_cstr(b, state);
        dfp_buf_cstr(b, "\",\"error\":");
        ngx_dfp_print_error(b, part, n, state);
        dfp_buf_cstr(b, ",\"progress\":");
        ngx_dfp_print_progress(b, part, n);
        dfp_buf_cstr(b, "}");
    }

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


/* How many parts the cluster has whose parts begin at FIRST. */

static ngx_uint_t
ngx_dfp_print_parts(ngx_dfp_stored_job_t *job, ngx_uint_t first)
{
    ngx_uint_t       n;
    ngx_dfp_part_t  *part;

    part = &job->parts[first];

    for (n = 1; first + n < job->nparts; n++) {
        if (part[n].cluster != part->cluster) {
            break;
        }
    }

    return n;
}


/* Prints the job state of the cluster whose parts begin at FIRST. Returns the
 * number of its parts. */

static ngx_uint_t
ngx_dfp_print_state(dfp_buf_t *b, ngx_dfp_stored_job_t *job, ngx_uint_t first,
    dfp_str_t created)
{
    int64_t          lost;
    dfp_str_t        type;
    ngx_uint_t       i, n;
    const char      *state;
    ngx_dfp_part_t  *part;

    part = &job->parts[first];
    n = ngx_dfp_print_parts(job, first);
    lost = 0;

    for (i = 0; i < n; i++) {
        lost += part[i].lost_attempts;
    }

    state = ngx_dfp_print_state_name(part, n);

    dfp_buf_cstr(b, "{\"created_at\":");
    dfp_buf_str(b, created);
    dfp_buf_cstr(b, ",\"error\":");
    ngx_dfp_print_error(b, part, n, state);
    dfp_buf_cstr(b, ",\"lost_attempts\":");
    dfp_buf_int(b, lost);
    dfp_buf_cstr(b, ",\"progress\":");
    ngx_dfp_print_progress(b, part, n);
    dfp_buf_cstr(b, ",\"results\":");

    type = dfp_job_about_type(ngx_dfp_dfp_str(job->about));

    if (dfp_job_type_of_task(type)) {
        ngx_dfp_print_told(b, part, n);

    } else {
        ngx_dfp_print_results(b, part, n);
    }

    dfp_buf_cstr(b, ",\"state\":\"");
    dfp_buf_cstr(b, state);
    dfp_buf_cstr(b, "\",\"task_name\":");
    dfp_buf_json(b, type);
    dfp_buf_cstr(b, ",\"task_uuid\":\"task_");
    dfp_buf_str(b, ngx_dfp_dfp_str(part->task_uuid));
    dfp_buf_cstr(b, "\",\"ttl\":0");

    if (dfp_job_about_dry(ngx_dfp_dfp_str(job->about))) {
        ngx_dfp_print_dry(b, part, n);
    }

    dfp_buf_cstr(b, "}");

    return n;
}


/* Redis knows the state of the cluster if it has several parts; jobs of older
 * releases do not say it. */

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

    if (part->cluster_state.len) {
        name = (part->cluster_state.data[0] == 'F') ? "FAILURE" : "SUCCESS";
    }

    return name;
}


/* Clients show this line only, so it contains the first failure. */

static void
ngx_dfp_print_error(dfp_buf_t *b, ngx_dfp_part_t *part, ngx_uint_t n,
    const char *state)
{
    dfp_buf_t    text;
    dfp_str_t    address, name;
    ngx_uint_t   i, failed, first;

    failed = 0;
    first = 0;

    for (i = 0; i < n; i++) {
        if (part[i].error.len && failed++ == 0) {
            first = i;
        }
    }

    dfp_buf_init(&text, b->mem, 256, 0);

    if (failed && state[0] != 'S') {

        if (n > 1) {
            dfp_buf_int(&text, failed);
            dfp_buf_cstr(&text, " of ");
            dfp_buf_int(&text, n);
            dfp_buf_cstr(&text, " instances failed; ");
        }

        ngx_dfp_print_who(&part[first], &address, &name);

        if (n > 1 && name.len && !part[first].away) {
            dfp_buf_str(&text, name);
            dfp_buf_cstr(&text, " (");
            dfp_buf_str(&text, address);
            dfp_buf_cstr(&text, "): ");
        }

        dfp_buf_str(&text, ngx_dfp_dfp_str(part[first].error));
    }

    dfp_buf_json(b, dfp_buf_value(&text));
    b->failed |= text.failed;
}


/* Progress is JSON as it is stored; parts without it are left out. */

static void
ngx_dfp_print_progress(dfp_buf_t *b, ngx_dfp_part_t *part, ngx_uint_t n)
{
    ngx_uint_t  i, some;

    some = 0;

    for (i = 0; i < n; i++) {
        if (part[i].progress.len) {
            dfp_buf_cstr(b, some++ ? "," : "[");
            dfp_buf_str(b, ngx_dfp_dfp_str(part[i].progress));
        }
    }

    dfp_buf_cstr(b, some ? "]" : "null");
}


/* Likewise; of several parts, those that have failed without a run are printed
 * here. */

static void
ngx_dfp_print_results(dfp_buf_t *b, ngx_dfp_part_t *part, ngx_uint_t n)
{
    ngx_uint_t  i, some;

    some = 0;

    for (i = 0; i < n; i++) {

        if (part[i].results.len) {
            dfp_buf_cstr(b, some++ ? "," : "[");
            dfp_buf_str(b, ngx_dfp_dfp_str(part[i].results));

        } else if (part[i].error.len && part[i].who.len
                   && (n > 1 || part[i].away))
        {
            dfp_buf_cstr(b, some++ ? "," : "[");
            ngx_dfp_print_failed(b, &part[i]);
        }
    }

    dfp_buf_cstr(b, some ? "]" : "null");
}


/* Of a job about a task: one object of all parts, as the manager has one for each
 * scheduler. The only part has it already. */

static void
ngx_dfp_print_told(dfp_buf_t *b, ngx_dfp_part_t *part, ngx_uint_t n)
{
    ngx_uint_t   i, some;
    dfp_told_t  *told;

    if (n == 1 && part->results.len) {
        dfp_buf_cstr(b, "[");
        dfp_buf_str(b, ngx_dfp_dfp_str(part->results));
        dfp_buf_cstr(b, "]");
        return;
    }

    told = b->mem->alloc(b->mem->ctx, n * sizeof(dfp_told_t));
    if (told == NULL) {
        b->failed = 1;
        return;
    }

    some = 0;

    for (i = 0; i < n; i++) {
        ngx_dfp_print_who(&part[i], &told[i].ip, &told[i].hostname);

        told[i].cluster = part[i].cluster;
        told[i].results = ngx_dfp_dfp_str(part[i].results);
        told[i].error = ngx_dfp_dfp_str(part[i].error);
        told[i].away = (part[i].away != 0);

        some |= (part[i].results.len || (part[i].error.len && part[i].who.len));
    }

    if (!some) {
        dfp_buf_cstr(b, "null");
        return;
    }

    dfp_buf_cstr(b, "[");

    if (dfp_told_print(b, told, n) != DFP_OK) {
        b->failed = 1;
    }

    dfp_buf_cstr(b, "]");
}


static void
ngx_dfp_print_failed(dfp_buf_t *b, ngx_dfp_part_t *part)
{
    dfp_str_t  address, name;

    ngx_dfp_print_who(part, &address, &name);

    dfp_buf_cstr(b, "{\"scheduler_cluster_id\":");
    dfp_buf_int(b, part->cluster);
    dfp_buf_cstr(b, part->away ? ",\"failure_tasks\":[],\"success_tasks\":[],"
                                 "\"unreachable\":["
                               : ",\"success_tasks\":[],\"failure_tasks\":[");
    dfp_buf_cstr(b, "{\"description\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(part->error));
    dfp_buf_cstr(b, ",\"hostname\":");
    dfp_buf_json(b, name);
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, address);
    dfp_buf_cstr(b, part->away ? "}]}" : ",\"url\":\"\"}]}");
}


/* What the parts of a dry run have found out, together. */

static void
ngx_dfp_print_dry(dfp_buf_t *b, ngx_dfp_part_t *part, ngx_uint_t n)
{
    ngx_uint_t  i;
    dfp_dry_t  *dry;

    dry = b->mem->alloc(b->mem->ctx, n * sizeof(dfp_dry_t));
    if (dry == NULL) {
        b->failed = 1;
        return;
    }

    for (i = 0; i < n; i++) {
        ngx_dfp_print_who(&part[i], &dry[i].ip, &dry[i].hostname);
        dry[i].results = ngx_dfp_dfp_str(part[i].results);
    }

    if (dfp_dry_print(b, dry, n) != DFP_OK) {
        b->failed = 1;
    }
}


void
ngx_dfp_print_who(ngx_dfp_part_t *part, dfp_str_t *address, dfp_str_t *name)
{
    u_char  *blank, *last;

    last = part->who.data + part->who.len;
    blank = ngx_strlchr(part->who.data, last, ' ');

    if (blank == NULL) {
        blank = last;
    }

    address->data = (char *) part->who.data;
    address->len = blank - part->who.data;

    name->data = (char *) blank + (blank < last);
    name->len = last - (u_char *) name->data;
}


static void
ngx_dfp_print_clusters(dfp_buf_t *b, ngx_dfp_main_conf_t *conf,
    ngx_dfp_stored_job_t *job)
{
    ngx_uint_t          i, k, some;
    ngx_dfp_part_t     *part;
    ngx_dfp_cluster_t  *cluster;

    part = job->parts;
    cluster = conf->clusters.elts;
    some = 0;

    for (i = 0; i < job->nparts; i++) {

        if (i && part[i].cluster == part[i - 1].cluster) {
            continue;
        }

        for (k = 0; k < conf->clusters.nelts; k++) {
            if (cluster[k].id == part[i].cluster) {
                dfp_buf_cstr(b, some ? "," : "");
                dfp_buf_str(b, ngx_dfp_dfp_str(cluster[k].json));
                some = 1;
                break;
            }
        }
    }
}


/* The last look of each instance. */

static void
ngx_dfp_print_kept(dfp_buf_t *b, ngx_dfp_stored_job_t *job)
{
    dfp_str_t               address, name;
    ngx_uint_t              i;
    ngx_dfp_stored_look_t  *look;

    static ngx_str_t  pending = ngx_string("PENDING");

    dfp_buf_cstr(b, ",\"kept\":[");

    for (i = 0; i < job->nlooks; i++) {
        look = &job->looks[i];

        ngx_dfp_print_who(&look->part, &address, &name);

        dfp_buf_cstr(b, i ? "," : "");

        if (look->state.len) {
            ngx_dfp_print_time(b, "{\"checked_at\":", look->checked);

        } else {
            dfp_buf_cstr(b, "{\"checked_at\":null");
            look->state = pending;
        }

        ngx_dfp_print_text(b, ",\"error\":", &look->part.error);
        dfp_buf_cstr(b, ",\"hostname\":");
        dfp_buf_json(b, name);
        dfp_buf_cstr(b, ",\"ip\":");
        dfp_buf_json(b, address);
        dfp_buf_cstr(b, ",\"scheduler_cluster_id\":");
        dfp_buf_int(b, look->part.cluster);
        ngx_dfp_print_text(b, ",\"state\":", &look->state);
        dfp_buf_cstr(b, ",\"warmed_tasks\":");
        dfp_buf_int(b, look->warmed);
        dfp_buf_cstr(b, "}");
    }

    dfp_buf_cstr(b, "]");
}


static void
ngx_dfp_print_webhook(dfp_buf_t *b, ngx_dfp_stored_job_t *job)
{
    ngx_dfp_stored_hook_t  *hook;

    hook = &job->webhook;

    dfp_buf_cstr(b, ",\"webhook\":{\"attempts\":");
    dfp_buf_int(b, hook->tries);
    dfp_buf_cstr(b, ",\"delivery_id\":\"" NGX_DFP_PRINT_DELIVERY);
    dfp_buf_str(b, ngx_dfp_dfp_str(job->uuid));
    ngx_dfp_print_text(b, "\",\"error\":", &hook->error);
    ngx_dfp_print_text(b, ",\"state\":", &hook->state);
    ngx_dfp_print_time(b, ",\"updated_at\":", hook->updated);
    ngx_dfp_print_text(b, ",\"url\":", &hook->url);
    dfp_buf_cstr(b, "}");
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
