/*
 * The key of an entry of the cache.
 */

#include "dfp_buf.h"
#include "dfp_hash.h"
#include "dfp_key.h"
#include "dfp_path.h"
#include "dfp_url.h"


#define DFP_KEY_V2     "/v2/"
#define DFP_KEY_BLOBS  "blobs/"
#define DFP_KEY_SHARED " shared"    /* no path has a space */
#define DFP_KEY_NS     "ns="
#define DFP_KEY_HEAD   "HEAD "


static dfp_str_t dfp_key_query(dfp_str_t *path);
static size_t dfp_key_registry(dfp_str_t path);
static void dfp_key_append_blob(dfp_buf_t *b, dfp_str_t path,
    size_t registry);
static void dfp_key_append_query(dfp_buf_t *b, dfp_str_t query);
static int dfp_key_plain(dfp_str_t uri);


dfp_rc_t
dfp_key(dfp_mem_t *mem, const dfp_key_t *parts, dfp_str_t *key)
{
    int        hidden;
    size_t     shared;
    char       hash[DFP_SHA256_HEX_LEN + 1];
    dfp_buf_t  b;
    dfp_str_t  path, query, uri, shown;

    path = parts->uri;
    query = dfp_key_query(&path);

    dfp_buf_init(&b, mem, parts->uri.len + 1, 0);

    shared = parts->share_blobs ? dfp_key_registry(path) : 0;

    if (shared) {
        dfp_key_append_blob(&b, path, shared);

    } else {
        dfp_buf_str(&b, path);
    }

    dfp_key_append_query(&b, query);

    if (b.failed) {
        return DFP_ERROR;
    }

    uri = dfp_buf_value(&b);

    if (dfp_url_redact(mem, uri, &shown, &hidden) != DFP_OK) {
        return DFP_ERROR;
    }

    dfp_buf_init(&b, mem, sizeof(DFP_KEY_HEAD) + parts->upstream.len
                          + parts->origin.len + shown.len + 2
                          + DFP_SHA256_HEX_LEN + sizeof(DFP_KEY_SHARED), 0);

    if (parts->head) {
        dfp_buf_cstr(&b, DFP_KEY_HEAD);
    }

    dfp_buf_str(&b, parts->upstream);
    dfp_buf_cstr(&b, " ");
    dfp_buf_str(&b, parts->origin);
    dfp_buf_str(&b, shown);

    if (hidden || !dfp_key_plain(uri)) {

        if (dfp_sha256_hex(uri, hash) != DFP_OK) {
            return DFP_ERROR;
        }

        dfp_buf_cstr(&b, " ");
        dfp_buf_append(&b, hash, DFP_SHA256_HEX_LEN);
    }

    if (shared) {
        dfp_buf_cstr(&b, DFP_KEY_SHARED);
    }

    *key = dfp_buf_value(&b);

    return b.failed ? DFP_ERROR : DFP_OK;
}


/* Removes the query, with its "?", and returns it. The origin may interpret a
 * "#" in any way, so a URI with one has no query. */

static dfp_str_t
dfp_key_query(dfp_str_t *path)
{
    dfp_str_t    query;
    const char  *p;

    p = path->len ? memchr(path->data, '?', path->len) : NULL;

    if (p == NULL || memchr(path->data, '#', path->len)) {
        return DFP_STR_NULL;
    }

    query = (dfp_str_t) { path->data + path->len - p, p };
    path->len -= query.len;

    return query;
}


/* Returns the length of "/v2/", or of "/prefix/v2/", if PATH is that of a
 * blob, and 0 otherwise. */

static size_t
dfp_key_registry(dfp_str_t path)
{
    size_t      len;
    dfp_path_t  read;

    dfp_path_read(path, &read);

    if (read.kind != DFP_PATH_BLOB) {
        return 0;
    }

    for (len = sizeof(DFP_KEY_V2) - 1;
         memcmp(path.data + len - (sizeof(DFP_KEY_V2) - 1), DFP_KEY_V2,
                sizeof(DFP_KEY_V2) - 1)
         != 0;
         len++)
    {
        /* void */
    }

    return len;
}


/* A blob has the same bytes in each repository of a registry. */

static void
dfp_key_append_blob(dfp_buf_t *b, dfp_str_t path, size_t registry)
{
    size_t  slash;

    for (slash = path.len; path.data[slash - 1] != '/'; slash--) { /* void */ }

    dfp_buf_append(b, path.data, registry);
    dfp_buf_cstr(b, DFP_KEY_BLOBS);
    dfp_buf_append(b, path.data + slash, path.len - slash);
}


/* QUERY begins with its "?", or is empty. */

static void
dfp_key_append_query(dfp_buf_t *b, dfp_str_t query)
{
    size_t       len;
    const char  *p, *last, *next, *separator;

    if (query.len == 0) {
        return;
    }

    len = sizeof(DFP_KEY_NS) - 1;
    last = query.data + query.len;
    separator = "?";

    for (p = query.data; p < last; p = next) {
        p++;
        next = memchr(p, '&', last - p);
        next = next ? next : last;

        if ((size_t) (next - p) >= len && memcmp(p, DFP_KEY_NS, len) == 0) {
            continue;
        }

        dfp_buf_cstr(b, separator);
        dfp_buf_append(b, p, next - p);
        separator = "&";
    }
}


static int
dfp_key_plain(dfp_str_t uri)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < uri.len; i++) {
        ch = (unsigned char) uri.data[i];

        if (ch <= 0x20 || ch == 0x7f) {
            return 0;
        }
    }

    return 1;
}
