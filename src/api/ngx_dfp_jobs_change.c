#include "ngx_dfp_jobs_change.h"
#include "ngx_dfp_body.h"
#include "ngx_dfp_jobs.h"

#include "dfp_texts.h"


static ngx_int_t ngx_dfp_jobs_change_id(ngx_dfp_api_t *api);
static void ngx_dfp_jobs_change_parse(ngx_dfp_api_t *api);
static void ngx_dfp_jobs_change_read(ngx_dfp_api_t *api);
static void ngx_dfp_jobs_change_got(void *data, ngx_int_t rc);
static dfp_rc_t ngx_dfp_jobs_change_about(ngx_dfp_api_t *api, dfp_str_t *about,
    dfp_job_about_t *changed, dfp_err_t *err);
static void ngx_dfp_jobs_change_done(void *data, ngx_int_t rc);
static void ngx_dfp_jobs_deleted(void *data, ngx_int_t rc);


void
ngx_dfp_jobs_patch(ngx_dfp_api_t *api)
{
    if (ngx_dfp_jobs_change_id(api) == NGX_OK) {
        ngx_dfp_body_read(api, ngx_dfp_jobs_change_parse);
    }
}


/* NGX_DECLINED: the request is answered. */

static ngx_int_t
ngx_dfp_jobs_change_id(ngx_dfp_api_t *api)
{
    if (api->stored.id) {
        return NGX_OK;
    }

    ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, NGX_DFP_JOBS_ID);

    return NGX_DECLINED;
}


static void
ngx_dfp_jobs_change_parse(ngx_dfp_api_t *api)
{
    dfp_rc_t   rc;
    dfp_err_t  err;

    rc = dfp_job_parse_change(&api->mem, ngx_dfp_dfp_str(api->body),
                              &api->change, &err);

    if (rc == DFP_INVALID) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, err.text);

    } else if (rc != DFP_OK) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");

    } else {
        ngx_dfp_jobs_change_read(api);
    }
}


static void
ngx_dfp_jobs_change_read(ngx_dfp_api_t *api)
{
    api->replied = ngx_dfp_jobs_change_got;

    if (ngx_dfp_store_get(api->store, &api->op, &api->stored) != NGX_OK) {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


static void
ngx_dfp_jobs_change_got(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    dfp_str_t        text;
    dfp_err_t        err;
    ngx_str_t        about;
    dfp_job_about_t  changed;

    if (rc == NGX_DECLINED || (rc == NGX_OK && ngx_dfp_jobs_hidden(api))) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_FOUND, DFP_API_NOT_FOUND);
        return;
    }

    if (rc != NGX_OK) {
        ngx_dfp_api_store_error(api, rc);
        return;
    }

    if (ngx_dfp_jobs_change_about(api, &text, &changed, &err) != DFP_OK) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    about = ngx_dfp_str(text);
    api->replied = ngx_dfp_jobs_change_done;

    if (ngx_dfp_store_patch(api->store, &api->op, api->stored.id,
                            &api->stored.about, &about, changed.user_id,
                            &api->changed)
        != NGX_OK)
    {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


static dfp_rc_t
ngx_dfp_jobs_change_about(ngx_dfp_api_t *api, dfp_str_t *about,
    dfp_job_about_t *changed, dfp_err_t *err)
{
    dfp_rc_t   rc;
    dfp_buf_t  b;

    rc = dfp_job_change(&api->mem, ngx_dfp_dfp_str(api->stored.about),
                        &api->change, changed, err);
    if (rc != DFP_OK) {
        return rc;
    }

    dfp_buf_init(&b, &api->mem, 64 + changed->bio.len, 0);
    dfp_job_print_about(&b, changed);

    *about = dfp_buf_value(&b);

    return b.failed ? DFP_ERROR : DFP_OK;
}


static void
ngx_dfp_jobs_change_done(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    if (rc == NGX_DECLINED) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_FOUND, DFP_API_NOT_FOUND);

    } else if (rc != NGX_OK) {
        ngx_dfp_api_store_error(api, rc);

    } else if (!api->changed) {
        ngx_dfp_jobs_read(api);

    } else if (++api->tries < NGX_DFP_CHANGE_TRIES) {
        ngx_dfp_jobs_change_read(api);

    } else {
        ngx_dfp_api_error(api, NGX_HTTP_CONFLICT, "the job is being changed by "
                          "other requests");
    }
}


void
ngx_dfp_jobs_delete(ngx_dfp_api_t *api)
{
    if (ngx_dfp_jobs_change_id(api) != NGX_OK) {
        return;
    }

    api->replied = ngx_dfp_jobs_deleted;

    if (ngx_dfp_store_delete(api->store, &api->op, api->stored.id,
                             api->auth.token.id)
        != NGX_OK)
    {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


/* As the manager does: 200 without a body. */

static void
ngx_dfp_jobs_deleted(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    dfp_buf_t  none;

    if (rc == NGX_DECLINED) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_FOUND, DFP_API_NOT_FOUND);
        return;
    }

    if (rc != NGX_OK) {
        ngx_dfp_api_store_error(api, rc);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, api->r->connection->log, 0,
                  "dfpreheat: job %L deleted", api->stored.id);

    dfp_buf_init(&none, &api->mem, 0, 0);
    ngx_dfp_api_send(api, NGX_HTTP_OK, &none);
}
