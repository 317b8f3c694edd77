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


void
ngx_dfp_results_planned(ngx_dfp_results_t *results, ngx_dfp_task_t *task)
{
    dfp_buf_t       *b;
    const char      *type;
    ngx_dfp_list_t  *list;

    list = &results->tasks;

    if (list->n == list->max) {
        list->omitted++;
        return;
    }

    type = task->image == NULL ? "file" : task->document ? "manifest"
                               : task->config ? "config" : "layer";
    b = &list->json;

    dfp_buf_cstr(b, list->n++ ? ",{\"held\":" : "{\"held\":");
    dfp_buf_cstr(b, !task->told ? "null" : task->held ? "true" : "false");
    dfp_buf_cstr(b, ",\"media_type\":");

    if (task->media_type.len) {
        dfp_buf_json(b, ngx_dfp_dfp_str(task->media_type));

    } else {
        dfp_buf_cstr(b, "null");
    }

    dfp_buf_cstr(b, ",\"size\":");

    if (task->size == -1) {
        dfp_buf_cstr(b, "null");

    } else {
        dfp_buf_int(b, task->size);
    }

    dfp_buf_cstr(b, ",\"type\":\"");
    dfp_buf_cstr(b, type);
    dfp_buf_cstr(b, "\",\"url\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(task->shown));
    dfp_buf_cstr(b, "}");
}


void
ngx_dfp_results_target(ngx_dfp_results_t *results, ngx_str_t *hostname,
    ngx_str_t *ip, ngx_int_t held)
{
    dfp_buf_t       *b;
    ngx_dfp_list_t  *list;

    list = &results->targets;

    if (list->n == list->max) {
        list->omitted++;
        return;
    }

    b = &list->json;

    dfp_buf_cstr(b, list->n++ ? ",{\"held\":" : "{\"held\":");

    if (held == NGX_ERROR) {
        dfp_buf_cstr(b, "null");

    } else {
        dfp_buf_int(b, held);
    }

    dfp_buf_cstr(b, ",\"hostname\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(*hostname));
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(*ip));
    dfp_buf_cstr(b, "}");
}
