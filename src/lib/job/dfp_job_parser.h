/*
 * What the files that parse and print jobs share; for nobody else.
 */

#ifndef DFP_JOB_PARSER_H
#define DFP_JOB_PARSER_H


#include "dfp_job.h"
#include "dfp_json.h"


/* The object "headers" of args, checked. */
dfp_rc_t dfp_job_parse_headers(dfp_json_t *in, dfp_job_t *job);

/* Likewise args.digest, args.size and args.refresh; after the URLs. */
dfp_rc_t dfp_job_parse_checks(dfp_json_t *in, dfp_job_t *job);

#endif /* DFP_JOB_PARSER_H */
