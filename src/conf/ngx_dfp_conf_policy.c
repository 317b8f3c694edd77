/*
 * dfpreheat_policy: which pushes become jobs, and of what kind. A policy is
 * checked as a job is that someone posts.
 */

#include "ngx_dfp_conf.h"
#include "ngx_dfp_binding.h"


/* as of a job, for the check */
#define NGX_DFP_POLICY_SAMPLE                                                 \
    "{\"type\":\"preheat\",\"args\":{\"type\":\"image\","                     \
    "\"url\":\"http://registry/v2/app/manifests/1\""


static ngx_int_t ngx_dfp_conf_policy_name(ngx_conf_t *cf,
    ngx_dfp_main_conf_t *mcf, ngx_str_t *name);
static ngx_int_t ngx_dfp_conf_policy_param(ngx_conf_t *cf,
    ngx_dfp_policy_t *policy, ngx_str_t *value, dfp_buf_t *args);
static ngx_int_t ngx_dfp_conf_policy_patterns(ngx_conf_t *cf,
    ngx_dfp_policy_t *policy, const char *name, ngx_str_t *text,
    dfp_patterns_t *patterns);
static ngx_int_t ngx_dfp_conf_policy_origin(ngx_conf_t *cf,
    ngx_dfp_policy_t *policy, ngx_str_t *text);
static ngx_int_t ngx_dfp_conf_policy_subjects(ngx_conf_t *cf,
    ngx_dfp_policy_t *policy, ngx_str_t *value, ngx_str_t *rest,
    dfp_buf_t *args);
static ngx_int_t ngx_dfp_conf_policy_keep(ngx_conf_t *cf,
    ngx_dfp_policy_t *policy, ngx_str_t *value, ngx_str_t *rest);
static ngx_int_t ngx_dfp_conf_policy_args(ngx_conf_t *cf,
    ngx_dfp_policy_t *policy, dfp_buf_t *args);
static ngx_int_t ngx_dfp_conf_policy_bound(ngx_conf_t *cf,
    ngx_dfp_main_conf_t *mcf, ngx_dfp_policy_t *policy);
static ngx_int_t ngx_dfp_conf_policy_clusters(ngx_conf_t *cf,
    ngx_dfp_main_conf_t *mcf, ngx_dfp_policy_t *policy);
static ngx_dfp_cluster_t *ngx_dfp_conf_policy_cluster(
    ngx_dfp_main_conf_t *mcf, ngx_str_t *id);
static ngx_int_t ngx_dfp_conf_policy_caches(ngx_conf_t *cf,
    ngx_dfp_policy_t *policy, ngx_dfp_cluster_t *cluster);


char *
ngx_dfp_conf_policy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    dfp_buf_t          args;
    dfp_mem_t          mem;
    ngx_str_t         *value;
    ngx_uint_t         i;
    ngx_dfp_policy_t  *policy;

    value = cf->args->elts;

    if (ngx_dfp_conf_policy_name(cf, mcf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    policy = ngx_array_push(&mcf->policies);
    if (policy == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(policy, sizeof(ngx_dfp_policy_t));
    policy->name = value[1];

    mem = ngx_dfp_mem(cf->pool);
    dfp_buf_init(&args, &mem, 128, 0);

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_dfp_conf_policy_param(cf, policy, &value[i], &args)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (policy->match.n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_policy %V has no match=", &policy->name);
        return NGX_CONF_ERROR;
    }

    return ngx_dfp_conf_policy_args(cf, policy, &args) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* It is a part of keys in Redis, and of answers and logs. */

static ngx_int_t
ngx_dfp_conf_policy_name(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf,
    ngx_str_t *name)
{
    ngx_uint_t         i;
    ngx_dfp_policy_t  *policy;

    if (mcf->policies.nelts == NGX_DFP_POLICIES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "too many dfpreheat_policy directives: the maximum "
                           "is %d", NGX_DFP_POLICIES_MAX);
        return NGX_ERROR;
    }

    for (i = 0; i < name->len; i++) {
        if (!isalnum(name->data[i]) && !ngx_strchr("._-", name->data[i])) {
            break;
        }
    }

    if (i < name->len || name->len == 0
        || name->len > NGX_DFP_POLICY_NAME_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_policy: the name \"%V\" must have 1 to "
                           "%d letters, digits, \".\", \"_\" or \"-\"", name,
                           NGX_DFP_POLICY_NAME_MAX);
        return NGX_ERROR;
    }

    policy = mcf->policies.elts;

    for (i = 0; i < mcf->policies.nelts; i++) {
        if (policy[i].name.len == name->len
            && ngx_strncmp(policy[i].name.data, name->data, name->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate dfpreheat_policy %V", name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* What jobs have, too, is checked as a part of a job, later. */

static ngx_int_t
ngx_dfp_conf_policy_param(ngx_conf_t *cf, ngx_dfp_policy_t *policy,
    ngx_str_t *value, dfp_buf_t *args)
{
    ngx_str_t  rest;

    if (ngx_dfp_conf_param(value, "match=", &rest)) {
        return ngx_dfp_conf_policy_patterns(cf, policy, "match", &rest,
                                            &policy->match);
    }

    if (ngx_dfp_conf_param(value, "exclude=", &rest)) {
        return ngx_dfp_conf_policy_patterns(cf, policy, "exclude", &rest,
                                            &policy->exclude);
    }

    if (ngx_dfp_conf_param(value, "origin=", &rest)) {
        return ngx_dfp_conf_policy_origin(cf, policy, &rest);
    }

    if (ngx_dfp_conf_param(value, "clusters=", &rest)) {
        policy->clusters = rest;
        return NGX_OK;
    }

    if (ngx_dfp_conf_param(value, "subjects=", &rest)) {
        return ngx_dfp_conf_policy_subjects(cf, policy, value, &rest, args);
    }

    if (ngx_dfp_conf_param(value, "keep=", &rest)) {
        return ngx_dfp_conf_policy_keep(cf, policy, value, &rest);
    }

    if (ngx_dfp_conf_param(value, "scope=", &rest)) {
        dfp_buf_cstr(args, ",\"scope\":");

    } else if (ngx_dfp_conf_param(value, "platform=", &rest)) {
        dfp_buf_cstr(args, ",\"platform\":");

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_policy %V: invalid parameter \"%V\"",
                           &policy->name, value);
        return NGX_ERROR;
    }

    dfp_buf_json(args, ngx_dfp_dfp_str(rest));

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_conf_policy_patterns(ngx_conf_t *cf, ngx_dfp_policy_t *policy,
    const char *name, ngx_str_t *text, dfp_patterns_t *patterns)
{
    dfp_rc_t   rc;
    dfp_err_t  err;
    dfp_mem_t  mem;

    mem = ngx_dfp_mem(cf->pool);

    rc = dfp_patterns_parse(&mem, ngx_dfp_dfp_str(*text), name, patterns,
                            &err);
    if (rc == DFP_OK) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "dfpreheat_policy %V: %s",
                       &policy->name,
                       rc == DFP_INVALID ? err.text : "no memory");

    return NGX_ERROR;
}


static ngx_int_t
ngx_dfp_conf_policy_origin(ngx_conf_t *cf, ngx_dfp_policy_t *policy,
    ngx_str_t *text)
{
    dfp_rc_t   rc;
    dfp_err_t  err;
    dfp_mem_t  mem;
    dfp_url_t  url;

    mem = ngx_dfp_mem(cf->pool);

    rc = dfp_url_parse(&mem, ngx_dfp_dfp_str(*text), "origin", &url, &err);

    if (rc == DFP_OK && url.path.len == 1 && url.query.data == NULL) {
        policy->origin = ngx_dfp_str(url.origin);
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "dfpreheat_policy %V: %s",
                       &policy->name,
                       rc == DFP_INVALID ? err.text
                       : "origin must be scheme, host and port only");

    return NGX_ERROR;
}


static ngx_int_t
ngx_dfp_conf_policy_subjects(ngx_conf_t *cf, ngx_dfp_policy_t *policy,
    ngx_str_t *value, ngx_str_t *rest, dfp_buf_t *args)
{
    ngx_int_t  on;

    on = ngx_dfp_conf_flag(cf, value, rest);

    if (on == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (on) {
        policy->subjects = 1;
        dfp_buf_cstr(args, ",\"subjects\":true");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_conf_policy_keep(ngx_conf_t *cf, ngx_dfp_policy_t *policy,
    ngx_str_t *value, ngx_str_t *rest)
{
    static const time_t  day = 24 * 60 * 60;

    policy->keep = ngx_parse_time(rest, 1);

    if (policy->keep > 0 && policy->keep <= DFP_JOB_KEEP_DAYS * day) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "dfpreheat_policy %V: \"%V\" must be a time between 1s "
                       "and %dd", &policy->name, value, DFP_JOB_KEEP_DAYS);

    return NGX_ERROR;
}


static ngx_int_t
ngx_dfp_conf_policy_args(ngx_conf_t *cf, ngx_dfp_policy_t *policy,
    dfp_buf_t *args)
{
    dfp_rc_t   rc;
    dfp_buf_t  sample;
    dfp_err_t  err;
    dfp_job_t  job;
    dfp_mem_t  mem;

    mem = ngx_dfp_mem(cf->pool);
    policy->args = ngx_dfp_str(dfp_buf_value(args));

    dfp_buf_init(&sample, &mem, 256, 0);
    dfp_buf_cstr(&sample, NGX_DFP_POLICY_SAMPLE);
    dfp_buf_str(&sample, dfp_buf_value(args));
    dfp_buf_cstr(&sample, "}}");

    if (args->failed || sample.failed) {
        return NGX_ERROR;
    }

    rc = dfp_job_parse(&mem, dfp_buf_value(&sample), DFP_JOB_TIMEOUT_DEFAULT,
                       &job, &err);
    if (rc == DFP_OK) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "dfpreheat_policy %V: %s",
                       &policy->name,
                       rc == DFP_INVALID ? err.text : "no memory");

    return NGX_ERROR;
}


ngx_int_t
ngx_dfp_conf_check_policies(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    ngx_uint_t         i;
    ngx_dfp_policy_t  *policy;

    policy = mcf->policies.elts;

    for (i = 0; i < mcf->policies.nelts; i++) {
        if (ngx_dfp_conf_policy_clusters(cf, mcf, &policy[i]) != NGX_OK
            || (policy[i].origin.len
                && ngx_dfp_conf_policy_bound(cf, mcf, &policy[i]) != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_conf_policy_bound(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf,
    ngx_dfp_policy_t *policy)
{
    dfp_err_t  err;
    dfp_mem_t  mem;
    dfp_url_t  url;

    mem = ngx_dfp_mem(cf->pool);

    if (dfp_url_parse(&mem, ngx_dfp_dfp_str(policy->origin), "origin", &url,
                      &err)
        == DFP_OK
        && ngx_dfp_binding_find(mcf, &url, 0))
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "dfpreheat_policy %V: no location is bound to \"%V\" "
                       "(dfpreheat_origin)", &policy->name, &policy->origin);

    return NGX_ERROR;
}


static ngx_int_t
ngx_dfp_conf_policy_clusters(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf,
    ngx_dfp_policy_t *policy)
{
    u_char             *p, *last;
    ngx_str_t           id;
    ngx_uint_t          i;
    ngx_dfp_cluster_t  *cluster;

    cluster = mcf->clusters.elts;

    for (i = 0; policy->clusters.len == 0 && i < mcf->clusters.nelts; i++) {
        if (ngx_dfp_conf_policy_caches(cf, policy, &cluster[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (policy->clusters.len == 0) {
        return NGX_OK;
    }

    p = policy->clusters.data;
    last = p + policy->clusters.len;

    for ( ;; ) {

        id.data = p;

        while (p < last && *p != ',') {
            p++;
        }

        id.len = p - id.data;

        cluster = ngx_dfp_conf_policy_cluster(mcf, &id);

        if (cluster == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_policy %V: \"clusters=%V\" must be "
                               "ids of dfpreheat_cluster, separated by commas",
                               &policy->name, &policy->clusters);
            return NGX_ERROR;
        }

        if (ngx_dfp_conf_policy_caches(cf, policy, cluster) != NGX_OK) {
            return NGX_ERROR;
        }

        if (p++ == last) {
            return NGX_OK;
        }
    }
}


static ngx_dfp_cluster_t *
ngx_dfp_conf_policy_cluster(ngx_dfp_main_conf_t *mcf, ngx_str_t *id)
{
    ngx_int_t           n;
    ngx_uint_t          i;
    ngx_dfp_cluster_t  *cluster;

    n = ngx_atoi(id->data, id->len);
    cluster = mcf->clusters.elts;

    /* "01" is no number of JSON */

    for (i = 0; id->len && id->data[0] != '0' && i < mcf->clusters.nelts; i++) {
        if (cluster[i].id == n) {
            return &cluster[i];
        }
    }

    return NULL;
}


/* What only a cache can do. */

static ngx_int_t
ngx_dfp_conf_policy_caches(ngx_conf_t *cf, ngx_dfp_policy_t *policy,
    ngx_dfp_cluster_t *cluster)
{
    if (cluster->caches || !(policy->subjects || policy->keep)) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "dfpreheat_policy %V: subjects=on and keep= need "
                       "clusters with engine=cache, and cluster %L has another "
                       "engine: name some in clusters=", &policy->name, cluster->id);

    return NGX_ERROR;
}
