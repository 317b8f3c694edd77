/*
 * Shared by the files that parse and print jobs; private to them.
 */

#ifndef DFP_JOB_PARSER_H
#define DFP_JOB_PARSER_H


#include "dfp_job.h"
#include "dfp_json.h"


/* Parses and checks args.headers. Results as of the functions of dfp_json.h. */
dfp_rc_t dfp_job_parse_headers(dfp_json_t *in, dfp_job_t *job);

/* Parses args.digest, args.size and args.refresh, which are checked against the
 * URLs: these must have been parsed before. */
dfp_rc_t dfp_job_parse_checks(dfp_json_t *in, dfp_job_t *job);

/* Parses args.enable_task_id_based_blob_digest. */
dfp_rc_t dfp_job_parse_blob_digest(dfp_json_t *in, dfp_job_t *job);

/* Parses dry_run, of the body itself. The webhook must have been parsed before:
 * both together are refused. */
dfp_rc_t dfp_job_parse_dry(dfp_json_t *in, dfp_job_t *job);


#endif /* DFP_JOB_PARSER_H */
