/*
 * What the files that parse and print jobs share; for nobody else.
 */

#ifndef DFP_JOB_PARSER_H
#define DFP_JOB_PARSER_H


#include "dfp_job.h"
#include "dfp_json.h"


/* The object "headers" of args, checked. */
int dfp_job_parse_headers(dfp_json_t *in, dfp_job_t *job);

/* Whether the value of a header of this name is to be kept secret. */
int dfp_job_header_secret(dfp_str_t name);


#endif /* DFP_JOB_PARSER_H */
