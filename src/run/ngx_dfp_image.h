/*
 * A manifest URL to the list of tasks: the manifest by its tag, through an
 * index to the manifests of the wanted platforms, to config and layers.
 */

#ifndef NGX_DFP_IMAGE_H
#define NGX_DFP_IMAGE_H


#include "ngx_dfp_task.h"


/*
 * Resolves the run's image job into tasks: sets the run's next, and calls THEN
 * when all manifests are read; those are ended tasks by then, all others wait
 * to be warmed. NGX_ERROR: no memory.
 */
ngx_int_t ngx_dfp_image_start(ngx_dfp_run_t *run, ngx_dfp_run_pt then);

/* Adds the manifest URLs of the run's image job as tasks, with MANIFEST such as are
 * to be read here. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_image_tasks(ngx_dfp_run_t *run, ngx_uint_t manifest);


typedef enum {
    NGX_DFP_BLOB = 0,
    NGX_DFP_MANIFEST,
    NGX_DFP_MANIFEST_READ    /* by its tag */
} ngx_dfp_kind_t;

/* Adds what DESC in PARENT stands for as a task. NULL: no memory. */
ngx_dfp_task_t *ngx_dfp_image_add(ngx_dfp_task_t *parent, dfp_oci_desc_t *desc,
    ngx_dfp_kind_t kind);

/* Adds config and layers of a manifest. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_image_layers(ngx_dfp_task_t *task, dfp_oci_manifest_t *m);

/* Adds the entries of an index that are wanted, or NGX_DECLINED: ERR tells why
 * that cannot be done. M is kept. */
ngx_int_t ngx_dfp_image_index(ngx_dfp_task_t *task, dfp_oci_manifest_t *m,
    dfp_err_t *err);

/* When all manifests are read: whether all platforms are in one or the other
 * index of this image, or its manifest fails. */
ngx_int_t ngx_dfp_image_complete(ngx_dfp_run_t *run, ngx_dfp_image_t *image);


#endif /* NGX_DFP_IMAGE_H */
