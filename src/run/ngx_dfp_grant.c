#include "ngx_dfp_grant.h"


static ngx_dfp_grant_t *ngx_dfp_grant_find(ngx_dfp_run_t *run,
    const dfp_url_t *url, ngx_str_t *repository, ngx_dfp_grant_pt handler,
    ngx_uint_t led);
static ngx_int_t ngx_dfp_grant_own(ngx_dfp_grant_t *grant);


ngx_dfp_grant_t *
ngx_dfp_grant_get(ngx_dfp_run_t *run, const dfp_url_t *url,
    ngx_str_t *repository, ngx_dfp_grant_pt handler)
{
    return ngx_dfp_grant_find(run, url, repository, handler, 0);
}


/* With LED it is the grant of a redirect's target, and uses nothing of the
 * job. */

static ngx_dfp_grant_t *
ngx_dfp_grant_find(ngx_dfp_run_t *run, const dfp_url_t *url,
    ngx_str_t *repository, ngx_dfp_grant_pt handler, ngx_uint_t led)
{
    ngx_queue_t      *q;
    ngx_dfp_grant_t  *grant;

    for (q = ngx_queue_head(&run->grants);
         q != ngx_queue_sentinel(&run->grants);
         q = ngx_queue_next(q))
    {
        grant = ngx_queue_data(q, ngx_dfp_grant_t, queue);

        if (grant->led == led
            && dfp_str_eq(ngx_dfp_dfp_str(grant->origin), url->origin)
            && dfp_str_eq(ngx_dfp_dfp_str(grant->repository),
                          ngx_dfp_dfp_str(*repository)))
        {
            return grant;
        }
    }

    grant = ngx_pcalloc(run->pool, sizeof(ngx_dfp_grant_t));

    if (grant == NULL
        || ngx_dfp_secrets_init(&grant->secrets, run->pool)
           != NGX_OK)
    {
        return NULL;
    }

    grant->run = run;
    grant->handler = handler;
    grant->led = led;
    grant->origin = ngx_dfp_str(url->origin);
    grant->authority = ngx_dfp_str(url->authority);
    grant->repository = *repository;

    ngx_queue_init(&grant->waiting);
    ngx_queue_insert_tail(&run->grants, &grant->queue);

    if (!led) {
        grant->own = ngx_dfp_grant_own(grant);
    }

    return grant;
}


ngx_dfp_grant_t *
ngx_dfp_grant_target(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call)
{
    dfp_err_t   err;
    dfp_mem_t   mem;
    dfp_url_t   url;

    if (grant->target
        && dfp_str_eq(ngx_dfp_dfp_str(grant->target->origin),
                      call->answer.target_url.origin))
    {
        return grant->target;
    }

    mem = ngx_dfp_mem(grant->run->pool);

    /* the call is freed before the grant */

    if (dfp_url_parse(&mem, call->answer.target_url.origin, "it", &url, &err)
        != DFP_OK)
    {
        return NULL;
    }

    grant->target = ngx_dfp_grant_find(grant->run, &url,
                                       &grant->repository, grant->handler, 1);

    return grant->target;
}


/* The job's own Authorization is sent first, unchanged. */

static ngx_int_t
ngx_dfp_grant_own(ngx_dfp_grant_t *grant)
{
    size_t             i;
    ngx_str_t          value;
    dfp_job_header_t  *header;

    header = grant->run->job.headers;

    for (i = 0; i < grant->run->job.nheaders; i++) {

        if (dfp_job_header_authorization(header[i].name)) {
            value = ngx_dfp_str(header[i].value);
            ngx_dfp_grant_set(grant, &value);
            return 1;
        }
    }

    return 0;
}


void
ngx_dfp_grant_apply(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call)
{
    call->authorization = grant->authorization;

    if (grant->target) {
        call->target = grant->target->origin;
        call->target_authorization = grant->target->authorization;
    }
}


void
ngx_dfp_grant_set(ngx_dfp_grant_t *grant, ngx_str_t *authorization)
{
    /* an Authorization that is not among the secrets could not be masked */

    ngx_str_null(&grant->authorization);
    grant->secrets.nelts = 0;

    if (ngx_dfp_secrets_add(&grant->secrets,
                            ngx_dfp_dfp_str(*authorization))
        != NGX_OK)
    {
        return;
    }

    grant->authorization = *authorization;
    grant->serial++;
    grant->renew = 0;
    grant->accepted = 0;
}


void
ngx_dfp_grants_stop(ngx_dfp_run_t *run)
{
    ngx_queue_t      *q;
    ngx_dfp_call_t   *call;
    ngx_dfp_grant_t  *grant;

    for (q = ngx_queue_head(&run->grants);
         q != ngx_queue_sentinel(&run->grants);
         q = ngx_queue_next(q))
    {
        grant = ngx_queue_data(q, ngx_dfp_grant_t, queue);
        call = grant->call;

        ngx_queue_init(&grant->waiting);

        if (call) {
            grant->call = NULL;
            run->calls--;

            ngx_dfp_call_cancel(call);
        }
    }
}
