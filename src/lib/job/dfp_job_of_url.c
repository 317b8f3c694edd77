/*
 * The jobs that look for one URL in the caches.
 */

#include "dfp_escape.h"
#include "dfp_job_parser.h"


static dfp_rc_t dfp_job_of_url_check(dfp_mem_t *mem, dfp_str_t url,
    dfp_job_t *job, dfp_err_t *err);


dfp_rc_t
dfp_job_of_url(dfp_mem_t *mem, dfp_job_action_t action, dfp_str_t url,
    dfp_str_t platform, int64_t timeout, dfp_job_t *job, dfp_err_t *err)
{
    dfp_rc_t  rc;

    memset(job, 0, sizeof(dfp_job_t));

    job->action = action;
    job->scope = DFP_SCOPE_ALL_PEERS;
    job->filter.data = dfp_job_default_filter;
    job->filter.len = strlen(dfp_job_default_filter);
    job->concurrent_task_count = DFP_JOB_TASKS_DEFAULT;
    job->concurrent_peer_count = DFP_JOB_PEERS_DEFAULT;
    job->timeout = timeout;

    if (url.len == 0) {
        return dfp_invalid(err, "url is required");
    }

    if (url.len > DFP_URL_MAX_LEN) {
        return dfp_invalid(err, "url must have at most %d bytes",
                           DFP_URL_MAX_LEN);
    }

    if (platform.len > DFP_JOB_MAX_TEXT) {
        return dfp_invalid(err, "platform must have at most %d bytes",
                           DFP_JOB_MAX_TEXT);
    }

    rc = dfp_job_of_url_check(mem, url, job, err);

    if (rc != DFP_OK) {
        return rc;
    }

    job->platform = platform;

    return dfp_oci_parse_platforms(mem, platform, "platform", &job->platforms,
                                   err);
}


/* A manifest URL or a reference is an image, any other URL is a file. */

static dfp_rc_t
dfp_job_of_url_check(dfp_mem_t *mem, dfp_str_t url, dfp_job_t *job,
    dfp_err_t *err)
{
    dfp_oci_ref_t  ref;

    job->type = DFP_JOB_IMAGE;
    job->url = dfp_oci_reference(url);

    if (job->url.len == url.len && dfp_str_find(url, "://")) {
        return dfp_job_check_one(mem, url, "url", job, err);
    }

    return dfp_oci_parse_image(mem, url, "url", &ref, err);
}


dfp_rc_t
dfp_job_check_one(dfp_mem_t *mem, dfp_str_t url, const char *what,
    dfp_job_t *job, dfp_err_t *err)
{
    dfp_rc_t       rc;
    dfp_err_t      other;
    dfp_str_t      reference;
    dfp_url_t      parsed;
    dfp_oci_ref_t  ref;

    job->type = DFP_JOB_FILE;

    rc = dfp_escape_url(mem, url, &job->url);

    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_url_parse(mem, job->url, what, &parsed, &other);

    if (rc == DFP_OK && dfp_oci_manifest_path(parsed.path, &reference)) {
        job->type = DFP_JOB_IMAGE;
        return dfp_oci_parse_image(mem, job->url, what, &ref, err);
    }

    *err = other;

    return rc;
}
