#include "ngx_dfp_print_token.h"


static void ngx_dfp_print_token_scopes(dfp_buf_t *b, unsigned scopes);


void
ngx_dfp_print_token(dfp_buf_t *b, ngx_dfp_stored_token_t *token,
    const char *secret)
{
    dfp_buf_cstr(b, "{\"id\":");
    dfp_buf_int(b, token->id);
    ngx_dfp_print_time(b, ",\"created_at\":", token->created);
    ngx_dfp_print_time(b, ",\"updated_at\":", token->updated);
    dfp_buf_cstr(b, ",\"is_del\":0,\"name\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(token->name));
    dfp_buf_cstr(b, ",\"bio\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(token->bio));
    dfp_buf_cstr(b, ",\"token\":\"");
    dfp_buf_cstr(b, secret ? secret : "");
    dfp_buf_cstr(b, "\",\"scopes\":");
    ngx_dfp_print_token_scopes(b, token->scopes);
    dfp_buf_cstr(b, token->active ? ",\"state\":\"active\""
                                  : ",\"state\":\"inactive\"");
    ngx_dfp_print_time(b, ",\"expired_at\":", token->expired_at);

    if (token->used) {
        ngx_dfp_print_time(b, ",\"last_used_at\":", token->used);

    } else {
        dfp_buf_cstr(b, ",\"last_used_at\":null");
    }

    dfp_buf_cstr(b, ",\"user_id\":");
    dfp_buf_int(b, token->user_id);
    dfp_buf_cstr(b, ",\"user\":" NGX_DFP_PRINT_NO_USER "}");
}


static void
ngx_dfp_print_token_scopes(dfp_buf_t *b, unsigned scopes)
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
