/*
 * What the tests of jobs share: bodies, what becomes of them, and jobs
 * compared.
 */

#ifndef JOB_TEST_H
#define JOB_TEST_H


#include "dfp_job.h"
#include "dfp_test.h"


#define HOUR       INT64_C(3600000000000)
#define DAY        (24 * HOUR)
#define FILE_URL   "\"type\":\"file\",\"url\":\"http://files.lan/a\""
#define IMAGE_URL  "https://registry.lan/v2/library/alpine/manifests/3.19"


static dfp_err_t  err;


/* A job's body may be long: as much of it as tells which one it is. */
#define BRIEF(body)  text_of("%.100s", (body).len ? (body).data : "").data


static inline const char *
repeated(char ch, size_t n)
{
    char  *text;

    text = dfp_test_alloc(NULL, n + 1);
    memset(text, ch, n);
    text[n] = '\0';

    return text;
}


/* A list of N elements: the same one, each time. */

static inline const char *
list_of(const char *element, size_t n)
{
    char    *text;
    size_t   i, len;

    len = strlen(element);
    text = dfp_test_alloc(NULL, n * (len + 1) + 3);

    for (i = 0; i < n; i++) {
        text[i * (len + 1)] = i ? ',' : '[';
        memcpy(&text[i * (len + 1) + 1], element, len);
    }

    memcpy(&text[n * (len + 1)], n ? "]" : "[]", n ? 2 : 3);

    return text;
}


static inline int
parse(dfp_str_t body, dfp_job_t *job)
{
    err.text[0] = '\0';

    return dfp_job_parse(dfp_test_mem(), body, DAY, job, &err);
}


static inline void
check_refused(dfp_str_t body, const char *facts, int line)
{
    int        rc;
    dfp_job_t  job;

    rc = parse(body, &job);

    dfp_test_check_int(rc, DFP_INVALID, line, BRIEF(body));
    dfp_test_check_says(err.text, facts, line, "the message");
}


static inline void
check_taken(dfp_str_t body, dfp_job_t *job, int line)
{
    if (!dfp_test_check_int(parse(body, job), DFP_OK, line, BRIEF(body))) {
        printf("#   %s\n", err.text);
        memset(job, 0, sizeof(dfp_job_t));
    }
}


/* the whole body; fields beside type and args; fields of args of a file */

#define REFUSED_BODY(body, facts)                                             \
    check_refused(body, facts, __LINE__)
#define REFUSED_TOP(fields, facts)                                            \
    check_refused(text_of("{\"type\":\"preheat\",\"args\":{" FILE_URL "},%s}",\
                          fields), facts, __LINE__)
#define REFUSED(fields, facts)                                                \
    check_refused(text_of("{\"type\":\"preheat\",\"args\":{" FILE_URL         \
                          ",%s}}", fields), facts, __LINE__)
#define REFUSED_ARGS(args, facts)                                             \
    check_refused(text_of("{\"type\":\"preheat\",\"args\":{%s}}", args),      \
                  facts, __LINE__)

#define TAKEN_BODY(body, job)                                                 \
    check_taken(body, job, __LINE__)
#define TAKEN_TOP(fields, job)                                                \
    check_taken(text_of("{\"type\":\"preheat\",\"args\":{" FILE_URL "},%s}",  \
                        fields), job, __LINE__)
#define TAKEN(fields, job)                                                    \
    check_taken(text_of("{\"type\":\"preheat\",\"args\":{" FILE_URL ",%s}}",  \
                        fields), job, __LINE__)
#define TAKEN_ARGS(args, job)                                                 \
    check_taken(text_of("{\"type\":\"preheat\",\"args\":{%s}}", args), job,   \
                __LINE__)

/* a field of args with a text of this many bytes */
#define FILLED(key, n)                                                        \
    text_of("\"%s\":\"%s\"", key, repeated('x', n)).data


static inline const char *
printed(const dfp_job_t *job, int redact, int *hidden)
{
    int        rc;
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    rc = dfp_job_print_args(&b, job, redact);
    dfp_buf_append(&b, "", 1);
    CHECK(!b.failed);

    if (hidden) {
        *hidden = rc;

    } else {
        CHECK_INT(rc, 0);
    }

    return b.data;
}


static inline void
check_same_list(const dfp_str_t *a, size_t na, const dfp_str_t *b, size_t nb)
{
    size_t  i;

    if (!CHECK_INT(na, nb)) {
        return;
    }

    for (i = 0; i < na; i++) {
        CHECK_SAME(a[i], b[i]);
    }
}


static inline void
check_same(const dfp_job_t *a, const dfp_job_t *b)
{
    size_t  i;

    CHECK_INT(a->type, b->type);
    CHECK_INT(a->scope, b->scope);
    CHECK_SAME(a->url, b->url);
    check_same_list(a->urls, a->nurls, b->urls, b->nurls);
    CHECK_SAME(a->tag, b->tag);
    CHECK_SAME(a->application, b->application);
    CHECK_SAME(a->filter, b->filter);
    CHECK_SAME(a->username, b->username);
    CHECK_SAME(a->password, b->password);
    CHECK_SAME(a->platform, b->platform);
    CHECK_INT(a->platforms.n, b->platforms.n);
    CHECK_INT(a->platforms.all, b->platforms.all);
    check_same_list(a->ips, a->nips, b->ips, b->nips);
    CHECK_INT(a->count, b->count);
    CHECK_INT(a->percentage, b->percentage);
    CHECK_INT(a->piece_length, b->piece_length);
    CHECK_INT(a->concurrent_task_count, b->concurrent_task_count);
    CHECK_INT(a->concurrent_peer_count, b->concurrent_peer_count);
    CHECK_INT(a->timeout, b->timeout);
    CHECK_SAME(a->digest, b->digest);
    CHECK_INT(a->size, b->size);
    CHECK_INT(a->refresh, b->refresh);
    CHECK_INT(a->blob_digest, b->blob_digest);

    if (CHECK_INT(a->nheaders, b->nheaders)) {
        for (i = 0; i < a->nheaders; i++) {
            CHECK_SAME(a->headers[i].name, b->headers[i].name);
            CHECK_SAME(a->headers[i].value, b->headers[i].value);
        }
    }
}


/* Printed with its secrets and parsed again, a job is the same. */

static inline void
check_round_trip(const dfp_job_t *job)
{
    dfp_job_t  again;

    CHECK_INT(dfp_job_parse_args(dfp_test_mem(),
                                 dfp_test_str(printed(job, 0, NULL)), &again,
                                 &err), DFP_OK);
    check_same(job, &again);
}


#endif /* JOB_TEST_H */
