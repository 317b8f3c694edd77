/*
 * The fields of args that several types of jobs have.
 */

#include "dfp_job_parser.h"


const char  dfp_job_default_filter[] =
    "X-Amz-Algorithm&X-Amz-Credential&X-Amz-Date&X-Amz-Expires"
    "&X-Amz-SignedHeaders&X-Amz-Signature&X-Amz-Security-Token"
    "&X-Amz-User-Agent&X-Goog-Algorithm&X-Goog-Credential&X-Goog-Date"
    "&X-Goog-Expires&X-Goog-SignedHeaders&X-Goog-Signature&OSSAccessKeyId"
    "&Expires&Signature&SecurityToken&AccessKeyId&Signature&Expires"
    "&X-Obs-Date&X-Obs-Security-Token&q-sign-algorithm&q-ak&q-sign-time"
    "&q-key-time&q-header-list&q-url-param-list&q-signature"
    "&x-cos-security-token&ns";


dfp_rc_t
dfp_job_parse_texts(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t  rc;

    rc = dfp_json_line(in, "tag", DFP_JOB_MAX_TEXT, &job->tag);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_json_line(in, "application", DFP_JOB_MAX_TEXT,
                       &job->application);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_json_line(in, "filtered_query_params", DFP_JOB_MAX_FILTER,
                       &job->filter);
    if (rc != DFP_OK) {
        return rc;
    }

    if (job->filter.len == 0) {
        job->filter.data = dfp_job_default_filter;
        job->filter.len = sizeof(dfp_job_default_filter) - 1;
    }

    rc = dfp_json_line(in, "platform", DFP_JOB_MAX_TEXT, &job->platform);
    if (rc != DFP_OK) {
        return rc;
    }

    return dfp_oci_parse_platforms(in->mem, job->platform, "args.platform",
                                   &job->platforms, in->err);
}


dfp_rc_t
dfp_job_parse_credentials(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t  rc;

    rc = dfp_json_line(in, "username", DFP_JOB_MAX_TEXT, &job->username);
    if (rc != DFP_OK) {
        return rc;
    }

    /* Basic authentication joins both by a ":", and the first one counts */

    if (memchr(job->username.data, ':', job->username.len)) {
        return dfp_invalid(in->err, "args.username must not contain \":\"");
    }

    return dfp_json_line(in, "password", DFP_JOB_MAX_TEXT, &job->password);
}


dfp_rc_t
dfp_job_parse_sizes(dfp_json_t *in, int64_t max_timeout, dfp_job_t *job)
{
    dfp_rc_t          rc;
    dfp_json_range_t  timeouts;

    static const dfp_json_range_t  pieces = {
        DFP_JOB_PIECE_MIN, DFP_JOB_PIECE_MAX, 0, " bytes"
    };

    rc = dfp_json_int(in, "piece_length", &pieces, &job->piece_length);
    if (rc != DFP_OK) {
        return rc;
    }

    timeouts.min = DFP_JOB_TIMEOUT_MIN;
    timeouts.max = max_timeout;
    timeouts.zero = 1;
    timeouts.unit = " nanoseconds";

    job->timeout = DFP_JOB_TIMEOUT_DEFAULT;

    if (job->timeout > max_timeout) {
        job->timeout = max_timeout;
    }

    return dfp_json_int(in, "timeout", &timeouts, &job->timeout);
}


dfp_rc_t
dfp_job_parse_int(dfp_json_t *in, const char *key,
    const dfp_json_range_t *range, int *n)
{
    dfp_rc_t  rc;
    int64_t   value;

    value = *n;

    rc = dfp_json_int(in, key, range, &value);

    *n = (int) value;

    return rc;
}
