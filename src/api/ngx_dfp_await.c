#include "ngx_dfp_await.h"
#include "ngx_dfp_query.h"


static void ngx_dfp_await_ended(void *data, ngx_int_t rc,
    ngx_dfp_stored_job_t *job);
static void ngx_dfp_await_refused(void *data, ngx_uint_t status,
    const char *text);


dfp_rc_t
ngx_dfp_await_parse(ngx_dfp_api_t *api, dfp_err_t *err)
{
    ngx_int_t  time;
    ngx_str_t  wait, fail;

    if (ngx_dfp_query_get(api->r, "wait=", &wait) != NGX_OK
        || ngx_dfp_query_get(api->r, "fail=", &fail) != NGX_OK)
    {
        return DFP_ERROR;
    }

    if (wait.len) {
        time = ngx_parse_time(&wait, 0);

        if (time == NGX_ERROR || time > NGX_DFP_AWAIT_MAX) {
            return dfp_invalid(err, "wait must be a time of at most 1h, such "
                               "as 30s");
        }

        api->wait = time;
    }

    if (fail.len) {
        if (fail.len != 1 || (fail.data[0] != '0' && fail.data[0] != '1')) {
            return dfp_invalid(err, "fail must be 0 or 1");
        }

        api->gate = (fail.data[0] == '1');
    }

    api->waits = (wait.len || fail.len);

    return DFP_OK;
}


void
ngx_dfp_await(ngx_dfp_api_t *api, ngx_msec_t time, ngx_dfp_op_pt next)
{
    ngx_dfp_follower_t  *follower;

    follower = &api->follower;

    follower->handler = ngx_dfp_await_ended;
    follower->data = api;
    follower->job = api->stored.id;
    follower->deadline = ngx_current_msec + time;
    ngx_memcpy(follower->uuid, api->stored.uuid.data,
               ngx_min(api->stored.uuid.len, DFP_UUID_LEN));

    api->awaited = next;
    api->guard.handler = ngx_dfp_await_refused;
    api->guard.data = api;

    if (ngx_dfp_api_listen(api) != NGX_OK
        || ngx_dfp_guard_start(api->store, &api->auth, &api->guard) != NGX_OK
        || ngx_dfp_follow_start(api->store, follower) != NGX_OK)
    {
        ngx_dfp_guard_end(&api->guard);
        api->r->read_event_handler = ngx_http_block_reading;
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
    }
}


static void
ngx_dfp_await_ended(void *data, ngx_int_t rc, ngx_dfp_stored_job_t *job)
{
    ngx_dfp_api_t *api = data;

    ngx_connection_t  *c;

    c = api->r->connection;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "dfpreheat api: the wait for job %L is over, rc %i",
                   api->stored.id, rc);

    ngx_dfp_guard_end(&api->guard);

    if (job) {
        api->stored = *job;
    }

    api->r->read_event_handler = ngx_http_block_reading;
    api->awaited(api, rc);

    ngx_http_run_posted_requests(c);
}


/* The token was revoked, or has expired. */

static void
ngx_dfp_await_refused(void *data, ngx_uint_t status, const char *text)
{
    ngx_dfp_api_t *api = data;

    ngx_connection_t  *c;

    c = api->r->connection;

    ngx_dfp_follow_end(&api->follower);

    api->r->read_event_handler = ngx_http_block_reading;
    ngx_dfp_api_error(api, status, text);

    ngx_http_run_posted_requests(c);
}
