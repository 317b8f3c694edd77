/*
 * The key of an entry of the cache.
 */

#include "dfp_buf.h"
#include "dfp_char.h"
#include "dfp_hash.h"
#include "dfp_hex.h"
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
static void dfp_key_append_query(dfp_buf_t *b, const dfp_key_t *parts,
    dfp_str_t query);
static int dfp_key_left_out(const dfp_key_t *parts, dfp_str_t parameter);
static int dfp_key_named(dfp_str_t parameter, dfp_str_t name);
static int dfp_key_plain(dfp_str_t uri);
static int dfp_key_separates(char ch);


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

    dfp_key_append_query(&b, parts, query);

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
dfp_key_append_query(dfp_buf_t *b, const dfp_key_t *parts, dfp_str_t query)
{
    dfp_str_t    parameter;
    const char  *p, *last, *next, *separator;

    if (query.len == 0) {
        return;
    }

    last = query.data + query.len;
    separator = "?";

    for (p = query.data; p < last; p = next) {
        p++;
        next = memchr(p, '&', last - p);
        next = next ? next : last;

        parameter = (dfp_str_t) { next - p, p };

        if (dfp_key_left_out(parts, parameter)) {
            continue;
        }

        dfp_buf_cstr(b, separator);
        dfp_buf_str(b, parameter);
        separator = "&";
    }
}


static int
dfp_key_left_out(const dfp_key_t *parts, dfp_str_t parameter)
{
    size_t  i, len;

    len = sizeof(DFP_KEY_NS) - 1;

    if (parameter.len >= len && memcmp(parameter.data, DFP_KEY_NS, len) == 0) {
        return 1;
    }

    for (i = 0; i < parts->nfilter; i++) {
        if (dfp_key_named(parameter, parts->filter[i])) {
            return 1;
        }
    }

    return 0;
}


/* Whether what is before the "=" of PARAMETER decodes to NAME. */

static int
dfp_key_named(dfp_str_t parameter, dfp_str_t name)
{
    int     byte;
    char    ch;
    size_t  i, k;

    for (i = 0, k = 0; i < parameter.len && parameter.data[i] != '='; k++) {
        ch = parameter.data[i++];

        if (ch == '+') {
            ch = ' ';

        } else if (ch == '%' && parameter.len - i >= 2) {
            byte = dfp_hex_byte(&parameter.data[i]);

            if (byte >= 0) {
                ch = (char) byte;
                i += 2;
            }
        }

        if (k == name.len || ch != name.data[k]) {
            return 0;
        }
    }

    return k == name.len;
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


int
dfp_key_rest(dfp_str_t rest, const dfp_str_t *values, size_t n)
{
    size_t       i;
    dfp_str_t    word;
    unsigned     used;
    const char  *p, *last;

    p = rest.data;
    last = p + rest.len;
    used = 0;

    if (rest.len && !dfp_key_separates(*p)) {
        return 0;
    }

    while (p < last) {

        if (dfp_key_separates(*p)) {
            p++;
            continue;
        }

        word = (dfp_str_t) { 0, p };

        while (p < last && !dfp_key_separates(*p)) {
            p++;
            word.len++;
        }

        for (i = 0; i < n; i++) {
            if (!(used & (1u << i)) && dfp_str_eq(word, values[i])) {
                break;
            }
        }

        if (i == n) {
            return 0;
        }

        used |= 1u << i;
    }

    return 1;
}


static int
dfp_key_separates(char ch)
{
    return !dfp_alnum(ch) && memchr("-._~%", ch, 5) == NULL;
}
