#include "ngx_dfp_call.h"


static dfp_str_t ngx_dfp_answer_words(ngx_dfp_call_t *call);


void
ngx_dfp_answer_fail(ngx_dfp_call_t *call, ngx_dfp_call_result_e result,
    const char *reason)
{
    call->result = result;
    ngx_cpystrn((u_char *) call->reason, (u_char *) reason,
                sizeof(call->reason));
}


ngx_int_t
ngx_dfp_answer_verdict(ngx_dfp_call_t *call, dfp_err_t *why)
{
    dfp_str_t  words;

    if (call->result != NGX_DFP_CALL_OK) {
        (void) dfp_invalid(why, "%s", call->reason);

        return call->result == NGX_DFP_CALL_AGAIN ? NGX_AGAIN
                                                             : NGX_DECLINED;
    }

    if (call->status == NGX_HTTP_OK) {
        return NGX_OK;
    }

    words = ngx_dfp_answer_words(call);

    if (call->leads_to.len) {
        (void) dfp_invalid(why, "%s answered %lu, which leads to %.*s: its "
                           "location does not follow redirects "
                           "(dfpreheat_follow.conf)", call->who,
                           (unsigned long) call->status,
                           (int) call->leads_to.len, call->leads_to.data);
        return NGX_DECLINED;
    }

    (void) dfp_invalid(why, "%s answered %lu%s%.*s", call->who,
                       (unsigned long) call->status, words.len ? ": " : "",
                       (int) words.len, words.data);

    if (call->status == NGX_HTTP_TOO_MANY_REQUESTS
        || call->status == NGX_HTTP_REQUEST_TIME_OUT
        || call->status >= NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        return NGX_AGAIN;
    }

    return NGX_DECLINED;
}


/* What an error says, without what was sent; "" where that is nothing. */

static dfp_str_t
ngx_dfp_answer_words(ngx_dfp_call_t *call)
{
    dfp_mem_t              mem;
    dfp_str_t              words;
    dfp_registry_answer_t  answer;

    ngx_memzero(&answer, sizeof(dfp_registry_answer_t));

    answer.type = ngx_dfp_dfp_str(call->content_type);
    answer.cut = (call->body.len == NGX_DFP_ERROR_BODY_MAX);

    if (!call->packed) {
        answer.body = ngx_dfp_dfp_str(call->body);
    }

    if (call->secrets) {
        answer.secrets = call->secrets->elts;
        answer.nsecrets = call->secrets->nelts;
    }

    mem = ngx_dfp_mem(call->pool);

    if (dfp_registry_error(&mem, &answer, &words) != DFP_OK) {
        words.len = 0;
    }

    return words;
}
