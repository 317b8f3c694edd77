#include "ngx_dfp_engine.h"
#include "ngx_dfp_image.h"


ngx_int_t
ngx_dfp_image_pushed(ngx_dfp_run_t *run, dfp_oci_ref_t *ref)
{
    dfp_buf_t  b;
    dfp_err_t  err;
    dfp_mem_t  mem;

    if (run->job.pushed.len == 0 || run->engine->caches || ref->by_digest) {
        return NGX_OK;
    }

    mem = ngx_dfp_mem(run->pool);

    dfp_buf_init(&b, &mem, 256, 0);
    dfp_buf_str(&b, ref->url.origin);
    dfp_buf_str(&b, ref->base);
    dfp_buf_str(&b, ref->name);
    dfp_buf_cstr(&b, "/manifests/");
    dfp_buf_str(&b, run->job.pushed);

    return b.failed
           || dfp_oci_parse_ref(&mem, dfp_buf_value(&b), "args.pushed", ref,
                                &err)
              != DFP_OK
           ? NGX_ERROR : NGX_OK;
}


ngx_uint_t
ngx_dfp_image_early(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    ngx_dfp_run_t     *run;
    ngx_dfp_answer_t  *answer;

    run = task->run;
    answer = &call->answer;

    if (run->job.pushed.len == 0 || run->job.action != DFP_JOB_PREHEAT
        || task != task->image->task || task->digest.len
        || task->tries >= NGX_DFP_TASK_TRIES
        || answer->result != NGX_DFP_CALL_OK)
    {
        return 0;
    }

    if (answer->status == NGX_HTTP_NOT_FOUND) {
        ngx_dfp_task_again(task, NGX_DFP_RETRY_STATUS, 0,
                           "the tag that was pushed is not there yet");
        return 1;
    }

    if (answer->status != NGX_HTTP_OK
        || dfp_oci_digest_check(run->job.pushed, ngx_dfp_dfp_str(answer->body))
           != DFP_DECLINED)
    {
        return 0;
    }

    ngx_dfp_task_again(task, NGX_DFP_RETRY_CONTENT, 0,
                       "the tag does not stand for what was pushed yet");

    return 1;
}
