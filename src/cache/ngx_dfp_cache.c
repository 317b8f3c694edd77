#include "ngx_dfp_cache.h"
#include "ngx_dfp_cache_key.h"
#include "ngx_dfp_manifest.h"

#include "dfp_key.h"


static ngx_int_t ngx_dfp_cache_entry(ngx_http_request_t *sr,
    ngx_dfp_entry_t *entry);
static dfp_str_t ngx_dfp_cache_told(ngx_http_request_t *sr, ngx_str_t *name);
static ngx_uint_t ngx_dfp_cache_sliced(ngx_http_request_t *sr);
static const char *ngx_dfp_cache_broken(ngx_http_request_t *sr,
    ngx_dfp_entry_t *entry);
static ngx_int_t ngx_dfp_cache_complete(ngx_http_request_t *sr,
    const char **reason);


ngx_int_t
ngx_dfp_cache_stored(ngx_http_request_t *sr, ngx_int_t rc,
    ngx_dfp_entry_t *entry, const char **reason)
{
    ngx_int_t             status;
    ngx_http_cache_t     *c;
    ngx_http_upstream_t  *u;

    c = sr->cache;
    u = sr->upstream;

    if (c == NULL && u && u->conf->cache) {
        *reason = "the cache key does not fit into the proxy_buffer_size of "
                  "its location: the error log names the required size";
        return NGX_DECLINED;
    }

    if (c == NULL || u == NULL || c->file_cache == NULL) {
        *reason = "its location has no proxy_cache";
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        *reason = ngx_dfp_cache_broken(sr, entry);
        return NGX_AGAIN;
    }

    status = ngx_dfp_cache_complete(sr, reason);
    if (status != NGX_OK) {
        return status;
    }

    if (ngx_dfp_cache_sliced(sr)) {
        *reason = "its location uses the slice directive: only client "
                  "requests can fill slices";
        return NGX_DECLINED;
    }

    if (!ngx_dfp_cache_keyed(sr)) {
        *reason = "the proxy_cache_key of its location is not "
                  "$dfpreheat_cache_key, so clients could use other entries: "
                  "include dfpreheat_cache.conf";
        return NGX_DECLINED;
    }

    if (c->vary.len) {
        *reason = "the answer has a Vary header, so other clients would not "
                  "get this copy: add \"proxy_ignore_headers Vary\" to its "
                  "location";
        return NGX_DECLINED;
    }

    if (ngx_dfp_cache_entry(sr, entry) != NGX_OK) {
        *reason = "the size of its cache file differs from the size of the "
                  "answer";
        return NGX_AGAIN;
    }

    /* ngx_http_file_cache_update() does not tell when its rename failed */

    if (!ngx_dfp_cache_placed(entry, !sr->cached)) {
        *reason = "the cache file could not be renamed into place";
        return NGX_AGAIN;
    }

    ngx_dfp_cache_debug(entry, sr->connection->log,
                        sr->cached ? "present" : "stored");

    return NGX_OK;
}


/* An entry that is shorter or longer than its header says is dropped. */

static ngx_int_t
ngx_dfp_cache_entry(ngx_http_request_t *sr, ngx_dfp_entry_t *entry)
{
    off_t              promised;
    ngx_http_cache_t  *c;

    c = sr->cache;

    entry->cache = c->file_cache;
    entry->start = c->body_start;
    entry->uniq = 0;
    ngx_memcpy(entry->key, c->key, NGX_HTTP_CACHE_KEY_LEN);

    if (!sr->cached) {
        entry->size = sr->upstream->pipe->temp_file->offset
                      - (off_t) c->body_start;
        return NGX_OK;
    }

    /* the file has the header of the answer, too */

    entry->size = c->length - (off_t) c->body_start;
    promised = sr->upstream->headers_in.content_length_n;

    if (promised == -1 || promised == entry->size) {
        return NGX_OK;
    }

    ngx_dfp_cache_drop(entry, sr->connection->log);

    return NGX_DECLINED;
}


/*
 * $slice_range is empty in a subrequest, so the key does not show slices. The
 * module is optional; the first field of its configuration is the size of a
 * slice (ngx_http_slice_filter_module.c).
 */

static ngx_uint_t
ngx_dfp_cache_sliced(ngx_http_request_t *sr)
{
    size_t        *size;
    ngx_uint_t     i;
    ngx_module_t  *module;

    for (i = 0; ngx_cycle->modules[i]; i++) {
        module = ngx_cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_http_slice_filter_module") == 0) {
            size = ngx_http_get_module_loc_conf(sr, (*module));
            return size && *size;
        }
    }

    return 0;
}


/* Any other key may depend on the client: on its scheme, host or headers. What a
 * client and a job tell alike may follow. */

ngx_uint_t
ngx_dfp_cache_keyed(ngx_http_request_t *sr)
{
    ngx_str_t                  *key;
    dfp_str_t                   values[2], rest;
    ngx_http_variable_value_t   v;

    static ngx_str_t  tag = ngx_string("dfpreheat_tag");
    static ngx_str_t  application = ngx_string("dfpreheat_application");

    key = sr->cache->keys.elts;

    if (sr->cache->keys.nelts != 1 || ngx_dfp_cache_key(sr, &v, 0) != NGX_OK
        || v.len > key->len || ngx_memcmp(v.data, key->data, v.len) != 0)
    {
        return 0;
    }

    values[0] = ngx_dfp_cache_told(sr, &tag);
    values[1] = ngx_dfp_cache_told(sr, &application);

    rest = ngx_dfp_dfp_str(*key);
    rest.data += v.len;
    rest.len -= v.len;

    return dfp_key_rest(rest, values, 2);
}


static dfp_str_t
ngx_dfp_cache_told(ngx_http_request_t *sr, ngx_str_t *name)
{
    ngx_http_variable_value_t  *v;

    v = ngx_http_get_variable(sr, name, ngx_hash_key(name->data, name->len));

    if (v == NULL || v->not_found) {
        return DFP_STR_NULL;
    }

    return (dfp_str_t) { v->len, (char *) v->data };
}


/* Which side failed: receiving from the origin, writing the file, or reading
 * it. */

static const char *
ngx_dfp_cache_broken(ngx_http_request_t *sr, ngx_dfp_entry_t *entry)
{
    ngx_event_pipe_t  *p;

    if (sr->cached) {
        (void) ngx_dfp_cache_entry(sr, entry);
        ngx_dfp_cache_drop(entry, sr->connection->log);

        return "its cache file could not be read";
    }

    p = sr->upstream->pipe;

    if (p == NULL || p->upstream_error
        || (p->upstream_eof && !p->upstream_done && p->length != 0))
    {
        return "the origin closed the connection prematurely or timed out: "
               "the answer is incomplete";
    }

    return "the answer could not be written to the cache: see the error log "
           "(is the disk full?)";
}


static ngx_int_t
ngx_dfp_cache_complete(ngx_http_request_t *sr, const char **reason)
{
    ngx_int_t             rc;
    ngx_event_pipe_t     *p;
    ngx_http_upstream_t  *u;

    u = sr->upstream;

    if (u->cache_status == NGX_HTTP_CACHE_STALE
        || u->cache_status == NGX_HTTP_CACHE_UPDATING)
    {
        *reason = "the cache answered with a stale copy";
        return NGX_AGAIN;
    }

    if (sr->cached) {
        return NGX_OK;
    }

    if (!u->buffering) {
        *reason = "its location does not cache: proxy_buffering is off, or "
                  "the answer disabled it (X-Accel-Buffering)";
        return NGX_DECLINED;
    }

    rc = ngx_dfp_manifest_refused(sr, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!u->cacheable) {
        *reason = "the answer was not cached: another request was filling the "
                  "same entry, or the settings of its location prevent it "
                  "(proxy_cache_valid, proxy_no_cache, proxy_cache_min_uses, "
                  "headers of the answer)";
        return NGX_AGAIN;
    }

    p = u->pipe;

    if (p == NULL || p->temp_file == NULL
        || !(p->upstream_done || (p->upstream_eof && p->length == -1)))
    {
        *reason = "the answer was incomplete";
        return NGX_AGAIN;
    }

    return NGX_OK;
}
