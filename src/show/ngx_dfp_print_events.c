#include "ngx_dfp_print_events.h"


static void ngx_dfp_print_events_of(dfp_buf_t *b, dfp_change_t *change,
    ngx_dfp_stored_job_t *job);
static void ngx_dfp_print_event(dfp_buf_t *b, const char *name);


void
ngx_dfp_print_events(dfp_buf_t *b, dfp_change_t *changes, ngx_uint_t n,
    ngx_dfp_job_list_t *list)
{
    ngx_uint_t  i, k;

    k = 0;

    for (i = 0; i < n; i++) {

        if (k < list->n && list->jobs[k].id == changes[i].id) {
            ngx_dfp_print_events_of(b, &changes[i], &list->jobs[k++]);
        }

        /* it may have been read before it was deleted */

        if (changes[i].what & DFP_CHANGE_DELETED) {
            ngx_dfp_print_event(b, "deleted");
            dfp_buf_cstr(b, "{\"id\":");
            dfp_buf_int(b, changes[i].id);
            dfp_buf_cstr(b, "}\n\n");
        }
    }
}


/* A message tells of the end, also where it is in what was read already. */

static void
ngx_dfp_print_events_of(dfp_buf_t *b, dfp_change_t *change,
    ngx_dfp_stored_job_t *job)
{
    ngx_uint_t  ended;

    ended = (job->state.data[0] != 'P');

    if (change->what & DFP_CHANGE_CREATED) {
        ngx_dfp_print_event(b, "created");
        ngx_dfp_print_job(b, NULL, job, NGX_DFP_PRINT_LISTED);
        dfp_buf_cstr(b, "\n\n");

    } else if (!ended) {
        ngx_dfp_print_event(b, "progress");
        ngx_dfp_print_change(b, job);
        dfp_buf_cstr(b, "\n\n");
    }

    if (ended && (change->what & DFP_CHANGE_END)) {
        ngx_dfp_print_event(b, "end");
        ngx_dfp_print_change(b, job);
        dfp_buf_cstr(b, "\n\n");
    }
}


/* The beginning of an event. */

static void
ngx_dfp_print_event(dfp_buf_t *b, const char *name)
{
    dfp_buf_cstr(b, "event: ");
    dfp_buf_cstr(b, name);
    dfp_buf_cstr(b, "\nid: ");
    dfp_buf_int(b, ngx_dfp_now());
    dfp_buf_cstr(b, "\ndata: ");
}
