/*
 * The ids of Dragonfly's tasks.
 */

#include "dfp_buf.h"
#include "dfp_d7y_parser.h"


#define DFP_D7Y_TASK_TYPE   "STANDARD"


/* dfdaemon checks nothing of a digest but its length. */
typedef struct {
    dfp_str_t    name;          /* with its ":" */
    size_t       len;
} dfp_d7y_algorithm_t;


static int dfp_d7y_blob_digest(dfp_str_t url, dfp_str_t *digest);
static const char *dfp_d7y_behind(const char *p, const char *last,
    const char *part);
static dfp_rc_t dfp_d7y_blob_id(dfp_mem_t *mem, dfp_str_t digest,
    dfp_str_t *id);


static const dfp_d7y_algorithm_t  dfp_d7y_algorithms[] = {
    { { sizeof("crc32:") - 1, "crc32:" }, 10 },
    { { sizeof("sha256:") - 1, "sha256:" }, 64 },
    { { sizeof("sha512:") - 1, "sha512:" }, 128 }
};


dfp_rc_t
dfp_d7y_task_id(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    dfp_str_t *id)
{
    char          *hex;
    dfp_rc_t       rc;
    size_t         n;
    dfp_buf_t      b;
    dfp_str_t      text, *names;
    dfp_d7y_url_t  url;

    if (request->blob_digest && dfp_d7y_blob_digest(request->url, &text)) {
        return dfp_d7y_blob_id(mem, text, id);
    }

    rc = dfp_d7y_url_split(mem, request->url, &url);
    if (rc != DFP_OK) {
        return rc;
    }

    if (dfp_d7y_names(mem, request->filter, &names, &n) != DFP_OK
        || dfp_d7y_url_print(mem, &url, names, n, &text) != DFP_OK)
    {
        return DFP_ERROR;
    }

    dfp_buf_init(&b, mem, 0, 0);
    dfp_buf_str(&b, text);
    dfp_buf_str(&b, request->tag);
    dfp_buf_str(&b, request->application);

    if (request->piece_length > 0) {
        dfp_buf_int(&b, request->piece_length);
    }

    dfp_buf_cstr(&b, DFP_D7Y_TASK_TYPE);

    hex = mem->alloc(mem->ctx, DFP_SHA256_HEX_LEN + 1);

    if (b.failed || hex == NULL
        || dfp_sha256_hex(dfp_buf_value(&b), hex) != DFP_OK)
    {
        return DFP_ERROR;
    }

    *id = (dfp_str_t) { DFP_SHA256_HEX_LEN, hex };

    return DFP_OK;
}


/*
 * What follows the last "/blobs/" of a URL, up to a "?", if "://" and "/v2/"
 * come before it. dfdaemon searches the whole URL, also its query.
 */

static int
dfp_d7y_blob_digest(dfp_str_t url, dfp_str_t *digest)
{
    const char  *p, *last, *end;

    last = url.data + url.len;
    *digest = DFP_STR_NULL;

    p = dfp_d7y_behind(url.data, last, "://");
    p = dfp_d7y_behind(p, last, "/v2/");

    for ( ;; ) {
        p = dfp_d7y_behind(p, last, "/blobs/");

        if (p == last) {
            return digest->len > 0;
        }

        if (*p != '?') {
            end = p;
            *digest = dfp_str_until(&end, last, "?");
        }

        /* the "/" at its end may be the first of the next one */

        p--;
    }
}


/* Returns the end of PART between P and LAST; LAST if it is not there. */

static const char *
dfp_d7y_behind(const char *p, const char *last, const char *part)
{
    p = dfp_str_find((dfp_str_t) { last - p, p }, part);

    return p ? p + strlen(part) : last;
}


static dfp_rc_t
dfp_d7y_blob_id(dfp_mem_t *mem, dfp_str_t digest, dfp_str_t *id)
{
    size_t                      i, n;
    const dfp_d7y_algorithm_t  *a;

    n = sizeof(dfp_d7y_algorithms) / sizeof(dfp_d7y_algorithm_t);

    for (i = 0; i < n; i++) {
        a = &dfp_d7y_algorithms[i];

        if (digest.len == a->name.len + a->len
            && memcmp(digest.data, a->name.data, a->name.len) == 0)
        {
            id->len = a->len;
            id->data = dfp_strdup(mem, digest.data + a->name.len, a->len);

            return id->data ? DFP_OK : DFP_ERROR;
        }
    }

    return DFP_INVALID;
}


dfp_rc_t
dfp_d7y_stat_finds(dfp_mem_t *mem, const dfp_d7y_request_t *request)
{
    dfp_rc_t       rc;
    size_t         n;
    dfp_str_t      one, two, *names;
    dfp_d7y_url_t  url;

    rc = dfp_d7y_url_split(mem, request->url, &url);

    if (rc != DFP_OK) {
        return (rc == DFP_ERROR) ? DFP_ERROR : DFP_DECLINED;
    }

    /* the scheduler takes it for a directory */

    if (request->url.data[request->url.len - 1] == '/') {
        return DFP_DECLINED;
    }

    if (dfp_d7y_names(mem, request->filter, &names, &n) != DFP_OK) {
        return DFP_ERROR;
    }

    /* without a filter the scheduler uses its own */

    if (n == 0) {
        one = dfp_cstr(dfp_job_default_filter);

        if (dfp_d7y_names(mem, one, &names, &n) != DFP_OK) {
            return DFP_ERROR;
        }
    }

    if (dfp_d7y_url_print(mem, &url, names, n, &one) != DFP_OK) {
        return DFP_ERROR;
    }

    rc = dfp_d7y_url_print_go(mem, &url, names, n, &two);

    if (rc != DFP_OK) {
        return rc;
    }

    return dfp_str_eq(one, two) ? DFP_OK : DFP_DECLINED;
}


dfp_rc_t
dfp_d7y_names(dfp_mem_t *mem, dfp_str_t filter, dfp_str_t **names, size_t *n)
{
    size_t  i, start, count;

    *names = NULL;
    *n = 0;

    count = 1;

    for (i = 0; i < filter.len; i++) {
        count += (filter.data[i] == '&');
    }

    if (filter.len == 0) {
        return DFP_OK;
    }

    *names = mem->alloc(mem->ctx, count * sizeof(dfp_str_t));
    if (*names == NULL) {
        return DFP_ERROR;
    }

    start = 0;

    for (i = 0; i <= filter.len; i++) {

        if (i < filter.len && filter.data[i] != '&') {
            continue;
        }

        if (i > start) {
            (*names)[(*n)++] = (dfp_str_t) { i - start, filter.data + start };
        }

        start = i + 1;
    }

    return DFP_OK;
}
