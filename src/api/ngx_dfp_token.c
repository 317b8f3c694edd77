#include "ngx_dfp_token.h"
#include "ngx_dfp_body.h"
#include "ngx_dfp_print_token.h"

#include "dfp_texts.h"


static void ngx_dfp_token_parse(ngx_dfp_api_t *api);
static void ngx_dfp_token_change(ngx_dfp_api_t *api,
    dfp_token_change_t *change);
static void ngx_dfp_token_changed(void *data, ngx_int_t rc);
static void ngx_dfp_token_delete(ngx_dfp_api_t *api);
static void ngx_dfp_token_deleted(void *data, ngx_int_t rc);
static void ngx_dfp_token_error(ngx_dfp_api_t *api, ngx_int_t rc);


void
ngx_dfp_token(ngx_dfp_api_t *api)
{
    ngx_uint_t   status;
    const char  *text;

    status = ngx_dfp_auth_admin(api->r, api->conf, &text);

    if (status != NGX_HTTP_OK) {
        ngx_dfp_api_error(api, status, text);
        return;
    }

    if (api->stored_token.id == 0) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE,
            "the token id must be an integer between 1 and "
            "9223372036854775807");
        return;
    }

    switch (api->r->method) {

    case NGX_HTTP_PATCH:
        ngx_dfp_body_read(api, ngx_dfp_token_parse);
        return;

    case NGX_HTTP_DELETE:
        ngx_dfp_token_delete(api);
        return;

    default:
        ngx_dfp_token_change(api, NULL);
    }
}


static void
ngx_dfp_token_parse(ngx_dfp_api_t *api)
{
    dfp_rc_t            rc;
    dfp_err_t           err;
    dfp_token_change_t  change;

    rc = dfp_token_parse_change(&api->mem, ngx_dfp_dfp_str(api->body), &change,
                                &err);

    if (rc == DFP_INVALID) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, err.text);
        return;
    }

    if (rc != DFP_OK) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    ngx_dfp_token_change(api, &change);
}


/* Without CHANGE the token is only read. */

static void
ngx_dfp_token_change(ngx_dfp_api_t *api, dfp_token_change_t *change)
{
    /* the answer is printed while the reply exists */

    api->op.borrow = 1;
    api->replied = ngx_dfp_token_changed;

    if (ngx_dfp_store_token_change(api->store, &api->op, change,
                                   &api->stored_token)
        != NGX_OK)
    {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


static void
ngx_dfp_token_changed(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    dfp_buf_t                b;
    ngx_dfp_stored_token_t  *token;

    if (rc != NGX_OK) {
        ngx_dfp_token_error(api, rc);
        return;
    }

    token = &api->stored_token;

    if (api->r->method == NGX_HTTP_PATCH) {

        /* the message may come later, or not at all */

        ngx_dfp_token_cache_drop(token->id);

        ngx_log_error(NGX_LOG_NOTICE, api->r->connection->log, 0,
                      "dfpreheat: token %L \"%V\" changed, state: %s",
                      token->id, &token->name,
                      token->active ? "active" : "inactive");
    }

    dfp_buf_init(&b, &api->mem, 1024, 0);
    ngx_dfp_print_token(&b, token, NULL);

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}


static void
ngx_dfp_token_delete(ngx_dfp_api_t *api)
{
    ngx_str_t  uuid;

    if (ngx_dfp_api_uuid(api, &uuid) != NGX_OK) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR,
                          "not enough memory or random data");
        return;
    }

    api->replied = ngx_dfp_token_deleted;

    if (ngx_dfp_store_token_delete(api->store, &api->op, api->stored_token.id,
                                   &uuid)
        != NGX_OK)
    {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


static void
ngx_dfp_token_deleted(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    dfp_buf_t  none;

    if (rc != NGX_OK) {
        ngx_dfp_token_error(api, rc);
        return;
    }

    ngx_dfp_token_cache_drop(api->stored_token.id);

    ngx_log_error(NGX_LOG_NOTICE, api->r->connection->log, 0,
                  "dfpreheat: token %L deleted", api->stored_token.id);

    dfp_buf_init(&none, &api->mem, 0, 0);
    ngx_dfp_api_send(api, NGX_HTTP_OK, &none);
}


static void
ngx_dfp_token_error(ngx_dfp_api_t *api, ngx_int_t rc)
{
    if (rc == NGX_DECLINED) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_FOUND, DFP_API_NOT_FOUND);

    } else {
        ngx_dfp_api_store_error(api, rc);
    }
}
