/*
 * Requests to a token service, by a URL or by a form.
 */

#include "dfp_buf.h"
#include "dfp_challenge.h"
#include "dfp_escape.h"


static void dfp_challenge_query(dfp_buf_t *b, const char *name,
    dfp_str_t value);


dfp_rc_t
dfp_challenge_url(dfp_mem_t *mem, const dfp_challenge_t *challenge,
    dfp_str_t account, const char *what, dfp_url_t *url, dfp_err_t *err)
{
    size_t       n;
    dfp_buf_t    query, b;
    dfp_str_t    word;
    const char  *p, *last;

    dfp_buf_init(&query, mem, 0, 0);
    dfp_challenge_query(&query, "service", challenge->service);

    p = challenge->scope.data;
    last = challenge->scope.len ? p + challenge->scope.len : p;

    for (n = 0; /* void */ ; n++) {

        while (p < last && *p == ' ') {
            p++;
        }

        if (p == last) {
            break;
        }

        if (n == DFP_CHALLENGE_MAX_SCOPES) {
            return dfp_invalid(err, "%s must not have more than %d scopes",
                               what, DFP_CHALLENGE_MAX_SCOPES);
        }

        word.data = p;

        while (p < last && *p != ' ') {
            p++;
        }

        word.len = p - word.data;
        dfp_challenge_query(&query, "scope", word);
    }

    dfp_challenge_query(&query, "account", account);

    dfp_buf_init(&b, mem, challenge->realm.href.len + 1 + query.len, 0);
    dfp_buf_str(&b, challenge->realm.href);

    /* the realm may have a query, which may be empty */

    if (query.len) {
        if (challenge->realm.query.data == NULL) {
            dfp_buf_cstr(&b, "?");

        } else if (challenge->realm.query.len) {
            dfp_buf_cstr(&b, "&");
        }

        /* all of it but the "&" that it ends in */

        dfp_buf_append(&b, query.data, query.len - 1);
    }

    if (query.failed || b.failed) {
        return DFP_ERROR;
    }

    return dfp_url_parse(mem, dfp_buf_value(&b), what, url, err);
}


dfp_rc_t
dfp_challenge_form(dfp_mem_t *mem, const dfp_challenge_t *challenge,
    dfp_str_t refresh, dfp_str_t *form)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, mem, 128 + refresh.len, 0);
    dfp_challenge_query(&b, "grant_type", DFP_STR("refresh_token"));
    dfp_challenge_query(&b, "service", challenge->service);
    dfp_challenge_query(&b, "scope", challenge->scope);
    dfp_challenge_query(&b, "client_id", DFP_STR(DFP_CHALLENGE_CLIENT));
    dfp_challenge_query(&b, "refresh_token", refresh);

    if (b.failed) {
        return DFP_ERROR;
    }

    /* all of it but the "&" that it ends in */

    *form = dfp_buf_value(&b);
    form->len--;

    return DFP_OK;
}


/* Appends "NAME=VALUE&", or nothing if VALUE is empty. */

static void
dfp_challenge_query(dfp_buf_t *b, const char *name, dfp_str_t value)
{
    dfp_str_t  escaped;

    if (value.len == 0) {
        return;
    }

    if (dfp_escape(b->mem, value, &escaped) != DFP_OK) {
        b->failed = 1;
        return;
    }

    dfp_buf_cstr(b, name);
    dfp_buf_cstr(b, "=");
    dfp_buf_str(b, escaped);
    dfp_buf_cstr(b, "&");
}
