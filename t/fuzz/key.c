/*
 * Keys of the cache and paths of registries: two requests have one key only where
 * they are the same but for "ns"; what may be cached follows a registry's grammar.
 */

#include "dfp_key.h"
#include "dfp_oci.h"
#include "dfp_path.h"
#include "dfp_fuzz.h"


static dfp_str_t
key_of(dfp_str_t uri, int head, int share_blobs)
{
    dfp_str_t  key;
    dfp_key_t  parts;

    memset(&parts, 0, sizeof(dfp_key_t));

    parts.upstream = DFP_STR("http://upstream:5000");
    parts.origin = DFP_STR("https://registry.lan");
    parts.uri = uri;
    parts.head = head;
    parts.share_blobs = share_blobs;

    MUST(dfp_key(dfp_fuzz_mem(), &parts, &key) == DFP_OK);

    return key;
}


/* URI without the parameters that are left out of a key, told anew. */

static dfp_str_t
without_ns(dfp_str_t uri)
{
    int     query;
    char   *out;
    size_t  i, n, end;

    out = dfp_fuzz_alloc(NULL, uri.len + 1);
    query = 0;

    if (uri.len && memchr(uri.data, '#', uri.len)) {
        return uri;
    }

    for (i = 0, n = 0; i < uri.len; i++) {

        if (query ? uri.data[i] == '&' : uri.data[i] == '?') {

            for (end = i + 1; end < uri.len && uri.data[end] != '&'; end++) {
                /* void */
            }

            query = 1;

            if (end - i > 3 && memcmp(uri.data + i + 1, "ns=", 3) == 0) {
                i = end - 1;
                continue;
            }

            out[n] = (memchr(out, '?', n) == NULL) ? '?' : '&';
            n++;
            continue;
        }

        out[n++] = uri.data[i];
    }

    return (dfp_str_t) { n, out };
}


static void
check_keys(dfp_str_t one, dfp_str_t two)
{
    int        same;
    size_t     i;
    dfp_str_t  key;

    same = dfp_str_eq(without_ns(one), without_ns(two));
    key = key_of(one, 0, 0);

    MUST(dfp_str_eq(key, key_of(two, 0, 0)) == same);
    MUST(!dfp_str_eq(key, key_of(two, 1, 0)));
    MUST(dfp_str_eq(key_of(one, 1, 0), key_of(two, 1, 0)) == same);

    /* what may be read as a line of its own in the cache's file */

    for (i = 0; i < key.len; i++) {
        MUST(key.data[i] != '\n' || memchr(one.data, '\n', one.len));
    }

    if (same) {
        MUST(dfp_str_eq(key_of(one, 0, 1), key_of(two, 0, 1)));
    }
}


static void
check_path(dfp_str_t path)
{
    size_t       i;
    dfp_path_t   result;
    dfp_str_t    rest;
    const char  *part;

    dfp_path_read(path, &result);
    (void) dfp_path_token_query(path);

    if (result.kind != DFP_PATH_MANIFEST && result.kind != DFP_PATH_BLOB) {
        MUST(result.repository.len == 0);
        return;
    }

    part = result.kind == DFP_PATH_BLOB ? "/blobs/" : "/manifests/";

    MUST(result.repository.data == path.data);
    MUST(result.repository.len < path.len);

    rest.data = path.data + result.repository.len;
    rest.len = path.len - result.repository.len;

    MUST(rest.len > strlen(part) && memcmp(rest.data, part, strlen(part)) == 0);

    rest.data += strlen(part);
    rest.len -= strlen(part);

    MUST(dfp_oci_digest_valid(rest)
         || (result.kind == DFP_PATH_MANIFEST && dfp_oci_tag_valid(rest)));

    for (i = 0; i < rest.len; i++) {
        MUST(memchr("/%?#&;", rest.data[i], 6) == NULL);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dfp_str_t    one, two;
    const char  *middle;

    one = (dfp_str_t) { size, (const char *) data };
    two = one;

    middle = size ? memchr(data, '\n', size) : NULL;

    if (middle) {
        one.len = middle - one.data;
        two.data = middle + 1;
        two.len = size - one.len - 1;
    }

    check_keys(one, two);
    check_path(one);
    check_path(two);

    dfp_fuzz_free();

    return 0;
}
