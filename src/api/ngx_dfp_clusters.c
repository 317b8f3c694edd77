#include "ngx_dfp_clusters.h"
#include "ngx_dfp_page.h"
#include "ngx_dfp_print_cluster.h"
#include "ngx_dfp_query.h"

#include "dfp_texts.h"


/* What is asked for. */
typedef struct {
    ngx_dfp_cluster_t         *clusters[NGX_DFP_CLUSTERS_MAX];    /* by id */
    ngx_uint_t                 n;
    ngx_uint_t                 total;    /* on all pages */
    dfp_page_t                 page;
    dfp_buf_t                  filters;
    ngx_dfp_stored_members_t   members;
    unsigned                   one:1;    /* not a list */
} ngx_dfp_clusters_t;


static ngx_dfp_clusters_t *ngx_dfp_clusters(ngx_dfp_api_t *api);
static dfp_rc_t ngx_dfp_clusters_parse(ngx_dfp_api_t *api,
    ngx_dfp_clusters_t *clusters, dfp_err_t *err);
static void ngx_dfp_clusters_choose(ngx_dfp_api_t *api,
    ngx_dfp_clusters_t *clusters, ngx_str_t *name);
static void ngx_dfp_clusters_cut(ngx_dfp_clusters_t *clusters);
static void ngx_dfp_clusters_read(ngx_dfp_api_t *api,
    ngx_dfp_clusters_t *clusters);
static void ngx_dfp_clusters_done(void *data, ngx_int_t rc);
static void ngx_dfp_clusters_show(ngx_dfp_api_t *api,
    ngx_dfp_clusters_t *clusters);


void
ngx_dfp_clusters_list(ngx_dfp_api_t *api)
{
    dfp_rc_t             rc;
    dfp_err_t            err;
    ngx_dfp_clusters_t  *clusters;

    clusters = ngx_dfp_clusters(api);
    rc = clusters ? ngx_dfp_clusters_parse(api, clusters, &err) : DFP_ERROR;

    if (rc == DFP_INVALID) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, err.text);

    } else if (rc != DFP_OK
               || ngx_dfp_page_headers(api, &clusters->page,
                                       NGX_DFP_CLUSTERS_PATH,
                                       &clusters->filters, clusters->total)
                  != NGX_OK)
    {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");

    } else {
        ngx_dfp_clusters_read(api, clusters);
    }
}


void
ngx_dfp_clusters_get(ngx_dfp_api_t *api)
{
    ngx_uint_t           i;
    ngx_dfp_cluster_t   *cluster;
    ngx_dfp_clusters_t  *clusters;

    if (api->cluster == 0) {
        ngx_dfp_api_error(api, NGX_HTTP_UNPROCESSABLE, NGX_DFP_CLUSTERS_ID);
        return;
    }

    clusters = ngx_dfp_clusters(api);

    if (clusters == NULL) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    cluster = api->conf->clusters.elts;

    for (i = 0; i < api->conf->clusters.nelts; i++) {
        if (cluster[i].id == api->cluster) {
            clusters->clusters[clusters->n++] = &cluster[i];
        }
    }

    if (clusters->n == 0) {
        ngx_dfp_api_error(api, NGX_HTTP_NOT_FOUND, DFP_API_NOT_FOUND);
        return;
    }

    clusters->one = 1;
    ngx_dfp_clusters_read(api, clusters);
}


static ngx_dfp_clusters_t *
ngx_dfp_clusters(ngx_dfp_api_t *api)
{
    api->data = ngx_pcalloc(api->r->pool, sizeof(ngx_dfp_clusters_t));

    return api->data;
}


static dfp_rc_t
ngx_dfp_clusters_parse(ngx_dfp_api_t *api, ngx_dfp_clusters_t *clusters,
    dfp_err_t *err)
{
    dfp_rc_t   rc;
    ngx_str_t  name;

    if (ngx_dfp_query_get(api->r, "name=", &name) != NGX_OK) {
        return DFP_ERROR;
    }

    rc = ngx_dfp_page_parse(api, NGX_DFP_CLUSTERS_MAX, &clusters->page, err);

    if (rc == DFP_OK) {
        dfp_buf_init(&clusters->filters, &api->mem, 128, 0);
        dfp_page_filter(&clusters->filters, "name", ngx_dfp_dfp_str(name));

        ngx_dfp_clusters_choose(api, clusters, &name);
        ngx_dfp_clusters_cut(clusters);
    }

    return rc;
}


/* Those with the name, or all. */

static void
ngx_dfp_clusters_choose(ngx_dfp_api_t *api, ngx_dfp_clusters_t *clusters,
    ngx_str_t *name)
{
    ngx_uint_t          i, k;
    ngx_dfp_cluster_t  *cluster;

    cluster = api->conf->clusters.elts;

    for (i = 0; i < api->conf->clusters.nelts; i++) {

        if (name->len
            && (name->len != cluster[i].name.len
                || ngx_memcmp(name->data, cluster[i].name.data, name->len)
                   != 0))
        {
            continue;
        }

        for (k = clusters->n++; k; k--) {
            if (clusters->clusters[k - 1]->id < cluster[i].id) {
                break;
            }

            clusters->clusters[k] = clusters->clusters[k - 1];
        }

        clusters->clusters[k] = &cluster[i];
    }

    clusters->total = clusters->n;
}


/* Keeps those of the page. */

static void
ngx_dfp_clusters_cut(ngx_dfp_clusters_t *clusters)
{
    ngx_uint_t  first;

    first = ngx_min(dfp_page_before(&clusters->page), (int64_t) clusters->n);

    clusters->n = ngx_min(clusters->n - first,
                          (ngx_uint_t) clusters->page.size);

    ngx_memmove(clusters->clusters, clusters->clusters + first,
                clusters->n * sizeof(ngx_dfp_cluster_t *));
}


static void
ngx_dfp_clusters_read(ngx_dfp_api_t *api, ngx_dfp_clusters_t *clusters)
{
    if (clusters->n == 0) {
        ngx_dfp_clusters_show(api, clusters);
        return;
    }

    /* the answer is printed while the reply exists */

    api->op.borrow = 1;
    api->replied = ngx_dfp_clusters_done;

    if (ngx_dfp_store_members(api->store, &api->op, &clusters->members)
        != NGX_OK)
    {
        ngx_dfp_api_store_error(api, NGX_ABORT);
    }
}


static void
ngx_dfp_clusters_done(void *data, ngx_int_t rc)
{
    ngx_dfp_api_t *api = data;

    ngx_dfp_clusters_t  *clusters;

    clusters = api->data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, api->r->connection->log, 0,
                   "dfpreheat api: members are read, rc %i, %ui of them, %ui "
                   "clusters", rc, clusters->members.n, clusters->n);

    if (rc != NGX_OK) {
        ngx_dfp_api_store_error(api, rc);
        return;
    }

    ngx_dfp_clusters_show(api, clusters);
}


static void
ngx_dfp_clusters_show(ngx_dfp_api_t *api, ngx_dfp_clusters_t *clusters)
{
    dfp_buf_t   b;
    ngx_uint_t  i, most;

    most = NGX_DFP_PRINT_MEMBERS / ngx_max(clusters->n, 1);

    dfp_buf_init(&b, &api->mem, 4096, 0);
    dfp_buf_cstr(&b, clusters->one ? "" : "[");

    for (i = 0; i < clusters->n; i++) {
        dfp_buf_cstr(&b, i ? "," : "");
        ngx_dfp_print_cluster(&b, clusters->clusters[i], &clusters->members,
                              most);
    }

    dfp_buf_cstr(&b, clusters->one ? "" : "]");

    ngx_dfp_api_send(api, NGX_HTTP_OK, &b);
}
