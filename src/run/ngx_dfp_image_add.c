#include "ngx_dfp_image.h"


ngx_dfp_task_t *
ngx_dfp_image_add(ngx_dfp_task_t *parent, dfp_oci_desc_t *desc,
    ngx_dfp_kind_t kind)
{
    dfp_buf_t        b;
    dfp_mem_t        mem;
    dfp_err_t        err;
    dfp_url_t        url;
    dfp_oci_ref_t   *ref;
    ngx_dfp_run_t   *run;
    ngx_dfp_task_t  *task;

    run = parent->run;
    ref = &parent->image->ref;
    mem = ngx_dfp_mem(run->pool);

    dfp_buf_init(&b, &mem, ref->url.href.len + desc->digest.len, 0);
    dfp_buf_str(&b, ref->url.origin);
    dfp_buf_str(&b, ref->base);
    dfp_buf_str(&b, ref->name);
    dfp_buf_cstr(&b, kind == NGX_DFP_BLOB ? "/blobs/"
                                                     : "/manifests/");
    dfp_buf_str(&b, desc->digest);

    if (b.failed
        || dfp_url_parse(&mem, dfp_buf_value(&b), "the image", &url, &err)
           != DFP_OK)
    {
        return NULL;
    }

    task = ngx_dfp_task_add(run, &url, parent->image,
                            kind == NGX_DFP_MANIFEST);
    if (task == NULL) {
        return NULL;
    }

    if (task->skipped && !desc->foreign) {
        ngx_dfp_task_wanted(task);
    }

    task->digest = ngx_dfp_str(desc->digest);
    task->document = (kind != NGX_DFP_BLOB);

    if (desc->media_type.len) {
        task->media_type = ngx_dfp_str(desc->media_type);
    }

    if (!task->done && !task->failed && !task->skipped) {
        task->size = desc->size;
        task->sized = 1;
    }

    return task;
}


ngx_int_t
ngx_dfp_image_add_layers(ngx_dfp_task_t *task, dfp_oci_manifest_t *m)
{
    size_t           i;
    ngx_uint_t       n;
    ngx_dfp_run_t   *run;
    ngx_dfp_task_t  *blob;

    run = task->run;

    blob = ngx_dfp_image_add(task, &m->config, NGX_DFP_BLOB);
    if (blob == NULL) {
        return NGX_ERROR;
    }

    blob->config = 1;

    for (i = 0; i < m->n; i++) {

        n = run->tasks.nelts;

        blob = ngx_dfp_image_add(task, &m->descs[i], NGX_DFP_BLOB);
        if (blob == NULL) {
            return NGX_ERROR;
        }

        if (m->descs[i].foreign && run->tasks.nelts > n && !blob->failed) {
            ngx_dfp_task_skipped(blob, "a foreign layer: it is not in the "
                                 "registry, clients fetch it elsewhere");
        }
    }

    return NGX_OK;
}
