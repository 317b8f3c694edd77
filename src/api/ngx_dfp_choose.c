#include "ngx_dfp_choose.h"

#include "dfp_addr.h"


static dfp_rc_t ngx_dfp_choose_time(ngx_dfp_api_t *api, dfp_err_t *err);
static dfp_rc_t ngx_dfp_choose_clusters(ngx_dfp_api_t *api, dfp_err_t *err);
static dfp_rc_t ngx_dfp_choose_unknown(ngx_dfp_api_t *api, int64_t id,
    dfp_err_t *err);
static dfp_rc_t ngx_dfp_choose_cluster(ngx_dfp_api_t *api,
    ngx_dfp_cluster_t *cluster, dfp_err_t *err);
static dfp_rc_t ngx_dfp_choose_supported(ngx_dfp_api_t *api,
    ngx_dfp_cluster_t *cluster, dfp_err_t *err);
static const char *ngx_dfp_choose_mode(ngx_dfp_api_t *api,
    ngx_dfp_cluster_t *cluster);
static void ngx_dfp_choose_scope(ngx_dfp_api_t *api);
static dfp_rc_t ngx_dfp_choose_instances(ngx_dfp_api_t *api);
static dfp_rc_t ngx_dfp_choose_selector(ngx_dfp_api_t *api, ngx_str_t *s);
static dfp_rc_t ngx_dfp_choose_addresses(ngx_dfp_api_t *api, ngx_str_t *s);


dfp_rc_t
ngx_dfp_choose(ngx_dfp_api_t *api, dfp_err_t *err)
{
    dfp_rc_t  rc;

    rc = ngx_dfp_choose_time(api, err);

    if (rc == DFP_OK) {
        rc = ngx_dfp_choose_clusters(api, err);
    }

    if (rc == DFP_OK) {
        ngx_dfp_choose_scope(api);
        rc = ngx_dfp_choose_instances(api);
    }

    return rc;
}


/* A dry run is checked as its job would be, and keeps nothing. */

static dfp_rc_t
ngx_dfp_choose_time(ngx_dfp_api_t *api, dfp_err_t *err)
{
    int64_t  left;

    static const int64_t  day = 24 * 60 * 60 * 1000;

    if (api->job.keep_until == 0) {
        return DFP_OK;
    }

    left = api->job.keep_until - ngx_dfp_now();

    if (left <= 0 || left > DFP_JOB_KEEP_DAYS * day) {
        return dfp_invalid(err, "args.keep_until must be in the future, and "
                           "within %d days", DFP_JOB_KEEP_DAYS);
    }

    if (api->job.action == DFP_JOB_PREHEAT) {
        api->stored.keep_until = api->job.keep_until;
    }

    return DFP_OK;
}


/* The clusters that the job names, or all. */

static dfp_rc_t
ngx_dfp_choose_clusters(ngx_dfp_api_t *api, dfp_err_t *err)
{
    size_t              i, n;
    dfp_rc_t            rc;
    ngx_array_t        *all;
    ngx_dfp_cluster_t  *cluster;

    all = &api->conf->clusters;
    n = api->job.nclusters ? api->job.nclusters : all->nelts;

    api->stored.parts = ngx_pcalloc(api->r->pool, n * sizeof(ngx_dfp_part_t));

    if (api->stored.parts == NULL
        || ngx_array_init(&api->stored.clusters, api->r->pool, n,
                          sizeof(ngx_dfp_job_cluster_t))
           != NGX_OK)
    {
        return DFP_ERROR;
    }

    for (i = 0; i < n; i++) {
        cluster = (ngx_dfp_cluster_t *) all->elts + i;

        if (api->job.nclusters) {
            cluster = ngx_dfp_choose_find(api, api->job.clusters[i]);
        }

        if (cluster == NULL) {
            return ngx_dfp_choose_unknown(api, api->job.clusters[i], err);
        }

        rc = ngx_dfp_choose_cluster(api, cluster, err);

        if (rc != DFP_OK) {
            return rc;
        }
    }

    return DFP_OK;
}


ngx_dfp_cluster_t *
ngx_dfp_choose_find(ngx_dfp_api_t *api, int64_t id)
{
    ngx_uint_t          i;
    ngx_dfp_cluster_t  *cluster;

    cluster = api->conf->clusters.elts;

    for (i = 0; i < api->conf->clusters.nelts; i++) {
        if (cluster[i].id == id) {
            return &cluster[i];
        }
    }

    return NULL;
}


static dfp_rc_t
ngx_dfp_choose_unknown(ngx_dfp_api_t *api, int64_t id, dfp_err_t *err)
{
    u_char             *p, *last;
    ngx_uint_t          k;
    u_char              known[DFP_ERR_LEN / 2];
    ngx_dfp_cluster_t  *cluster;

    cluster = api->conf->clusters.elts;
    p = known;
    last = known + sizeof(known) - 1;

    for (k = 0; k < api->conf->clusters.nelts; k++) {
        p = ngx_slprintf(p, last, k ? ", %L" : "%L", cluster[k].id);
    }

    *p = '\0';

    return dfp_invalid(err, "scheduler_cluster_ids: unknown cluster %lld; the "
                       "configured clusters are: %s", (long long) id,
                       known);
}


/* Each cluster has one job state. */

static dfp_rc_t
ngx_dfp_choose_cluster(ngx_dfp_api_t *api, ngx_dfp_cluster_t *cluster,
    dfp_err_t *err)
{
    dfp_rc_t                rc;
    ngx_dfp_job_cluster_t  *chosen;

    rc = ngx_dfp_choose_supported(api, cluster, err);
    if (rc != DFP_OK) {
        return rc;
    }

    chosen = ngx_array_push(&api->stored.clusters);

    if (chosen == NULL
        || ngx_dfp_api_uuid(api, &chosen->task_uuid) != NGX_OK)
    {
        return DFP_ERROR;
    }

    chosen->id = cluster->id;
    chosen->mode = ngx_dfp_choose_mode(api, cluster);

    api->stored.parts[api->stored.nparts++].cluster = cluster->id;

    return DFP_OK;
}


/* Only the engine of nginx's own cache knows which bytes are in it. A scheduler
 * preheats a file without its tag, and looks for it with the tag. */

static dfp_rc_t
ngx_dfp_choose_supported(ngx_dfp_api_t *api, ngx_dfp_cluster_t *cluster,
    dfp_err_t *err)
{
    if (cluster->untagged && !dfp_job_of_task(api->job.action)
        && api->job.type == DFP_JOB_FILE && api->job.tag.len)
    {
        return dfp_invalid(err, "args.tag of files is not supported by "
                           "engine=scheduler, which is that of cluster %lld: "
                           "the scheduler's PreheatFile ignores it, and its "
                           "StatFile does not (engine=peers can preheat "
                           "them)", (long long) cluster->id);
    }

    if (api->job.subjects && !cluster->caches) {
        return dfp_invalid(err, "args.subjects is supported by engine=cache "
                           "only, and cluster %lld has another engine",
                           (long long) cluster->id);
    }

    if (api->job.keep_until && !cluster->caches) {
        return dfp_invalid(err, "args.keep_until is supported by engine=cache "
                           "only, and cluster %lld has another engine",
                           (long long) cluster->id);
    }

    if (!cluster->caches
        && (api->job.digest.len || api->job.size || api->job.refresh
            || api->job.verify))
    {
        return dfp_invalid(err, "args.digest, args.size, args.refresh and "
                           "args.verify are supported by engine=cache only, "
                           "and cluster %lld has another engine",
                           (long long) cluster->id);
    }

    if (api->job.verify && api->conf->verify == NULL) {
        return dfp_invalid(err, "args.verify needs a location with "
                           "dfpreheat_verify, which this nginx does not have");
    }

    return DFP_OK;
}


/* The scheduler of a Dragonfly cluster, or its engine, chooses the peers: any
 * nginx can ask for them. */

static const char *
ngx_dfp_choose_mode(ngx_dfp_api_t *api, ngx_dfp_cluster_t *cluster)
{
    dfp_job_scope_t  scope;

    if (!cluster->caches) {
        return "here";
    }

    scope = api->job.scope ? api->job.scope : cluster->scope;

    return scope == DFP_SCOPE_SINGLE_SEED_PEER ? "one" : "all";
}


/* Otherwise the job is shown without a scope, and each cluster has its own. */

static void
ngx_dfp_choose_scope(ngx_dfp_api_t *api)
{
    ngx_uint_t              i;
    dfp_job_scope_t         scope;
    ngx_dfp_cluster_t      *cluster;
    ngx_dfp_job_cluster_t  *chosen;

    if (api->job.scope != DFP_SCOPE_DEFAULT) {
        return;
    }

    chosen = api->stored.clusters.elts;
    scope = DFP_SCOPE_DEFAULT;

    for (i = 0; i < api->stored.clusters.nelts; i++) {
        cluster = ngx_dfp_choose_find(api, chosen[i].id);

        if (i && cluster->scope != scope) {
            return;
        }

        scope = cluster->scope;
    }

    api->job.scope = scope;
}


static dfp_rc_t
ngx_dfp_choose_instances(ngx_dfp_api_t *api)
{
    dfp_job_t            *job;
    ngx_dfp_choice_t     *choice;
    ngx_dfp_main_conf_t  *conf;

    job = &api->job;
    conf = api->conf;
    choice = &api->stored.choice;

    api->stored.token = api->auth.token.id;

    choice->count = job->count;
    choice->percentage = job->percentage;
    choice->threshold = conf->success_threshold;

    if (job->success_threshold) {
        choice->threshold = job->success_threshold;
    }

    /* a job that names addresses needs all of them */

    if (job->nips == 0) {
        choice->unreachable = conf->unreachable;
        choice->share = conf->unreachable_share;
    }

    /* what an nginx still has that could not be asked is not deleted */

    if (job->action == DFP_JOB_DELETE_TASK) {
        choice->unreachable = 0;
        choice->threshold = 100;
    }

    if (ngx_dfp_choose_selector(api, &choice->selector) != DFP_OK) {
        return DFP_ERROR;
    }

    return ngx_dfp_choose_addresses(api, &choice->addresses);
}


/* What is to be preheated, as one hash. */

static dfp_rc_t
ngx_dfp_choose_selector(ngx_dfp_api_t *api, ngx_str_t *s)
{
    size_t      i, n;
    dfp_buf_t   b;
    dfp_str_t  *urls;

    if (dfp_job_urls(&api->mem, &api->job, &urls, &n) != DFP_OK) {
        return DFP_ERROR;
    }

    s->len = DFP_SHA256_HEX_LEN;
    s->data = ngx_pnalloc(api->r->pool, s->len + 1);

    if (s->data == NULL) {
        return DFP_ERROR;
    }

    dfp_buf_init(&b, &api->mem, 256, 0);

    for (i = 0; i < n; i++) {
        dfp_buf_cstr(&b, i ? " " : "");
        dfp_buf_str(&b, urls[i]);
    }

    return b.failed ? DFP_ERROR : dfp_sha256_hex(dfp_buf_value(&b),
                                                 (char *) s->data);
}


/* In the spelling of dfpreheat_instance, and each of them once. */

static dfp_rc_t
ngx_dfp_choose_addresses(ngx_dfp_api_t *api, ngx_str_t *s)
{
    char        text[INET6_ADDRSTRLEN];
    size_t      i, len;
    dfp_buf_t   b;
    dfp_str_t   ip;

    dfp_buf_init(&b, &api->mem, 64, 0);

    for (i = 0; i < api->job.nips; i++) {
        len = dfp_addr_text(api->job.ips[i], text);
        ip = api->job.ips[i];

        if (len) {
            ip.data = text;
            ip.len = len;
        }

        dfp_buf_cstr(&b, " ");
        dfp_buf_str(&b, ip);
    }

    *s = ngx_dfp_str(dfp_buf_value(&b));

    return b.failed ? DFP_ERROR : DFP_OK;
}
