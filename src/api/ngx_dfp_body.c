#include "ngx_dfp_body.h"


static void ngx_dfp_body_more(ngx_http_request_t *r);
static void ngx_dfp_body_done(ngx_dfp_api_t *api);
static ngx_int_t ngx_dfp_body_take(ngx_dfp_api_t *api);


/*
 * Unbuffered, into memory of the request's pool: so a body, which may have
 * secrets, is never in a temporary file, and the answer to a body that is too
 * large is JSON. (client_max_body_size is off in these locations.) /
 */

void
ngx_dfp_body_read(ngx_dfp_api_t *api, ngx_dfp_api_pt next)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = api->r;
    api->next = next;

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_dfp_body_more);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    /* the handler holds the request already */
    ngx_http_finalize_request(r, NGX_DONE);
}


static void
ngx_dfp_body_more(ngx_http_request_t *r)
{
    ngx_int_t       rc;
    ngx_dfp_api_t  *api;

    api = ngx_http_get_module_ctx(r, ngx_http_dfpreheat_module);

    for ( ;; ) {

        rc = ngx_dfp_body_take(api);

        if (rc != NGX_OK) {
            break;
        }

        if (!r->reading_body) {
            ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "dfpreheat api: body of %uz bytes", api->body.len);

            ngx_dfp_body_done(api);
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_finalize_request(r, rc);
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            r->read_event_handler = ngx_dfp_body_more;
            return;
        }
    }

    r->read_event_handler = ngx_http_block_reading;

    if (rc == NGX_DECLINED && api->too_large) {
        api->too_large(api);
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_dfp_api_error(api, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                          NGX_DFP_BODY_TOO_LARGE);
        return;
    }

    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
}


/*
 * A client may take hours to send a body: its token, which may have been revoked
 * meanwhile, is checked again, and the time for Redis begins now. /
 */

static void
ngx_dfp_body_done(ngx_dfp_api_t *api)
{
    ngx_uint_t  waited;

    waited = (api->r->read_event_handler == ngx_dfp_body_more);

    api->r->read_event_handler = ngx_http_block_reading;

    if (!waited) {
        api->next(api);
        return;
    }

    api->op.deadline = ngx_current_msec + NGX_DFP_REDIS_WAIT;
    api->auth.op.deadline = api->op.deadline;

    if (api->auth.scope) {
        ngx_dfp_auth_token(api->r, api->store, &api->auth, api->auth.scope);

    } else {
        api->next(api);
    }
}


static ngx_int_t
ngx_dfp_body_take(ngx_dfp_api_t *api)
{
    u_char       *p;
    size_t        len, max;
    ngx_chain_t  *cl;

    max = api->conf->max_body_size;

    if (api->r->headers_in.content_length_n > (off_t) max) {
        return NGX_DECLINED;
    }

    /* a subrequest, or a body that nginx has discarded already */

    if (api->r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = api->r->request_body->bufs; cl; cl = cl->next) {

        len = cl->buf->last - cl->buf->pos;

        if (len == 0) {
            continue;
        }

        if (len > max - api->body.len) {
            return NGX_DECLINED;
        }

        if (api->body.len + len > api->size) {
            api->size = ngx_max(2 * api->size, api->body.len + len);

            if (api->r->headers_in.content_length_n > (off_t) api->size) {
                api->size = api->r->headers_in.content_length_n;
            }

            p = ngx_pnalloc(api->r->pool, api->size);
            if (p == NULL) {
                return NGX_ERROR;
            }

            if (api->body.len) {
                ngx_memcpy(p, api->body.data, api->body.len);
            }

            api->body.data = p;
        }

        ngx_memcpy(api->body.data + api->body.len, cl->buf->pos, len);
        api->body.len += len;
        cl->buf->pos = cl->buf->last;
    }

    api->r->request_body->bufs = NULL;

    return NGX_OK;
}
