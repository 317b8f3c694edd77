#include "ngx_dfp_distribution.h"
#include "ngx_dfp_jobs.h"
#include "ngx_dfp_print.h"

#include "dfp_told.h"


static void ngx_dfp_distribution_created(void *data, ngx_int_t rc);
static void ngx_dfp_distribution_show(ngx_dfp_api_t *api);
static void ngx_dfp_distribution_part(ngx_dfp_part_t *part, dfp_told_t *told);
static void ngx_dfp_distribution_failed(ngx_dfp_api_t *api, dfp_told_t *told,
    ngx_uint_t n);


void
ngx_dfp_distribution(ngx_dfp_api_t *api)
{
    dfp_err_t  err;

    api->job.timeout = ngx_min(api->job.timeout,
                               (int64_t) NGX_DFP_DISTRIBUTION_TIMEOUT
                               * 1000000);
    api->stored.keep = NGX_DFP_DISTRIBUTION_KEEP;

    /* the answer is not a job, which could be shown again */

    ngx_str_null(&api->stored.once);

    ngx_dfp_jobs_store(api, DFP_OK, &err, ngx_dfp_distribution_created);
}


static void
ngx_dfp_distribution_created(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    ngx_dfp_jobs_answer(api, rc, api->job.timeout / 1000000
                                 + NGX_DFP_DISTRIBUTION_LATE,
                        ngx_dfp_distribution_show);
}


static void
ngx_dfp_distribution_show(ngx_dfp_api_t *api)
{
    size_t       layers;
    dfp_rc_t     rc;
    dfp_buf_t    b;
    ngx_uint_t   i, n;
    dfp_told_t  *told;

    n = api->stored.nparts;

    told = ngx_pcalloc(api->r->pool, (n + 1) * sizeof(dfp_told_t));
    if (told == NULL) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    for (i = 0; i < n; i++) {
        ngx_dfp_distribution_part(&api->stored.parts[i], &told[i]);
    }

    dfp_buf_init(&b, &api->mem, 4096, 0);

    rc = dfp_told_distribution(&b, told, n, &layers);

    if (rc == DFP_OK && layers == 0) {
        ngx_dfp_distribution_failed(api, told, n);
        return;
    }

    b.failed |= (rc != DFP_OK);

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}


static void
ngx_dfp_distribution_part(ngx_dfp_part_t *part, dfp_told_t *told)
{
    ngx_dfp_print_who(part, &told->ip, &told->hostname);

    told->cluster = part->cluster;
    told->results = ngx_dfp_dfp_str(part->results);
    told->error = ngx_dfp_dfp_str(part->error);

    if (part->state.data[0] == 'P') {
        told->error = DFP_STR("it has not answered in time");
    }
}


/* The image is not known: an error, as in the manager, but not one of this
 * server. */

static void
ngx_dfp_distribution_failed(ngx_dfp_api_t *api, dfp_told_t *told,
    ngx_uint_t n)
{
    ngx_uint_t  i;
    dfp_err_t   err;

    for (i = 0; i < n; i++) {
        if (told[i].error.len) {
            (void) dfp_invalid(&err, "get image layers failed: %.*s",
                               (int) told[i].error.len, told[i].error.data);
            ngx_dfp_api_error(api, NGX_HTTP_FAILED_DEPENDENCY, err.text);
            return;
        }
    }

    ngx_dfp_api_error(api, NGX_HTTP_FAILED_DEPENDENCY,
                      "no valid image layers found");
}
