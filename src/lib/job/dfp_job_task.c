/*
 * The types of jobs but preheat: the fields of their args. Names, limits and
 * defaults are those of Dragonfly's manager (manager/types/job.go).
 */

#include "dfp_job_parser.h"


static dfp_rc_t dfp_job_task_fields(dfp_json_t *in, int64_t max_timeout,
    dfp_job_t *job);
static void dfp_job_task_defaults(dfp_job_t *job);


static const dfp_json_range_t  dfp_job_task_peers = {
    1, DFP_JOB_PEERS_MAX, 1, ""
};

static const dfp_json_name_t  dfp_job_kinds[] = {
    { "preheat", DFP_JOB_PREHEAT + 1 },
    { "get_task", DFP_JOB_GET_TASK + 1 },
    { "delete_task", DFP_JOB_DELETE_TASK + 1 },
    { "get_image_distribution", DFP_JOB_DISTRIBUTION + 1 },
    { NULL, 0 }
};

static const dfp_json_name_t  dfp_job_actions[] = {
    { "look", DFP_JOB_LOOK },
    { "remove", DFP_JOB_REMOVE },
    { "dry_run", DFP_JOB_DRY },
    { "get_task", DFP_JOB_GET_TASK },
    { "delete_task", DFP_JOB_DELETE_TASK },
    { "get_image_distribution", DFP_JOB_DISTRIBUTION },
    { NULL, 0 }
};


dfp_rc_t
dfp_job_parse_kind(dfp_json_t *in, dfp_job_t *job)
{
    int       kind;
    dfp_rc_t  rc;

    kind = 0;

    rc = dfp_json_choice(in, "type", dfp_job_kinds, &kind);

    if (rc != DFP_OK) {
        return rc;
    }

    if (kind == 0) {
        return dfp_invalid(in->err, "type is required, and must be preheat, "
                           "get_task, delete_task or get_image_distribution");
    }

    job->action = kind - 1;

    return DFP_OK;
}


dfp_rc_t
dfp_job_parse_action(dfp_json_t *in, dfp_job_t *job)
{
    int       action;
    dfp_rc_t  rc;

    action = DFP_JOB_PREHEAT;

    rc = dfp_json_choice(in, "action", dfp_job_actions, &action);

    job->action = action;

    return rc;
}


const char *
dfp_job_type_name(dfp_job_action_t action)
{
    switch (action) {

    case DFP_JOB_LOOK:
    case DFP_JOB_REMOVE:
        return "cache";

    case DFP_JOB_GET_TASK:
        return "get_task";

    case DFP_JOB_DELETE_TASK:
        return "delete_task";

    case DFP_JOB_DISTRIBUTION:
        return "get_image_distribution";

    default: /* DFP_JOB_PREHEAT, DFP_JOB_DRY */
        return "preheat";
    }
}


int
dfp_job_type_of_task(dfp_str_t type)
{
    return dfp_str_eq(type, dfp_cstr(dfp_job_type_name(DFP_JOB_GET_TASK)))
           || dfp_str_eq(type,
                         dfp_cstr(dfp_job_type_name(DFP_JOB_DELETE_TASK)));
}


int
dfp_job_type_listed(dfp_str_t type)
{
    return dfp_job_type_of_task(type)
           || dfp_str_eq(type, dfp_cstr(dfp_job_type_name(DFP_JOB_PREHEAT)));
}


/* The manager's text. */

dfp_rc_t
dfp_job_parse_task(dfp_json_t *in, int64_t max_timeout, dfp_job_t *job)
{
    dfp_rc_t  rc;

    rc = dfp_job_task_fields(in, max_timeout, job);

    if (rc == DFP_OK && job->task_id.len == 0 && job->content.len == 0
        && job->url.len == 0)
    {
        return dfp_invalid(in->err, "invalid params: task_id, "
                           "content_for_calculating_task_id or url is "
                           "required");
    }

    return rc;
}


dfp_rc_t
dfp_job_parse_stored_task(dfp_json_t *in, dfp_job_t *job)
{
    dfp_rc_t  rc;

    rc = dfp_job_task_fields(in, INT64_MAX, job);

    if (rc == DFP_OK) {
        rc = dfp_json_line(in, "found_url", DFP_URL_MAX_LEN, &job->found_url);
    }

    if (rc != DFP_OK || job->found_url.len == 0) {
        return rc;
    }

    job->url = job->found_url;

    return dfp_job_check_one(in->mem, job->url, "args.found_url", job,
                             in->err);
}


static dfp_rc_t
dfp_job_task_fields(dfp_json_t *in, int64_t max_timeout, dfp_job_t *job)
{
    dfp_rc_t  rc;

    dfp_job_task_defaults(job);

    rc = dfp_json_line(in, "task_id", DFP_JOB_MAX_TASK_ID, &job->task_id);

    if (rc == DFP_OK) {
        rc = dfp_json_text(in, "content_for_calculating_task_id",
                           DFP_JOB_MAX_CONTENT, &job->content);
    }

    if (rc == DFP_OK) {
        rc = dfp_json_line(in, "url", DFP_URL_MAX_LEN, &job->url);
    }

    if (rc == DFP_OK && job->url.len) {
        rc = dfp_job_check_one(in->mem, job->url, "args.url", job, in->err);
    }

    if (rc == DFP_OK) {
        rc = dfp_job_parse_texts(in, job);
    }

    if (rc == DFP_OK) {
        rc = dfp_job_parse_int(in, "concurrent_peer_count", &dfp_job_task_peers,
                               &job->concurrent_peer_count);
    }

    return rc == DFP_OK ? dfp_job_parse_sizes(in, max_timeout, job) : rc;
}


static void
dfp_job_task_defaults(dfp_job_t *job)
{
    job->type = DFP_JOB_FILE;
    job->scope = DFP_SCOPE_ALL_PEERS;
    job->concurrent_task_count = DFP_JOB_TASKS_DEFAULT;
    job->concurrent_peer_count = DFP_JOB_PEERS_DEFAULT;
}


dfp_rc_t
dfp_job_parse_distribution(dfp_json_t *in, int64_t max_timeout, dfp_job_t *job)
{
    dfp_rc_t       rc;
    dfp_oci_ref_t  ref;

    static const dfp_json_range_t  layers = { 1, DFP_JOB_TASKS_MAX, 1, "" };

    if (job->webhook.url.href.len) {
        return dfp_invalid(in->err, "webhook cannot be given with type "
                           "get_image_distribution, which is answered at "
                           "once");
    }

    dfp_job_task_defaults(job);
    job->type = DFP_JOB_IMAGE;

    rc = dfp_json_line(in, "url", DFP_URL_MAX_LEN, &job->url);

    if (rc == DFP_OK && job->url.len == 0) {
        return dfp_invalid(in->err, "args.url is required");
    }

    if (rc == DFP_OK) {
        rc = dfp_oci_parse_image(in->mem, job->url, "args.url", &ref, in->err);
        job->url = dfp_oci_reference(job->url);
    }

    if (rc == DFP_OK) {
        rc = dfp_job_parse_texts(in, job);
    }

    if (rc == DFP_OK) {
        rc = dfp_job_parse_credentials(in, job);
    }

    if (rc == DFP_OK) {
        rc = dfp_job_parse_headers(in, job);
    }

    if (rc == DFP_OK) {
        rc = dfp_job_parse_int(in, "concurrent_layer_count", &layers,
                               &job->concurrent_task_count);
    }

    if (rc == DFP_OK) {
        rc = dfp_job_parse_int(in, "concurrent_peer_count", &dfp_job_task_peers,
                               &job->concurrent_peer_count);
    }

    return rc == DFP_OK ? dfp_job_parse_sizes(in, max_timeout, job) : rc;
}
