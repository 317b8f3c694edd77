#include "ngx_dfp_push_plan.h"
#include "ngx_dfp_binding.h"


#define NGX_DFP_PUSH_UNMATCHED  "no policy matches it"
#define NGX_DFP_PUSH_UNBOUND                                                  \
    "no location is bound to its registry (dfpreheat_origin)"


static dfp_rc_t ngx_dfp_push_match(ngx_dfp_api_t *api,
    ngx_dfp_push_plan_t *plan, dfp_push_t *push);
static void ngx_dfp_push_unbound(ngx_dfp_api_t *api, ngx_dfp_policy_t *policy,
    dfp_push_t *push);
static ngx_uint_t ngx_dfp_push_matches(ngx_dfp_policy_t *policy,
    dfp_push_t *push);
static dfp_rc_t ngx_dfp_push_registry(ngx_dfp_api_t *api, dfp_push_t *push,
    dfp_url_t *url);
static dfp_rc_t ngx_dfp_push_origin(ngx_dfp_api_t *api, const char *scheme,
    dfp_str_t authority, dfp_url_t *url);
static ngx_uint_t ngx_dfp_push_elsewhere(ngx_dfp_api_t *api,
    ngx_dfp_policy_t *policy, dfp_url_t *url);
static dfp_rc_t ngx_dfp_push_url(ngx_dfp_api_t *api, ngx_dfp_push_job_t *job,
    dfp_str_t origin);


dfp_rc_t
ngx_dfp_push_make(ngx_dfp_api_t *api, ngx_dfp_push_plan_t *plan)
{
    size_t  i;

    if (ngx_array_init(&plan->jobs, api->r->pool, 4,
                       sizeof(ngx_dfp_push_job_t))
        != NGX_OK)
    {
        return DFP_ERROR;
    }

    for (i = 0; i < plan->n; i++) {
        if (plan->pushes[i].ignored == NULL
            && ngx_dfp_push_match(api, plan, &plan->pushes[i]) != DFP_OK)
        {
            return DFP_ERROR;
        }
    }

    return DFP_OK;
}


/* A job for each policy: they may be for other clusters or platforms. */

static dfp_rc_t
ngx_dfp_push_match(ngx_dfp_api_t *api, ngx_dfp_push_plan_t *plan,
    dfp_push_t *push)
{
    dfp_rc_t             found;
    dfp_url_t            url;
    ngx_uint_t           i, n;
    ngx_dfp_policy_t    *policy;
    ngx_dfp_push_job_t  *job;

    n = plan->jobs.nelts;
    policy = api->conf->policies.elts;

    push->ignored = NGX_DFP_PUSH_UNMATCHED;

    found = ngx_dfp_push_registry(api, push, &url);

    for (i = 0; found != DFP_ERROR && i < api->conf->policies.nelts; i++) {

        if (!ngx_dfp_push_matches(&policy[i], push)
            || (found == DFP_OK
                && ngx_dfp_push_elsewhere(api, &policy[i], &url)))
        {
            continue;
        }

        if (found != DFP_OK && policy[i].origin.len == 0) {
            ngx_dfp_push_unbound(api, &policy[i], push);
            continue;
        }

        job = ngx_array_push(&plan->jobs);
        if (job == NULL) {
            return DFP_ERROR;
        }

        ngx_memzero(job, sizeof(ngx_dfp_push_job_t));
        job->push = push;
        job->policy = &policy[i];

        if (ngx_dfp_push_url(api, job, policy[i].origin.len
                                       ? ngx_dfp_dfp_str(policy[i].origin)
                                       : url.origin)
            != DFP_OK)
        {
            return DFP_ERROR;
        }
    }

    if (plan->jobs.nelts > n) {
        push->ignored = NULL;

    } else if (push->tag.len && found != DFP_ERROR) {
        ngx_log_error(NGX_LOG_INFO, api->r->connection->log, 0,
                      "dfpreheat: a push of %*s:%*s is ignored: %s",
                      push->repository.len, push->repository.data,
                      push->tag.len, push->tag.data, push->ignored);
    }

    return found == DFP_ERROR ? DFP_ERROR : DFP_OK;
}


/* Most likely the registry has another name here, so the operator is told. */

static void
ngx_dfp_push_unbound(ngx_dfp_api_t *api, ngx_dfp_policy_t *policy,
    dfp_push_t *push)
{
    push->ignored = NGX_DFP_PUSH_UNBOUND;

    ngx_log_error(NGX_LOG_WARN, api->r->connection->log, 0,
                  "dfpreheat: policy %V: a push to \"%*s\" is ignored: no "
                  "location is bound to it (dfpreheat_origin), and the policy "
                  "has no origin=", &policy->name, push->registry.len,
                  push->registry.data);
}


/* What is signed may have any tag: that of its signature tells the digest only. */

static ngx_uint_t
ngx_dfp_push_matches(ngx_dfp_policy_t *policy, dfp_push_t *push)
{
    if (dfp_push_subject_tag(push->tag)) {
        return policy->subjects
               && dfp_patterns_repository(&policy->match, push->repository)
               && !dfp_patterns_match(&policy->exclude, push->repository,
                                      push->tag, push->digest);
    }

    return dfp_patterns_match(&policy->match, push->repository, push->tag,
                              push->digest)
           && !dfp_patterns_match(&policy->exclude, push->repository,
                                  push->tag, push->digest);
}


/* The registry as it is bound here: whoever has sent this is not trusted with where
 * it is. DFP_DECLINED: it is not bound. */

static dfp_rc_t
ngx_dfp_push_registry(ngx_dfp_api_t *api, dfp_push_t *push, dfp_url_t *url)
{
    dfp_rc_t    rc;
    ngx_uint_t  i;

    static const char  *schemes[] = { "https://", "http://" };

    if (dfp_str_find(push->registry, "://")) {
        return ngx_dfp_push_origin(api, "", push->registry, url);
    }

    for (i = 0; i < 2; i++) {
        rc = ngx_dfp_push_origin(api, schemes[i], push->registry, url);

        if (rc != DFP_DECLINED) {
            return rc;
        }
    }

    return DFP_DECLINED;
}


static dfp_rc_t
ngx_dfp_push_origin(ngx_dfp_api_t *api, const char *scheme,
    dfp_str_t authority, dfp_url_t *url)
{
    dfp_rc_t   rc;
    dfp_buf_t  b;
    dfp_err_t  err;

    dfp_buf_init(&b, &api->mem, authority.len + 16, 0);
    dfp_buf_cstr(&b, scheme);
    dfp_buf_str(&b, authority);

    if (b.failed) {
        return DFP_ERROR;
    }

    rc = dfp_url_parse(&api->mem, dfp_buf_value(&b), "registry", url, &err);

    if (rc == DFP_ERROR) {
        return rc;
    }

    return rc == DFP_OK && ngx_dfp_binding_find(api->conf, url, 0)
           ? DFP_OK : DFP_DECLINED;
}


/* A policy with origin= is also about registries that this nginx does not know by
 * the name that they tell, but not about those that it knows as others. */

static ngx_uint_t
ngx_dfp_push_elsewhere(ngx_dfp_api_t *api, ngx_dfp_policy_t *policy,
    dfp_url_t *url)
{
    return policy->origin.len
           && !dfp_str_eq(ngx_dfp_dfp_str(policy->origin), url->origin)
           && ngx_dfp_binding_named(api->conf, NULL, url);
}


/* Of the tag, which clients pull by. */

static dfp_rc_t
ngx_dfp_push_url(ngx_dfp_api_t *api, ngx_dfp_push_job_t *job,
    dfp_str_t origin)
{
    dfp_buf_t    b;
    dfp_push_t  *push;

    push = job->push;

    dfp_buf_init(&b, &api->mem, 256, 0);
    dfp_buf_str(&b, origin);
    dfp_buf_str(&b, push->base);
    dfp_buf_str(&b, push->repository);
    dfp_buf_cstr(&b, "/manifests/");
    dfp_buf_str(&b, push->tag.len ? push->tag : push->digest);

    job->url = dfp_buf_value(&b);

    return b.failed ? DFP_ERROR : DFP_OK;
}
