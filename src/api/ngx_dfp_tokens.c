#include "ngx_dfp_tokens.h"
#include "ngx_dfp_body.h"
#include "ngx_dfp_print.h"


static void ngx_dfp_tokens_parse(ngx_dfp_api_t *api);
static void ngx_dfp_tokens_created(void *data, ngx_int_t rc);
static void ngx_dfp_tokens_show(ngx_dfp_api_t *api);
static void ngx_dfp_tokens_scopes(dfp_buf_t *b, unsigned scopes);


/* POST /api/v1/personal-access-tokens */

void
ngx_dfp_tokens_create(ngx_dfp_api_t *api)
{
    ngx_uint_t   status;
    const char  *text;

    status = ngx_dfp_auth_admin(api->r, api->conf, &text);

    if (status != NGX_HTTP_OK) {
        ngx_dfp_api_error(api, status, text);
        return;
    }

    ngx_dfp_body_read(api, ngx_dfp_tokens_parse);
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
    dfp_buf_t  b;

    dfp_buf_init(&b, &api->mem, 1024, 0);

    dfp_buf_cstr(&b, "{\"id\":");
    dfp_buf_int(&b, api->stored_token.id);
    ngx_dfp_print_time(&b, ",\"created_at\":", api->stored_token.created);
    ngx_dfp_print_time(&b, ",\"updated_at\":", api->stored_token.created);
    dfp_buf_cstr(&b, ",\"is_del\":0,\"name\":");
    dfp_buf_json(&b, api->token.name);
    dfp_buf_cstr(&b, ",\"bio\":");
    dfp_buf_json(&b, api->token.bio);
    dfp_buf_cstr(&b, ",\"token\":\"");
    dfp_buf_append(&b, api->secret, DFP_TOKEN_LEN);
    dfp_buf_cstr(&b, "\",\"scopes\":");
    ngx_dfp_tokens_scopes(&b, api->token.scopes);
    ngx_dfp_print_time(&b, ",\"state\":\"active\",\"expired_at\":",
                       api->token.expired_at);
    dfp_buf_cstr(&b, ",\"user_id\":");
    dfp_buf_int(&b, api->token.user_id);
    dfp_buf_cstr(&b, ",\"user\":" NGX_DFP_PRINT_NO_USER "}");

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}


static void
ngx_dfp_tokens_scopes(dfp_buf_t *b, unsigned scopes)
{
    char   list[64], *name, *comma;

    dfp_token_scopes_print(scopes, list, sizeof(list));

    dfp_buf_cstr(b, "[");

    for (name = list; *name; name = comma ? comma + 1 : name + strlen(name)) {
        comma = strchr(name, ',');

        dfp_buf_cstr(b, name == list ? "\"" : ",\"");
        dfp_buf_append(b, name, comma ? (size_t) (comma - name)
                                      : strlen(name));
        dfp_buf_cstr(b, "\"");
    }

    dfp_buf_cstr(b, "]");
}
