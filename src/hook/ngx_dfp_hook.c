#include "ngx_dfp_hook.h"
#include "ngx_dfp_pause.h"
#include "ngx_dfp_print.h"

#include "dfp_mask.h"
#include "dfp_text.h"


static ngx_int_t ngx_dfp_hook_claim(ngx_dfp_hook_t *hook);
static void ngx_dfp_hook_claimed(void *data, ngx_int_t rc);
static ngx_int_t ngx_dfp_hook_unseal(ngx_dfp_hook_t *hook);
static void ngx_dfp_hook_read(void *data, ngx_int_t rc);
static ngx_int_t ngx_dfp_hook_print(ngx_dfp_hook_t *hook);
static void ngx_dfp_hook_header(ngx_dfp_hook_t *hook, ngx_uint_t i,
    const char *name, const char *value);
static ngx_int_t ngx_dfp_hook_call(ngx_dfp_hook_t *hook);
static void ngx_dfp_hook_called(ngx_dfp_call_t *call);
static void ngx_dfp_hook_refused(ngx_dfp_hook_t *hook, ngx_dfp_call_t *call);
static dfp_str_t ngx_dfp_hook_excerpt(ngx_dfp_hook_t *hook,
    ngx_dfp_answer_t *answer);
static void ngx_dfp_hook_fail(ngx_dfp_hook_t *hook, const char *fmt, ...);
static void ngx_dfp_hook_end(ngx_dfp_hook_t *hook,
    ngx_dfp_hook_outcome_e outcome);
static void ngx_dfp_hook_ended(void *data, ngx_int_t rc);
static void ngx_dfp_hook_over(ngx_dfp_hook_t *hook);
static void ngx_dfp_hook_free(ngx_dfp_hook_t *hook);
static void ngx_dfp_hook_deadline(ngx_event_t *ev);


ngx_uint_t
ngx_dfp_hook_possible(ngx_dfp_main_conf_t *conf, ngx_dfp_due_t *due,
    ngx_pool_t *pool, ngx_str_t *origin)
{
    size_t     i;
    dfp_err_t  err;
    dfp_mem_t  mem;
    dfp_url_t  url;

    mem = ngx_dfp_mem(pool);

    if (dfp_url_parse(&mem, ngx_dfp_dfp_str(due->url), "webhook.url", &url, &err)
        != DFP_OK
        || ngx_dfp_binding_find(conf, &url, 1) == NULL)
    {
        return 0;
    }

    *origin = ngx_dfp_str(url.origin);

    for (i = 0; i < conf->keys.n; i++) {
        if (due->key.len == DFP_SEAL_ID_LEN
            && ngx_memcmp(due->key.data, conf->keys.keys[i].id,
                          DFP_SEAL_ID_LEN)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_dfp_hook_t *
ngx_dfp_hook_start(ngx_dfp_main_conf_t *conf, ngx_log_t *log,
    ngx_dfp_due_t *due)
{
    ngx_pool_t      *pool;
    ngx_dfp_hook_t  *hook;

    pool = ngx_create_pool(NGX_DFP_HOOK_POOL, log);
    if (pool == NULL) {
        return NULL;
    }

    hook = ngx_pcalloc(pool, sizeof(ngx_dfp_hook_t));
    if (hook == NULL) {
        goto failed;
    }

    hook->pool = pool;
    hook->log = log;
    hook->conf = conf;
    hook->store = ngx_dfp_store_worker();
    hook->due = *due;
    hook->due.uuid.data = ngx_pstrdup(pool, &due->uuid);
    hook->due.url.data = ngx_pstrdup(pool, &due->url);

    hook->op.data = hook;
    hook->op.log = log;
    hook->op.pool = pool;

    hook->deadline.handler = ngx_dfp_hook_deadline;
    hook->deadline.data = hook;
    hook->deadline.log = log;

    if (hook->due.uuid.data == NULL || hook->due.url.data == NULL
        || ngx_dfp_hook_claim(hook) != NGX_OK)
    {
        goto failed;
    }

    ngx_add_timer(&hook->deadline, NGX_DFP_HOOK_LEASE);

    return hook;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* Claim: other nginx, which have seen the same, do not try now. */

static ngx_int_t
ngx_dfp_hook_claim(ngx_dfp_hook_t *hook)
{
    hook->op.handler = ngx_dfp_hook_claimed;
    hook->op.deadline = ngx_current_msec + NGX_DFP_HOOK_CLAIM_WAIT;

    return ngx_dfp_store_hook_claim(hook->store, &hook->op, &hook->due,
                                    NGX_DFP_HOOK_LEASE, &hook->sealed);
}


static void
ngx_dfp_hook_claimed(void *data, ngx_int_t rc)
{
    ngx_dfp_hook_t *hook = data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, hook->log, 0,
                   "dfpreheat hook: job %L: claim after %L tries: rc:%i",
                   hook->due.id, hook->due.tries, rc);

    if (rc != NGX_OK) {
        ngx_dfp_hook_over(hook);
        return;
    }

    hook->claimed = 1;
    hook->due.tries++;

    if (ngx_exiting) {
        ngx_dfp_hook_end(hook, NGX_DFP_HOOK_RETURNED);
        return;
    }

    if (ngx_dfp_hook_unseal(hook) != NGX_OK) {
        ngx_dfp_hook_end(hook, NGX_DFP_HOOK_FAILED);
        return;
    }

    /* it is printed while the reply exists */

    hook->job.id = hook->due.id;
    hook->op.handler = ngx_dfp_hook_read;
    hook->op.deadline = ngx_current_msec + NGX_DFP_HOOK_CLAIM_WAIT;
    hook->op.borrow = 1;

    if (ngx_dfp_store_get(hook->store, &hook->op, &hook->job) != NGX_OK) {
        ngx_dfp_hook_over(hook);
    }
}


static ngx_int_t
ngx_dfp_hook_unseal(ngx_dfp_hook_t *hook)
{
    dfp_rc_t   rc;
    dfp_err_t  err;
    dfp_mem_t  mem;
    dfp_str_t  text;

    mem = ngx_dfp_mem(hook->pool);

    rc = dfp_unseal(&mem, &hook->conf->keys, ngx_dfp_dfp_str(hook->due.uuid),
                    ngx_dfp_dfp_str(hook->sealed), &text, &err);

    if (rc == DFP_OK) {
        rc = dfp_webhook_open(&mem, text, &hook->webhook, &err);
    }

    if (rc == DFP_INVALID) {
        ngx_dfp_hook_fail(hook, "%s", err.text);
        return NGX_ERROR;
    }

    if (rc != DFP_OK
        || ngx_dfp_secrets_init(&hook->secrets, hook->pool) != NGX_OK
        || ngx_dfp_secrets_add(&hook->secrets, hook->webhook.secret) != NGX_OK
        || ngx_dfp_secrets_url(&hook->secrets, hook->webhook.url.href)
           != NGX_OK)
    {
        ngx_dfp_hook_fail(hook, "no memory");
        return NGX_ERROR;
    }

    hook->binding = ngx_dfp_binding_find(hook->conf, &hook->webhook.url, 1);

    if (hook->binding == NULL) {
        ngx_dfp_hook_fail(hook, "no location is bound to %*s (dfpreheat_origin)",
                          hook->webhook.url.origin.len,
                          hook->webhook.url.origin.data);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Read: the job as GET shows it, and its signature. */

static void
ngx_dfp_hook_read(void *data, ngx_int_t rc)
{
    ngx_dfp_hook_t *hook = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, hook->log, 0,
                   "dfpreheat hook: job %L: read: rc:%i", hook->due.id, rc);

    hook->op.borrow = 0;

    /* deleted, or it belongs to another job now; without an answer the lease
     * expires */

    if (rc != NGX_OK || hook->job.uuid.len != hook->due.uuid.len
        || ngx_memcmp(hook->job.uuid.data, hook->due.uuid.data,
                      hook->due.uuid.len)
           != 0)
    {
        ngx_dfp_hook_over(hook);
        return;
    }

    if (ngx_exiting) {
        ngx_dfp_hook_end(hook, NGX_DFP_HOOK_RETURNED);
        return;
    }

    if (ngx_dfp_hook_print(hook) != NGX_OK) {
        ngx_dfp_hook_fail(hook, "no memory");

    } else if (ngx_dfp_hook_call(hook) == NGX_OK) {
        return;

    } else {
        ngx_dfp_hook_fail(hook, "not enough connections or memory for the "
                          "request");
    }

    ngx_dfp_hook_end(hook, NGX_DFP_HOOK_FAILED);
}


/* What is signed is "ID.TIMESTAMP.BODY", so all of it is printed in one piece. */

static ngx_int_t
ngx_dfp_hook_print(ngx_dfp_hook_t *hook)
{
    char       *id;
    size_t      id_len, len;
    dfp_buf_t   b;
    dfp_mem_t   mem;
    dfp_str_t   whole;

    mem = ngx_dfp_mem(hook->pool);

    id_len = sizeof(NGX_DFP_PRINT_DELIVERY) - 1 + hook->due.uuid.len;
    id = ngx_pnalloc(hook->pool, id_len + 1);
    if (id == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf((u_char *) id, NGX_DFP_PRINT_DELIVERY "%V%Z",
                       &hook->due.uuid);
    (void) ngx_sprintf((u_char *) hook->time, "%T%Z", ngx_time());

    dfp_buf_init(&b, &mem, 4096, 0);
    dfp_buf_cstr(&b, id);
    dfp_buf_cstr(&b, ".");
    dfp_buf_cstr(&b, hook->time);
    dfp_buf_cstr(&b, ".");
    len = b.len;

    ngx_dfp_print_job(&b, hook->conf, &hook->job, NGX_DFP_PRINT_ONE);

    if (b.failed) {
        return NGX_ERROR;
    }

    whole = dfp_buf_value(&b);

    if (dfp_webhook_sign(&hook->webhook, whole, hook->signature) != DFP_OK) {
        return NGX_ERROR;
    }

    hook->body.data = whole.data + len;
    hook->body.len = whole.len - len;

    ngx_dfp_hook_header(hook, 0, "webhook-id", id);
    ngx_dfp_hook_header(hook, 1, "webhook-timestamp", hook->time);
    ngx_dfp_hook_header(hook, 2, "webhook-signature", hook->signature);
    ngx_dfp_hook_header(hook, 3, "User-Agent", "dfpreheat");

    return NGX_OK;
}


static void
ngx_dfp_hook_header(ngx_dfp_hook_t *hook, ngx_uint_t i, const char *name,
    const char *value)
{
    hook->headers[i].name = (dfp_str_t) { ngx_strlen(name), name };
    hook->headers[i].value = (dfp_str_t) { ngx_strlen(value), value };
}


/* Call: the body of a 200 is not kept, of any other answer the beginning is. */

static ngx_int_t
ngx_dfp_hook_call(ngx_dfp_hook_t *hook)
{
    ngx_dfp_call_t  *call;

    call = ngx_dfp_call_create(hook->log);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->handler = ngx_dfp_hook_called;
    call->data = hook;
    call->job = hook->due.id;
    call->binding = hook->binding;
    call->url = hook->webhook.url;
    call->shown = hook->due.url;
    call->who = "the receiver";
    call->secrets = &hook->secrets;
    call->post = hook->body;
    call->content_type = "application/json; charset=utf-8";
    call->headers = hook->headers;
    call->nheaders = NGX_DFP_HOOK_HEADERS;
    call->mode = NGX_DFP_CALL_WARM;
    call->timeout = NGX_DFP_HOOK_TIMEOUT;
    call->uncached = 1;

    if (ngx_dfp_call_start(call) != NGX_OK) {
        return NGX_ERROR;
    }

    hook->call = call;

    return NGX_OK;
}


static void
ngx_dfp_hook_called(ngx_dfp_call_t *call)
{
    ngx_dfp_hook_t *hook = call->data;

    ngx_dfp_answer_t  *answer;

    answer = &call->answer;
    hook->call = NULL;

    if (answer->result == NGX_DFP_CALL_OK && answer->status >= NGX_HTTP_OK
        && answer->status < NGX_HTTP_SPECIAL_RESPONSE)
    {
        ngx_dfp_hook_end(hook, NGX_DFP_HOOK_DELIVERED);
        return;
    }

    if (answer->timedout) {
        ngx_dfp_hook_fail(hook, "the receiver did not answer within %d s",
                          NGX_DFP_HOOK_TIMEOUT / 1000);

    } else if (answer->result != NGX_DFP_CALL_OK) {
        ngx_dfp_hook_fail(hook, "%s", answer->reason);

    } else {
        ngx_dfp_hook_refused(hook, call);
    }

    ngx_dfp_hook_end(hook, NGX_DFP_HOOK_FAILED);
}


static void
ngx_dfp_hook_refused(ngx_dfp_hook_t *hook, ngx_dfp_call_t *call)
{
    dfp_str_t  words;

    if (call->answer.leads_to.len) {
        ngx_dfp_hook_fail(hook, "the receiver answered %ui, a redirect to %V, "
                          "which is not followed", call->answer.status,
                          &call->answer.leads_to);
        return;
    }

    words = ngx_dfp_hook_excerpt(hook, &call->answer);

    ngx_dfp_hook_fail(hook, "the receiver answered %ui%s%*s",
                      call->answer.status, words.len ? ": " : "", words.len,
                      words.data);
}


static dfp_str_t
ngx_dfp_hook_excerpt(ngx_dfp_hook_t *hook, ngx_dfp_answer_t *answer)
{
    dfp_mem_t  mem;
    dfp_str_t  text;

    static const dfp_str_t  none = { 0, "" };

    if (answer->packed || answer->body.len == 0) {
        return none;
    }

    mem = ngx_dfp_mem(hook->pool);
    text = ngx_dfp_dfp_str(answer->body);

    if (dfp_mask(&mem, text, hook->secrets.elts, hook->secrets.nelts, &text)
        != DFP_OK)
    {
        return none;
    }

    if (answer->body.len == NGX_DFP_ERROR_BODY_MAX) {
        text = dfp_mask_end(text, hook->secrets.elts, hook->secrets.nelts);
    }

    return dfp_text_clean(&mem, text, NGX_DFP_HOOK_EXCERPT, &text) == DFP_OK
           ? text : none;
}


static void
ngx_dfp_hook_fail(ngx_dfp_hook_t *hook, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf((u_char *) hook->error,
                      (u_char *) hook->error + sizeof(hook->error) - 1, fmt,
                      args);
    va_end(args);

    *p = '\0';
}


/* End: without memory to send it, the lease expires. */

static void
ngx_dfp_hook_end(ngx_dfp_hook_t *hook, ngx_dfp_hook_outcome_e outcome)
{
    ngx_str_t   error;
    ngx_msec_t  pause;

    hook->ending = 1;
    hook->outcome = outcome;

    if (outcome != NGX_DFP_HOOK_RETURNED) {
        ngx_dfp_count(&ngx_dfp_counters->hook_tries[
                          outcome == NGX_DFP_HOOK_DELIVERED
                          ? NGX_DFP_TRIES_DELIVERED : NGX_DFP_TRIES_FAILED], 1);
    }

    hook->op.handler = ngx_dfp_hook_ended;
    hook->op.deadline = 0;

    error.data = (u_char *) hook->error;
    error.len = ngx_strlen(hook->error);

    pause = ngx_dfp_pause(hook->due.tries - 1, NGX_DFP_HOOK_PAUSE,
                          NGX_DFP_HOOK_PAUSE_MAX);

    ngx_log_error(NGX_LOG_INFO, hook->log, 0,
                  "dfpreheat: job %L: try %L of its webhook \"%V\" %s%s%V",
                  hook->due.id, hook->due.tries, &hook->due.url,
                  outcome == NGX_DFP_HOOK_DELIVERED ? "succeeded"
                  : outcome == NGX_DFP_HOOK_FAILED ? "failed"
                                                   : "is left to others",
                  error.len ? ": " : "", &error);

    if (ngx_dfp_store_hook_end(hook->store, &hook->op, &hook->due, outcome,
                               pause, &error, &hook->given_up)
        != NGX_OK)
    {
        ngx_dfp_hook_over(hook);
    }
}


static void
ngx_dfp_hook_ended(void *data, ngx_int_t rc)
{
    ngx_dfp_hook_t *hook = data;

    ngx_dfp_given_up_t  given_up;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, hook->log, 0,
                   "dfpreheat hook: job %L: end of try %L stored: rc:%i",
                   hook->due.id, hook->due.tries, rc);

    if (rc == NGX_OK && hook->given_up) {
        given_up.id = hook->due.id;
        given_up.tries = hook->due.tries;
        given_up.url = hook->due.url;
        given_up.error.data = (u_char *) hook->error;
        given_up.error.len = ngx_strlen(hook->error);

        ngx_dfp_hook_log_given_up(hook->log, &given_up);
    }

    ngx_dfp_hook_over(hook);
}


void
ngx_dfp_hook_log_given_up(ngx_log_t *log, ngx_dfp_given_up_t *given_up)
{
    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "dfpreheat: job %L: its webhook \"%V\" is given up after "
                  "%L tries: %V", given_up->id, &given_up->url,
                  given_up->tries, &given_up->error);
}


static void
ngx_dfp_hook_over(ngx_dfp_hook_t *hook)
{
    hook->over(hook);
    ngx_dfp_hook_free(hook);
}


void
ngx_dfp_hook_leave(ngx_dfp_hook_t *hook)
{
    static ngx_str_t  none = ngx_string("");

    if (hook->claimed && !hook->ending) {
        ngx_dfp_store_cancel(&hook->op);
        (void) ngx_dfp_store_hook_end(hook->store, &hook->op, &hook->due,
                                      NGX_DFP_HOOK_RETURNED, 0, &none,
                                      &hook->given_up);
    }

    ngx_dfp_hook_free(hook);
}


/* Frees the try. Nothing else does. */

static void
ngx_dfp_hook_free(ngx_dfp_hook_t *hook)
{
    if (hook->deadline.timer_set) {
        ngx_del_timer(&hook->deadline);
    }

    if (hook->call) {
        ngx_dfp_call_cancel(hook->call);
    }

    ngx_dfp_store_cancel(&hook->op);

    ngx_destroy_pool(hook->pool);
}


/* Every step has a time-out of its own. As long as the timer is set, a worker
 * that quits waits for the try. */

static void
ngx_dfp_hook_deadline(ngx_event_t *ev)
{
}
