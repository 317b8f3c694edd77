#include "ngx_dfp_image.h"


static ngx_int_t ngx_dfp_image_index_keep(ngx_dfp_task_t *task,
    dfp_oci_manifest_t *m);
static ngx_int_t ngx_dfp_image_index_entry(ngx_dfp_task_t *task,
    dfp_oci_desc_t *desc);
static ngx_int_t ngx_dfp_image_index_see(ngx_dfp_task_t *task,
    ngx_uint_t visit, dfp_oci_seen_t *seen);
static dfp_rc_t ngx_dfp_image_index_pick(ngx_dfp_run_t *run, dfp_oci_manifest_t *m,
    dfp_oci_seen_t *seen, size_t **picked, size_t *n, dfp_err_t *err);


ngx_int_t
ngx_dfp_image_index(ngx_dfp_task_t *task, dfp_oci_manifest_t *m,
    dfp_err_t *err)
{
    dfp_rc_t        rc;
    size_t          i, n, *picked;
    dfp_oci_seen_t  seen;

    if (task->depth == NGX_DFP_INDEX_DEPTH) {
        (void) dfp_invalid(err, "indexes are nested more than %d levels deep",
                           NGX_DFP_INDEX_DEPTH);
        return NGX_DECLINED;
    }

    if ((task->depth || dfp_oci_has_nested(m))
        && ngx_dfp_image_index_keep(task, m) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&seen, sizeof(dfp_oci_seen_t));

    rc = ngx_dfp_image_index_pick(task->run, m, task->index ? &seen : NULL,
                                  &picked, &n, err);
    if (rc != DFP_OK) {
        return rc == DFP_INVALID ? NGX_DECLINED : NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_dfp_image_index_entry(task, &m->descs[picked[i]]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_image_index_keep(ngx_dfp_task_t *task, dfp_oci_manifest_t *m)
{
    ngx_pool_t       *pool;
    ngx_dfp_index_t  *index;

    pool = task->run->pool;

    index = ngx_pcalloc(pool, sizeof(ngx_dfp_index_t));
    if (index == NULL) {
        return NGX_ERROR;
    }

    index->manifest = *m;
    task->index = index;

    return ngx_array_init(&index->indexes, pool, 4, sizeof(ngx_dfp_task_t *));
}


static ngx_int_t
ngx_dfp_image_index_entry(ngx_dfp_task_t *task, dfp_oci_desc_t *desc)
{
    ngx_dfp_task_t  *child, **slot;

    child = ngx_dfp_image_add(task, desc, NGX_DFP_MANIFEST);
    if (child == NULL) {
        return NGX_ERROR;
    }

    child->depth = ngx_max(child->depth, task->depth + 1);

    if (task->index) {
        slot = ngx_array_push(&task->index->indexes);
        if (slot == NULL) {
            return NGX_ERROR;
        }

        *slot = child;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_image_index_complete(ngx_dfp_run_t *run, ngx_dfp_image_t *image)
{
    dfp_err_t       err;
    dfp_oci_seen_t  seen;

    if (!image->task->done || image->task->index == NULL) {
        return NGX_OK;
    }

    ngx_memzero(&seen, sizeof(dfp_oci_seen_t));

    if (ngx_dfp_image_index_see(image->task, image - run->images + 1, &seen)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (dfp_oci_missed(&run->job.platforms, &run->conf->platforms, &seen, &err)
        != DFP_OK)
    {
        ngx_dfp_task_failed(image->task, "%s", err.text);
    }

    return NGX_OK;
}


/* An index may be shared by images, and contained in several indexes: it is
 * counted once for each image. */

static ngx_int_t
ngx_dfp_image_index_see(ngx_dfp_task_t *task, ngx_uint_t visit,
    dfp_oci_seen_t *seen)
{
    size_t             n, *picked;
    dfp_err_t          err;
    ngx_uint_t         i;
    ngx_dfp_index_t   *index;
    ngx_dfp_task_t   **child;

    index = task->index;

    if (index == NULL || index->visit == visit) {
        return NGX_OK;
    }

    index->visit = visit;

    if (ngx_dfp_image_index_pick(task->run, &index->manifest, seen, &picked,
                                 &n, &err)
        == DFP_ERROR)
    {
        return NGX_ERROR;
    }

    child = index->indexes.elts;

    for (i = 0; i < index->indexes.nelts; i++) {
        if (ngx_dfp_image_index_see(child[i], visit, seen) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static dfp_rc_t
ngx_dfp_image_index_pick(ngx_dfp_run_t *run, dfp_oci_manifest_t *m,
    dfp_oci_seen_t *seen, size_t **picked, size_t *n, dfp_err_t *err)
{
    dfp_mem_t  mem;

    *picked = ngx_palloc(run->pool, (m->n + 1) * sizeof(size_t));
    if (*picked == NULL) {
        return DFP_ERROR;
    }

    mem = ngx_dfp_mem(run->pool);

    return dfp_oci_pick(&mem, m, &run->job.platforms, &run->conf->platforms,
                        seen, *picked, n, err);
}
