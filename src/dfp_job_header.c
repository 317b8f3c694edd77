/*
 * The headers of a job, which go out with its requests.
 */

#include <stdio.h>
#include <strings.h>

#include "dfp_job_parser.h"


static int dfp_job_parse_header(dfp_json_t *in, const char *name,
    const json_t *value, dfp_job_header_t *header);
static int dfp_job_header_token(dfp_str_t name);
static int dfp_job_header_reserved(const char *name);
static int dfp_job_header_printable(dfp_str_t value);
static int dfp_job_header_twice(const dfp_job_t *job, dfp_str_t name);


/*
 * A proxy sets these itself: where a request goes, where it ends, and what
 * concerns one connection only. A part of a file, or word that it has not
 * changed, would be taken for the file.
 */

static const char *const  dfp_job_reserved_headers[] = {
    "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive",
    "Proxy-Connection", "TE", "Trailer", "Upgrade", "Expect", "Range",
    "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
    "If-Range", NULL
};


static const char *const  dfp_job_secret_words[] = {
    "auth", "token", "key", "secret", "cookie", "password", "credential",
    "session", "signature", NULL
};


int
dfp_job_parse_headers(dfp_json_t *in, dfp_job_t *job)
{
    int            rc;
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

    /* jansson's iterator wants an object that may be changed */

    list = (json_t *) object;

    for (it = json_object_iter(list); it; it = json_object_iter_next(list, it))
    {
        name = json_object_iter_key(it);

        rc = dfp_job_parse_header(in, name, json_object_iter_value(it),
                                  &job->headers[job->nheaders]);
        if (rc != DFP_OK) {
            return rc;
        }

        /* "x-one" is a second "X-One" to whoever reads the request */

        if (dfp_job_header_twice(job, job->headers[job->nheaders].name)) {
            return dfp_invalid(in->err, "args.headers must not have %s twice",
                               name);
        }

        job->nheaders++;
    }

    return DFP_OK;
}


static int
dfp_job_parse_header(dfp_json_t *in, const char *name, const json_t *value,
    dfp_job_header_t *header)
{
    int        rc;
    char       what[DFP_JSON_WHAT_LEN];
    dfp_str_t  given;

    given.data = name;
    given.len = strlen(name);

    /* until it has passed this, the name cannot be shown */

    if (given.len > DFP_JOB_MAX_HEADER_NAME || !dfp_job_header_token(given)) {
        return dfp_invalid(in->err, "args.headers must have names of 1 to %d "
                           "letters, digits and any of !#$%%&'*+-.^_`|~",
                           DFP_JOB_MAX_HEADER_NAME);
    }

    if (dfp_job_header_reserved(name)) {
        return dfp_invalid(in->err, "args.headers must not have %s", name);
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


/* RFC 9110, 5.6.2. */

static int
dfp_job_header_token(dfp_str_t name)
{
    size_t  i;
    char    ch, lower;

    for (i = 0; i < name.len; i++) {
        ch = name.data[i];
        lower = ch | 0x20;

        if ((lower < 'a' || lower > 'z') && (ch < '0' || ch > '9')
            && memchr("!#$%&'*+-.^_`|~", ch, 15) == NULL)
        {
            return 0;
        }
    }

    return name.len != 0;
}


static int
dfp_job_header_reserved(const char *name)
{
    const char *const  *p;

    for (p = dfp_job_reserved_headers; *p; p++) {
        if (strcasecmp(name, *p) == 0) {
            return 1;
        }
    }

    return 0;
}


/* RFC 9110, 5.5: of the control characters, a value may have tabs. */

static int
dfp_job_header_printable(dfp_str_t value)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < value.len; i++) {
        ch = (unsigned char) value.data[i];

        if ((ch < 0x20 && ch != '\t') || ch == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static int
dfp_job_header_twice(const dfp_job_t *job, dfp_str_t name)
{
    size_t                   i;
    const dfp_job_header_t  *header;

    for (i = 0; i < job->nheaders; i++) {
        header = &job->headers[i];

        if (header->name.len == name.len
            && strncasecmp(header->name.data, name.data, name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


int
dfp_job_header_secret(dfp_str_t name)
{
    size_t              i, len;
    const char *const  *p;

    for (p = dfp_job_secret_words; *p; p++) {
        len = strlen(*p);

        for (i = 0; i + len <= name.len; i++) {
            if (strncasecmp(name.data + i, *p, len) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


int
dfp_job_header_authorization(dfp_str_t name)
{
    static const dfp_str_t  authorization = {
        sizeof("authorization") - 1, "authorization"
    };

    return name.len == authorization.len
           && strncasecmp(name.data, authorization.data, name.len) == 0;
}
