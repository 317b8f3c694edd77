#include "ngx_dfp_verify.h"
#include "ngx_dfp_binding.h"
#include "ngx_dfp_engine.h"
#include "ngx_dfp_image.h"


static ngx_int_t ngx_dfp_verify_add(ngx_dfp_task_t *task);
static ngx_dfp_front_t *ngx_dfp_verify_front(ngx_dfp_task_t *task);
static ngx_int_t ngx_dfp_verify_call(ngx_dfp_run_t *run);
static ngx_int_t ngx_dfp_verify_prepare(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static ngx_int_t ngx_dfp_verify_url(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static dfp_str_t ngx_dfp_verify_path(ngx_dfp_task_t *task);
static ngx_int_t ngx_dfp_verify_headers(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static void ngx_dfp_verify_answered(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static ngx_uint_t ngx_dfp_verify_again(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static ngx_int_t ngx_dfp_verify_judge(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call, dfp_err_t *why);
static ngx_uint_t ngx_dfp_verify_hit(ngx_dfp_task_t *task, ngx_uint_t cache);
static ngx_int_t ngx_dfp_verify_range(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call, dfp_err_t *why);
static ngx_int_t ngx_dfp_verify_body(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call, dfp_err_t *why);
static void ngx_dfp_verify_next(ngx_dfp_task_t *task);
static void ngx_dfp_verify_result(ngx_dfp_results_t *results,
    ngx_dfp_task_t *task, ngx_dfp_ask_t *ask);


static const char  *ngx_dfp_verify_names[] = {
    "HEAD", "GET", "first byte", "last byte"
};


ngx_int_t
ngx_dfp_verify_start(ngx_dfp_run_t *run)
{
    ngx_uint_t        i;
    ngx_dfp_task_t  **task;

    run->stage.name = "verify";
    run->stage.call = ngx_dfp_verify_call;
    run->stage.prepare = ngx_dfp_verify_prepare;
    run->stage.answered = ngx_dfp_verify_answered;
    run->stage.left = &run->unverified;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        if (task[i]->done && ngx_dfp_verify_add(task[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: verify: %ui tasks", run->claim.id,
                   run->unverified);

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_verify_add(ngx_dfp_task_t *task)
{
    size_t             len;
    ngx_dfp_front_t   *front;
    ngx_dfp_verify_t  *verify;

    front = ngx_dfp_verify_front(task);
    len = front->url.len + task->url.href.len - task->url.origin.len;

    if (task->image) {
        len += sizeof("?ns=") - 1 + task->url.authority.len;
    }

    if (len > DFP_URL_MAX_LEN) {
        ngx_dfp_task_failed(task, "verify: a client's URL would be longer than "
                            "%d bytes", DFP_URL_MAX_LEN);
        return NGX_OK;
    }

    verify = ngx_pcalloc(task->run->pool, sizeof(ngx_dfp_verify_t));
    if (verify == NULL) {
        return NGX_ERROR;
    }

    verify->front = front;

    /* an empty file has no bytes to ask for */

    if (task->document || task->size == 0) {

        if (task->document && task->digest.len == 0) {
            verify->asks[verify->n++].kind = NGX_DFP_VERIFY_HEAD;
        }

        verify->asks[verify->n++].kind = NGX_DFP_VERIFY_GET;

    } else {
        verify->asks[verify->n++].kind = NGX_DFP_VERIFY_FIRST;
        verify->asks[verify->n++].kind = NGX_DFP_VERIFY_LAST;
    }

    task->verify = verify;
    task->unverified = 1;
    task->run->unverified++;

    ngx_dfp_verify_next(task);

    return NGX_OK;
}


/* The configuration has exactly one that is for all other origins. */

static ngx_dfp_front_t *
ngx_dfp_verify_front(ngx_dfp_task_t *task)
{
    ngx_uint_t        i;
    ngx_dfp_front_t  *front, *others;

    front = task->run->conf->fronts.elts;
    others = NULL;

    for (i = 0; i < task->run->conf->fronts.nelts; i++) {

        if (front[i].origins == NULL) {
            others = &front[i];

        } else if (ngx_dfp_binding_allowed(front[i].origins, &task->url)) {
            return &front[i];
        }
    }

    return others;
}


/* Each request has tries and a time of its own. */

static void
ngx_dfp_verify_next(ngx_dfp_task_t *task)
{
    task->tries = 0;
    task->deadline = 0;

    ngx_dfp_task_queue(task);
}


static ngx_int_t
ngx_dfp_verify_call(ngx_dfp_run_t *run)
{
    return ngx_dfp_task_call(run, NGX_DFP_CALL_READ);
}


/* The call goes to the front, with what a client would send. */

static ngx_int_t
ngx_dfp_verify_prepare(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    ngx_dfp_run_t  *run;

    run = task->run;

    call->rehearsal = ngx_dfp_rehearsal_begin(run->conf, call->pool,
                                              &task->entry);

    if (call->rehearsal == NULL
        || ngx_dfp_secrets_add(call->secrets, call->rehearsal->header.value)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    call->rehearsal->head = (task->verify->asks[task->verify->next].kind
                             == NGX_DFP_VERIFY_HEAD);
    call->binding = run->conf->verify;
    call->who = "the front";
    call->store = 0;
    call->refresh = 0;
    call->since = 0;
    call->uncached = 0;
    ngx_str_null(&call->target);
    ngx_str_null(&call->target_authorization);

    return ngx_dfp_verify_url(task, call) == NGX_OK
           ? ngx_dfp_verify_headers(task, call) : NGX_ERROR;
}


/*
 * The path of the origin. To a front of several registries containerd names the
 * registry, unless it has the name of the front: Docker Hub by its first one. A
 * front that is for this origin is asked as docker and podman ask.
 */

static ngx_int_t
ngx_dfp_verify_url(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    dfp_buf_t         b;
    dfp_err_t         err;
    dfp_mem_t         mem;
    dfp_str_t         authority;
    dfp_url_t         url;
    ngx_dfp_front_t  *front;

    mem = ngx_dfp_mem(call->pool);
    front = task->verify->front;
    authority = task->url.authority;

    if (dfp_docker_hub(authority)) {
        authority = DFP_CREDENTIALS_HUB;
    }

    if (dfp_url_parse(&mem, ngx_dfp_dfp_str(front->url), "it", &url, &err)
        != DFP_OK)
    {
        return NGX_ERROR;
    }

    dfp_buf_init(&b, &mem, front->url.len + task->url.href.len + 64, 0);
    dfp_buf_str(&b, ngx_dfp_dfp_str(front->url));
    dfp_buf_str(&b, ngx_dfp_verify_path(task));

    if (task->image && front->origins == NULL
        && !dfp_str_eq(url.authority, task->url.authority))
    {
        dfp_buf_cstr(&b, task->url.query.data ? "&ns=" : "?ns=");
        dfp_buf_str(&b, authority);
    }

    /* its path is that of a URL that was parsed, and it is not too long */

    if (b.failed
        || dfp_url_parse_any(&mem, dfp_buf_value(&b), "it", &call->url, &err)
           != DFP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Path and query of the task behind the front's path: that of a front below
 * /v2/ has the /v2 of both. */

static dfp_str_t
ngx_dfp_verify_path(ngx_dfp_task_t *task)
{
    dfp_str_t   rest;
    ngx_str_t  *path;

    static const ngx_str_t  api = ngx_string("/v2/");

    path = &task->verify->front->path;
    rest.data = task->url.path.data;
    rest.len = task->url.href.len - task->url.origin.len;

    if (path->len > api.len && rest.len > api.len
        && ngx_memcmp(path->data, api.data, api.len) == 0
        && ngx_memcmp(rest.data, api.data, api.len) == 0)
    {
        rest.data += api.len - 1;
        rest.len -= api.len - 1;
    }

    return rest;
}


static ngx_int_t
ngx_dfp_verify_headers(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    dfp_job_t         *job;
    dfp_job_header_t  *headers;

    job = &task->run->job;

    headers = ngx_palloc(call->pool,
                         (call->nheaders + 4) * sizeof(dfp_job_header_t));
    if (headers == NULL) {
        return NGX_ERROR;
    }

    if (call->nheaders) {
        ngx_memcpy(headers, call->headers,
                   call->nheaders * sizeof(dfp_job_header_t));
    }

    headers[call->nheaders++] = call->rehearsal->header;

    /* $dfpreheat_tag and $dfpreheat_application of clients */

    if (job->tag.len) {
        headers[call->nheaders].name = DFP_STR("X-Dragonfly-Tag");
        headers[call->nheaders++].value = job->tag;
    }

    if (job->application.len) {
        headers[call->nheaders].name = DFP_STR("X-Dragonfly-Application");
        headers[call->nheaders++].value = job->application;
    }

    switch (task->verify->asks[task->verify->next].kind) {

    case NGX_DFP_VERIFY_FIRST:
        headers[call->nheaders].name = DFP_STR("Range");
        headers[call->nheaders++].value = DFP_STR("bytes=0-0");
        break;

    case NGX_DFP_VERIFY_LAST:
        headers[call->nheaders].name = DFP_STR("Range");
        headers[call->nheaders++].value = DFP_STR("bytes=-1");
        break;

    default: /* NGX_DFP_VERIFY_HEAD, NGX_DFP_VERIFY_GET */
        break;
    }

    call->headers = headers;

    return NGX_OK;
}


static void
ngx_dfp_verify_answered(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    dfp_err_t          why;
    ngx_dfp_ask_t     *ask;
    ngx_dfp_verify_t  *verify;

    if (ngx_dfp_verify_again(task, call)) {
        return;
    }

    verify = task->verify;
    ask = &verify->asks[verify->next];

    ask->asked = 1;
    ask->status = call->answer.status;
    ask->known = call->rehearsal->known;
    ask->cache = call->rehearsal->cache;
    ask->hit = (ngx_dfp_verify_judge(task, call, &why) == NGX_OK);

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": verify: %s, status %ui, "
                   "hit:%d", task->run->claim.id, &task->shown,
                   ngx_dfp_verify_names[ask->kind], ask->status, ask->hit);

    if (!ask->hit) {
        ngx_dfp_task_failed(task, "verify: %s through %V: %s",
                            ngx_dfp_verify_names[ask->kind],
                            &verify->front->url, why.text);
        return;
    }

    ngx_dfp_task_steady(task->run);

    if (++verify->next < verify->n) {
        ngx_dfp_verify_next(task);
        return;
    }

    task->unverified = 0;
    task->run->unverified--;
    task->run->wake(task->run);
}


/*
 * Only what cannot have caused a fetch is tried again: a hit after that would
 * hide a miss. During an upgrade the workers of another master may answer.
 */

static ngx_uint_t
ngx_dfp_verify_again(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    if (call->answer.busy) {
        task->tries--;
        ngx_dfp_task_busy(task);
        return 1;
    }

    if (call->answer.unreached && task->tries < NGX_DFP_TASK_TRIES) {
        ngx_dfp_task_again(task, NGX_DFP_RETRY_CONNECTION, 0,
                           call->answer.reason);
        return 1;
    }

    if (call->answer.result == NGX_DFP_CALL_OK && !call->rehearsal->known
        && task->tries < NGX_DFP_TASK_TRIES)
    {
        ngx_dfp_task_again(task, NGX_DFP_RETRY_CONNECTION, 0,
                           "another server has answered");
        return 1;
    }

    return 0;
}


static ngx_int_t
ngx_dfp_verify_judge(ngx_dfp_task_t *task, ngx_dfp_call_t *call,
    dfp_err_t *why)
{
    ngx_str_t            cache;
    ngx_uint_t           status;
    ngx_dfp_ask_kind_e   kind;

    if (call->answer.result != NGX_DFP_CALL_OK) {
        (void) dfp_invalid(why, "%s", call->answer.too_big
                           ? "the front answered with more than that"
                           : call->answer.reason);
        return NGX_DECLINED;
    }

    if (!call->rehearsal->known) {
        (void) dfp_invalid(why, "another server has answered %lu: "
                           "dfpreheat_verify has to be the URL of this nginx",
                           (unsigned long) call->answer.status);
        return NGX_DECLINED;
    }

    kind = task->verify->asks[task->verify->next].kind;
    cache = ngx_dfp_rehearsal_status(call->rehearsal->cache);
    status = (kind == NGX_DFP_VERIFY_FIRST || kind == NGX_DFP_VERIFY_LAST)
             ? NGX_HTTP_PARTIAL_CONTENT : NGX_HTTP_OK;

    if (call->answer.status != NGX_HTTP_OK
        && call->answer.status != NGX_HTTP_PARTIAL_CONTENT)
    {
        (void) ngx_dfp_answer_verdict(call, why);
        return NGX_DECLINED;
    }

    if (!ngx_dfp_verify_hit(task, call->rehearsal->cache)) {
        (void) dfp_invalid(why, "%.*s: %s", (int) cache.len, cache.data,
                           call->rehearsal->cache
                           ? "the origin was asked for it"
                           : "its location has no cache");
        return NGX_DECLINED;
    }

    if (!call->rehearsal->warmed) {
        (void) dfp_invalid(why, "%.*s: from another entry than the one that was "
                           "warmed", (int) cache.len, cache.data);
        return NGX_DECLINED;
    }

    if (call->answer.status != status) {
        (void) dfp_invalid(why, "the front answered %lu, not %lu",
                           (unsigned long) call->answer.status,
                           (unsigned long) status);
        return NGX_DECLINED;
    }

    return status == NGX_HTTP_OK ? ngx_dfp_verify_body(task, call, why)
                                 : ngx_dfp_verify_range(task, call, why);
}


/* The registry has to be asked whether a tag is still the same, once its time of
 * validity has passed: without an ETag nginx fetches it then. What it is now is
 * checked, too. */

static ngx_uint_t
ngx_dfp_verify_hit(ngx_dfp_task_t *task, ngx_uint_t cache)
{
    switch (cache) {

    case NGX_HTTP_CACHE_HIT:
    case NGX_HTTP_CACHE_STALE:
    case NGX_HTTP_CACHE_UPDATING:
    case NGX_HTTP_CACHE_REVALIDATED:
        return 1;

    case NGX_HTTP_CACHE_EXPIRED:
        return task->document && task->digest.len == 0;

    default:
        return 0;
    }
}


static ngx_int_t
ngx_dfp_verify_range(ngx_dfp_task_t *task, ngx_dfp_call_t *call,
    dfp_err_t *why)
{
    off_t                 at;
    ngx_dfp_rehearsal_t  *rehearsal;

    rehearsal = call->rehearsal;

    at = (task->verify->asks[task->verify->next].kind == NGX_DFP_VERIFY_FIRST)
         ? 0 : task->size - 1;

    if (rehearsal->total != task->size) {
        (void) dfp_invalid(why, "its size is %lld bytes by Content-Range, but "
                           "%lld were warmed", (long long) rehearsal->total,
                           (long long) task->size);
        return NGX_DECLINED;
    }

    if (rehearsal->first != at || rehearsal->last != at
        || call->answer.body.len != 1)
    {
        (void) dfp_invalid(why, "the front answered with %lu bytes from %lld "
                           "to %lld", (unsigned long) call->answer.body.len,
                           (long long) rehearsal->first,
                           (long long) rehearsal->last);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_verify_body(ngx_dfp_task_t *task, ngx_dfp_call_t *call,
    dfp_err_t *why)
{
    ngx_str_t  *digest;

    if (call->rehearsal->head) {
        return NGX_OK;
    }

    digest = ngx_dfp_image_expected(task);

    if (digest == NULL) {
        return NGX_OK;
    }

    switch (dfp_oci_digest_check(ngx_dfp_dfp_str(*digest),
                                 ngx_dfp_dfp_str(call->answer.body)))
    {

    case DFP_DECLINED:
        (void) dfp_invalid(why, task->digest.len
                           ? "its content does not match its digest"
                           : "the tag was changed while the job ran");
        return NGX_DECLINED;

    case DFP_ERROR:
        (void) dfp_invalid(why, "OpenSSL failed");
        return NGX_DECLINED;

    default: /* DFP_OK, or a digest that cannot be verified */
        return NGX_OK;
    }
}


void
ngx_dfp_verify_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    ngx_uint_t        i, j;
    ngx_dfp_ask_t    *ask;
    ngx_dfp_task_t  **task;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (task[i]->verify == NULL) {
            continue;
        }

        ask = task[i]->verify->asks;

        for (j = 0; j < task[i]->verify->n && ask[j].asked; j++) {
            ngx_dfp_verify_result(results, task[i], &ask[j]);
        }
    }
}


static void
ngx_dfp_verify_result(ngx_dfp_results_t *results, ngx_dfp_task_t *task,
    ngx_dfp_ask_t *ask)
{
    dfp_buf_t           *b;
    ngx_dfp_list_t      *list;
    ngx_dfp_instance_t  *instance;

    if (ask->hit) {
        results->hits++;

    } else {
        results->misses++;
    }

    list = &results->verified;

    if (list->n == list->max) {
        list->omitted++;
        return;
    }

    b = &list->json;
    instance = &task->run->conf->instance;

    dfp_buf_cstr(b, list->n++ ? ",{\"cache\":" : "{\"cache\":");

    if (ask->known) {
        dfp_buf_json(b, ngx_dfp_dfp_str(ngx_dfp_rehearsal_status(ask->cache)));

    } else {
        dfp_buf_cstr(b, "null");
    }

    dfp_buf_cstr(b, ask->hit ? ",\"hit\":true,\"hostname\":"
                             : ",\"hit\":false,\"hostname\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(instance->name));
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(instance->address));
    dfp_buf_cstr(b, ",\"request\":\"");
    dfp_buf_cstr(b, ngx_dfp_verify_names[ask->kind]);
    dfp_buf_cstr(b, "\",\"status\":");

    if (ask->status) {
        dfp_buf_int(b, ask->status);

    } else {
        dfp_buf_cstr(b, "null");
    }

    dfp_buf_cstr(b, ",\"url\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(task->shown));
    dfp_buf_cstr(b, "}");
}
