#include "ngx_dfp_results.h"


/* A GET prints the lists of all parts. */

ngx_uint_t
ngx_dfp_results_max(ngx_dfp_run_t *run)
{
    return ngx_min(NGX_DFP_RESULTS_MAX,
                   NGX_DFP_RESULTS_JOB / run->claim.parts);
}


void
ngx_dfp_results_add(ngx_dfp_list_t *list, ngx_str_t *hostname, ngx_str_t *ip,
    ngx_str_t *url, ngx_str_t *description)
{
    dfp_buf_t  *b;

    if (list->n == list->max) {
        list->omitted++;
        return;
    }

    b = &list->json;

    dfp_buf_cstr(b, list->n++ ? ",{" : "{");

    if (description) {
        dfp_buf_cstr(b, "\"description\":");
        dfp_buf_json(b, ngx_dfp_dfp_str(*description));
        dfp_buf_cstr(b, ",");
    }

    dfp_buf_cstr(b, "\"hostname\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(*hostname));
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(*ip));

    if (url) {
        dfp_buf_cstr(b, ",\"url\":");
        dfp_buf_json(b, ngx_dfp_dfp_str(*url));
    }

    dfp_buf_cstr(b, "}");
}


void
ngx_dfp_results_task(ngx_dfp_results_t *results, ngx_dfp_task_t *task)
{
    ngx_dfp_instance_t  *instance;

    instance = &task->run->conf->instance;

    if (task->done) {
        ngx_dfp_results_add(&results->success, &instance->name,
                            &instance->address, &task->shown, NULL);

    } else {
        ngx_dfp_results_add(&results->failure, &instance->name,
                            &instance->address, &task->shown, &task->reason);
    }
}
