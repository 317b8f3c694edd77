#include "ngx_dfp_auth.h"
#include "ngx_dfp_query.h"

#include "dfp_texts.h"

#include <openssl/crypto.h>


static ngx_int_t ngx_dfp_auth_bearer(ngx_http_request_t *r, ngx_str_t *bearer);
static ngx_uint_t ngx_dfp_auth_malformed(ngx_str_t *bearer);
static void ngx_dfp_auth_found(void *data, ngx_int_t rc);
static void ngx_dfp_auth_result(ngx_dfp_auth_t *auth, ngx_int_t rc);
static void ngx_dfp_auth_check(ngx_dfp_auth_t *auth);
static ngx_uint_t ngx_dfp_auth_no(ngx_dfp_auth_verdict_t *verdict,
    ngx_dfp_token_failure_e why, ngx_uint_t status, const char *text);
static void ngx_dfp_auth_refuse(ngx_dfp_auth_t *auth,
    ngx_dfp_auth_verdict_t *verdict);


ngx_int_t
ngx_dfp_auth_query(ngx_http_request_t *r, ngx_str_t *token)
{
    if (ngx_dfp_query_get(r, "access_token=", token) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_dfp_query_hide(r, "access_token=");

    return NGX_OK;
}


void
ngx_dfp_auth_token(ngx_http_request_t *r, ngx_dfp_store_t *store,
    ngx_dfp_auth_t *auth, ngx_uint_t scope)
{
    ngx_str_t                bearer, hash;
    ngx_dfp_auth_verdict_t   verdict;
    ngx_dfp_stored_token_t  *cached;

    auth->scope = scope;
    auth->connection = r->connection;

    bearer = auth->query;

    if (bearer.len ? ngx_dfp_auth_malformed(&bearer)
                   : ngx_dfp_auth_bearer(r, &bearer) != NGX_OK)
    {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "dfpreheat auth: no token");
        (void) ngx_dfp_auth_no(&verdict, NGX_DFP_TOKEN_MISSING,
                               NGX_HTTP_UNAUTHORIZED, DFP_API_UNAUTHORIZED);
        ngx_dfp_auth_refuse(auth, &verdict);
        return;
    }

    auth->bearer = bearer;

    if (dfp_sha256_hex(ngx_dfp_dfp_str(bearer), (char *) auth->hash)
        != DFP_OK)
    {
        auth->handler(auth->data, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    auth->drops = ngx_dfp_token_cache_drops();
    cached = auth->uncached ? NULL : ngx_dfp_token_cache_get(auth->hash);

    if (cached) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "dfpreheat auth: token %L is cached", cached->id);

        auth->token = *cached;
        auth->token.name.data = ngx_pstrdup(r->pool, &cached->name);

        if (auth->token.name.data == NULL) {
            auth->token.name.len = 0;
        }

        ngx_dfp_auth_check(auth);
        return;
    }

    auth->op.handler = ngx_dfp_auth_found;
    auth->op.data = auth;
    auth->op.log = r->connection->log;
    auth->op.pool = r->pool;

    hash.data = auth->hash;
    hash.len = DFP_SHA256_HEX_LEN;

    if (ngx_dfp_store_token_find(store, &auth->op, &hash, &auth->token)
        != NGX_OK)
    {
        ngx_dfp_auth_result(auth, NGX_ABORT);
    }
}


static void
ngx_dfp_auth_found(void *data, ngx_int_t rc)
{
    ngx_dfp_auth_t *auth = data;

    ngx_connection_t  *c;

    c = auth->connection;

    ngx_dfp_auth_result(auth, rc);

    ngx_http_run_posted_requests(c);
}


static void
ngx_dfp_auth_result(ngx_dfp_auth_t *auth, ngx_int_t rc)
{
    ngx_dfp_auth_verdict_t  verdict;

    switch (rc) {

    case NGX_OK:
        ngx_dfp_token_cache_add(auth->hash, &auth->token, auth->drops);
        ngx_dfp_auth_check(auth);
        return;

    case NGX_DECLINED:
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, auth->connection->log, 0,
                       "dfpreheat auth: the token is unknown");
        (void) ngx_dfp_auth_verdict(rc, &auth->token, auth->scope, &verdict);
        ngx_dfp_auth_refuse(auth, &verdict);
        return;

    case NGX_ABORT:
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, auth->connection->log, 0,
                       "dfpreheat auth: no token can be checked now");
        auth->handler(auth->data, NGX_HTTP_SERVICE_UNAVAILABLE,
                      ngx_dfp_store_unavailable(auth->op.store));
        return;

    default:
        auth->handler(auth->data, NGX_HTTP_INTERNAL_SERVER_ERROR,
                      "the token could not be checked");
    }
}


static void
ngx_dfp_auth_check(ngx_dfp_auth_t *auth)
{
    ngx_dfp_auth_verdict_t  verdict;

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, auth->connection->log, 0,
                   "dfpreheat auth: token %L, %s, expires in %L s, scopes %ui, "
                   "needs %ui", auth->token.id,
                   auth->token.active ? "active" : "inactive",
                   (auth->token.expired_at - ngx_dfp_now()) / 1000,
                   auth->token.scopes, auth->scope);

    if (ngx_dfp_auth_verdict(NGX_OK, &auth->token, auth->scope, &verdict)
        != NGX_HTTP_OK)
    {
        ngx_dfp_auth_refuse(auth, &verdict);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, auth->connection->log, 0,
                   "dfpreheat auth: token %L is accepted", auth->token.id);

    auth->handler(auth->data, NGX_HTTP_OK, NULL);
}


ngx_uint_t
ngx_dfp_auth_verdict(ngx_int_t rc, ngx_dfp_stored_token_t *token,
    ngx_uint_t scope, ngx_dfp_auth_verdict_t *verdict)
{
    if (rc == NGX_DECLINED) {
        return ngx_dfp_auth_no(verdict, NGX_DFP_TOKEN_UNKNOWN,
                               NGX_HTTP_UNAUTHORIZED, DFP_API_UNAUTHORIZED);
    }

    if (!token->active) {
        return ngx_dfp_auth_no(verdict, NGX_DFP_TOKEN_INACTIVE,
                               NGX_HTTP_FORBIDDEN, DFP_API_INACTIVE);
    }

    if (token->expired_at <= ngx_dfp_now()) {
        return ngx_dfp_auth_no(verdict, NGX_DFP_TOKEN_EXPIRED,
                               NGX_HTTP_FORBIDDEN, DFP_API_EXPIRED);
    }

    if (!(token->scopes & scope)) {
        return ngx_dfp_auth_no(verdict, NGX_DFP_TOKEN_SCOPE,
                               NGX_HTTP_FORBIDDEN, scope == DFP_TOKEN_CLUSTER
                               ? DFP_API_NO_CLUSTER : DFP_API_NO_JOB);
    }

    return NGX_HTTP_OK;
}


static ngx_uint_t
ngx_dfp_auth_no(ngx_dfp_auth_verdict_t *verdict, ngx_dfp_token_failure_e why,
    ngx_uint_t status, const char *text)
{
    verdict->why = why;
    verdict->status = status;
    verdict->text = text;

    return status;
}


static void
ngx_dfp_auth_refuse(ngx_dfp_auth_t *auth, ngx_dfp_auth_verdict_t *verdict)
{
    ngx_dfp_count(&ngx_dfp_counters->token_failures[verdict->why], 1);

    ngx_log_error(NGX_LOG_WARN, auth->connection->log, 0,
                  "dfpreheat: refused: %s", verdict->text);

    auth->handler(auth->data, verdict->status, verdict->text);
}


ngx_uint_t
ngx_dfp_auth_admin(ngx_http_request_t *r, ngx_dfp_main_conf_t *conf,
    const char **text)
{
    char       theirs[DFP_SHA256_HEX_LEN + 1], ours[DFP_SHA256_HEX_LEN + 1];
    ngx_str_t  bearer;

    if (conf->admin_key.len == 0) {
        *text = "dfpreheat_admin_key is not configured";
        return NGX_HTTP_FORBIDDEN;
    }

    /* hashes have one length, so that timing does not reveal that of the key */

    if (ngx_dfp_auth_bearer(r, &bearer) == NGX_OK
        && dfp_sha256_hex(ngx_dfp_dfp_str(bearer), theirs) == DFP_OK
        && dfp_sha256_hex(ngx_dfp_dfp_str(conf->admin_key), ours)
           == DFP_OK
        && CRYPTO_memcmp(theirs, ours, DFP_SHA256_HEX_LEN) == 0)
    {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "dfpreheat auth: the admin key is accepted");
        return NGX_HTTP_OK;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "dfpreheat: refused: wrong admin key");

    ngx_dfp_count(&ngx_dfp_counters->token_failures[NGX_DFP_TOKEN_ADMIN_KEY],
                  1);

    *text = DFP_API_UNAUTHORIZED;
    return NGX_HTTP_UNAUTHORIZED;
}


/* RFC 6750, 2.1; the scheme is case-insensitive (RFC 9110, 11.1). */

static ngx_int_t
ngx_dfp_auth_bearer(ngx_http_request_t *r, ngx_str_t *bearer)
{
    u_char           *p, *last;
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL || h->value.len < sizeof("Bearer ")
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        return NGX_DECLINED;
    }

    p = h->value.data + sizeof("Bearer ") - 1;
    last = h->value.data + h->value.len;

    while (p < last && *p == ' ') {
        p++;
    }

    bearer->data = p;
    bearer->len = last - p;

    return ngx_dfp_auth_malformed(bearer) ? NGX_DECLINED : NGX_OK;
}


static ngx_uint_t
ngx_dfp_auth_malformed(ngx_str_t *bearer)
{
    return bearer->len == 0 || bearer->len > NGX_DFP_BEARER_MAX
           || ngx_strlchr(bearer->data, bearer->data + bearer->len, ' ');
}
