#include "ngx_dfp_access.h"
#include "ngx_dfp_access_key.h"
#include "ngx_dfp_header.h"


/* A question to the registry, in the pool of the request that waits for the
 * answer. */
typedef struct {
    ngx_dfp_loc_conf_t  *conf;       /* of the location, and ... */
    ngx_str_t            uri;        /* ... what it is about */
    dfp_path_t           path;
    u_char               key[DFP_SHA256_HEX_LEN + 1];
    ngx_http_request_t  *sr;         /* its answer */
    ngx_uint_t           status;
    ngx_str_t            next;       /* what a redirect of the origin to itself
                                        has led to; "": none so far */
    ngx_uint_t           hops;       /* such redirects */
    unsigned             get:1;      /* asked by GET */
    unsigned             failed:1;   /* the status is nginx's own */
    unsigned             done:1;
} ngx_dfp_access_t;


static ngx_dfp_access_t *ngx_dfp_access_create(ngx_http_request_t *r,
    ngx_dfp_state_t *state);
static ngx_int_t ngx_dfp_access_begin(ngx_http_request_t *r,
    ngx_dfp_access_t *access);
static ngx_int_t ngx_dfp_access_ask(ngx_http_request_t *r,
    ngx_dfp_access_t *access, ngx_uint_t get);
static ngx_int_t ngx_dfp_access_done(ngx_http_request_t *sr, void *data,
    ngx_int_t rc);
static ngx_int_t ngx_dfp_access_verdict(ngx_http_request_t *r,
    ngx_dfp_state_t *state, ngx_dfp_access_t *access);
static ngx_uint_t ngx_dfp_access_yes(ngx_http_request_t *r,
    ngx_dfp_access_t *access);
static ngx_uint_t ngx_dfp_access_elsewhere(ngx_http_request_t *r,
    ngx_dfp_access_t *access);
static ngx_int_t ngx_dfp_access_leads(ngx_http_request_t *r,
    ngx_dfp_access_t *access, dfp_url_t *from, dfp_url_t *to);
static ngx_uint_t ngx_dfp_access_itself(ngx_http_request_t *r,
    ngx_dfp_access_t *access);
static ngx_uint_t ngx_dfp_access_storage(ngx_array_t *rules, dfp_url_t *from,
    dfp_url_t *to);
static ngx_int_t ngx_dfp_access_pass_on(ngx_http_request_t *r,
    ngx_dfp_access_t *access);


ngx_int_t
ngx_dfp_access_handler(ngx_http_request_t *r)
{
    ngx_dfp_state_t     *state;
    ngx_dfp_access_t    *access;
    ngx_dfp_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (!dlcf->access) {
        return NGX_DECLINED;
    }

    /* jobs send credentials themselves; a question is not questioned; a
     * background update is not shown to clients */

    if (ngx_dfp_state_call(r)
        || (r->post_subrequest
            && r->post_subrequest->handler == ngx_dfp_access_done)
        || r->background)
    {
        return NGX_DECLINED;
    }

    /* the registry itself answers the client */

    if (ngx_dfp_storable_refused(r)) {
        return NGX_DECLINED;
    }

    state = ngx_dfp_state_create(r);
    if (state == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    access = state->access;

    /* an internal redirect may have changed the URI */

    if (access && access->conf == dlcf && access->uri.len == r->uri.len
        && ngx_memcmp(access->uri.data, r->uri.data, r->uri.len) == 0)
    {
        return access->done
               ? ngx_dfp_access_verdict(r, state, access)
               : NGX_AGAIN;
    }

    access = ngx_dfp_access_create(r, state);
    if (access == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_dfp_access_begin(r, access);
}


static ngx_dfp_access_t *
ngx_dfp_access_create(ngx_http_request_t *r, ngx_dfp_state_t *state)
{
    ngx_dfp_access_t  *access;

    access = ngx_pcalloc(r->pool, sizeof(ngx_dfp_access_t));
    if (access == NULL) {
        return NULL;
    }

    access->conf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);
    access->uri = r->uri;

    ngx_dfp_storable_path(r, &access->path);

    state->access = access;

    return access;
}


/*
 * Registries decide by repository: a permission for a manifest is one for the
 * blobs of its repository, too. A permission for a blob may be a redirect,
 * and is one for blobs only.
 */

static ngx_int_t
ngx_dfp_access_begin(ngx_http_request_t *r, ngx_dfp_access_t *access)
{
    u_char                other[DFP_SHA256_HEX_LEN + 1];
    dfp_path_kind_t       kind;
    ngx_dfp_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);
    kind = access->path.kind;

    if (ngx_dfp_access_key(r, &access->path, kind, access->key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_dfp_access_known(dmcf->access, access->key)) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "dfpreheat access: allowed, as remembered");

        return NGX_DECLINED;
    }

    if (kind == DFP_PATH_BLOB && !access->conf->share_blobs) {

        if (ngx_dfp_access_key(r, &access->path, DFP_PATH_MANIFEST,
                               other)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ngx_dfp_access_known(dmcf->access, other)) {
            ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "dfpreheat access: allowed, as remembered for a "
                           "manifest of the repository");

            return NGX_DECLINED;
        }
    }

    /* a signature in the URL of a file is one for GET */

    return ngx_dfp_access_ask(r, access, kind == DFP_PATH_FILE);
}


/*
 * The question is a subrequest with all headers of the request, through the
 * same location: what would be sent is what is asked. A method that nginx
 * does not know bypasses the cache, which would turn HEAD into GET.
 */

static ngx_int_t
ngx_dfp_access_ask(ngx_http_request_t *r, ngx_dfp_access_t *access,
    ngx_uint_t get)
{
    ngx_http_request_t          *sr;
    ngx_http_post_subrequest_t  *ps;

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ps->handler = ngx_dfp_access_done;
    ps->data = access;

    if (r->subrequest_in_memory) {
        return NGX_HTTP_FORBIDDEN;
    }

    access->get = get;
    access->done = 0;
    access->failed = 0;

    if (ngx_http_subrequest(r, &r->uri, &r->args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_CLONE
                            |NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* so that the client's own body is not read */

    sr->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (sr->request_body == NULL) {
        return NGX_ERROR;
    }

    sr->method = NGX_HTTP_UNKNOWN;
    sr->header_only = 1;

    if (access->next.len) {
        sr->unparsed_uri = access->next;
        sr->valid_unparsed_uri = 1;
    }

    if (get) {
        ngx_str_set(&sr->method_name, "GET");

    } else {
        ngx_str_set(&sr->method_name, "HEAD");
    }

    access->sr = sr;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat access: the registry is asked by %V for \"%V\"",
                   &sr->method_name, &r->uri);

    return NGX_AGAIN;
}


/* nginx may call this twice. */

static ngx_int_t
ngx_dfp_access_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_dfp_access_t *access = data;

    ngx_http_upstream_t  *u;

    /* the client is gone, or nginx quits: the waiting request ends, too */

    if (rc == NGX_ERROR || rc == NGX_HTTP_REQUEST_TIME_OUT
        || rc == NGX_HTTP_CLIENT_CLOSED_REQUEST)
    {
        return rc;
    }

    if (access->done) {
        return NGX_OK;
    }

    u = sr->upstream;
    access->done = 1;

    /* only a status of the registry counts */

    access->status = u ? u->headers_in.status_n : 0;

    if (access->status == 0
        || (rc >= NGX_HTTP_SPECIAL_RESPONSE
            && (ngx_uint_t) rc != access->status))
    {
        access->failed = 1;
        access->status = (rc >= NGX_HTTP_INTERNAL_SERVER_ERROR)
                         ? (ngx_uint_t) rc : NGX_HTTP_BAD_GATEWAY;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sr->connection->log, 0,
                   "dfpreheat access: %s answered %ui",
                   access->failed ? "nginx" : "the registry", access->status);

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_access_verdict(ngx_http_request_t *r, ngx_dfp_state_t *state,
    ngx_dfp_access_t *access)
{
    ngx_dfp_main_conf_t  *dmcf;

    if (ngx_dfp_access_yes(r, access)) {
        dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);

        ngx_dfp_access_remember(dmcf->access, access->key);

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "dfpreheat access: allowed, for %d ms",
                       NGX_DFP_ACCESS_TIME);

        return NGX_DECLINED;
    }

    if (ngx_dfp_access_itself(r, access)) {
        return ngx_dfp_access_ask(r, access, 1);
    }

    if (!access->failed && !access->get
        && (access->status == NGX_HTTP_NOT_ALLOWED
            || access->status == NGX_HTTP_NOT_IMPLEMENTED))
    {
        return ngx_dfp_access_ask(r, access, 1);
    }

    /* an overloaded registry is not asked again at once */

    if (access->failed || access->status == NGX_HTTP_TOO_MANY_REQUESTS
        || access->status >= NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        return ngx_dfp_access_pass_on(r, access);
    }

    /* the registry itself answers the client, so that its error is sent on */

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dfpreheat access: refused, the registry itself answers");

    state->uncached = 1;

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_dfp_access_yes(ngx_http_request_t *r, ngx_dfp_access_t *access)
{
    if (access->failed) {
        return 0;
    }

    if (access->status >= NGX_HTTP_OK
        && access->status < NGX_HTTP_SPECIAL_RESPONSE)
    {
        return 1;
    }

    return ngx_dfp_access_elsewhere(r, access);
}


/* An origin that keeps blobs or files elsewhere allows a request by a redirect to
 * there. Any other redirect may lead to a login page. */

static ngx_uint_t
ngx_dfp_access_elsewhere(ngx_http_request_t *r, ngx_dfp_access_t *access)
{
    dfp_url_t               from, to;
    ngx_uint_t              i;
    ngx_http_conf_ctx_t   **ctx;
    ngx_dfp_loc_conf_t     *dlcf;
    ngx_dfp_main_conf_t    *dmcf;

    if ((access->path.kind != DFP_PATH_BLOB
         && access->path.kind != DFP_PATH_FILE)
        || ngx_dfp_access_leads(r, access, &from, &to) != NGX_OK)
    {
        return 0;
    }

    /* of a file, the origin may just have another name */

    if (access->path.kind == DFP_PATH_FILE
        && dfp_str_eq(from.origin, to.origin))
    {
        return 0;
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_http_dfpreheat_module);
    ctx = dmcf->redirects.elts;

    for (i = 0; i < dmcf->redirects.nelts; i++) {
        dlcf = ctx[i]->loc_conf[ngx_http_dfpreheat_module.ctx_index];

        if (ctx[i]->srv_conf == r->srv_conf
            && ngx_dfp_access_storage(dlcf->redirects, &from, &to))
        {
            return 1;
        }
    }

    return 0;
}


/* Where the answer is a redirect FROM what was asked for TO. */

static ngx_int_t
ngx_dfp_access_leads(ngx_http_request_t *r, ngx_dfp_access_t *access,
    dfp_url_t *from, dfp_url_t *to)
{
    dfp_buf_t             b;
    dfp_err_t             err;
    dfp_mem_t             mem;
    ngx_table_elt_t      *location;
    ngx_http_upstream_t  *u;

    u = access->sr->upstream;
    location = u->headers_in.location;

    if (location == NULL || access->status < NGX_HTTP_SPECIAL_RESPONSE
        || access->status >= NGX_HTTP_BAD_REQUEST)
    {
        return NGX_DECLINED;
    }

    mem = ngx_dfp_mem(r->pool);

    dfp_buf_init(&b, &mem, u->uri.len, 0);
    dfp_buf_str(&b, ngx_dfp_dfp_str(
                        *ngx_dfp_binding_first(access->conf->origins)));
    dfp_buf_str(&b, ngx_dfp_dfp_str(u->uri));

    if (b.failed
        || dfp_url_parse_any(&mem, dfp_buf_value(&b), "the request", from,
                             &err)
           != DFP_OK
        || dfp_url_join(&mem, from, ngx_dfp_dfp_str(location->value),
                        "a redirect", to, &err)
           != DFP_OK
        || (from->tls && !to->tls))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * Whether the origin of a file has redirected the question to itself, as Hugging
 * Face's Hub does for small files, and for models that were renamed: what it says
 * there counts. It can be asked through a location that passes URIs as they are.
 */

static ngx_uint_t
ngx_dfp_access_itself(ngx_http_request_t *r, ngx_dfp_access_t *access)
{
    dfp_url_t   from, to;
    ngx_str_t  *sent, *uri;

    if (access->failed || access->path.kind != DFP_PATH_FILE
        || access->hops == NGX_DFP_REDIRECTS_MAX
        || ngx_dfp_access_leads(r, access, &from, &to) != NGX_OK
        || !dfp_str_eq(from.origin, to.origin))
    {
        return 0;
    }

    sent = &access->sr->upstream->uri;
    uri = &access->sr->unparsed_uri;

    if (sent->len != uri->len
        || ngx_memcmp(sent->data, uri->data, sent->len) != 0)
    {
        return 0;
    }

    access->hops++;
    access->next.data = (u_char *) to.path.data;
    access->next.len = to.href.len - to.origin.len;

    return 1;
}


/* The registry's own host, which has the login page, may match a suffix or
 * any: it has to be named in full. */

static ngx_uint_t
ngx_dfp_access_storage(ngx_array_t *rules, dfp_url_t *from, dfp_url_t *to)
{
    ngx_uint_t       i;
    ngx_dfp_rule_t  *rule;

    if (!dfp_str_eq(from->host, to->host)) {
        return ngx_dfp_binding_allowed(rules, to);
    }

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {
        if (rule[i].kind == NGX_DFP_RULE_FULL
            && dfp_str_eq(ngx_dfp_dfp_str(rule[i].text), to->origin))
        {
            return 1;
        }
    }

    return 0;
}


/* Answers with the status of the registry, or of nginx, and with the
 * registry's Retry-After. */

static ngx_int_t
ngx_dfp_access_pass_on(ngx_http_request_t *r, ngx_dfp_access_t *access)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h, *ho;

    static ngx_str_t  name = ngx_string("Retry-After");

    if (access->failed) {
        return access->status;
    }

    n = 0;
    h = ngx_dfp_header_find(&access->sr->upstream->headers_in.headers, &name,
                            &n);
    if (h == NULL) {
        return access->status;
    }

    ho = ngx_list_push(&r->headers_out.headers);
    if (ho == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(ho, sizeof(ngx_table_elt_t));

    ho->hash = h->hash;
    ho->key = h->key;
    ho->value = h->value;

    return access->status;
}


ngx_int_t
ngx_dfp_access_range(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t          range;
    ngx_dfp_access_t  *access;

    ngx_str_null(&range);

    if (r->post_subrequest
        && r->post_subrequest->handler == ngx_dfp_access_done)
    {
        access = r->post_subrequest->data;

        if (access->get) {
            ngx_str_set(&range, "bytes=0-0");
        }

    } else if (r->cache == NULL && r->headers_in.range) {
        range = r->headers_in.range->value;
    }

    if (range.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_dfp_variable(v, range);

    return NGX_OK;
}


ngx_int_t
ngx_dfp_access_location(ngx_conf_t *cf, void **loc_conf)
{
    ngx_http_core_loc_conf_t  *clcf;
    ngx_dfp_loc_conf_t        *dlcf;
    ngx_dfp_main_conf_t       *mcf;

    dlcf = loc_conf[ngx_http_dfpreheat_module.ctx_index];
    clcf = loc_conf[ngx_http_core_module.ctx_index];

    if (!dlcf->access) {
        return NGX_OK;
    }

    if (ngx_dfp_binding_first(dlcf->origins) == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\" has dfpreheat_access but no full "
                           "dfpreheat_origin: add one, for example "
                           "\"dfpreheat_origin https://registry.lan;\" "
                           "(locations inherit dfpreheat_access, but not "
                           "dfpreheat_origin)", &clcf->name);
        return NGX_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dfpreheat_module);

    if (mcf->access) {
        return NGX_OK;
    }

    mcf->access = ngx_dfp_access_zone(cf);
    if (mcf->access == NULL) {
        return NGX_ERROR;
    }

    return ngx_dfp_access_key_init(cf, mcf);
}
