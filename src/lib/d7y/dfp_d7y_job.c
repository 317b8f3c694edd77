/*
 * The task of Dragonfly that a job is about.
 */

#include "dfp_d7y.h"


static dfp_rc_t dfp_d7y_job_url(dfp_mem_t *mem, const dfp_job_t *job,
    dfp_str_t url, dfp_str_t *id);


dfp_rc_t
dfp_d7y_job_task(dfp_mem_t *mem, const dfp_job_t *job, dfp_str_t *id)
{
    int        changed;
    char      *hex;
    dfp_str_t  shown, url;

    *id = DFP_STR_NULL;

    if (dfp_job_of_task(job->action)) {

        /* the URL of a task that was found by its id is that of the finder */

        if (job->url.len && job->found_url.len == 0) {
            return dfp_d7y_job_url(mem, job, job->url, id);
        }

        if (job->content.len == 0) {
            *id = job->task_id;
            return DFP_OK;
        }

        hex = mem->alloc(mem->ctx, DFP_SHA256_HEX_LEN + 1);

        if (hex == NULL || dfp_sha256_hex(job->content, hex) != DFP_OK) {
            return DFP_ERROR;
        }

        *id = (dfp_str_t) { DFP_SHA256_HEX_LEN, hex };

        return DFP_OK;
    }

    url = job->url.len ? job->url : job->nurls ? job->urls[0] : DFP_STR_NULL;

    if ((job->url.len != 0) + job->nurls != 1) {
        return DFP_OK;
    }

    if (dfp_url_redact(mem, url, &shown, &changed) != DFP_OK) {
        return DFP_ERROR;
    }

    return changed ? DFP_OK : dfp_d7y_job_url(mem, job, url, id);
}


static dfp_rc_t
dfp_d7y_job_url(dfp_mem_t *mem, const dfp_job_t *job, dfp_str_t url,
    dfp_str_t *id)
{
    dfp_d7y_request_t  request;

    memset(&request, 0, sizeof(dfp_d7y_request_t));

    request.url = url;
    request.tag = job->tag;
    request.application = job->application;
    request.filter = job->filter;
    request.piece_length = job->piece_length;

    return dfp_d7y_task_id(mem, &request, id);
}
