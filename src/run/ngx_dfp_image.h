/*
 * The images of a job, resolved into tasks: the manifest of each tag, through
 * an index to the manifests of the platforms that are wanted, to config and
 * layers.
 */

#ifndef NGX_DFP_IMAGE_H
#define NGX_DFP_IMAGE_H


#include "ngx_dfp_task.h"


#define NGX_DFP_INDEX_DEPTH      3     /* nested indexes */
#define NGX_DFP_REFERRERS_PAGES  100   /* of the list of what refers to a
                                          manifest */


/* An image of a job. */
struct ngx_dfp_image_s {
    dfp_oci_ref_t    ref;
    ngx_str_t        posted;    /* the same, as it was posted */
    ngx_str_t        digest;    /* of its manifest; "": not known */
    ngx_dfp_task_t  *task;      /* its manifest */
};


/* An index that contains other indexes, or is contained in one. */
struct ngx_dfp_index_s {
    dfp_oci_manifest_t  manifest;
    ngx_array_t         indexes;   /* task_t *, of those in it */
    ngx_uint_t          visit;     /* of the last image that it was
                                      counted for */
};


typedef enum {
    NGX_DFP_BLOB = 0,
    NGX_DFP_MANIFEST,        /* to be read */
    NGX_DFP_MANIFEST_READ    /* by its tag */
} ngx_dfp_kind_t;


/* Adds a task for the manifest of each image of the job; with MANIFEST it is
 * to be read here. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_image_tasks(ngx_dfp_run_t *run, ngx_uint_t manifest);

/* The steps of the stage in which manifests are read: they become tasks that
 * have ended, and what they contain becomes tasks that are ready. */
ngx_int_t ngx_dfp_image_call(ngx_dfp_run_t *run);
void ngx_dfp_image_answered(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* After it: an image fails whose indexes lack one of the platforms. */
void ngx_dfp_image_check(ngx_dfp_run_t *run);

/* The digest that the content of TASK, also a file, must have; NULL: any. The
 * manifest of a tag has one when it was read. */
ngx_str_t *ngx_dfp_image_expected(ngx_dfp_task_t *task);


/* For the files of this. */

/* Adds what may refer to the manifest TASK, whose digest is DIGEST: the list of
 * referrers, and the tags of cosign. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_image_subjects(ngx_dfp_task_t *task, dfp_str_t digest);

/* Whether the answer to TASK is that there is no such thing; then it has ended. */
ngx_uint_t ngx_dfp_image_absent(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* The answer to the list of referrers, a 200: they become tasks, and TASK ends. */
void ngx_dfp_image_referrers(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* Adds all manifests of an index of such. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_image_subject_parts(ngx_dfp_task_t *task,
    dfp_oci_manifest_t *m);

/* The image of a push, for engines that do not keep manifests, is what was pushed,
 * whatever its tag stands for. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_image_pushed(ngx_dfp_run_t *run, dfp_oci_ref_t *ref);

/*
 * distribution tells about the push of a tag before it has stored the tag
 * (registry/handlers/manifests.go): then TASK, the manifest of the tag, is not there
 * yet, or is the one before. If so, it is tried again, and this returns 1. What the
 * tag stands for at the last try counts: it may have been moved since.
 */
ngx_uint_t ngx_dfp_image_early(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* Adds what DESC in the manifest PARENT refers to as a task. NULL: no
 * memory. */
ngx_dfp_task_t *ngx_dfp_image_add(ngx_dfp_task_t *parent, dfp_oci_desc_t *desc,
    ngx_dfp_kind_t kind);

/* Adds config and layers of a manifest. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_image_add_layers(ngx_dfp_task_t *task,
    dfp_oci_manifest_t *m);

/* Adds the manifests of an index that are wanted; what M refers to has to stay
 * as long as the run. NGX_DECLINED: ERR says why none can be added; NGX_ERROR:
 * no memory. */
ngx_int_t ngx_dfp_image_index(ngx_dfp_task_t *task, dfp_oci_manifest_t *m,
    dfp_err_t *err);

/* When all manifests are read: fails the manifest of an image whose indexes do
 * not contain all platforms. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_image_index_complete(ngx_dfp_run_t *run,
    ngx_dfp_image_t *image);


#endif /* NGX_DFP_IMAGE_H */
