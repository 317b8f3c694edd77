#include "ngx_dfp_dragonfly.h"


#define NGX_DFP_TOLERANT_FROM  10    /* peers that were chosen */


static ngx_keyval_t *ngx_dfp_dragonfly_map(ngx_dfp_run_t *run,
    dfp_str_t origin);
static ngx_int_t ngx_dfp_dragonfly_origin(ngx_pool_t *pool, ngx_str_t *origin,
    dfp_str_t rest, dfp_str_t *url);
static ngx_int_t ngx_dfp_dragonfly_url(ngx_dfp_run_t *run, ngx_pool_t *pool,
    dfp_url_t *parsed, dfp_str_t *url);
static ngx_int_t ngx_dfp_dragonfly_headers(ngx_dfp_task_t *task,
    ngx_pool_t *pool, dfp_d7y_request_t *request);
static ngx_uint_t ngx_dfp_dragonfly_tolerated(ngx_dfp_run_t *run,
    ngx_uint_t n);


ngx_int_t
ngx_dfp_dragonfly_request(ngx_dfp_task_t *task, ngx_pool_t *pool,
    dfp_d7y_request_t *request)
{
    dfp_job_t      *job;
    ngx_dfp_run_t  *run;

    run = task->run;
    job = &run->job;

    ngx_memzero(request, sizeof(dfp_d7y_request_t));

    if (ngx_dfp_dragonfly_url(run, pool, &task->url, &request->url) != NGX_OK
        || ngx_dfp_dragonfly_headers(task, pool, request)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    request->tag = job->tag;
    request->application = job->application;
    request->filter = job->filter;
    request->piece_length = job->piece_length;
    request->timeout = (int64_t) ngx_dfp_run_left(run) * 1000000;
    request->blob_digest = run->cluster->dragonfly->blob_digest;

    if (job->blob_digest) {
        request->blob_digest = (job->blob_digest > 0);
    }

    if (run->conf->certificates) {
        request->certificates = run->conf->certificates->elts;
        request->ncertificates = run->conf->certificates->nelts;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_dragonfly_task_id(ngx_dfp_task_t *task, ngx_pool_t *pool,
    dfp_str_t *id)
{
    dfp_rc_t           rc;
    dfp_mem_t          mem;
    dfp_d7y_request_t  request;

    mem = ngx_dfp_mem(pool);

    if (ngx_dfp_dragonfly_request(task, pool, &request) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = dfp_d7y_task_id(&mem, &request, id);

    if (rc == DFP_INVALID) {
        *id = request.url;
        rc = DFP_OK;
    }

    return rc == DFP_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_dfp_dragonfly_job_id(ngx_dfp_run_t *run, ngx_pool_t *pool, dfp_str_t *id)
{
    dfp_rc_t           rc;
    dfp_mem_t          mem;
    dfp_err_t          err;
    dfp_url_t          url;
    dfp_job_t         *job;
    dfp_d7y_request_t  request;

    job = &run->job;
    mem = ngx_dfp_mem(pool);

    if (job->url.len == 0 || job->found_url.len) {
        rc = dfp_d7y_job_task(&mem, job, id);

        return rc == DFP_OK ? NGX_OK : NGX_ERROR;
    }

    ngx_memzero(&request, sizeof(dfp_d7y_request_t));

    if (dfp_url_parse(&mem, job->url, "args.url", &url, &err) != DFP_OK
        || ngx_dfp_dragonfly_url(run, pool, &url, &request.url) != NGX_OK)
    {
        return NGX_ERROR;
    }

    request.tag = job->tag;
    request.application = job->application;
    request.filter = job->filter;
    request.piece_length = job->piece_length;
    request.blob_digest = run->cluster->dragonfly->blob_digest;

    rc = dfp_d7y_task_id(&mem, &request, id);

    if (rc == DFP_INVALID) {
        *id = request.url;
        rc = DFP_OK;
    }

    return rc == DFP_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_dfp_dragonfly_url(ngx_dfp_run_t *run, ngx_pool_t *pool, dfp_url_t *parsed,
    dfp_str_t *url)
{
    dfp_str_t      rest;
    ngx_keyval_t  *pair;

    pair = ngx_dfp_dragonfly_map(run, parsed->origin);

    if (pair == NULL) {
        *url = parsed->href;
        return NGX_OK;
    }

    rest.data = parsed->href.data + parsed->origin.len;
    rest.len = parsed->href.len - parsed->origin.len;

    return ngx_dfp_dragonfly_origin(pool, &pair->value, rest, url);
}


ngx_int_t
ngx_dfp_dragonfly_posted(ngx_dfp_task_t *task, ngx_pool_t *pool,
    dfp_str_t told, dfp_str_t *url)
{
    dfp_str_t      rest;
    ngx_keyval_t  *pair;

    *url = told;
    pair = ngx_dfp_dragonfly_map(task->run, task->url.origin);

    if (pair == NULL || told.len <= pair->value.len
        || ngx_strncmp(told.data, pair->value.data, pair->value.len) != 0
        || told.data[pair->value.len] != '/')
    {
        return NGX_OK;
    }

    rest.data = told.data + pair->value.len;
    rest.len = told.len - pair->value.len;

    return ngx_dfp_dragonfly_origin(pool, &pair->key, rest, url);
}


/* The entry of map= for ORIGIN; NULL: none. */

static ngx_keyval_t *
ngx_dfp_dragonfly_map(ngx_dfp_run_t *run, dfp_str_t origin)
{
    ngx_uint_t     i;
    ngx_array_t   *map;
    ngx_keyval_t  *pair;

    map = &run->cluster->dragonfly->map;
    pair = map->elts;

    for (i = 0; i < map->nelts; i++) {
        if (dfp_str_eq(ngx_dfp_dfp_str(pair[i].key), origin)) {
            return &pair[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_dfp_dragonfly_origin(ngx_pool_t *pool, ngx_str_t *origin, dfp_str_t rest,
    dfp_str_t *url)
{
    dfp_buf_t  b;
    dfp_mem_t  mem;

    mem = ngx_dfp_mem(pool);

    dfp_buf_init(&b, &mem, origin->len + rest.len, 0);
    dfp_buf_str(&b, ngx_dfp_dfp_str(*origin));
    dfp_buf_str(&b, rest);

    *url = dfp_buf_value(&b);

    return b.failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_dfp_dragonfly_headers(ngx_dfp_task_t *task, ngx_pool_t *pool,
    dfp_d7y_request_t *request)
{
    size_t             i, n;
    dfp_job_t         *job;
    ngx_str_t          authorization;
    dfp_job_header_t  *header;

    job = &task->run->job;

    header = ngx_palloc(pool, (job->nheaders + 1) * sizeof(dfp_job_header_t));
    if (header == NULL) {
        return NGX_ERROR;
    }

    for (i = 0, n = 0; i < job->nheaders; i++) {
        if (!dfp_job_header_authorization(job->headers[i].name)) {
            header[n++] = job->headers[i];
        }
    }

    authorization = task->grant->authorization;

    if (authorization.len) {
        header[n].name = DFP_STR("Authorization");
        header[n].value = ngx_dfp_dfp_str(authorization);
        n++;
    }

    request->headers = header;
    request->nheaders = n;

    return NGX_OK;
}


ngx_uint_t
ngx_dfp_dragonfly_needed(ngx_dfp_run_t *run, ngx_uint_t n,
    ngx_uint_t unreachable)
{
    ngx_uint_t  threshold;

    threshold = run->job.success_threshold;

    if (threshold == 0) {
        threshold = run->conf->success_threshold;
    }

    n -= ngx_min(unreachable, ngx_dfp_dragonfly_tolerated(run, n));

    /* at least one peer must have everything */

    return ngx_max((n * threshold + 99) / 100, 1);
}


void
ngx_dfp_dragonfly_too_few(ngx_dfp_run_t *run, ngx_uint_t n,
    ngx_uint_t unreachable, ngx_str_t *who, ngx_str_t *why)
{
    ngx_dfp_run_fail(run, "%ui of %ui peers are unreachable, %ui are allowed "
                     "(dfpreheat_unreachable_peers); %V: %V",
                     unreachable, n,
                     ngx_dfp_dragonfly_tolerated(run, n),
                     who, why);
}


/* The number of N peers that may be unreachable. */

static ngx_uint_t
ngx_dfp_dragonfly_tolerated(ngx_dfp_run_t *run, ngx_uint_t n)
{
    ngx_uint_t            share;
    ngx_dfp_main_conf_t  *conf;

    conf = run->conf;

    /* a job that names peers needs all of them */

    if (run->job.nips) {
        return 0;
    }

    if (!conf->unreachable_share) {
        return conf->unreachable;
    }

    share = n * conf->unreachable / 100;

    if (share == 0 && conf->unreachable
        && n >= NGX_DFP_TOLERANT_FROM)
    {
        return 1;
    }

    return share;
}


void
ngx_dfp_dragonfly_planned(ngx_dfp_run_t *run)
{
    ngx_queue_t     *q;
    ngx_dfp_task_t  *task;

    while (!ngx_queue_empty(&run->ready)) {
        q = ngx_queue_head(&run->ready);
        task = ngx_queue_data(q, ngx_dfp_task_t, queue);

        ngx_queue_remove(q);
        ngx_dfp_task_done(task);
    }
}


void
ngx_dfp_dragonfly_tasks(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        if (!task[i]->document && !task[i]->skipped) {
            ngx_dfp_results_planned(results, task[i]);
        }
    }
}
