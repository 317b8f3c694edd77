#include "ngx_dfp_kept.h"
#include "ngx_dfp_storable.h"


static ngx_uint_t ngx_dfp_storable_unstored(ngx_http_request_t *r);
static ngx_uint_t ngx_dfp_storable_personal(ngx_http_request_t *r);
static ngx_uint_t ngx_dfp_storable_exists(ngx_http_request_t *r);
static ngx_int_t ngx_dfp_storable_predicate(ngx_conf_t *cf,
    ngx_array_t **predicates, const char *variable);
static ngx_int_t ngx_dfp_storable_header_filter(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


void
ngx_dfp_storable_path(ngx_http_request_t *r, dfp_path_t *path)
{
    u_char      *p;
    ngx_str_t    raw;
    dfp_path_t   sent;

    dfp_path_read(ngx_dfp_dfp_str(r->uri), path);

    if (!r->valid_unparsed_uri) {
        return;
    }

    raw = r->unparsed_uri;
    p = ngx_strlchr(raw.data, raw.data + raw.len, '?');

    if (p) {
        raw.len = p - raw.data;
    }

    if (raw.len == r->uri.len
        && ngx_memcmp(raw.data, r->uri.data, raw.len) == 0)
    {
        return;
    }

    dfp_path_read(ngx_dfp_dfp_str(raw), &sent);

    if (path->kind != DFP_PATH_FILE || sent.kind != DFP_PATH_FILE) {
        path->kind = DFP_PATH_OTHER;
    }
}


const char *
ngx_dfp_storable_refused(ngx_http_request_t *r)
{
    dfp_path_t        path;
    ngx_dfp_state_t  *state;

    state = ngx_dfp_state_get(r);

    if (state && state->uncached) {
        return "only the registry may answer this request";
    }

    if (state && state->listed) {
        return NULL;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        || r->headers_in.content_length_n > 0 || r->headers_in.chunked)
    {
        return "only GET and HEAD without a body are cached";
    }

    ngx_dfp_storable_path(r, &path);

    switch (path.kind) {

    case DFP_PATH_MANIFEST:
    case DFP_PATH_BLOB:
        return NULL;

    case DFP_PATH_FILE:
        return dfp_path_token_query(ngx_dfp_dfp_str(r->args))
               ? "its query is for a token service, whose answers are not "
                 "cached"
               : NULL;

    default: /* DFP_PATH_LOGIN, DFP_PATH_OTHER */
        return "of a registry, only manifests and blobs are cached, by paths "
               "without escapes";
    }
}


static ngx_uint_t
ngx_dfp_storable_unstored(ngx_http_request_t *r)
{
    return ngx_dfp_storable_refused(r)
           || ngx_dfp_storable_personal(r);
}


/* A file that a client requests with credentials may be private to that
 * client. What a job fetches is for all clients. */

static ngx_uint_t
ngx_dfp_storable_personal(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    dfp_path_t        path;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (ngx_dfp_state_call(r)) {
        return 0;
    }

    ngx_dfp_storable_path(r, &path);

    if (path.kind != DFP_PATH_FILE) {
        return 0;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (dfp_header_personal(ngx_dfp_dfp_str(h[i].key))) {
                return 1;
            }
        }
    }

    return 0;
}


/* Requests for an entry that does not exist, and will not be stored, need not
 * wait for each other (proxy_cache_lock). */

static ngx_uint_t
ngx_dfp_storable_exists(ngx_http_request_t *r)
{
    ngx_http_cache_t   *c;
    ngx_dfp_entry_t     entry;

    c = r->cache;

    if (c == NULL || c->file_cache == NULL) {
        return 1;
    }

    ngx_memzero(&entry, sizeof(ngx_dfp_entry_t));

    entry.cache = c->file_cache;
    ngx_memcpy(entry.key, c->key, NGX_HTTP_CACHE_KEY_LEN);

    return ngx_dfp_cache_exists(&entry);
}


ngx_int_t
ngx_dfp_storable_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    const char  *reason;

    reason = ngx_dfp_storable_refused(r);

    if (reason == NULL && ngx_dfp_storable_personal(r)
        && (data || !ngx_dfp_storable_exists(r)))
    {
        reason = "the request has credentials";
    }

    if (reason == NULL && data == 0 && ngx_dfp_kept_differs(r)) {
        reason = "the redirect has other headers than the stored answer";
    }

    if (reason) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "dfpreheat %s: %s",
                       data ? "answer is not stored" : "cache is bypassed",
                       reason);
    }

    ngx_dfp_variable_flag(v, reason != NULL);

    return NGX_OK;
}


ngx_int_t
ngx_dfp_storable_location(ngx_conf_t *cf, void **loc_conf)
{
    ngx_uint_t                 i;
    ngx_http_upstream_conf_t  *upstream;

    static const char  *modules[] = {
        NGX_DFP_PROXY_MODULE, "ngx_http_fastcgi_module",
        "ngx_http_uwsgi_module", "ngx_http_scgi_module", NULL
    };

    for (i = 0; modules[i]; i++) {
        upstream = ngx_dfp_binding_upstream(cf->cycle, loc_conf, modules[i]);

        if (upstream == NULL || !upstream->cache) {
            continue;
        }

        /* $dfpreheat_expired has to be the last one: a request may wait after
         * it */

        if (ngx_dfp_storable_predicate(cf, &upstream->cache_bypass,
                                       "$dfpreheat_uncached")
            != NGX_OK
            || ngx_dfp_storable_predicate(cf,
                                          &upstream->cache_bypass,
                                          "$dfpreheat_expired")
               != NGX_OK
            || ngx_dfp_storable_predicate(cf, &upstream->no_cache,
                                          "$dfpreheat_unstored")
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The list may be shared with another location: this one is given a copy. */

static ngx_int_t
ngx_dfp_storable_predicate(ngx_conf_t *cf, ngx_array_t **predicates,
    const char *variable)
{
    ngx_str_t                          value;
    ngx_uint_t                         n;
    ngx_array_t                       *list;
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    n = *predicates ? (*predicates)->nelts : 0;

    list = ngx_array_create(cf->pool, n + 1, sizeof(ngx_http_complex_value_t));
    if (list == NULL) {
        return NGX_ERROR;
    }

    cv = ngx_array_push_n(list, n + 1);

    if (n) {
        ngx_memcpy(cv, (*predicates)->elts,
                   n * sizeof(ngx_http_complex_value_t));
    }

    value.data = (u_char *) variable;
    value.len = ngx_strlen(variable);

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value;
    ccv.complex_value = &cv[n];

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_ERROR;
    }

    *predicates = list;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_storable_header_filter(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;
    ngx_dfp_loc_conf_t   *dlcf;

    u = r->upstream;
    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_dfpreheat_module);

    if (dlcf->bound && r->cache && u && u->cacheable && !r->cached
        && ngx_dfp_storable_unstored(r))
    {
        u->cacheable = 0;
    }

    return ngx_http_next_header_filter(r);
}


void
ngx_dfp_storable_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dfp_storable_header_filter;
}
