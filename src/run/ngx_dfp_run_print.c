#include "ngx_dfp_engine.h"
#include "ngx_dfp_image.h"
#include "ngx_dfp_verify.h"


#define NGX_DFP_LIST_ROOM  256    /* bytes of results to begin with */


static void ngx_dfp_run_number(dfp_buf_t *b, const char *key, int64_t n);
static void ngx_dfp_run_list(dfp_buf_t *b, const char *key,
    ngx_dfp_list_t *list);
static void ngx_dfp_run_lists(ngx_dfp_run_t *run, dfp_mem_t *mem,
    ngx_dfp_results_t *r);
static ngx_str_t ngx_dfp_run_warmed(dfp_mem_t *mem, ngx_dfp_results_t *r);
static void ngx_dfp_run_planned(dfp_buf_t *b, ngx_dfp_results_t *r);
static void ngx_dfp_run_verified(dfp_buf_t *b, ngx_dfp_results_t *r);
static ngx_str_t ngx_dfp_run_told(ngx_dfp_run_t *run, dfp_mem_t *mem,
    ngx_dfp_results_t *r);
static void ngx_dfp_run_images(ngx_dfp_run_t *run, dfp_buf_t *b);
static void ngx_dfp_run_skipped(ngx_dfp_run_t *run, dfp_buf_t *b);


ngx_str_t
ngx_dfp_run_progress(ngx_dfp_run_t *run, dfp_mem_t *mem)
{
    dfp_buf_t           b;
    ngx_dfp_progress_t  p;

    ngx_memzero(&p, sizeof(ngx_dfp_progress_t));

    if (run->engine) {
        run->engine->progress(run, &p);
    }

    dfp_buf_init(&b, mem, 320, 0);
    ngx_dfp_run_number(&b, "{\"tasks_done\":",
                       run->tasks.nelts - run->left - run->nfailed);
    ngx_dfp_run_number(&b, ",\"tasks_failed\":", run->nfailed);
    ngx_dfp_run_number(&b, ",\"tasks_total\":", run->tasks.nelts);
    ngx_dfp_run_number(&b, ",\"bytes_done\":", p.bytes_done);
    ngx_dfp_run_number(&b, ",\"bytes_total\":", p.bytes_total);

    if (p.downloads) {
        ngx_dfp_run_number(&b, ",\"downloads_done\":", p.downloads_done);
        ngx_dfp_run_number(&b, ",\"downloads_failed\":", p.downloads_failed);
        ngx_dfp_run_number(&b, ",\"downloads_total\":", p.downloads_total);
        ngx_dfp_run_number(&b, ",\"pieces_done\":", p.pieces);
    }

    if (run->cluster && run->cluster->caches) {
        dfp_buf_cstr(&b, ",\"hostname\":");
        dfp_buf_json(&b, ngx_dfp_dfp_str(run->conf->instance.name));
        dfp_buf_cstr(&b, ",\"ip\":");
        dfp_buf_json(&b, ngx_dfp_dfp_str(run->conf->instance.address));
    }

    dfp_buf_cstr(&b, "}");

    return b.failed ? (ngx_str_t) ngx_null_string
                    : ngx_dfp_str(dfp_buf_value(&b));
}


static void
ngx_dfp_run_number(dfp_buf_t *b, const char *key, int64_t n)
{
    dfp_buf_cstr(b, key);
    dfp_buf_int(b, n);
}


ngx_str_t
ngx_dfp_run_results(ngx_dfp_run_t *run)
{
    dfp_buf_t           b;
    dfp_mem_t           mem;
    ngx_dfp_results_t   r;

    if (run->engine == NULL
        || (run->tasks.nelts == 0 && !dfp_job_of_task(run->job.action)))
    {
        return (ngx_str_t) ngx_null_string;
    }

    mem = ngx_dfp_mem(run->pool);
    ngx_dfp_run_lists(run, &mem, &r);

    run->engine->results(run, &r);
    ngx_dfp_verify_results(run, &r);

    if (run->job.action == DFP_JOB_KEEP) {
        return ngx_dfp_run_warmed(&mem, &r);
    }

    if (dfp_job_of_task(run->job.action)
        || run->job.action == DFP_JOB_DISTRIBUTION)
    {
        return ngx_dfp_run_told(run, &mem, &r);
    }

    dfp_buf_init(&b, &mem, r.success.json.len + r.failure.json.len
                           + r.tasks.json.len + r.verified.json.len + 256,
                 0);
    dfp_buf_cstr(&b, "{");
    ngx_dfp_run_list(&b, "failure_tasks", &r.failure);
    ngx_dfp_run_images(run, &b);
    ngx_dfp_run_number(&b, ",\"scheduler_cluster_id\":", run->cluster->id);
    ngx_dfp_run_skipped(run, &b);
    dfp_buf_cstr(&b, ",");
    ngx_dfp_run_list(&b, "success_tasks", &r.success);

    if (run->engine->dry) {
        ngx_dfp_run_planned(&b, &r);
    }

    if (r.unreachable.n) {
        dfp_buf_cstr(&b, ",");
        ngx_dfp_run_list(&b, "unreachable", &r.unreachable);
    }

    if (run->job.verify) {
        ngx_dfp_run_verified(&b, &r);
    }

    dfp_buf_cstr(&b, "}");

    return b.failed ? (ngx_str_t) ngx_null_string
                    : ngx_dfp_str(dfp_buf_value(&b));
}


static void
ngx_dfp_run_lists(ngx_dfp_run_t *run, dfp_mem_t *mem, ngx_dfp_results_t *r)
{
    ngx_uint_t  i;

    ngx_dfp_list_t  *lists[] = { &r->success, &r->failure, &r->unreachable,
                                 &r->tasks, &r->targets, &r->verified };

    ngx_memzero(r, sizeof(ngx_dfp_results_t));

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        dfp_buf_init(&lists[i]->json, mem, NGX_DFP_LIST_ROOM, 0);
        lists[i]->max = ngx_dfp_results_max(run);
    }
}


static ngx_str_t
ngx_dfp_run_warmed(dfp_mem_t *mem, ngx_dfp_results_t *r)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, NGX_INT64_LEN, 0);
    dfp_buf_int(&b, r->warmed);

    return b.failed ? (ngx_str_t) ngx_null_string
                    : ngx_dfp_str(dfp_buf_value(&b));
}


static void
ngx_dfp_run_verified(dfp_buf_t *b, ngx_dfp_results_t *r)
{
    dfp_buf_cstr(b, ",");
    ngx_dfp_run_list(b, "verified", &r->verified);
    ngx_dfp_run_number(b, ",\"verified_hits\":", r->hits);
    ngx_dfp_run_number(b, ",\"verified_misses\":", r->misses);
}


/* The results of jobs about a task, as dfp_told.h says. */

static ngx_str_t
ngx_dfp_run_told(ngx_dfp_run_t *run, dfp_mem_t *mem, ngx_dfp_results_t *r)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, r->success.json.len + r->failure.json.len
                          + r->tasks.json.len + 128, 0);
    dfp_buf_cstr(&b, "{");

    ngx_dfp_run_list(&b, "failure_tasks", &r->failure);

    if (run->job.action == DFP_JOB_DISTRIBUTION) {
        dfp_buf_cstr(&b, ",");
        ngx_dfp_run_list(&b, "layers", &r->tasks);
    }

    if (run->job.action != DFP_JOB_DELETE_TASK) {
        dfp_buf_cstr(&b, ",");
        ngx_dfp_run_list(&b, "peers", &r->success);
    }

    ngx_dfp_run_number(&b, ",\"scheduler_cluster_id\":", run->cluster->id);

    if (run->job.action == DFP_JOB_DELETE_TASK) {
        dfp_buf_cstr(&b, ",");
        ngx_dfp_run_list(&b, "success_tasks", &r->success);
    }

    if (r->unreachable.n) {
        dfp_buf_cstr(&b, ",");
        ngx_dfp_run_list(&b, "unreachable", &r->unreachable);
    }

    dfp_buf_cstr(&b, "}");

    return b.failed ? (ngx_str_t) ngx_null_string
                    : ngx_dfp_str(dfp_buf_value(&b));
}


static void
ngx_dfp_run_list(dfp_buf_t *b, const char *key, ngx_dfp_list_t *list)
{
    dfp_buf_cstr(b, "\"");
    dfp_buf_cstr(b, key);
    dfp_buf_cstr(b, "\":[");
    dfp_buf_str(b, dfp_buf_value(&list->json));
    dfp_buf_cstr(b, "]");

    if (list->omitted) {
        dfp_buf_cstr(b, ",\"");
        dfp_buf_cstr(b, key);
        ngx_dfp_run_number(b, "_omitted\":", list->omitted);
    }

    b->failed |= list->json.failed;
}


static void
ngx_dfp_run_planned(dfp_buf_t *b, ngx_dfp_results_t *r)
{
    dfp_buf_cstr(b, ",");

    if (r->targets.n) {
        ngx_dfp_run_list(b, "targets", &r->targets);

    } else {
        dfp_buf_cstr(b, "\"targets\":null");
    }

    dfp_buf_cstr(b, ",");
    ngx_dfp_run_list(b, "tasks", &r->tasks);
}


/* The digest that each image of the job had when it was resolved. */

static void
ngx_dfp_run_images(ngx_dfp_run_t *run, dfp_buf_t *b)
{
    ngx_uint_t        i;
    ngx_dfp_image_t  *image;

    for (i = 0; i < run->nimages; i++) {
        image = &run->images[i];

        dfp_buf_cstr(b, i ? ",{\"digest\":" : ",\"images\":[{\"digest\":");
        dfp_buf_json(b, ngx_dfp_dfp_str(image->digest));
        dfp_buf_cstr(b, ",\"url\":");
        dfp_buf_json(b, ngx_dfp_dfp_str(image->posted));
        dfp_buf_cstr(b, "}");
    }

    dfp_buf_cstr(b, i ? "]" : "");
}


static void
ngx_dfp_run_skipped(ngx_dfp_run_t *run, dfp_buf_t *b)
{
    ngx_uint_t        i, n;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;
    n = 0;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (!task[i]->skipped || task[i]->reason.len == 0) {
            continue;
        }

        dfp_buf_cstr(b, n++ ? ",{\"description\":"
                            : ",\"skipped_tasks\":[{\"description\":");
        dfp_buf_json(b, ngx_dfp_dfp_str(task[i]->reason));
        dfp_buf_cstr(b, ",\"url\":");
        dfp_buf_json(b, ngx_dfp_dfp_str(task[i]->shown));
        dfp_buf_cstr(b, "}");
    }

    dfp_buf_cstr(b, n ? "]" : "");
}
