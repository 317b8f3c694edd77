#include "ngx_dfp_call.h"


static dfp_str_t ngx_dfp_answer_words(ngx_dfp_call_t *call);


void
ngx_dfp_answer_fail(ngx_dfp_call_t *call, ngx_dfp_call_result_e result,
    const char *reason)
{
    call->answer.result = result;
    ngx_cpystrn((u_char *) call->answer.reason, (u_char *) reason,
                sizeof(call->answer.reason));

    /* the log of the request masks secrets, which the reason may have */

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP,
                   call->request ? call->request->r->connection->log
                                 : call->log, 0,
                   "dfpreheat call failed, %s: \"%V\": %s",
                   result == NGX_DFP_CALL_AGAIN ? "another try may succeed"
                                                : "for good",
                   &call->shown, reason);
}


ngx_int_t
ngx_dfp_answer_verdict(ngx_dfp_call_t *call, dfp_err_t *why)
{
    dfp_str_t          words;
    ngx_dfp_answer_t  *answer;

    answer = &call->answer;

    if (answer->result != NGX_DFP_CALL_OK) {
        (void) dfp_invalid(why, "%s", answer->reason);

        return answer->result == NGX_DFP_CALL_AGAIN ? NGX_AGAIN
                                                    : NGX_DECLINED;
    }

    if (answer->status == NGX_HTTP_OK) {
        return NGX_OK;
    }

    words = ngx_dfp_answer_words(call);

    if (answer->leads_to.len) {
        (void) dfp_invalid(why, "%s answered %lu, a redirect to %.*s: its "
                           "location does not follow redirects "
                           "(dfpreheat_follow.conf)", call->who,
                           (unsigned long) answer->status,
                           (int) answer->leads_to.len, answer->leads_to.data);
        return NGX_DECLINED;
    }

    (void) dfp_invalid(why, "%s answered %lu%s%.*s", call->who,
                       (unsigned long) answer->status, words.len ? ": " : "",
                       (int) words.len, words.data);

    if (answer->status == NGX_HTTP_TOO_MANY_REQUESTS
        || answer->status == NGX_HTTP_REQUEST_TIME_OUT
        || answer->status >= NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        return NGX_AGAIN;
    }

    return NGX_DECLINED;
}


ngx_dfp_retry_e
ngx_dfp_answer_retry(ngx_dfp_call_t *call)
{
    if (call->answer.result == NGX_DFP_CALL_OK) {
        return NGX_DFP_RETRY_STATUS;
    }

    return call->answer.unstored ? NGX_DFP_RETRY_CACHE
                                 : NGX_DFP_RETRY_CONNECTION;
}


/* The text of an error, with secrets masked; "" if there is none. */

static dfp_str_t
ngx_dfp_answer_words(ngx_dfp_call_t *call)
{
    dfp_mem_t              mem;
    dfp_str_t              words;
    dfp_registry_answer_t  answer;

    ngx_memzero(&answer, sizeof(dfp_registry_answer_t));

    answer.type = ngx_dfp_dfp_str(call->answer.content_type);
    answer.cut = (call->answer.body.len == NGX_DFP_ERROR_BODY_MAX);

    if (!call->answer.packed) {
        answer.body = ngx_dfp_dfp_str(call->answer.body);
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
