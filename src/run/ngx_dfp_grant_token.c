#include "ngx_dfp_grant.h"


static ngx_int_t ngx_dfp_grant_call(ngx_dfp_grant_t *grant,
    ngx_dfp_binding_t *binding, dfp_url_t *url);
static ngx_int_t ngx_dfp_grant_send(ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call);
static ngx_uint_t ngx_dfp_grant_posts(ngx_dfp_grant_t *grant);
static ngx_uint_t ngx_dfp_grant_otherwise(ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call);
static void ngx_dfp_grant_called(ngx_dfp_call_t *call);
static ngx_int_t ngx_dfp_grant_token(ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call, dfp_err_t *err);


ngx_int_t
ngx_dfp_grant_fetch(ngx_dfp_grant_t *grant, dfp_err_t *err)
{
    dfp_rc_t            rc;
    dfp_mem_t           mem;
    dfp_url_t           url;
    ngx_str_t           who;
    ngx_dfp_binding_t  *binding;

    ngx_str_set(&who, "the origin");

    if (grant->led) {
        who = grant->origin;
    }

    mem = ngx_dfp_mem(grant->run->pool);
    (void) ngx_dfp_grant_login(grant, 0);

    if (ngx_dfp_grant_posts(grant)) {
        rc = dfp_url_dup(&mem, &grant->challenge.realm, &url);

    } else {
        rc = dfp_challenge_url(&mem, &grant->challenge, grant->login.username,
                               "the URL of the token service", &url, err);
    }

    if (rc != DFP_OK) {
        return rc == DFP_INVALID ? NGX_DECLINED : NGX_ERROR;
    }

    if (!url.tls && ngx_strncmp(grant->origin.data, "https", 5) == 0) {
        (void) dfp_invalid(err, "%.*s names a token service without TLS, %.*s",
                           (int) who.len, who.data,
                           (int) url.origin.len, url.origin.data);
        return NGX_DECLINED;
    }

    binding = ngx_dfp_binding_find(grant->run->conf, &url, 1);

    if (binding == NULL) {
        (void) dfp_invalid(err, "%.*s names the token service %.*s, which no "
                           "location is bound to (dfpreheat_origin)",
                           (int) who.len, who.data, (int) url.origin.len,
                           url.origin.data);
        return NGX_DECLINED;
    }

    if (ngx_dfp_grant_call(grant, binding, &url) != NGX_OK) {
        (void) dfp_invalid(err, "not enough connections or memory to fetch a "
                           "token");
        return NGX_AGAIN;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_grant_call(ngx_dfp_grant_t *grant, ngx_dfp_binding_t *binding,
    dfp_url_t *url)
{
    ngx_dfp_run_t   *run;
    ngx_dfp_call_t  *call;

    run = grant->run;

    call = ngx_dfp_call_create(&run->log);
    if (call == NULL) {
        return NGX_ERROR;
    }

    if (ngx_dfp_grant_send(grant, call) != NGX_OK) {
        ngx_dfp_call_cancel(call);
        return NGX_ERROR;
    }

    call->handler = ngx_dfp_grant_called;
    call->data = grant;
    call->job = run->claim.id;
    call->binding = binding;
    call->url = *url;

    /* the query contains the user's name */
    call->shown.data = (u_char *) call->url.href.data;
    call->shown.len = call->url.origin.len + call->url.path.len;

    call->who = "the token service";
    call->secrets = &run->secrets;
    call->mode = NGX_DFP_CALL_READ;
    call->size = NGX_DFP_TOKEN_BODY_MAX;
    call->timeout = ngx_dfp_run_patience(run);
    call->uncached = 1;

    if (ngx_dfp_call_start(call) != NGX_OK) {
        return NGX_ERROR;
    }

    grant->call = call;
    run->calls++;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: fetches a token for %V \"%V\" from %V",
                   run->claim.id, &grant->origin, &grant->repository,
                   &call->shown);

    return NGX_OK;
}


/* Sends a password, or an identity token in a form, or nothing. */

static ngx_int_t
ngx_dfp_grant_send(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call)
{
    dfp_mem_t  mem;
    ngx_str_t  basic;

    if (ngx_dfp_grant_basic(grant, &basic) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_dfp_grant_posts(grant)) {
        call->authorization = basic;
        return NGX_OK;
    }

    mem = ngx_dfp_mem(call->pool);

    return dfp_challenge_form(&mem, &grant->challenge, grant->login.identity,
                              &call->post)
           == DFP_OK ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_dfp_grant_posts(ngx_dfp_grant_t *grant)
{
    return grant->login.identity.len && !grant->get;
}


static void
ngx_dfp_grant_called(ngx_dfp_call_t *call)
{
    ngx_int_t         rc;
    dfp_err_t         err;
    ngx_dfp_run_t    *run;
    ngx_dfp_grant_t  *grant;

    grant = call->data;
    run = grant->run;

    grant->call = NULL;
    run->calls--;

    rc = ngx_dfp_grant_token(grant, call, &err);

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: token for %V \"%V\" %s, status:%ui",
                   run->claim.id, &grant->origin, &grant->repository,
                   rc == NGX_OK ? "fetched" : "refused", call->answer.status);

    if (rc == NGX_DECLINED && ngx_dfp_grant_otherwise(grant, call)) {
        return;
    }

    grant->handler(grant, rc, call, err.text);

    run->wake(run);
}


/* Fetches a token once more if there is another way to log in: with a
 * password, if the service takes no POST (as that of docker.io), or with a
 * login that the file has got since. Returns 1 if it does. */

static ngx_uint_t
ngx_dfp_grant_otherwise(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call)
{
    dfp_err_t  err;

    if (call->answer.result != NGX_DFP_CALL_OK) {
        return 0;
    }

    switch (call->answer.status) {

    case NGX_HTTP_NOT_FOUND:
    case NGX_HTTP_NOT_ALLOWED:
        if (call->post.len == 0 || grant->login.username.len == 0) {
            return 0;
        }

        grant->get = 1;
        break;

    case NGX_HTTP_BAD_REQUEST:
    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_FORBIDDEN:
        if (grant->reread || !ngx_dfp_grant_login(grant, 1)) {
            return 0;
        }

        grant->reread = 1;
        break;

    default:
        return 0;
    }

    return ngx_dfp_grant_fetch(grant, &err) == NGX_OK;
}


/* NGX_OK: there is a token; NGX_AGAIN: another try may succeed; NGX_DECLINED:
 * it will not. */

static ngx_int_t
ngx_dfp_grant_token(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call,
    dfp_err_t *err)
{
    u_char                *p;
    ngx_int_t              rc;
    dfp_err_t              why;
    dfp_mem_t              mem;
    ngx_str_t              value;
    dfp_registry_token_t   token;

    rc = ngx_dfp_answer_verdict(call, &why);

    if (rc != NGX_OK) {
        (void) dfp_invalid(err, "%.*s: %s", (int) call->url.origin.len,
                           call->url.origin.data, why.text);
        return rc;
    }

    mem = ngx_dfp_mem(grant->run->pool);

    if (dfp_registry_token_parse(&mem, ngx_dfp_dfp_str(call->answer.body),
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

    ngx_dfp_grant_set(grant, &value);

    grant->reread = 0;
    grant->renew = ngx_time() + token.expires
                   - ngx_min(token.expires / 4, NGX_DFP_RENEW);

    return NGX_OK;
}
