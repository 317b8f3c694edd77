/*
 * What an entry of the cache stands for.
 */

#include "dfp_buf.h"
#include "dfp_key.h"
#include "dfp_oci.h"
#include "dfp_token.h"
#include "dfp_url.h"


#define DFP_KEY_BLOBS  "/blobs/"
#define DFP_KEY_NS     "ns="
#define DFP_KEY_HEAD   "HEAD "


static dfp_str_t dfp_key_query(dfp_str_t *path);
static dfp_str_t dfp_key_blob(dfp_str_t path);
static void dfp_key_append_query(dfp_buf_t *b, dfp_str_t query);
static int dfp_key_plain(dfp_str_t uri);


int
dfp_key(dfp_mem_t *mem, const dfp_key_t *parts, dfp_str_t *key)
{
    int        hidden;
    char       hash[DFP_TOKEN_HASH_LEN + 1];
    dfp_buf_t  b;
    dfp_str_t  path, query, uri, shown;

    path = parts->uri;
    query = dfp_key_query(&path);

    if (parts->share_blobs) {
        path = dfp_key_blob(path);
    }

    dfp_buf_init(&b, mem, parts->uri.len + 1, 0);
    dfp_buf_str(&b, path);
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
                          + DFP_TOKEN_HASH_LEN, 0);

    if (parts->head) {
        dfp_buf_cstr(&b, DFP_KEY_HEAD);
    }

    dfp_buf_str(&b, parts->upstream);
    dfp_buf_cstr(&b, " ");
    dfp_buf_str(&b, parts->origin);
    dfp_buf_str(&b, shown);

    if (hidden || !dfp_key_plain(uri)) {

        if (dfp_token_hash(uri, hash) != DFP_OK) {
            return DFP_ERROR;
        }

        dfp_buf_cstr(&b, " ");
        dfp_buf_append(&b, hash, DFP_TOKEN_HASH_LEN);
    }

    *key = dfp_buf_value(&b);

    return b.failed ? DFP_ERROR : DFP_OK;
}


/* Cuts the query off, with its "?"; what a "#" is to the origin is not known,
 * so with one there is no query. */

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


/* A blob has the same bytes in each repository: its digest is its path. */

static dfp_str_t
dfp_key_blob(dfp_str_t path)
{
    size_t     len, slash;
    dfp_str_t  digest;

    len = sizeof(DFP_KEY_BLOBS) - 1;

    for (slash = path.len; slash > 0 && path.data[slash - 1] != '/'; slash--) {
        /* void */
    }

    digest = (dfp_str_t) { path.len - slash, path.data + slash };

    if (slash < len || memcmp(digest.data - len, DFP_KEY_BLOBS, len) != 0
        || !dfp_oci_digest_valid(digest))
    {
        return path;
    }

    return (dfp_str_t) { digest.len + len, digest.data - len };
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
