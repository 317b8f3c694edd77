/*
 * The args of a job as they are stored: a default that is as long as all other
 * fields together is left out.
 */

#include <string.h>

#include "dfp_job.h"


#define DFP_JOB_FILTER_KEY  ",\"filtered_query_params\":\""


static void dfp_job_args_filter(dfp_buf_t *b, dfp_str_t args, const char *from,
    const char *to);


void
dfp_job_args_store(dfp_buf_t *b, dfp_str_t args)
{
    dfp_job_args_filter(b, args, dfp_job_default_filter, "");
}


void
dfp_job_args_show(dfp_buf_t *b, dfp_str_t args)
{
    dfp_job_args_filter(b, args, "", dfp_job_default_filter);
}


/* Appends ARGS with TO instead of FROM, if that is the whole value. The fields before
 * this one have no objects, and quotes in strings are escaped: so the first key is
 * the right one. */

static void
dfp_job_args_filter(dfp_buf_t *b, dfp_str_t args, const char *from,
    const char *to)
{
    size_t       len;
    const char  *p, *value, *last;

    len = strlen(from);
    last = args.data + args.len;

    p = dfp_str_find(args, DFP_JOB_FILTER_KEY);

    if (p == NULL) {
        dfp_buf_str(b, args);
        return;
    }

    value = p + sizeof(DFP_JOB_FILTER_KEY) - 1;

    if ((size_t) (last - value) <= len || memcmp(value, from, len) != 0
        || value[len] != '"')
    {
        dfp_buf_str(b, args);
        return;
    }

    dfp_buf_append(b, args.data, value - args.data);
    dfp_buf_cstr(b, to);
    dfp_buf_append(b, value + len, last - value - len);
}
