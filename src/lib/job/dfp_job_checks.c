/*
 * The fields that are true or false, and those of args that check or keep what is
 * preheated. Of these, Dragonfly has enable_task_id_based_blob_digest only.
 */

#include "dfp_job_parser.h"
#include "dfp_time.h"


#define DFP_JOB_MAX_TIME  64    /* bytes of a time */


static dfp_rc_t dfp_job_parse_ways(dfp_json_t *in, dfp_job_t *job);
static dfp_rc_t dfp_job_parse_subjects(dfp_json_t *in, dfp_job_t *job);
static dfp_rc_t dfp_job_parse_keep(dfp_json_t *in, dfp_job_t *job);
static dfp_rc_t dfp_job_parse_flag(dfp_json_t *in, const char *key, int *flag);


dfp_rc_t
dfp_job_parse_checks(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t  rc;

    static const dfp_json_range_t  sizes = { 1, DFP_OCI_MAX_SIZE, 0, " bytes" };

    rc = dfp_json_line(in, "digest", DFP_OCI_MAX_DIGEST, &job->digest);
    if (rc != DFP_OK) {
        return rc;
    }

    if (job->digest.len && !dfp_oci_digest_valid(job->digest)) {
        return dfp_invalid(in->err, "args.digest must be \"sha256:\" and 64, or "
                           "\"sha512:\" and 128 lower-case hex digits");
    }

    rc = dfp_json_int(in, "size", &sizes, &job->size);
    if (rc != DFP_OK) {
        return rc;
    }

    if (job->digest.len || job->size) {

        if (job->type != DFP_JOB_FILE) {
            return dfp_invalid(in->err, "args.digest and args.size are for files: "
                               "an image is named by its digest in args.url");
        }

        if ((job->url.len != 0) + job->nurls != 1) {
            return dfp_invalid(in->err, "args.digest and args.size need exactly "
                               "one URL");
        }
    }

    rc = dfp_job_parse_subjects(in, job);

    return rc == DFP_OK ? dfp_job_parse_ways(in, job) : rc;
}


static dfp_rc_t
dfp_job_parse_subjects(dfp_json_t *in, dfp_job_t *job)
{
    int       subjects;
    dfp_rc_t  rc;

    subjects = 0;

    rc = dfp_job_parse_flag(in, "subjects", &subjects);

    if (rc != DFP_OK || subjects != 1) {
        return rc;
    }

    if (job->type != DFP_JOB_IMAGE) {
        return dfp_invalid(in->err, "args.subjects is for images");
    }

    job->subjects = 1;

    return DFP_OK;
}


static dfp_rc_t
dfp_job_parse_ways(dfp_json_t *in, dfp_job_t *job)
{
    int       refresh, verify;
    dfp_rc_t  rc;

    refresh = 0;
    verify = 0;

    rc = dfp_job_parse_flag(in, "refresh", &refresh);

    if (rc == DFP_OK) {
        rc = dfp_job_parse_flag(in, "verify", &verify);
    }

    if (rc != DFP_OK) {
        return rc;
    }

    if (verify == 1 && job->action == DFP_JOB_DRY) {
        return dfp_invalid(in->err, "args.verify cannot be given with dry_run: "
                           "nothing is warmed that clients could get");
    }

    job->refresh = (refresh == 1);
    job->verify = (verify == 1);

    return dfp_job_parse_keep(in, job);
}


/* Whether it is in the future depends on the time, which is not known here. */

static dfp_rc_t
dfp_job_parse_keep(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t   rc;
    dfp_str_t  text;

    text = DFP_STR_NULL;

    rc = dfp_json_line(in, "keep_until", DFP_JOB_MAX_TIME, &text);

    if (rc != DFP_OK || text.len == 0) {
        return rc;
    }

    if (dfp_time_parse(text, &job->keep_until) != DFP_OK) {
        return dfp_invalid(in->err, "args.keep_until must be a time as of RFC "
                           "3339, for example 2030-01-01T00:00:00Z");
    }

    return DFP_OK;
}


dfp_rc_t
dfp_job_parse_dry(dfp_json_t *in, dfp_job_t *job)
{
    int       dry;
    dfp_rc_t  rc;

    dry = 0;

    rc = dfp_job_parse_flag(in, "dry_run", &dry);

    if (rc != DFP_OK || dry != 1) {
        return rc;
    }

    if (job->action != DFP_JOB_PREHEAT) {
        return dfp_invalid(in->err, "dry_run is supported with type preheat "
                           "only");
    }

    if (job->webhook.url.href.len) {
        return dfp_invalid(in->err, "webhook cannot be given with dry_run");
    }

    job->action = DFP_JOB_DRY;

    return DFP_OK;
}


dfp_rc_t
dfp_job_parse_blob_digest(dfp_json_t *in, dfp_job_t *job)
{
    return dfp_job_parse_flag(in, "enable_task_id_based_blob_digest",
                              &job->blob_digest);
}


/* Sets FLAG to 1 or -1, if the field is given. */

static dfp_rc_t
dfp_job_parse_flag(dfp_json_t *in, const char *key, int *flag)
{
    const json_t  *value;

    value = dfp_json_field(in->object, key);

    if (value == NULL) {
        return DFP_OK;
    }

    if (!json_is_boolean(value)) {
        return dfp_invalid(in->err, "%s%s must be true or false", in->prefix,
                           key);
    }

    *flag = json_is_true(value) ? 1 : -1;

    return DFP_OK;
}
