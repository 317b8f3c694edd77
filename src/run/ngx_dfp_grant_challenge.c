#include "ngx_dfp_grant.h"


static ngx_int_t ngx_dfp_grant_challenge_pick(ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call, dfp_err_t *err);
static ngx_int_t ngx_dfp_grant_challenge_scope(ngx_dfp_grant_t *grant);
static ngx_int_t ngx_dfp_grant_challenge_log_in(ngx_dfp_grant_t *grant,
    dfp_err_t *err);


/* What was sent, if anything, does not do: NGX_OK when there is another answer
 * to the challenge, or a token is being fetched; NGX_AGAIN: later. */

ngx_int_t
ngx_dfp_grant_challenge_answer(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call,
    dfp_err_t *err)
{
    ngx_int_t   rc;
    ngx_uint_t  changed;

    changed = ngx_dfp_grant_login(grant, grant->serial != 0);

    /* these credentials were never accepted */

    if (grant->serial && !grant->own && grant->accepted == 0 && !changed) {
        return NGX_DECLINED;
    }

    rc = ngx_dfp_grant_challenge_pick(grant, call, err);
    if (rc != NGX_OK) {
        return rc;
    }

    /* there is only the Authorization that was just refused */

    if (grant->own && !grant->login.given) {
        return NGX_DECLINED;
    }

    grant->own = 0;
    grant->accepted = 0;

    return ngx_dfp_grant_challenge_log_in(grant, err);
}


/* Another login, or another token for the one that was accepted: that once. */

ngx_int_t
ngx_dfp_grant_challenge_again(ngx_dfp_grant_t *grant)
{
    dfp_err_t   err;
    ngx_uint_t  changed;

    /* no challenge has been seen that another login could answer */

    if (grant->own) {
        return NGX_DECLINED;
    }

    changed = ngx_dfp_grant_login(grant, 1);

    if (!changed
        && (grant->accepted == 0 || grant->forbidden || grant->login.token.len
            || grant->challenge.scheme != DFP_CHALLENGE_BEARER))
    {
        return NGX_DECLINED;
    }

    grant->forbidden = !changed;

    return ngx_dfp_grant_challenge_log_in(grant, &err);
}


/* The challenge is kept in the run's pool: tokens are renewed by it. */

static ngx_int_t
ngx_dfp_grant_challenge_pick(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call,
    dfp_err_t *err)
{
    dfp_rc_t   rc;
    dfp_mem_t  mem;

    mem = ngx_dfp_mem(grant->run->pool);

    rc = dfp_challenge_pick(&mem, call->answer.challenges, call->answer.nchallenges,
                            &grant->challenge, err);

    if (rc != DFP_OK) {
        return rc == DFP_DECLINED ? NGX_DECLINED : NGX_ERROR;
    }

    return ngx_dfp_grant_challenge_scope(grant);
}


/* If the challenge has no scope, the token is requested for the repository.
 * The repositories of a redirect's target are not known. */

static ngx_int_t
ngx_dfp_grant_challenge_scope(ngx_dfp_grant_t *grant)
{
    u_char           *p;
    dfp_challenge_t  *challenge;

    challenge = &grant->challenge;

    if (challenge->scheme != DFP_CHALLENGE_BEARER || challenge->scope.len
        || grant->repository.len == 0 || grant->led)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(grant->run->pool, sizeof("repository::pull")
                                      + grant->repository.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    challenge->scope.data = (char *) p;
    challenge->scope.len = ngx_sprintf(p, "repository:%V:pull",
                                       &grant->repository)
                           - p;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_grant_challenge_log_in(ngx_dfp_grant_t *grant, dfp_err_t *err)
{
    ngx_str_t  basic;

    err->text[0] = '\0';

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, &grant->run->log, 0,
                   "dfpreheat: job %L: authenticates to %V \"%V\", "
                   "scheme:%d login:%d", grant->run->claim.id, &grant->origin,
                   &grant->repository, grant->challenge.scheme,
                   grant->login.given);

    if (grant->login.token.len) {
        ngx_dfp_grant_set(grant, &grant->login.token);
        return NGX_OK;
    }

    if (grant->challenge.scheme == DFP_CHALLENGE_BEARER) {
        return ngx_dfp_grant_fetch(grant, err);
    }

    if (grant->challenge.scheme == 0 || !grant->login.given) {
        return NGX_DECLINED;
    }

    if (ngx_dfp_grant_basic(grant, &basic) != NGX_OK) {
        return NGX_ERROR;
    }

    if (basic.len == 0) {
        (void) dfp_invalid(err, "it requires a user name and a password, but "
                           "dfpreheat_credentials has an identity token "
                           "for it");
        return NGX_DECLINED;
    }

    ngx_dfp_grant_set(grant, &basic);

    return NGX_OK;
}
