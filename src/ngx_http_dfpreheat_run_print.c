#include "ngx_http_dfpreheat_run.h"


static void ngx_http_dfpreheat_run_images(ngx_http_dfpreheat_run_t *run,
    dfp_buf_t *b);
static void ngx_http_dfpreheat_run_skipped(ngx_http_dfpreheat_run_t *run,
    dfp_buf_t *b);


ngx_str_t
ngx_http_dfpreheat_run_progress(ngx_http_dfpreheat_run_t *run, dfp_mem_t *mem)
{
    off_t                        done, total;
    ngx_uint_t                   i;
    dfp_buf_t                    b;
    ngx_http_dfpreheat_task_t  **task;

    task = run->tasks.elts;
    done = run->bytes;
    total = 0;

    for (i = 0; i < run->tasks.nelts; i++) {
        total += ngx_max(task[i]->size, 0);

        if (task[i]->call) {
            done += ngx_http_dfpreheat_call_bytes(task[i]->call);
        }
    }

    dfp_buf_init(&b, mem, 160, 0);
    dfp_buf_cstr(&b, "{\"tasks_done\":");
    dfp_buf_int(&b, run->tasks.nelts - run->left - run->nfailed);
    dfp_buf_cstr(&b, ",\"tasks_failed\":");
    dfp_buf_int(&b, run->nfailed);
    dfp_buf_cstr(&b, ",\"tasks_total\":");
    dfp_buf_int(&b, run->tasks.nelts);
    dfp_buf_cstr(&b, ",\"bytes_done\":");
    dfp_buf_int(&b, done);
    dfp_buf_cstr(&b, ",\"bytes_total\":");
    dfp_buf_int(&b, total);
    dfp_buf_cstr(&b, "}");

    return b.failed ? (ngx_str_t) ngx_null_string
                    : ngx_http_dfpreheat_str(dfp_buf_value(&b));
}


ngx_str_t
ngx_http_dfpreheat_run_results(ngx_http_dfpreheat_run_t *run)
{
    dfp_buf_t  b, success, failure;
    dfp_mem_t  mem;

    if (run->cluster == NULL || run->tasks.nelts == 0) {
        return (ngx_str_t) ngx_null_string;
    }

    mem = ngx_http_dfpreheat_mem(run->pool);

    dfp_buf_init(&success, &mem, 1024, 0);
    dfp_buf_init(&failure, &mem, 1024, 0);

    run->cluster->engine->results(run, &success, &failure);

    dfp_buf_init(&b, &mem, success.len + failure.len + 128, 0);
    dfp_buf_cstr(&b, "{\"failure_tasks\":[");
    dfp_buf_str(&b, dfp_buf_value(&failure));
    dfp_buf_cstr(&b, "]");
    ngx_http_dfpreheat_run_images(run, &b);
    dfp_buf_cstr(&b, ",\"scheduler_cluster_id\":");
    dfp_buf_int(&b, run->cluster->id);
    ngx_http_dfpreheat_run_skipped(run, &b);
    dfp_buf_cstr(&b, ",\"success_tasks\":[");
    dfp_buf_str(&b, dfp_buf_value(&success));
    dfp_buf_cstr(&b, "]}");

    if (b.failed || success.failed || failure.failed) {
        return (ngx_str_t) ngx_null_string;
    }

    return ngx_http_dfpreheat_str(dfp_buf_value(&b));
}


/* What each image of the job stood for when it was looked up. */

static void
ngx_http_dfpreheat_run_images(ngx_http_dfpreheat_run_t *run, dfp_buf_t *b)
{
    ngx_uint_t                   i;
    ngx_http_dfpreheat_image_t  *image;

    for (i = 0; i < run->nimages; i++) {
        image = &run->images[i];

        dfp_buf_cstr(b, i ? ",{\"digest\":" : ",\"images\":[{\"digest\":");
        dfp_buf_json(b, ngx_http_dfpreheat_dfp(image->digest));
        dfp_buf_cstr(b, ",\"url\":");
        dfp_buf_json(b, ngx_http_dfpreheat_dfp(image->posted));
        dfp_buf_cstr(b, "}");
    }

    dfp_buf_cstr(b, i ? "]" : "");
}


static void
ngx_http_dfpreheat_run_skipped(ngx_http_dfpreheat_run_t *run, dfp_buf_t *b)
{
    ngx_uint_t                   i, n;
    ngx_http_dfpreheat_task_t  **task;

    task = run->tasks.elts;
    n = 0;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (!task[i]->skipped) {
            continue;
        }

        dfp_buf_cstr(b, n++ ? ",{\"description\":"
                            : ",\"skipped_tasks\":[{\"description\":");
        dfp_buf_json(b, ngx_http_dfpreheat_dfp(task[i]->reason));
        dfp_buf_cstr(b, ",\"url\":");
        dfp_buf_json(b, ngx_http_dfpreheat_dfp(task[i]->shown));
        dfp_buf_cstr(b, "}");
    }

    dfp_buf_cstr(b, n ? "]" : "");
}
