/*
 * What a job tells about itself, of which PATCH may change bio and user_id. It
 * is stored as the members of the object that GET prints.
 */

#include <string.h>

#include "dfp_job_parser.h"


/* bio cannot have these quotes */
#define DFP_JOB_ABOUT_TYPE  ",\"type\":\""

/* the last member, likewise */
#define DFP_JOB_ABOUT_DRY  ",\"dry_run\":true"


static dfp_rc_t dfp_job_about_parse(dfp_mem_t *mem, dfp_str_t about,
    dfp_job_about_t *old, dfp_err_t *err);
static dfp_rc_t dfp_job_about_fields(dfp_json_t *in, dfp_job_about_t *about);


dfp_rc_t
dfp_job_parse_change(dfp_mem_t *mem, dfp_str_t body, dfp_job_about_t *change,
    dfp_err_t *err)
{
    dfp_rc_t    rc;
    dfp_json_t  in;

    memset(change, 0, sizeof(dfp_job_about_t));

    rc = dfp_json_open(&in, mem, body, "the body", "", err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_job_about_fields(&in, change);

    dfp_json_close(&in);

    return rc;
}


static dfp_rc_t
dfp_job_about_fields(dfp_json_t *in, dfp_job_about_t *about)
{
    dfp_rc_t  rc;

    static const dfp_json_range_t  ids = { 0, INT64_MAX, 0, "" };

    about->has_bio = (dfp_json_field(in->object, "bio") != NULL);
    about->has_user = (dfp_json_field(in->object, "user_id") != NULL);

    rc = dfp_json_text(in, "bio", DFP_JOB_MAX_TEXT, &about->bio);

    if (rc == DFP_OK) {
        rc = dfp_json_int(in, "user_id", &ids, &about->user_id);
    }

    return rc;
}


dfp_rc_t
dfp_job_change(dfp_mem_t *mem, dfp_str_t about, const dfp_job_about_t *change,
    dfp_job_about_t *changed, dfp_err_t *err)
{
    dfp_rc_t  rc;

    rc = dfp_job_about_parse(mem, about, changed, err);

    if (rc == DFP_OK && change->has_bio) {
        changed->bio = change->bio;
    }

    if (rc == DFP_OK && change->has_user) {
        changed->user_id = change->user_id;
    }

    return rc;
}


static dfp_rc_t
dfp_job_about_parse(dfp_mem_t *mem, dfp_str_t about, dfp_job_about_t *old,
    dfp_err_t *err)
{
    dfp_rc_t    rc;
    dfp_buf_t   object;
    dfp_json_t  in;

    memset(old, 0, sizeof(dfp_job_about_t));

    dfp_buf_init(&object, mem, about.len + 16, 0);
    dfp_buf_cstr(&object, "{\"id\":0");
    dfp_buf_str(&object, about);
    dfp_buf_cstr(&object, "}");

    if (object.failed) {
        return DFP_ERROR;
    }

    rc = dfp_json_open(&in, mem, dfp_buf_value(&object), "the stored job", "",
                       err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_job_about_fields(&in, old);

    if (rc == DFP_OK) {
        rc = dfp_json_text(&in, "type", DFP_JOB_MAX_TEXT, &old->type);
    }

    old->dry_run = dfp_job_about_dry(about);

    dfp_json_close(&in);

    return rc;
}


void
dfp_job_print_about(dfp_buf_t *b, const dfp_job_about_t *about)
{
    dfp_buf_cstr(b, ",\"bio\":");
    dfp_buf_json(b, about->bio);
    dfp_buf_cstr(b, ",\"type\":");
    dfp_buf_json(b, about->type);
    dfp_buf_cstr(b, ",\"user_id\":");
    dfp_buf_int(b, about->user_id);

    if (about->dry_run) {
        dfp_buf_cstr(b, DFP_JOB_ABOUT_DRY);
    }
}


int
dfp_job_about_dry(dfp_str_t about)
{
    static const size_t  len = sizeof(DFP_JOB_ABOUT_DRY) - 1;

    return about.len > len
           && memcmp(about.data + about.len - len, DFP_JOB_ABOUT_DRY, len)
              == 0;
}


dfp_str_t
dfp_job_about_type(dfp_str_t about)
{
    const char  *p, *last;

    last = about.data + about.len;
    p = dfp_str_find(about, DFP_JOB_ABOUT_TYPE);

    if (p == NULL) {
        return DFP_STR_NULL;
    }

    p += sizeof(DFP_JOB_ABOUT_TYPE) - 1;

    return dfp_str_until(&p, last, "\"");
}
