/*
 * Jobs: what POST /oapi/v1/jobs (ngx_dfp_jobs_post.c) has checked is stored, and
 * GET /oapi/v1/jobs/:id.
 */

#ifndef NGX_DFP_JOBS_H
#define NGX_DFP_JOBS_H


#include "ngx_dfp_api.h"


#define NGX_HTTP_FAILED_DEPENDENCY  424     /* RFC 4918, 11.4 */

#define NGX_DFP_TASK_KEY     32     /* bytes of a task's id, which find a job */

#define NGX_DFP_JOBS_ID                                                       \
    "the job id must be an integer between 1 and 9223372036854775807"


/*
 * Stores api->job, if RC, of checking it, is DFP_OK, for the clusters that it
 * names, and sets its id. Then NEXT is called, with the result of
 * ngx_dfp_store_create(). If RC is not DFP_OK, or the job cannot be stored for
 * other reasons, the request is answered with an error.
 */
void ngx_dfp_jobs_store(ngx_dfp_api_t *api, dfp_rc_t rc, dfp_err_t *err,
    ngx_dfp_op_pt next);

/* Sets api->stored to what is to be stored of api->job, which was checked. Results
 * as of ngx_dfp_choose(). */
dfp_rc_t ngx_dfp_jobs_prepare(ngx_dfp_api_t *api, dfp_err_t *err);

/* The next step that answers with the job. */
void ngx_dfp_jobs_created(void *data, ngx_int_t rc);

/* Whether the job that was read, api->stored, does not exist for the token of the
 * request: jobs that are not listed are shown to the token that posted them. */
#define ngx_dfp_jobs_hidden(api)                                              \
    ((api)->stored.owner && (api)->stored.owner != (api)->auth.token.id)

/* Answers with the error of a job that was not stored (RC is not NGX_OK). */
void ngx_dfp_jobs_refused(ngx_dfp_api_t *api, ngx_int_t rc);

/* A job was stored with the result RC, and its results are the answer: waits for its
 * end for at most TIME ms, also during a reload. Then SHOW answers with api->stored;
 * if the job was not stored, or is lost, that is answered. */
void ngx_dfp_jobs_answer(ngx_dfp_api_t *api, ngx_int_t rc, ngx_msec_t time,
    ngx_dfp_api_pt show);

/* Answers with the job api->stored.id, at its end if the query says so; 0: the
 * id in the path is no number. */
void ngx_dfp_jobs_get(ngx_dfp_api_t *api);

/* The same for a request whose parameters have been parsed, or are ignored. */
void ngx_dfp_jobs_read(ngx_dfp_api_t *api);


#endif /* NGX_DFP_JOBS_H */
