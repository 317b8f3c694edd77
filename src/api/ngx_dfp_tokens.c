#include "ngx_dfp_tokens.h"
#include "ngx_dfp_body.h"
#include "ngx_dfp_page.h"
#include "ngx_dfp_print_token.h"
#include "ngx_dfp_query.h"


/* A list that is requested; in the pool of the request. */
typedef struct {
    ngx_dfp_token_list_t  list;
    dfp_page_t            page;
    dfp_buf_t             filters;
} ngx_dfp_tokens_list_t;


static void ngx_dfp_tokens_parse(ngx_dfp_api_t *api);
static void ngx_dfp_tokens_created(void *data, ngx_int_t rc);
static void ngx_dfp_tokens_show(ngx_dfp_api_t *api);
static void ngx_dfp_tokens_list(ngx_dfp_api_t *api);
static dfp_rc_t ngx_dfp_tokens_which(ngx_dfp_api_t *api,
    ngx_dfp_tokens_list_t *ctx, dfp_err_t *err);
static void ngx_dfp_tokens_read(ngx_dfp_api_t *api);
static void ngx_dfp_tokens_listed(void *data, ngx_int_t rc);


void
ngx_dfp_tokens(ngx_dfp_api_t *api)
{
    ngx_uint_t   status;
    const char  *text;

    status = ngx_dfp_auth_admin(api->r, api->conf, &text);

    if (status != NGX_HTTP_OK) {
        ngx_dfp_api_error(api, status, text);
        return;
    }

    if (api->r->method == NGX_HTTP_POST) {
        ngx_dfp_body_read(api, ngx_dfp_tokens_parse);

    } else {
        ngx_dfp_tokens_list(api);
    }
}


static void
ngx_dfp_tokens_parse(ngx_dfp_api_t *api)
{
    dfp_rc_t   rc;
    char       text[DFP_SHA256_HEX_LEN + 1];
    dfp_err_t  err;
    ngx_str_t  hash;

    rc = dfp_token_parse(&api->mem, ngx_dfp_dfp_str(api->body), ngx_dfp_now(),
                         &api->token, &err);

    if (rc == DFP_INVALID) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, err.text);
        return;
    }

    if (rc != DFP_OK
        || dfp_token_generate(api->secret) != DFP_OK
        || dfp_sha256_hex((dfp_str_t) { DFP_TOKEN_LEN, api->secret }, text)
           != DFP_OK)
    {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR,
                          "not enough memory or random data");
        return;
    }

    hash.len = DFP_SHA256_HEX_LEN;
    hash.data = (u_char *) text;

    api->replied = ngx_dfp_tokens_created;

    if (ngx_dfp_store_token_create(api->store, &api->op, &hash,
                                   &api->token, &api->stored_token)
        != NGX_OK)
    {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


static void
ngx_dfp_tokens_created(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, api->r->connection->log, 0,
                      "dfpreheat: token %L \"%*s\" created",
                      api->stored_token.id, api->token.name.len,
                      api->token.name.data);
        ngx_dfp_tokens_show(api);

    } else if (rc == NGX_DECLINED) {
        ngx_dfp_api_error(api, NGX_HTTP_CONFLICT,
                          "a token with this name already exists");

    } else {
        ngx_dfp_api_store_error(api, rc);
    }
}


static void
ngx_dfp_tokens_show(ngx_dfp_api_t *api)
{
    dfp_buf_t                b;
    ngx_dfp_stored_token_t  *token;

    token = &api->stored_token;

    token->updated = token->created;
    token->name = ngx_dfp_str(api->token.name);
    token->bio = ngx_dfp_str(api->token.bio);
    token->scopes = api->token.scopes;
    token->active = 1;
    token->expired_at = api->token.expired_at;
    token->user_id = api->token.user_id;

    dfp_buf_init(&b, &api->mem, 1024, 0);
    ngx_dfp_print_token(&b, token, api->secret);

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}


static void
ngx_dfp_tokens_list(ngx_dfp_api_t *api)
{
    dfp_rc_t                rc;
    dfp_err_t               err;
    ngx_dfp_tokens_list_t  *ctx;

    ctx = ngx_pcalloc(api->r->pool, sizeof(ngx_dfp_tokens_list_t));

    rc = ctx ? ngx_dfp_tokens_which(api, ctx, &err) : DFP_ERROR;

    if (rc == DFP_INVALID) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, err.text);
        return;
    }

    if (rc != DFP_OK) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    api->data = ctx;

    /* the answer is printed while the reply exists */

    api->op.borrow = 1;
    api->replied = ngx_dfp_tokens_listed;

    ngx_dfp_tokens_read(api);
}


static dfp_rc_t
ngx_dfp_tokens_which(ngx_dfp_api_t *api, ngx_dfp_tokens_list_t *ctx,
    dfp_err_t *err)
{
    off_t      id;
    dfp_rc_t   rc;
    ngx_str_t  state, user;

    if (ngx_dfp_query_get(api->r, "state=", &state) != NGX_OK
        || ngx_dfp_query_get(api->r, "user_id=", &user) != NGX_OK)
    {
        return DFP_ERROR;
    }

    rc = ngx_dfp_page_parse(api, NGX_DFP_TOKENS_MAX, &ctx->page, err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_token_parse_state(ngx_dfp_dfp_str(state), &ctx->list.state, err);
    if (rc != DFP_OK) {
        return rc;
    }

    id = user.len ? ngx_atoof(user.data, user.len) : 0;

    if (id == NGX_ERROR) {
        return dfp_invalid(err, "user_id must be an integer between 0 and "
                           "9223372036854775807");
    }

    ctx->list.user_id = id;
    ctx->list.before = dfp_page_before(&ctx->page);
    ctx->list.size = ctx->page.size;

    dfp_buf_init(&ctx->filters, &api->mem, 0, 0);
    dfp_page_filter(&ctx->filters, "state", ngx_dfp_dfp_str(state));
    dfp_page_filter(&ctx->filters, "user_id", ngx_dfp_dfp_str(user));

    return DFP_OK;
}


static void
ngx_dfp_tokens_read(ngx_dfp_api_t *api)
{
    ngx_dfp_tokens_list_t *ctx = api->data;

    if (ngx_dfp_store_token_list(api->store, &api->op, &ctx->list) != NGX_OK) {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


static void
ngx_dfp_tokens_listed(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    dfp_buf_t               b;
    ngx_uint_t              i;
    ngx_dfp_tokens_list_t  *ctx;

    ctx = api->data;

    if (rc == NGX_DECLINED) {
        ngx_dfp_tokens_read(api);
        return;
    }

    if (rc != NGX_OK) {
        ngx_dfp_api_store_error(api, rc);
        return;
    }

    if (ngx_dfp_page_headers(api, &ctx->page, NGX_DFP_TOKENS_PATH,
                             &ctx->filters, ctx->list.total)
        != NGX_OK)
    {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    dfp_buf_init(&b, &api->mem, 4096, 0);
    dfp_buf_cstr(&b, "[");

    for (i = 0; i < ctx->list.n; i++) {
        dfp_buf_cstr(&b, i ? "," : "");
        ngx_dfp_print_token(&b, &ctx->list.tokens[i], NULL);
    }

    dfp_buf_cstr(&b, "]");

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}
