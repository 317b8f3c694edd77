#include "ngx_dfp_events.h"
#include "ngx_dfp_jobs.h"
#include "ngx_dfp_print.h"
#include "ngx_dfp_stream.h"

#include "dfp_texts.h"


static void ngx_dfp_events_read(ngx_dfp_api_t *api);
static void ngx_dfp_events_got(void *data, ngx_int_t rc);
static void ngx_dfp_events_follow(ngx_dfp_api_t *api);
static void ngx_dfp_events_told(void *data, ngx_int_t rc,
    ngx_dfp_stored_job_t *job);
static ngx_int_t ngx_dfp_events_show(ngx_dfp_api_t *api, ngx_int_t rc,
    ngx_dfp_stored_job_t *job);
static void ngx_dfp_events_ready(ngx_dfp_api_t *api);


void
ngx_dfp_events(ngx_dfp_api_t *api)
{
    if (api->stored.id == 0) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, NGX_DFP_JOBS_ID);
        return;
    }

    ngx_dfp_events_read(api);
}


static void
ngx_dfp_events_read(ngx_dfp_api_t *api)
{
    api->op.borrow = 1;
    api->replied = ngx_dfp_events_got;

    if (ngx_dfp_store_get(api->store, &api->op, &api->stored) == NGX_OK) {
        return;
    }

    if (api->stream) {
        ngx_dfp_stream_end(api->stream, 0);

    } else {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


/* The first time, and the last time for a client that was slow. */

static void
ngx_dfp_events_got(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    if (api->stream == NULL) {

        if (rc == NGX_DECLINED
            || (rc == NGX_OK && ngx_dfp_jobs_hidden(api)))
        {
            ngx_dfp_api_error(api, NGX_HTTP_NOT_FOUND, DFP_API_NOT_FOUND);
            return;
        }

        if (rc != NGX_OK) {
            ngx_dfp_api_store_error(api, rc);
            return;
        }

        if (ngx_dfp_stream_start(api, ngx_dfp_events_ready) != NGX_OK) {
            return;
        }
    }

    if (rc == NGX_OK && api->stored.state.data[0] == 'P') {
        rc = ngx_exiting ? NGX_AGAIN : NGX_BUSY;
    }

    if (ngx_dfp_events_show(api, rc, &api->stored) == NGX_OK
        && rc == NGX_BUSY)
    {
        ngx_dfp_events_follow(api);
    }
}


static void
ngx_dfp_events_follow(ngx_dfp_api_t *api)
{
    ngx_dfp_follower_t  *follower;

    follower = &api->follower;
    ngx_memzero(follower, sizeof(ngx_dfp_follower_t));

    follower->handler = ngx_dfp_events_told;
    follower->data = api;
    follower->job = api->stored.id;
    follower->deadline = api->stream->until;
    follower->watches = 1;
    ngx_memcpy(follower->uuid, api->stored.uuid.data,
               ngx_min(api->stored.uuid.len, DFP_UUID_LEN));

    if (ngx_dfp_follow_start(api->store, follower) != NGX_OK) {
        ngx_dfp_stream_end(api->stream, 0);
    }
}


static void
ngx_dfp_events_told(void *data, ngx_int_t rc, ngx_dfp_stored_job_t *job)
{
    ngx_dfp_api_t *api = data;

    ngx_connection_t  *c;

    c = api->r->connection;

    (void) ngx_dfp_events_show(api, rc, job);

    ngx_http_run_posted_requests(c);
}


/* JOB is used only if there is one. NGX_DONE: the request is finalized. */

static ngx_int_t
ngx_dfp_events_show(ngx_dfp_api_t *api, ngx_int_t rc,
    ngx_dfp_stored_job_t *job)
{
    ngx_int_t          sent;
    dfp_buf_t          b;
    ngx_dfp_stream_t  *stream;

    stream = api->stream;

    if (rc != NGX_OK && rc != NGX_BUSY && rc != NGX_DECLINED) {
        ngx_dfp_stream_end(stream, 0);
        return NGX_DONE;
    }

    /* nothing has changed since the last event */

    if (rc == NGX_BUSY && job->updated == api->shown) {
        return NGX_OK;
    }

    sent = ngx_dfp_stream_event(stream, &b, rc == NGX_OK ? "end"
                                            : rc == NGX_BUSY ? "progress"
                                                             : "deleted",
                                rc == NGX_DECLINED ? api->shown : job->updated);

    if (sent == NGX_AGAIN) {
        api->behind = 1;
        return NGX_OK;
    }

    if (sent != NGX_OK) {
        ngx_http_finalize_request(api->r, NGX_ERROR);
        return NGX_DONE;
    }

    if (rc == NGX_OK) {
        ngx_dfp_print_job(&b, api->conf, job, NGX_DFP_PRINT_ONE);

    } else if (rc == NGX_BUSY) {
        ngx_dfp_print_change(&b, job);

    } else {
        dfp_buf_cstr(&b, "{\"id\":");
        dfp_buf_int(&b, api->stored.id);
        dfp_buf_cstr(&b, "}");
    }

    if (job) {
        api->shown = job->updated;
    }

    if (ngx_dfp_stream_send(stream, &b) != NGX_OK) {
        return NGX_DONE;
    }

    if (rc == NGX_BUSY) {
        return NGX_OK;
    }

    ngx_dfp_stream_end(stream, 1);

    return NGX_DONE;
}


/* The newest state replaces those that a slow client has missed. */

static void
ngx_dfp_events_ready(ngx_dfp_api_t *api)
{
    if (!api->behind) {
        return;
    }

    api->behind = 0;

    if (api->follower.follow) {
        ngx_dfp_follow_again(&api->follower);
        return;
    }

    api->op.deadline = 0;
    ngx_dfp_events_read(api);
}
