/*
 * The headers of a job, which are sent with its requests.
 */

#include <stdio.h>

#include "dfp_char.h"
#include "dfp_job_parser.h"


static dfp_rc_t dfp_job_parse_header(dfp_json_t *in, const char *name,
    const json_t *value, dfp_job_header_t *header);
static int dfp_job_header_token(dfp_str_t name);
static int dfp_job_header_harmless(dfp_str_t name);
static int dfp_job_header_credential(dfp_str_t name);
static int dfp_job_header_starts(dfp_str_t name, const char *start);
static int dfp_job_header_ends(dfp_str_t name, const char *end);
static int dfp_job_header_printable(dfp_str_t value);
static int dfp_job_header_twice(const dfp_job_t *job, dfp_str_t name);


/*
 * Everybody gets from the cache what a header of one job has decided about an
 * answer. So a job may have headers that identify the client, and a few that
 * do not change the answer. It must not have headers that a proxy sets itself,
 * that concern a connection, a range or another form of the content, or that
 * servers trust if they come from a proxy.
 */

/* not secret; the dates are part of signed requests */
static const char *const  dfp_job_harmless_headers[] = {
    "User-Agent", "Date", "X-Amz-Date", "X-Amz-Content-Sha256",
    "X-Goog-Date", "X-Ms-Date", "X-Ms-Version", "X-Oss-Date", "X-Obs-Date",
    "X-Tos-Date", NULL
};

/* how names of credentials end, and their last words */
static const char *const  dfp_job_credential_ends[] = {
    "authorization", "token", "key", "secret", "password", "passwd",
    "credential", "credentials", "signature", "bearer", NULL
};

static const char *const  dfp_job_credential_words[] = {
    "auth", "api", "jwt", "pat", "pass", "pwd", "otp", "sig", "hmac", "session",
    "ticket", "key-id", "client-id", NULL
};

/* except for names that begin so; some servers take "_" for "-" */
static const char *const  dfp_job_refused_starts[] = {
    "sec-", "proxy-", "x-forwarded", "x-original", "x-rewrite", "x-accel",
    "x-cache", "cache-", "surrogate-", "content-", "accept", "cookie", "if-",
    "x-http-", NULL
};


dfp_rc_t
dfp_job_parse_headers(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t       rc;
    void          *it;
    size_t         n;
    const char    *name;
    json_t        *list;
    const json_t  *object;

    object = NULL;

    rc = dfp_json_object(in, "headers", &object);
    if (rc != DFP_OK || object == NULL) {
        return rc;
    }

    n = json_object_size(object);

    if (n > DFP_JOB_MAX_HEADERS) {
        return dfp_invalid(in->err, "args.headers must not have more than %d "
                           "headers", DFP_JOB_MAX_HEADERS);
    }

    if (n == 0) {
        return DFP_OK;
    }

    job->headers = in->mem->alloc(in->mem->ctx, n * sizeof(dfp_job_header_t));
    if (job->headers == NULL) {
        return DFP_ERROR;
    }

    /* jansson's iterator needs an object that is not const */

    list = (json_t *) object;

    for (it = json_object_iter(list); it; it = json_object_iter_next(list, it))
    {
        name = json_object_iter_key(it);

        rc = dfp_job_parse_header(in, name, json_object_iter_value(it),
                                  &job->headers[job->nheaders]);
        if (rc != DFP_OK) {
            return rc;
        }

        /* to a server, "x-one" is a second "X-One" */

        if (dfp_job_header_twice(job, job->headers[job->nheaders].name)) {
            return dfp_invalid(in->err, "args.headers must not contain %s "
                               "twice",
                               name);
        }

        job->nheaders++;
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_job_parse_header(dfp_json_t *in, const char *name, const json_t *value,
    dfp_job_header_t *header)
{
    dfp_rc_t   rc;
    char       what[DFP_JSON_WHAT_LEN];
    dfp_str_t  given;

    given.data = name;
    given.len = strlen(name);

    /* until it is checked, the name cannot be shown */

    if (given.len > DFP_JOB_MAX_HEADER_NAME || !dfp_job_header_token(given)) {
        return dfp_invalid(in->err, "args.headers must have names of 1 to %d "
                           "letters, digits and any of !#$%%&'*+-.^_`|~",
                           DFP_JOB_MAX_HEADER_NAME);
    }

    if (!dfp_job_header_harmless(given) && !dfp_job_header_credential(given)) {
        return dfp_invalid(in->err, "args.headers must not contain %s: only "
                           "Authorization, User-Agent and headers "
                           "whose names end in a word for a "
                           "credential, such as X-Api-Key, "
                           "PRIVATE-TOKEN and X-Registry-Auth, are "
                           "passed on", name);
    }

    header->name.data = dfp_strdup(in->mem, name, given.len);
    header->name.len = given.len;

    if (header->name.data == NULL) {
        return DFP_ERROR;
    }

    (void) snprintf(what, sizeof(what), "args.headers.%s", name);

    rc = dfp_json_value_line(in, value, what, DFP_JOB_MAX_HEADER_VALUE,
                             &header->value);
    if (rc != DFP_OK) {
        return rc;
    }

    if (!dfp_job_header_printable(header->value)) {
        return dfp_invalid(in->err, "%s must not contain control characters",
                           what);
    }

    return DFP_OK;
}


/* A token (RFC 9110, 5.6.2). */

static int
dfp_job_header_token(dfp_str_t name)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {
        if (!dfp_tchar(name.data[i])) {
            return 0;
        }
    }

    return name.len != 0;
}


static int
dfp_job_header_harmless(dfp_str_t name)
{
    const char *const  *p;

    for (p = dfp_job_harmless_headers; *p; p++) {
        if (dfp_str_case_eq(name, dfp_cstr(*p))) {
            return 1;
        }
    }

    return 0;
}


static int
dfp_job_header_credential(dfp_str_t name)
{
    size_t              len;
    const char *const  *p;

    for (p = dfp_job_refused_starts; *p; p++) {
        if (dfp_job_header_starts(name, *p)) {
            return 0;
        }
    }

    for (p = dfp_job_credential_ends; *p; p++) {
        if (dfp_job_header_ends(name, *p)) {
            return 1;
        }
    }

    for (p = dfp_job_credential_words; *p; p++) {
        len = strlen(*p);

        if (dfp_job_header_ends(name, *p)
            && (name.len == len
                || memchr("-_.", name.data[name.len - len - 1], 3)))
        {
            return 1;
        }
    }

    return 0;
}


static int
dfp_job_header_starts(dfp_str_t name, const char *start)
{
    char    ch;
    size_t  i;

    for (i = 0; start[i]; i++) {

        if (i == name.len) {
            return 0;
        }

        ch = (name.data[i] == '_') ? '-' : dfp_lower(name.data[i]);

        if (ch != start[i]) {
            return 0;
        }
    }

    return 1;
}


static int
dfp_job_header_ends(dfp_str_t name, const char *end)
{
    size_t  len;

    len = strlen(end);

    return name.len >= len
           && dfp_str_case_eq((dfp_str_t) { len, name.data + name.len - len },
                              (dfp_str_t) { len, end });
}


/* A value without control characters but tabs (RFC 9110, 5.5). */

static int
dfp_job_header_printable(dfp_str_t value)
{
    size_t  i;

    for (i = 0; i < value.len; i++) {
        if (dfp_control(value.data[i])) {
            return 0;
        }
    }

    return 1;
}


static int
dfp_job_header_twice(const dfp_job_t *job, dfp_str_t name)
{
    size_t  i;

    for (i = 0; i < job->nheaders; i++) {
        if (dfp_str_case_eq(job->headers[i].name, name)) {
            return 1;
        }
    }

    return 0;
}


/* Any header that is not known to be harmless may be secret. */

int
dfp_job_header_secret(dfp_str_t name)
{
    return !dfp_job_header_harmless(name);
}


int
dfp_job_header_authorization(dfp_str_t name)
{
    return dfp_str_case_eq(name, DFP_STR("authorization"));
}


int
dfp_header_personal(dfp_str_t name)
{
    const char *const  *p;

    static const char *const  starts[] = {
        "authorization", "cookie", "proxy-auth", "x-forwarded-user",
        "x-forwarded-email", "x-forwarded-groups", "x-forwarded-preferred-user",
        "x-forwarded-access-token", NULL
    };

    static const char *const  ends[] = {
        "user", "username", "userid", "email", "groups", "identity",
        "principal", "assertion", "cert", NULL
    };

    for (p = starts; *p; p++) {
        if (dfp_job_header_starts(name, *p)) {
            return 1;
        }
    }

    for (p = ends; *p; p++) {
        if (dfp_job_header_ends(name, *p)) {
            return 1;
        }
    }

    return dfp_job_header_credential(name);
}
