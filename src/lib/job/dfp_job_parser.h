/*
 * Shared by the files that parse and print jobs; private to them.
 */

#ifndef DFP_JOB_PARSER_H
#define DFP_JOB_PARSER_H


#include "dfp_job.h"
#include "dfp_json.h"


/* Parses and checks args.headers. Results as of the functions of dfp_json.h. */
dfp_rc_t dfp_job_parse_headers(dfp_json_t *in, dfp_job_t *job);

/* Parses args.digest, args.size, args.refresh, args.keep_until and args.subjects. Some
 * are checked against the type and the URLs: these must have been parsed before. */
dfp_rc_t dfp_job_parse_checks(dfp_json_t *in, dfp_job_t *job);

/* Parses args.enable_task_id_based_blob_digest. */
dfp_rc_t dfp_job_parse_blob_digest(dfp_json_t *in, dfp_job_t *job);

/* These parse fields of args: tag, application, filtered_query_params and
 * platform; username and password; piece_length and timeout; a field KEY, which is
 * left alone if it is not given. */
dfp_rc_t dfp_job_parse_texts(dfp_json_t *in, dfp_job_t *job);
dfp_rc_t dfp_job_parse_credentials(dfp_json_t *in, dfp_job_t *job);
dfp_rc_t dfp_job_parse_sizes(dfp_json_t *in, int64_t max_timeout,
    dfp_job_t *job);
dfp_rc_t dfp_job_parse_int(dfp_json_t *in, const char *key,
    const dfp_json_range_t *range, int *n);

/* Sets the action of the job by the type of the body, or by args.action. */
dfp_rc_t dfp_job_parse_kind(dfp_json_t *in, dfp_job_t *job);
dfp_rc_t dfp_job_parse_action(dfp_json_t *in, dfp_job_t *job);

/* Parse args of a job about a task, as they were posted, which may be missing, or
 * as they are stored. */
dfp_rc_t dfp_job_parse_task(dfp_json_t *in, int64_t max_timeout,
    dfp_job_t *job);
dfp_rc_t dfp_job_parse_stored_task(dfp_json_t *in, dfp_job_t *job);

/* Parses args of get_image_distribution. */
dfp_rc_t dfp_job_parse_distribution(dfp_json_t *in, int64_t max_timeout,
    dfp_job_t *job);

/* A URL of one thing: that of a manifest is an image, any other one is a file.
 * Sets the type of the job, and its URL, escaped. WHAT as in dfp_url_parse(). */
dfp_rc_t dfp_job_check_one(dfp_mem_t *mem, dfp_str_t url, const char *what,
    dfp_job_t *job, dfp_err_t *err);

/* Parses dry_run, of the body itself. The webhook must have been parsed before:
 * both together are refused. */
dfp_rc_t dfp_job_parse_dry(dfp_json_t *in, dfp_job_t *job);


#endif /* DFP_JOB_PARSER_H */
