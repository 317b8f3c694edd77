#include "ngx_dfp_handler.h"
#include "ngx_dfp_clusters.h"
#include "ngx_dfp_events.h"
#include "ngx_dfp_events_all.h"
#include "ngx_dfp_health.h"
#include "ngx_dfp_jobs.h"
#include "ngx_dfp_jobs_change.h"
#include "ngx_dfp_jobs_list.h"
#include "ngx_dfp_jobs_post.h"
#include "ngx_dfp_openapi.h"
#include "ngx_dfp_push.h"
#include "ngx_dfp_token.h"
#include "ngx_dfp_tokens.h"
#include "ngx_dfp_where.h"


typedef struct {
    ngx_str_t       path;
    ngx_uint_t      id;          /* followed by "/" and the id of a job (1), a
                                    token (2) or a cluster (3); 4: of a job, and
                                    "/events" */
    ngx_uint_t      methods;
    const char     *allow;
    ngx_dfp_api_pt  handler;
    ngx_uint_t      scope;       /* of the token; 0: no token is needed */
} ngx_dfp_handler_route_t;


static ngx_dfp_handler_route_t *ngx_dfp_handler_route(ngx_dfp_api_t *api);
static ngx_uint_t ngx_dfp_handler_path(ngx_dfp_api_t *api,
    ngx_dfp_handler_route_t *route);
static int64_t *ngx_dfp_handler_id_of(ngx_dfp_api_t *api,
    ngx_dfp_handler_route_t *route);
static ngx_int_t ngx_dfp_handler_id(int64_t *id, u_char *p, size_t len);
static void ngx_dfp_handler_allow(ngx_dfp_api_t *api,
    ngx_dfp_handler_route_t *route);
static void ngx_dfp_handler_authenticated(void *data, ngx_uint_t status,
    const char *text);


static ngx_dfp_handler_route_t  ngx_dfp_handler_routes[] = {

    { ngx_string("/oapi/v1/jobs"), 0,
      NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD, POST, OPTIONS",
      ngx_dfp_jobs_list, DFP_TOKEN_JOB },

    { ngx_string("/oapi/v1/jobs"), 0,
      NGX_HTTP_POST, "GET, HEAD, POST, OPTIONS",
      ngx_dfp_jobs_create, DFP_TOKEN_JOB },

    { ngx_string("/oapi/v1/jobs"), 1,
      NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD, PATCH, DELETE, OPTIONS",
      ngx_dfp_jobs_get, DFP_TOKEN_JOB },

    { ngx_string("/oapi/v1/jobs"), 1,
      NGX_HTTP_PATCH, "GET, HEAD, PATCH, DELETE, OPTIONS",
      ngx_dfp_jobs_patch, DFP_TOKEN_JOB },

    { ngx_string("/oapi/v1/jobs"), 1,
      NGX_HTTP_DELETE, "GET, HEAD, PATCH, DELETE, OPTIONS",
      ngx_dfp_jobs_delete, DFP_TOKEN_JOB },

    { ngx_string("/oapi/v1/jobs"), 4,
      NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD, OPTIONS",
      ngx_dfp_events, DFP_TOKEN_JOB },

    { ngx_string("/oapi/v1/events"), 0,
      NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD, OPTIONS",
      ngx_dfp_events_all, DFP_TOKEN_JOB },

    { ngx_string("/oapi/v1/cache"), 0,
      NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_DELETE, "GET, HEAD, DELETE, OPTIONS",
      ngx_dfp_where, DFP_TOKEN_JOB },

    { ngx_string("/oapi/v1/notifications"), 0,
      NGX_HTTP_POST, "POST, OPTIONS",
      ngx_dfp_push, DFP_TOKEN_JOB },

    { ngx_string(NGX_DFP_CLUSTERS_PATH), 0,
      NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD, OPTIONS",
      ngx_dfp_clusters_list, DFP_TOKEN_CLUSTER },

    { ngx_string(NGX_DFP_CLUSTERS_PATH), 3,
      NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD, OPTIONS",
      ngx_dfp_clusters_get, DFP_TOKEN_CLUSTER },

    { ngx_string(NGX_DFP_TOKENS_PATH), 0,
      NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST, "GET, HEAD, POST, OPTIONS",
      ngx_dfp_tokens, 0 },

    { ngx_string(NGX_DFP_TOKENS_PATH), 2,
      NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_PATCH|NGX_HTTP_DELETE,
      "GET, HEAD, PATCH, DELETE, OPTIONS",
      ngx_dfp_token, 0 },

    { ngx_string("/oapi/v1/openapi.yaml"), 0,
      NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD, OPTIONS",
      ngx_dfp_openapi, 0 },

    { ngx_string("/healthy"), 0,
      NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD, OPTIONS",
      ngx_dfp_health, 0 },

    { ngx_null_string, 0, 0, NULL, NULL, 0 }
};


ngx_int_t
ngx_dfp_handler(ngx_http_request_t *r)
{
    ngx_dfp_api_t            *api;
    ngx_dfp_handler_route_t  *route;

    api = ngx_dfp_api_create(r);
    if (api == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* held until the answer finalizes the request */

    r->main->count++;

    route = ngx_dfp_handler_route(api);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat api: %V \"%V\", route: %s%s", &r->method_name,
                   &r->uri, route ? (char *) route->path.data : "none",
                   route && route->id ? route->id == 4 ? "/:id/events" : "/:id"
                                      : "");

    if (route == NULL) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_FOUND, "Not Found");
        return NGX_DONE;
    }

    if (!(r->method & route->methods)) {
        ngx_dfp_handler_allow(api, route);
        return NGX_DONE;
    }

    if (route->scope == 0) {
        route->handler(api);
        return NGX_DONE;
    }

    api->next = route->handler;
    api->auth.handler = ngx_dfp_handler_authenticated;
    api->auth.data = api;

    ngx_dfp_auth_token(r, api->store, &api->auth, route->scope);

    return NGX_DONE;
}


/* The route of the path and the method, or else one of the path. */

static ngx_dfp_handler_route_t *
ngx_dfp_handler_route(ngx_dfp_api_t *api)
{
    ngx_dfp_handler_route_t  *route, *found;

    found = NULL;

    for (route = ngx_dfp_handler_routes; route->path.len; route++) {

        if (!ngx_dfp_handler_path(api, route)) {
            continue;
        }

        if (api->r->method & route->methods) {
            return route;
        }

        found = route;
    }

    return found;
}


static ngx_uint_t
ngx_dfp_handler_path(ngx_dfp_api_t *api, ngx_dfp_handler_route_t *route)
{
    ngx_str_t  uri;

    static const char    events[] = "/events";
    static const size_t  events_len = sizeof(events) - 1;

    uri = api->r->uri;

    if (uri.len < route->path.len
        || ngx_memcmp(uri.data, route->path.data, route->path.len) != 0)
    {
        return 0;
    }

    if (!route->id) {
        return uri.len == route->path.len;
    }

    if (route->id == 4) {
        if (uri.len < events_len
            || ngx_memcmp(uri.data + uri.len - events_len, events, events_len)
               != 0)
        {
            return 0;
        }

        uri.len -= events_len;
    }

    return uri.len > route->path.len + 1
           && uri.data[route->path.len] == '/'
           && ngx_dfp_handler_id(ngx_dfp_handler_id_of(api, route),
                                 uri.data + route->path.len + 1,
                                 uri.len - route->path.len - 1)
              == NGX_OK;
}


/* Where the id is stored. */

static int64_t *
ngx_dfp_handler_id_of(ngx_dfp_api_t *api, ngx_dfp_handler_route_t *route)
{
    switch (route->id) {

    case 2:
        return &api->stored_token.id;

    case 3:
        return &api->cluster;

    default:
        return &api->stored.id;
    }
}


/* 0: the last segment of the path is not a number. */

static ngx_int_t
ngx_dfp_handler_id(int64_t *id, u_char *p, size_t len)
{
    off_t  n;

    if (ngx_strlchr(p, p + len, '/')) {
        return NGX_DECLINED;
    }

    n = ngx_atoof(p, len);

    *id = (n == NGX_ERROR) ? 0 : n;

    return NGX_OK;
}


/* The answer to OPTIONS (RFC 9110, 9.3.7), or to a method that is not
 * allowed. */

static void
ngx_dfp_handler_allow(ngx_dfp_api_t *api, ngx_dfp_handler_route_t *route)
{
    dfp_buf_t  none;

    if (ngx_dfp_api_header(api, "Allow", route->allow) != NGX_OK) {
        ngx_http_finalize_request(api->r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    if (api->r->method != NGX_HTTP_OPTIONS) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_ALLOWED, "Method Not Allowed");
        return;
    }

    dfp_buf_init(&none, &api->mem, 0, 0);
    ngx_dfp_api_send(api, NGX_HTTP_NO_CONTENT, &none);
}


static void
ngx_dfp_handler_authenticated(void *data, ngx_uint_t status, const char *text)
{
    ngx_dfp_api_t *api = data;

    if (status == NGX_HTTP_OK) {
        api->next(api);

    } else {
        ngx_dfp_api_error(api, status, text);
    }
}
