/*
 * The body of POST /oapi/v1/jobs.
 */

#include <arpa/inet.h>
#include <stdio.h>

#include "dfp_escape.h"
#include "dfp_job_parser.h"


static dfp_rc_t dfp_job_parse_body(dfp_json_t *in, int64_t max_timeout,
    dfp_job_t *job);
static dfp_rc_t dfp_job_parse_clusters(dfp_json_t *in, dfp_job_t *job);
static dfp_rc_t dfp_job_add_cluster(dfp_json_t *in, const json_t *value,
    size_t i, dfp_job_t *job);
static dfp_rc_t dfp_job_parse_fields(dfp_json_t *in, int64_t max_timeout,
    dfp_job_t *job);
static dfp_rc_t dfp_job_parse_type(dfp_json_t *in, dfp_job_t *job);
static dfp_rc_t dfp_job_parse_url(dfp_json_t *in, dfp_job_t *job);
static dfp_rc_t dfp_job_parse_urls(dfp_json_t *in, dfp_job_t *job);
static dfp_rc_t dfp_job_check_url(dfp_json_t *in, const dfp_job_t *job,
    dfp_str_t *text, const char *what);
static dfp_rc_t dfp_job_parse_ips(dfp_json_t *in, dfp_job_t *job);
static dfp_rc_t dfp_job_parse_counts(dfp_json_t *in, dfp_job_t *job);
static dfp_rc_t dfp_job_parse_strings(dfp_json_t *in, const char *key,
    size_t max, size_t max_len, dfp_str_t **list, size_t *n);


static const dfp_json_name_t  dfp_job_types[] = {
    { "image", DFP_JOB_IMAGE },
    { "file", DFP_JOB_FILE },
    { NULL, 0 }
};

static const dfp_json_name_t  dfp_job_scopes[] = {
    { "single_seed_peer", DFP_SCOPE_SINGLE_SEED_PEER },
    { "all_seed_peers", DFP_SCOPE_ALL_SEED_PEERS },
    { "all_peers", DFP_SCOPE_ALL_PEERS },
    { "single_peer", DFP_SCOPE_ALL_PEERS },
    { NULL, 0 }
};


dfp_rc_t
dfp_job_parse(dfp_mem_t *mem, dfp_str_t body, int64_t max_timeout,
    dfp_job_t *job, dfp_err_t *err)
{
    dfp_rc_t    rc;
    dfp_json_t  in;

    memset(job, 0, sizeof(dfp_job_t));

    rc = dfp_json_open(&in, mem, body, "the body", "", err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_job_parse_body(&in, max_timeout, job);

    dfp_json_close(&in);

    return rc;
}


dfp_rc_t
dfp_job_parse_args(dfp_mem_t *mem, dfp_str_t args, dfp_job_t *job,
    dfp_err_t *err)
{
    dfp_rc_t    rc;
    dfp_json_t  in;

    memset(job, 0, sizeof(dfp_job_t));

    rc = dfp_json_open(&in, mem, args, "args", "args.", err);
    if (rc != DFP_OK) {
        return rc;
    }

    /* a client cannot set these fields: a body is parsed without them */

    rc = dfp_job_parse_action(&in, job);

    if (rc == DFP_OK) {
        rc = dfp_json_line(&in, "pushed", DFP_OCI_MAX_DIGEST, &job->pushed);
    }

    /* the limit was checked when the job was posted, and may have changed */

    if (rc == DFP_OK) {
        rc = dfp_job_of_task(job->action)
             ? dfp_job_parse_stored_task(&in, job)
             : dfp_job_parse_fields(&in, INT64_MAX, job);
    }

    dfp_json_close(&in);

    return rc;
}


static dfp_rc_t
dfp_job_parse_body(dfp_json_t *in, int64_t max_timeout, dfp_job_t *job)
{
    dfp_rc_t       rc;
    dfp_json_t     sub;
    const json_t  *args;

    static const dfp_json_range_t  user_ids = { 0, INT64_MAX, 0, "" };

    rc = dfp_job_parse_kind(in, job);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_json_text(in, "bio", DFP_JOB_MAX_TEXT, &job->bio);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_json_int(in, "user_id", &user_ids, &job->user_id);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_job_parse_clusters(in, job);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_webhook_parse(in, &job->webhook);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_job_parse_dry(in, job);
    if (rc != DFP_OK) {
        return rc;
    }

    args = NULL;

    rc = dfp_json_object(in, "args", &args);
    if (rc != DFP_OK) {
        return rc;
    }

    sub = *in;
    sub.object = args;
    sub.prefix = "args.";

    if (dfp_job_of_task(job->action)) {
        return dfp_job_parse_task(&sub, max_timeout, job);
    }

    if (args == NULL) {
        return dfp_invalid(in->err, "args is required");
    }

    return job->action == DFP_JOB_DISTRIBUTION
           ? dfp_job_parse_distribution(&sub, max_timeout, job)
           : dfp_job_parse_fields(&sub, max_timeout, job);
}


static dfp_rc_t
dfp_job_parse_clusters(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t       rc;
    size_t         i, n;
    const json_t  *array;

    array = NULL;

    rc = dfp_json_array(in, "scheduler_cluster_ids", DFP_JOB_MAX_CLUSTERS,
                        &array);
    if (rc != DFP_OK) {
        return rc;
    }

    n = json_array_size(array);
    if (n == 0) {
        return DFP_OK;
    }

    job->clusters = in->mem->alloc(in->mem->ctx, n * sizeof(int64_t));
    if (job->clusters == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < n; i++) {
        rc = dfp_job_add_cluster(in, json_array_get(array, i), i, job);
        if (rc != DFP_OK) {
            return rc;
        }
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_job_add_cluster(dfp_json_t *in, const json_t *value, size_t i,
    dfp_job_t *job)
{
    size_t   k;
    int64_t  id;

    id = json_integer_value(value);

    if (!json_is_integer(value) || id < 1) {
        return dfp_invalid(in->err, "scheduler_cluster_ids[%zu] must be an "
                           "integer of at least 1", i);
    }

    for (k = 0; k < job->nclusters; k++) {
        if (job->clusters[k] == id) {
            return DFP_OK;
        }
    }

    job->clusters[job->nclusters++] = id;

    return DFP_OK;
}


static dfp_rc_t
dfp_job_parse_fields(dfp_json_t *in, int64_t max_timeout, dfp_job_t *job)
{
    dfp_rc_t  rc;
    size_t    i;

    /* the type first: what is required depends on it */

    static dfp_rc_t  (*const parsers[])(dfp_json_t *, dfp_job_t *) = {
        dfp_job_parse_type,
        dfp_job_parse_url,
        dfp_job_parse_urls,
        dfp_job_parse_texts,
        dfp_job_parse_credentials,
        dfp_job_parse_headers,
        dfp_job_parse_ips,
        dfp_job_parse_counts,
        dfp_job_parse_blob_digest,
        dfp_job_parse_checks
    };

    for (i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
        rc = parsers[i](in, job);
        if (rc != DFP_OK) {
            return rc;
        }
    }

    return dfp_job_parse_sizes(in, max_timeout, job);
}


static dfp_rc_t
dfp_job_parse_type(dfp_json_t *in, dfp_job_t *job)
{
    int       value;
    dfp_rc_t  rc;

    value = 0;

    rc = dfp_json_choice(in, "type", dfp_job_types, &value);
    if (rc != DFP_OK) {
        return rc;
    }

    if (value == 0) {
        return dfp_invalid(in->err, "args.type is required, and must be image "
                           "or file");
    }

    job->type = value;

    value = DFP_SCOPE_DEFAULT;

    rc = dfp_json_choice(in, "scope", dfp_job_scopes, &value);

    job->scope = value;

    return rc;
}


static dfp_rc_t
dfp_job_parse_url(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t  rc;

    rc = dfp_json_line(in, "url", DFP_URL_MAX_LEN, &job->url);

    if (rc != DFP_OK || job->url.len == 0) {
        return rc;
    }

    return dfp_job_check_url(in, job, &job->url, "args.url");
}


static dfp_rc_t
dfp_job_parse_urls(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t  rc;
    char      what[DFP_JSON_WHAT_LEN];
    size_t    i, max;

    max = (job->type == DFP_JOB_IMAGE) ? DFP_JOB_MAX_IMAGES : DFP_JOB_MAX_URLS;

    rc = dfp_job_parse_strings(in, "urls", max, DFP_URL_MAX_LEN, &job->urls,
                               &job->nurls);
    if (rc != DFP_OK) {
        return rc;
    }

    if (job->url.len == 0 && job->nurls == 0) {
        return dfp_invalid(in->err, "args.url or args.urls is required");
    }

    for (i = 0; i < job->nurls; i++) {
        (void) snprintf(what, sizeof(what), "args.urls[%zu]", i);

        rc = dfp_job_check_url(in, job, &job->urls[i], what);
        if (rc != DFP_OK) {
            return rc;
        }
    }

    return DFP_OK;
}


/* Removes docker:// from an image. It is not the scheme of a URL, and what is
 * before a digest is not a user name. */

static dfp_rc_t
dfp_job_check_url(dfp_json_t *in, const dfp_job_t *job, dfp_str_t *text,
    const char *what)
{
    dfp_rc_t       rc;
    dfp_url_t      url;
    dfp_oci_ref_t  ref;

    if (job->type == DFP_JOB_FILE) {
        rc = dfp_escape_url(in->mem, *text, text);

        return rc == DFP_OK
               ? dfp_url_parse(in->mem, *text, what, &url, in->err) : rc;
    }

    rc = dfp_oci_parse_image(in->mem, *text, what, &ref, in->err);

    *text = dfp_oci_reference(*text);

    return rc;
}


static dfp_rc_t
dfp_job_parse_ips(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t         rc;
    size_t           i;
    const char      *ip;
    const json_t    *array;
    struct in6_addr  addr;

    array = NULL;

    rc = dfp_json_array(in, "ips", DFP_JOB_MAX_IPS, &array);
    if (rc != DFP_OK) {
        return rc;
    }

    /* an empty list could mean no peer or all peers */

    if (array && json_array_size(array) == 0) {
        return dfp_invalid(in->err, "args.ips must have 1 to %d elements",
                           DFP_JOB_MAX_IPS);
    }

    rc = dfp_job_parse_strings(in, "ips", DFP_JOB_MAX_IPS, INET6_ADDRSTRLEN,
                               &job->ips, &job->nips);
    if (rc != DFP_OK) {
        return rc;
    }

    for (i = 0; i < job->nips; i++) {
        ip = job->ips[i].data;

        if (inet_pton(AF_INET, ip, &addr) != 1
            && inet_pton(AF_INET6, ip, &addr) != 1)
        {
            return dfp_invalid(in->err, "args.ips[%zu] must be an IPv4 or "
                               "IPv6 address", i);
        }
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_job_parse_counts(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t  rc;

    static const dfp_json_range_t  counts = { 1, DFP_JOB_MAX_COUNT, 0, "" };
    static const dfp_json_range_t  percentages = { 1, 100, 0, "" };
    static const dfp_json_range_t  thresholds = { 1, 100, 0, "" };
    static const dfp_json_range_t  tasks = { 1, DFP_JOB_TASKS_MAX, 1, "" };
    static const dfp_json_range_t  peers = { 1, DFP_JOB_PEERS_MAX, 1, "" };

    rc = dfp_job_parse_int(in, "count", &counts, &job->count);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_job_parse_int(in, "percentage", &percentages, &job->percentage);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_job_parse_int(in, "success_threshold", &thresholds,
                           &job->success_threshold);
    if (rc != DFP_OK) {
        return rc;
    }

    job->concurrent_task_count = DFP_JOB_TASKS_DEFAULT;

    rc = dfp_job_parse_int(in, "concurrent_task_count", &tasks,
                           &job->concurrent_task_count);
    if (rc != DFP_OK) {
        return rc;
    }

    job->concurrent_peer_count = DFP_JOB_PEERS_DEFAULT;

    return dfp_job_parse_int(in, "concurrent_peer_count", &peers,
                             &job->concurrent_peer_count);
}


/* A list of strings, each of at most MAX_LEN bytes. */

static dfp_rc_t
dfp_job_parse_strings(dfp_json_t *in, const char *key, size_t max,
    size_t max_len, dfp_str_t **list, size_t *n)
{
    dfp_rc_t       rc;
    char           what[DFP_JSON_WHAT_LEN];
    size_t         i, size;
    const json_t  *array;

    array = NULL;

    rc = dfp_json_array(in, key, max, &array);
    if (rc != DFP_OK) {
        return rc;
    }

    size = json_array_size(array);
    if (size == 0) {
        return DFP_OK;
    }

    *list = in->mem->alloc(in->mem->ctx, size * sizeof(dfp_str_t));
    if (*list == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < size; i++) {
        (void) snprintf(what, sizeof(what), "args.%s[%zu]", key, i);

        rc = dfp_json_value_line(in, json_array_get(array, i), what, max_len,
                                 &(*list)[i]);
        if (rc != DFP_OK) {
            return rc;
        }
    }

    *n = size;

    return DFP_OK;
}


dfp_job_scope_t
dfp_job_scope(dfp_str_t name)
{
    const dfp_json_name_t  *p;

    for (p = dfp_job_scopes; p->name; p++) {
        if (dfp_str_eq(name, dfp_cstr(p->name))) {
            return p->value;
        }
    }

    return DFP_SCOPE_DEFAULT;
}
