/*
 * Jobs: what is accepted is printed and parsed to the same, keeps its limits,
 * and shows no secret once they are hidden.
 */

#define _GNU_SOURCE    /* strcasestr() */

#include <jansson.h>
#include <strings.h>

#include "dfp_job.h"
#include "dfp_fuzz.h"


#define FUZZ_MAX_TIMEOUT  (DFP_JOB_TIMEOUT_DEFAULT * 24)


static dfp_str_t
print(const dfp_job_t *job, int redact, int *hidden)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    *hidden = dfp_job_print_args(&b, job, redact);
    MUST(!b.failed);

    return dfp_buf_value(&b);
}


static int
in_range(int64_t n, int64_t min, int64_t max)
{
    return n >= min && n <= max;
}


static void
check_limits(const dfp_job_t *job)
{
    size_t  i;

    MUST(job->type == DFP_JOB_IMAGE || job->type == DFP_JOB_FILE);
    MUST(job->nurls <= (job->type == DFP_JOB_FILE ? DFP_JOB_MAX_URLS
                                                  : DFP_JOB_MAX_IMAGES));
    MUST(job->url.len || job->nurls);
    MUST(in_range(job->scope, DFP_SCOPE_DEFAULT,
                  DFP_SCOPE_ALL_PEERS));
    MUST(job->user_id >= 0);
    MUST(job->filter.len > 0);

    MUST(in_range(job->count, 0, DFP_JOB_MAX_COUNT));
    MUST(in_range(job->percentage, 0, 100));
    MUST(in_range(job->success_threshold, 0, 100));
    MUST(in_range(job->concurrent_task_count, 1, DFP_JOB_TASKS_MAX));
    MUST(in_range(job->concurrent_peer_count, 1, DFP_JOB_PEERS_MAX));
    MUST(in_range(job->timeout, DFP_JOB_TIMEOUT_MIN, FUZZ_MAX_TIMEOUT));
    MUST(job->piece_length == 0
         || in_range(job->piece_length, DFP_JOB_PIECE_MIN,
                     DFP_JOB_PIECE_MAX));

    MUST(memchr(job->username.data, ':', job->username.len) == NULL);
    MUST(memchr(job->username.data, '\n', job->username.len) == NULL);
    MUST(memchr(job->password.data, '\r', job->password.len) == NULL);

    for (i = 0; i < job->nclusters; i++) {
        MUST(job->clusters[i] >= 1);
        MUST(i == 0 || job->clusters[i] != job->clusters[i - 1]);
    }
}


/* A request made of these has the headers that it was meant to have. */

static void
check_headers(const dfp_job_t *job)
{
    size_t                   i, k;
    const dfp_job_header_t  *header;

    MUST(job->nheaders <= DFP_JOB_MAX_HEADERS);

    for (i = 0; i < job->nheaders; i++) {
        header = &job->headers[i];

        MUST(header->name.len > 0);
        MUST(header->name.len <= DFP_JOB_MAX_HEADER_NAME);
        MUST(header->value.len <= DFP_JOB_MAX_HEADER_VALUE);
        MUST(strcasecmp(header->name.data, "host") != 0);
        MUST(strncasecmp(header->name.data, "content-", 8) != 0);
        MUST(strncasecmp(header->name.data, "accept", 6) != 0);
        MUST(strncasecmp(header->name.data, "x-forwarded", 11) != 0);
        MUST(strcasecmp(header->name.data, "cookie") != 0);
        MUST(strcasecmp(header->name.data, "range") != 0);
        MUST(strlen(header->name.data) == header->name.len);
        MUST(strlen(header->value.data) == header->value.len);
        MUST(strpbrk(header->name.data, ": \t\r\n") == NULL);
        MUST(strpbrk(header->value.data, "\r\n") == NULL);

        for (k = 0; k < i; k++) {
            MUST(strcasecmp(header->name.data, job->headers[k].name.data)
                 != 0);
        }
    }
}


/* A job that prints the same is the same: print() shows all but the platforms
 * that were parsed. */

static void
check_again(const dfp_job_t *job, dfp_str_t args)
{
    int        hidden;
    dfp_err_t  err;
    dfp_job_t  again;

    MUST(dfp_job_parse_args(dfp_fuzz_mem(), args, &again, &err) == DFP_OK);
    MUST(dfp_str_eq(print(&again, 0, &hidden), args));
    MUST(hidden == 0);

    MUST(dfp_str_eq(again.url, job->url));
    MUST(dfp_str_eq(again.username, job->username));
    MUST(dfp_str_eq(again.password, job->password));
    MUST(dfp_str_eq(again.filter, job->filter));
    MUST(again.nurls == job->nurls);
    MUST(again.nips == job->nips);
    MUST(again.nheaders == job->nheaders);
    MUST(again.scope == job->scope);
    MUST(again.platforms.n == job->platforms.n);
    MUST(again.platforms.all == job->platforms.all);
}


static void
check_hidden(const json_t *args, const char *key)
{
    const char  *text;

    text = json_string_value(json_object_get(args, key));

    MUST(text && (*text == '\0' || strcmp(text, "***") == 0));
}


static void
check_url(const char *shown, dfp_str_t url)
{
    int        changed;
    dfp_str_t  expected;

    MUST(dfp_url_redact(dfp_fuzz_mem(), url, &expected, &changed) == DFP_OK);
    MUST(shown && dfp_str_eq((dfp_str_t) { strlen(shown), shown }, expected));
}


static void
check_redacted(const dfp_job_t *job, dfp_str_t args)
{
    int            hidden;
    size_t         i;
    json_t        *root;
    dfp_str_t      text;
    const json_t  *headers, *urls;

    text = print(job, 1, &hidden);

    /* where it says that nothing is secret, nothing is sealed */
    MUST(hidden || dfp_str_eq(text, args));

    root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    MUST(root != NULL);

    check_hidden(root, "username");
    check_hidden(root, "password");

    headers = json_object_get(root, "headers");

    for (i = 0; i < job->nheaders; i++) {
        if (strcasecmp(job->headers[i].name.data, "User-Agent") != 0
            && strcasestr(job->headers[i].name.data, "date") == NULL
            && strcasecmp(job->headers[i].name.data, "X-Ms-Version") != 0
            && strcasestr(job->headers[i].name.data, "sha256") == NULL)
        {
            check_hidden(headers, job->headers[i].name.data);
        }
    }

    check_url(json_string_value(json_object_get(root, "url")), job->url);
    urls = json_object_get(root, "urls");

    for (i = 0; i < job->nurls; i++) {
        check_url(json_string_value(json_array_get(urls, i)), job->urls[i]);
    }

    json_decref(root);
}


static void
check_urls(const dfp_job_t *job)
{
    size_t      n;
    dfp_str_t  *urls;

    MUST(dfp_job_urls(dfp_fuzz_mem(), job, &urls, &n) == DFP_OK);
    MUST(n >= 1 && n <= job->nurls + 1);
    MUST(dfp_str_eq(urls[0], job->url.len ? job->url : job->urls[0]));
}


/* A webhook is sealed as text, and can be used when it is unsealed. */

static void
check_webhook(const dfp_job_t *job)
{
    char           signature[DFP_WEBHOOK_SIGNATURE_LEN + 1];
    dfp_buf_t      b;
    dfp_err_t      err;
    dfp_webhook_t  again;

    if (job->webhook.url.href.len == 0) {
        return;
    }

    MUST(in_range(job->webhook.secret.len, 1, DFP_WEBHOOK_MAX_SECRET));
    MUST(in_range(job->webhook.key.len, 1, DFP_WEBHOOK_MAX_SECRET));

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_webhook_print(&b, &job->webhook);
    MUST(!b.failed);

    MUST(dfp_webhook_open(dfp_fuzz_mem(), dfp_buf_value(&b), &again, &err)
         == DFP_OK);
    MUST(dfp_str_eq(again.url.href, job->webhook.url.href));
    MUST(dfp_str_eq(again.secret, job->webhook.secret));
    MUST(dfp_str_eq(again.key, job->webhook.key));

    MUST(dfp_webhook_sign(&again, dfp_buf_value(&b), signature) == DFP_OK);
    MUST(strlen(signature) == DFP_WEBHOOK_SIGNATURE_LEN);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int        rc, hidden;
    dfp_err_t  err;
    dfp_job_t  job;
    dfp_str_t  args;
    dfp_str_t  body = { size, (const char *) data };

    rc = dfp_job_parse(dfp_fuzz_mem(), body, FUZZ_MAX_TIMEOUT, &job, &err);

    if (rc == DFP_OK) {
        args = print(&job, 0, &hidden);
        MUST(hidden == 0);

        check_limits(&job);
        check_headers(&job);
        check_again(&job, args);
        check_redacted(&job, args);
        check_urls(&job);
        check_webhook(&job);

    } else {
        MUST(rc == DFP_INVALID);
        MUST(strlen(err.text) > 0);
        MUST(strpbrk(err.text, "\r\n") == NULL);
    }

    dfp_fuzz_free();

    return 0;
}
