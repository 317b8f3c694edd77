#include "ngx_dfp_health.h"

#include "dfp_texts.h"


static void ngx_dfp_health_checked(void *data, ngx_uint_t status,
    const char *text);
static void ngx_dfp_health_good(ngx_dfp_api_t *api);


void
ngx_dfp_health(ngx_dfp_api_t *api)
{
    ngx_msec_t  down;

    if (api->r->headers_in.authorization == NULL && api->auth.query.len == 0) {
        ngx_dfp_health_good(api);
        return;
    }

    /* a short outage is waited for, as Harbor gives up after one bad answer; in
     * a long one the answer is given at once */

    down = ngx_min(ngx_dfp_store_down(api->store), NGX_DFP_HEALTH_WAIT);

    api->auth.handler = ngx_dfp_health_checked;
    api->auth.data = api;
    api->auth.op.deadline = ngx_current_msec + NGX_DFP_HEALTH_WAIT - down;
    api->auth.uncached = 1;

    ngx_dfp_auth_token(api->r, api->store, &api->auth, DFP_TOKEN_JOB);
}


static void
ngx_dfp_health_checked(void *data, ngx_uint_t status, const char *text)
{
    ngx_dfp_api_t *api = data;

    if (status == NGX_HTTP_OK) {
        ngx_dfp_health_good(api);

    } else {
        ngx_dfp_api_error(api, status == NGX_HTTP_FORBIDDEN
                               ? NGX_HTTP_UNAUTHORIZED : status, text);
    }
}


static void
ngx_dfp_health_good(ngx_dfp_api_t *api)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, &api->mem, 16, 0);
    dfp_buf_json(&b, DFP_STR(DFP_API_HEALTHY));

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}
