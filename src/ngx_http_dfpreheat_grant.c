#include "ngx_http_dfpreheat_grant.h"
#include "ngx_http_dfpreheat_credentials.h"


#define NGX_HTTP_DFPREHEAT_GRANT_POOL  4096


static ngx_int_t ngx_http_dfpreheat_grant_own(
    ngx_http_dfpreheat_grant_t *grant);
static ngx_int_t ngx_http_dfpreheat_grant_answer(
    ngx_http_dfpreheat_grant_t *grant, ngx_http_dfpreheat_call_t *call,
    dfp_err_t *err);
static ngx_int_t ngx_http_dfpreheat_grant_pick(
    ngx_http_dfpreheat_grant_t *grant, ngx_http_dfpreheat_call_t *call,
    dfp_err_t *err);
static void ngx_http_dfpreheat_grant_login(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_login_t *login);
static ngx_int_t ngx_http_dfpreheat_grant_fetch(
    ngx_http_dfpreheat_grant_t *grant, dfp_err_t *err);
static ngx_int_t ngx_http_dfpreheat_grant_call(
    ngx_http_dfpreheat_grant_t *grant, ngx_http_dfpreheat_origin_t *origin,
    dfp_url_t *url, ngx_http_dfpreheat_login_t *login);
static ngx_int_t ngx_http_dfpreheat_grant_basic(
    ngx_http_dfpreheat_grant_t *grant, ngx_http_dfpreheat_login_t *login,
    ngx_http_dfpreheat_call_t *call);
static void ngx_http_dfpreheat_grant_called(ngx_http_dfpreheat_call_t *call);
static ngx_int_t ngx_http_dfpreheat_grant_token(
    ngx_http_dfpreheat_grant_t *grant, ngx_http_dfpreheat_call_t *call,
    dfp_err_t *err);
static void ngx_http_dfpreheat_grant_set(ngx_http_dfpreheat_grant_t *grant,
    ngx_str_t *authorization);
static void ngx_http_dfpreheat_grant_end(ngx_http_dfpreheat_task_t *task,
    ngx_int_t rc, ngx_msec_t retry_after, const char *reason);
static ngx_http_dfpreheat_task_t *ngx_http_dfpreheat_grant_next(
    ngx_http_dfpreheat_grant_t *grant);
static void ngx_http_dfpreheat_grant_fail(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call, dfp_err_t *err);


ngx_http_dfpreheat_grant_t *
ngx_http_dfpreheat_grant_get(ngx_http_dfpreheat_run_t *run,
    const dfp_url_t *url, ngx_str_t *repository)
{
    ngx_queue_t                 *q;
    ngx_http_dfpreheat_grant_t  *grant;

    for (q = ngx_queue_head(&run->grants);
         q != ngx_queue_sentinel(&run->grants);
         q = ngx_queue_next(q))
    {
        grant = ngx_queue_data(q, ngx_http_dfpreheat_grant_t, queue);

        if (dfp_str_eq(ngx_http_dfpreheat_dfp(grant->origin), url->origin)
            && dfp_str_eq(ngx_http_dfpreheat_dfp(grant->repository),
                          ngx_http_dfpreheat_dfp(*repository)))
        {
            return grant;
        }
    }

    grant = ngx_pcalloc(run->pool, sizeof(ngx_http_dfpreheat_grant_t));

    if (grant == NULL
        || ngx_http_dfpreheat_secrets_init(&grant->secrets, run->pool)
           != NGX_OK)
    {
        return NULL;
    }

    grant->run = run;
    grant->origin = ngx_http_dfpreheat_str(url->origin);
    grant->authority = ngx_http_dfpreheat_str(url->authority);
    grant->repository = *repository;

    ngx_queue_init(&grant->waiting);
    ngx_queue_insert_tail(&run->grants, &grant->queue);

    grant->own = ngx_http_dfpreheat_grant_own(grant);

    return grant;
}


/* The job's own Authorization goes first, as it is. */

static ngx_int_t
ngx_http_dfpreheat_grant_own(ngx_http_dfpreheat_grant_t *grant)
{
    size_t             i;
    ngx_str_t          value;
    dfp_job_header_t  *header;

    header = grant->run->job.headers;

    for (i = 0; i < grant->run->job.nheaders; i++) {

        if (dfp_job_header_authorization(header[i].name)) {
            value = ngx_http_dfpreheat_str(header[i].value);
            ngx_http_dfpreheat_grant_set(grant, &value);
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_dfpreheat_grant_ready(ngx_http_dfpreheat_task_t *task)
{
    dfp_err_t                    err;
    ngx_int_t                    rc;
    ngx_http_dfpreheat_grant_t  *grant;

    grant = task->grant;

    if (grant->call == NULL
        && (grant->renew == 0 || ngx_time() < grant->renew))
    {
        return NGX_OK;
    }

    ngx_queue_remove(&task->queue);
    ngx_queue_insert_tail(&grant->waiting, &task->queue);

    if (grant->call) {
        return NGX_AGAIN;
    }

    rc = ngx_http_dfpreheat_grant_fetch(grant, &err);

    if (rc != NGX_OK) {
        (void) ngx_http_dfpreheat_grant_next(grant);
        ngx_http_dfpreheat_grant_end(task, rc, 0, err.text);
    }

    return NGX_AGAIN;
}


void
ngx_http_dfpreheat_grant_accepted(ngx_http_dfpreheat_task_t *task)
{
    if (task->serial == task->grant->serial) {
        task->grant->accepted = ngx_time();
    }
}


void
ngx_http_dfpreheat_grant_refused(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call)
{
    dfp_err_t                    err;
    ngx_int_t                    rc;
    ngx_http_dfpreheat_grant_t  *grant;

    grant = task->grant;
    err.text[0] = '\0';

    if (task->serial && task->refused++ == NGX_HTTP_DFPREHEAT_REFUSALS_MAX) {
        ngx_http_dfpreheat_grant_fail(task, call, &err);
        return;
    }

    /* that was no try of the task */
    task->tries--;

    if (grant->call == NULL && task->serial == grant->serial) {
        rc = ngx_http_dfpreheat_grant_answer(grant, call, &err);

        if (rc == NGX_AGAIN) {
            ngx_http_dfpreheat_grant_end(task, rc, 0, err.text);
            return;
        }

        if (rc != NGX_OK) {
            ngx_http_dfpreheat_grant_fail(task, call, &err);
            return;
        }
    }

    if (grant->call) {
        ngx_queue_insert_tail(&grant->waiting, &task->queue);

    } else {
        ngx_http_dfpreheat_task_queue(task);
    }
}


/* What was sent, if anything, does not do: NGX_OK when there is another answer
 * to the challenge, or a token is being fetched; NGX_AGAIN: later. */

static ngx_int_t
ngx_http_dfpreheat_grant_answer(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_call_t *call, dfp_err_t *err)
{
    ngx_int_t                   rc;
    dfp_mem_t                   mem;
    dfp_str_t                   basic;
    ngx_str_t                   value;
    ngx_http_dfpreheat_login_t  login;

    /* what was made of the same credentials before was never good */

    if (grant->serial && !grant->own && grant->accepted == 0) {
        return NGX_DECLINED;
    }

    rc = ngx_http_dfpreheat_grant_pick(grant, call, err);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_dfpreheat_grant_login(grant, &login);

    /* nothing but what has just been refused */

    if (grant->own && !login.given) {
        return NGX_DECLINED;
    }

    grant->own = 0;
    grant->accepted = 0;

    if (login.token.len) {
        ngx_http_dfpreheat_grant_set(grant, &login.token);
        return NGX_OK;
    }

    if (grant->challenge.scheme == DFP_CHALLENGE_BEARER) {
        return ngx_http_dfpreheat_grant_fetch(grant, err);
    }

    if (!login.given) {
        return NGX_DECLINED;
    }

    mem = ngx_http_dfpreheat_mem(grant->run->pool);

    if (dfp_basic_print(&mem, login.username, login.password, &basic)
        != DFP_OK)
    {
        return NGX_ERROR;
    }

    value = ngx_http_dfpreheat_str(basic);
    ngx_http_dfpreheat_grant_set(grant, &value);

    return NGX_OK;
}


/* The challenge is kept in the run's pool, to renew a token by. */

static ngx_int_t
ngx_http_dfpreheat_grant_pick(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_call_t *call, dfp_err_t *err)
{
    int        rc;
    dfp_mem_t  mem;

    mem = ngx_http_dfpreheat_mem(grant->run->pool);

    rc = dfp_challenge_pick(&mem, call->challenges, call->nchallenges,
                            &grant->challenge, err);

    if (rc == DFP_DECLINED) {
        return NGX_DECLINED;
    }

    return rc == DFP_OK ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_dfpreheat_grant_login(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_login_t *login)
{
    ngx_http_dfpreheat_run_t  *run;

    run = grant->run;
    ngx_memzero(login, sizeof(ngx_http_dfpreheat_login_t));

    if (run->job.username.len || run->job.password.len) {
        login->username = run->job.username;
        login->password = run->job.password;
        login->given = 1;
        return;
    }

    if (run->claim.configured) {
        ngx_http_dfpreheat_credentials_find(run->conf->credentials,
                                            &grant->authority,
                                            &grant->repository, run->pool,
                                            &run->log, login);
    }
}


static ngx_int_t
ngx_http_dfpreheat_grant_fetch(ngx_http_dfpreheat_grant_t *grant,
    dfp_err_t *err)
{
    int                           rc;
    dfp_mem_t                     mem;
    dfp_url_t                     url;
    ngx_http_dfpreheat_login_t    login;
    ngx_http_dfpreheat_origin_t  *origin;

    mem = ngx_http_dfpreheat_mem(grant->run->pool);
    ngx_http_dfpreheat_grant_login(grant, &login);

    rc = dfp_challenge_url(&mem, &grant->challenge, login.username,
                           "the URL of the token service", &url, err);
    if (rc != DFP_OK) {
        return rc == DFP_INVALID ? NGX_DECLINED : NGX_ERROR;
    }

    if (!url.tls && ngx_strncmp(grant->origin.data, "https", 5) == 0) {
        (void) dfp_invalid(err, "the origin sends to a token service without "
                           "TLS, %.*s", (int) url.origin.len,
                           url.origin.data);
        return NGX_DECLINED;
    }

    origin = ngx_http_dfpreheat_origin_find(grant->run->conf, &url, 1);

    if (origin == NULL) {
        (void) dfp_invalid(err, "the origin sends to the token service %.*s, "
                           "which no location is bound to "
                           "(dfpreheat_origin)", (int) url.origin.len,
                           url.origin.data);
        return NGX_DECLINED;
    }

    if (ngx_http_dfpreheat_grant_call(grant, origin, &url, &login) != NGX_OK) {
        (void) dfp_invalid(err, "no connection, or no memory, is free to fetch "
                           "a token");
        return NGX_AGAIN;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_dfpreheat_grant_call(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_origin_t *origin, dfp_url_t *url,
    ngx_http_dfpreheat_login_t *login)
{
    ngx_pool_t                 *pool;
    ngx_http_dfpreheat_run_t   *run;
    ngx_http_dfpreheat_call_t  *call;

    run = grant->run;

    pool = ngx_create_pool(NGX_HTTP_DFPREHEAT_GRANT_POOL, &run->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    call = ngx_pcalloc(pool, sizeof(ngx_http_dfpreheat_call_t));
    if (call == NULL) {
        goto failed;
    }

    call->pool = pool;

    if (login->given
        && ngx_http_dfpreheat_grant_basic(grant, login, call) != NGX_OK)
    {
        goto failed;
    }

    call->handler = ngx_http_dfpreheat_grant_called;
    call->data = grant;
    call->log = &run->log;
    call->job = run->claim.id;
    call->origin = origin;
    call->url = *url;

    /* the query has the user's name in it */
    call->shown.data = (u_char *) call->url.href.data;
    call->shown.len = call->url.origin.len + call->url.path.len;

    call->who = "the token service";
    call->secrets = &run->secrets;
    call->limit = NGX_HTTP_DFPREHEAT_TOKEN_BODY_MAX;
    call->timeout = run->conf->task_timeout;
    call->uncached = 1;

    if (ngx_http_dfpreheat_call_start(call) != NGX_OK) {
        goto failed;
    }

    grant->call = call;
    run->calls++;

    return NGX_OK;

failed:

    ngx_destroy_pool(pool);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_dfpreheat_grant_basic(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_login_t *login, ngx_http_dfpreheat_call_t *call)
{
    dfp_mem_t   mem;
    dfp_str_t   basic;

    mem = ngx_http_dfpreheat_mem(call->pool);

    if (dfp_basic_print(&mem, login->username, login->password, &basic)
        != DFP_OK)
    {
        return NGX_ERROR;
    }

    if (!grant->told
        && ngx_http_dfpreheat_secrets_login(&grant->run->secrets,
                                            login->username, login->password,
                                            basic)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    grant->told = 1;
    call->authorization = ngx_http_dfpreheat_str(basic);

    return NGX_OK;
}


static void
ngx_http_dfpreheat_grant_called(ngx_http_dfpreheat_call_t *call)
{
    ngx_int_t                    rc;
    dfp_err_t                    err;
    ngx_http_dfpreheat_run_t    *run;
    ngx_http_dfpreheat_task_t   *task;
    ngx_http_dfpreheat_grant_t  *grant;

    grant = call->data;
    run = grant->run;

    grant->call = NULL;
    run->calls--;

    rc = ngx_http_dfpreheat_grant_token(grant, call, &err);

    while ((task = ngx_http_dfpreheat_grant_next(grant)) != NULL) {

        if (rc == NGX_OK) {
            ngx_http_dfpreheat_task_queue(task);

        } else {
            ngx_http_dfpreheat_grant_end(task, rc, call->retry_after,
                                         err.text);
        }
    }

    ngx_destroy_pool(call->pool);

    run->wake(run);
}


/* NGX_OK: there is a token; NGX_AGAIN: another try may go better. */

static ngx_int_t
ngx_http_dfpreheat_grant_token(ngx_http_dfpreheat_grant_t *grant,
    ngx_http_dfpreheat_call_t *call, dfp_err_t *err)
{
    u_char                *p;
    ngx_int_t              rc;
    dfp_err_t              why;
    dfp_mem_t              mem;
    ngx_str_t              value;
    dfp_registry_token_t   token;

    rc = ngx_http_dfpreheat_call_verdict(call, &why);

    if (rc != NGX_OK) {
        (void) dfp_invalid(err, "%.*s: %s", (int) call->url.origin.len,
                           call->url.origin.data, why.text);
        return rc;
    }

    mem = ngx_http_dfpreheat_mem(grant->run->pool);

    if (dfp_registry_token_parse(&mem, ngx_http_dfpreheat_dfp(call->body),
                                 &token, &why)
        != DFP_OK)
    {
        (void) dfp_invalid(err, "%.*s: %s", (int) call->url.origin.len,
                           call->url.origin.data, why.text);
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(grant->run->pool, sizeof("Bearer ") + token.token.len);
    if (p == NULL) {
        (void) dfp_invalid(err, "no memory");
        return NGX_DECLINED;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "Bearer %*s", token.token.len,
                            token.token.data)
                - p;

    ngx_http_dfpreheat_grant_set(grant, &value);

    grant->renew = ngx_time() + token.expires
                   - ngx_min(token.expires / 4, NGX_HTTP_DFPREHEAT_RENEW);

    return NGX_OK;
}


static void
ngx_http_dfpreheat_grant_set(ngx_http_dfpreheat_grant_t *grant,
    ngx_str_t *authorization)
{
    /* one that could not be remembered would not be hidden */

    ngx_str_null(&grant->authorization);
    grant->secrets.nelts = 0;

    if (ngx_http_dfpreheat_secrets_add(&grant->secrets,
                                       ngx_http_dfpreheat_dfp(*authorization))
        != NGX_OK)
    {
        return;
    }

    grant->authorization = *authorization;
    grant->serial++;
    grant->renew = 0;
    grant->accepted = 0;
}


/* There is no token: the task tries again, which fetches one, or fails. */

static void
ngx_http_dfpreheat_grant_end(ngx_http_dfpreheat_task_t *task, ngx_int_t rc,
    ngx_msec_t retry_after, const char *reason)
{
    if (rc == NGX_AGAIN) {
        task->tries++;
        ngx_http_dfpreheat_task_again(task, retry_after, reason);
        return;
    }

    ngx_http_dfpreheat_task_failed(task, "%s", reason);
}


static ngx_http_dfpreheat_task_t *
ngx_http_dfpreheat_grant_next(ngx_http_dfpreheat_grant_t *grant)
{
    ngx_queue_t  *q;

    if (ngx_queue_empty(&grant->waiting)) {
        return NULL;
    }

    q = ngx_queue_head(&grant->waiting);
    ngx_queue_remove(q);

    return ngx_queue_data(q, ngx_http_dfpreheat_task_t, queue);
}


/* Why a 401 is the end. ERR says more, or nothing. */

static void
ngx_http_dfpreheat_grant_fail(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call, dfp_err_t *err)
{
    dfp_buf_t                    until, now;
    dfp_err_t                    why;
    dfp_mem_t                    mem;
    ngx_http_dfpreheat_grant_t  *grant;

    grant = task->grant;

    (void) ngx_http_dfpreheat_call_verdict(call, &why);

    if (!grant->own || grant->accepted == 0) {
        ngx_http_dfpreheat_task_failed(task, err->text[0] ? "%s; %s" : "%s",
                                       why.text, err->text);
        return;
    }

    mem = ngx_http_dfpreheat_mem(call->pool);

    dfp_buf_init(&until, &mem, 32, 0);
    dfp_buf_init(&now, &mem, 32, 0);
    dfp_buf_time(&until, (int64_t) grant->accepted * 1000);
    dfp_buf_time(&now, (int64_t) ngx_time() * 1000);

    ngx_http_dfpreheat_task_failed(task, "%s; the Authorization of the job was "
                                   "accepted until %*s and is not any more at "
                                   "%*s: it has run out, and there is nothing "
                                   "to renew it with", why.text, until.len,
                                   until.data, now.len, now.data);
}


void
ngx_http_dfpreheat_grants_stop(ngx_http_dfpreheat_run_t *run)
{
    ngx_queue_t                 *q;
    ngx_http_dfpreheat_call_t   *call;
    ngx_http_dfpreheat_grant_t  *grant;

    for (q = ngx_queue_head(&run->grants);
         q != ngx_queue_sentinel(&run->grants);
         q = ngx_queue_next(q))
    {
        grant = ngx_queue_data(q, ngx_http_dfpreheat_grant_t, queue);
        call = grant->call;

        ngx_queue_init(&grant->waiting);

        if (call) {
            grant->call = NULL;
            run->calls--;

            ngx_http_dfpreheat_call_cancel(call);
            ngx_destroy_pool(call->pool);
        }
    }
}
