#include "ngx_dfp_jobs_list.h"
#include "ngx_dfp_page.h"
#include "ngx_dfp_print.h"
#include "ngx_dfp_query.h"


/* The filters of a list, as they were given. */
typedef struct {
    ngx_str_t  type;
    ngx_str_t  state;
    ngx_str_t  user;
} ngx_dfp_jobs_filters_t;


static dfp_rc_t ngx_dfp_jobs_list_parse(ngx_dfp_api_t *api, dfp_page_t *page,
    ngx_dfp_jobs_filters_t *filters, dfp_err_t *err);
static dfp_rc_t ngx_dfp_jobs_list_state(ngx_dfp_api_t *api, ngx_str_t *state,
    dfp_err_t *err);
static dfp_rc_t ngx_dfp_jobs_list_user(ngx_dfp_api_t *api, ngx_str_t *user,
    dfp_err_t *err);
static void ngx_dfp_jobs_listed(void *data, ngx_int_t rc);
static void ngx_dfp_jobs_list_show(ngx_dfp_api_t *api);


void
ngx_dfp_jobs_list(ngx_dfp_api_t *api)
{
    dfp_rc_t                rc;
    dfp_err_t               err;
    dfp_page_t              page;
    ngx_dfp_jobs_filters_t  filters;

    rc = ngx_dfp_jobs_list_parse(api, &page, &filters, &err);

    if (rc == DFP_INVALID) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, err.text);
        return;
    }

    if (rc != DFP_OK) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    api->list.page = page.number;
    api->list.per_page = page.size;

    if (api->list.none) {
        ngx_dfp_jobs_list_show(api);
        return;
    }

    api->op.borrow = 1;
    api->replied = ngx_dfp_jobs_listed;

    if (ngx_dfp_store_list(api->store, &api->op, &api->list) != NGX_OK) {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


static dfp_rc_t
ngx_dfp_jobs_list_parse(ngx_dfp_api_t *api, dfp_page_t *page,
    ngx_dfp_jobs_filters_t *filters, dfp_err_t *err)
{
    dfp_rc_t  rc;

    if (ngx_dfp_query_get(api->r, "type=", &filters->type) != NGX_OK
        || ngx_dfp_query_get(api->r, "state=", &filters->state) != NGX_OK
        || ngx_dfp_query_get(api->r, "user_id=", &filters->user) != NGX_OK)
    {
        return DFP_ERROR;
    }

    /* jobs of other types are not listed */

    api->list.type = filters->type;
    api->list.none = (filters->type.len
                      && !dfp_job_type_listed(ngx_dfp_dfp_str(filters->type)));

    rc = ngx_dfp_page_parse(api, NGX_DFP_JOBS_PAGE, page, err);

    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_list_state(api, &filters->state, err);
    }

    if (rc == DFP_OK) {
        rc = ngx_dfp_jobs_list_user(api, &filters->user, err);
    }

    dfp_buf_init(&api->filters, &api->mem, 128, 0);
    dfp_page_filter(&api->filters, "type", ngx_dfp_dfp_str(filters->type));
    dfp_page_filter(&api->filters, "state", ngx_dfp_dfp_str(filters->state));
    dfp_page_filter(&api->filters, "user_id", ngx_dfp_dfp_str(filters->user));

    return rc;
}


/* The manager knows more states, which no job has here. */

static dfp_rc_t
ngx_dfp_jobs_list_state(ngx_dfp_api_t *api, ngx_str_t *state, dfp_err_t *err)
{
    ngx_uint_t  i;

    static const struct {
        ngx_str_t   name;
        ngx_uint_t  used;
    } states[] = {
        { ngx_string("PENDING"), 1 },
        { ngx_string("SUCCESS"), 1 },
        { ngx_string("FAILURE"), 1 },
        { ngx_string("RECEIVED"), 0 },
        { ngx_string("STARTED"), 0 },
        { ngx_string("RETRY"), 0 }
    };

    if (state->len == 0) {
        return DFP_OK;
    }

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (state->len == states[i].name.len
            && ngx_memcmp(state->data, states[i].name.data, state->len) == 0)
        {
            api->list.none |= !states[i].used;
            api->list.state = *state;
            return DFP_OK;
        }
    }

    return dfp_invalid(err, "state must be PENDING, SUCCESS or FAILURE");
}


static dfp_rc_t
ngx_dfp_jobs_list_user(ngx_dfp_api_t *api, ngx_str_t *user, dfp_err_t *err)
{
    off_t   id;
    u_char  *p;

    if (user->len == 0) {
        return DFP_OK;
    }

    id = ngx_atoof(user->data, user->len);

    if (id == NGX_ERROR) {
        return dfp_invalid(err, "user_id must be an integer of at least 0");
    }

    /* without leading zeros */

    p = ngx_pnalloc(api->r->pool, NGX_OFF_T_LEN);
    if (p == NULL) {
        return DFP_ERROR;
    }

    api->list.user.data = p;
    api->list.user.len = ngx_sprintf(p, "%O", id) - p;

    return DFP_OK;
}


static void
ngx_dfp_jobs_listed(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, api->r->connection->log, 0,
                   "dfpreheat api: list is read, rc %i, %ui of %ui jobs, %ui "
                   "skipped", rc, api->list.n, api->list.total,
                   api->list.skipped);

    if (rc != NGX_OK) {
        ngx_dfp_api_store_error(api, rc);
        return;
    }

    ngx_dfp_jobs_list_show(api);
}


static void
ngx_dfp_jobs_list_show(ngx_dfp_api_t *api)
{
    dfp_buf_t   b;
    dfp_page_t  page;
    ngx_uint_t  i;

    page.number = api->list.page;
    page.size = api->list.per_page;

    if (ngx_dfp_page_headers(api, &page, "/oapi/v1/jobs", &api->filters,
                             api->list.skipped ? -1
                                               : (int64_t) api->list.total)
        != NGX_OK)
    {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    dfp_buf_init(&b, &api->mem, 4096, 0);
    dfp_buf_cstr(&b, "[");

    for (i = 0; i < api->list.n; i++) {
        dfp_buf_cstr(&b, i ? "," : "");
        ngx_dfp_print_job(&b, api->conf, &api->list.jobs[i],
                          NGX_DFP_PRINT_LISTED);
    }

    dfp_buf_cstr(&b, "]");

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}
