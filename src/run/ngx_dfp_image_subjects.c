/*
 * Signatures, attestations and SBOMs of images: what the registry says refers to
 * a manifest (OCI distribution specification 1.1, "Listing Referrers"), or where
 * it has no such API, the index with the tag that stands for it ("Referrers Tag
 * Schema"); and the tags of cosign (its specification of signatures). What refers
 * to these is not looked for.
 */

#include "ngx_dfp_engine.h"
#include "ngx_dfp_image.h"


static ngx_int_t ngx_dfp_image_subject_tag(ngx_dfp_task_t *task,
    dfp_str_t digest, const char *end);
static ngx_dfp_task_t *ngx_dfp_image_subject_add(ngx_dfp_task_t *parent,
    const char *what, dfp_str_t reference, const char *end,
    ngx_dfp_subject_e subject);
static ngx_uint_t ngx_dfp_image_unlisted(ngx_uint_t status);
static ngx_int_t ngx_dfp_image_fallback_tag(ngx_dfp_task_t *task);
static void ngx_dfp_image_fallback(ngx_dfp_task_t *task);
static dfp_rc_t ngx_dfp_image_next_page(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call, dfp_err_t *err);


ngx_int_t
ngx_dfp_image_subjects(ngx_dfp_task_t *task, dfp_str_t digest)
{
    size_t  i;

    static const char  *ends[] = { ".sig", ".att", ".sbom" };

    if (ngx_dfp_image_subject_add(task, "/referrers/", digest, "",
                                  NGX_DFP_SUBJECT_LIST)
        == NULL)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (ngx_dfp_image_subject_tag(task, digest, ends[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* "sha256-..."; cosign has no tag for a longer digest, and the specification cuts it. */

static ngx_int_t
ngx_dfp_image_subject_tag(ngx_dfp_task_t *task, dfp_str_t digest,
    const char *end)
{
    char       *p;
    dfp_str_t   tag;

    static const size_t  len = sizeof("sha256:") - 1;

    if (*end && !dfp_str_case_starts(digest, DFP_STR("sha256:"))) {
        return NGX_OK;
    }

    tag.len = ngx_min(digest.len, len + DFP_OCI_MAX_REFERRED);

    p = ngx_pnalloc(task->run->pool, tag.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, digest.data, tag.len);
    p[len - 1] = '-';
    tag.data = p;

    return ngx_dfp_image_subject_add(task, "/manifests/", tag, end,
                                     NGX_DFP_SUBJECT_TAG)
           ? NGX_OK : NGX_ERROR;
}


static ngx_dfp_task_t *
ngx_dfp_image_subject_add(ngx_dfp_task_t *parent, const char *what,
    dfp_str_t reference, const char *end, ngx_dfp_subject_e subject)
{
    dfp_buf_t        b;
    dfp_err_t        err;
    dfp_mem_t        mem;
    dfp_url_t        url;
    dfp_oci_ref_t   *ref;
    ngx_dfp_task_t  *task;

    ref = &parent->image->ref;
    mem = ngx_dfp_mem(parent->run->pool);

    dfp_buf_init(&b, &mem, ref->url.href.len + reference.len + 16, 0);
    dfp_buf_str(&b, ref->url.origin);
    dfp_buf_str(&b, ref->base);
    dfp_buf_str(&b, ref->name);
    dfp_buf_cstr(&b, what);
    dfp_buf_str(&b, reference);
    dfp_buf_cstr(&b, end);

    if (b.failed
        || dfp_url_parse(&mem, dfp_buf_value(&b), "the image", &url, &err)
           != DFP_OK)
    {
        return NULL;
    }

    task = ngx_dfp_task_add(parent->run, &url, parent->image, 1);

    /* the job itself may name the tag as one of its images */

    if (task && !task->done && task != task->image->task) {
        task->subject = subject;
    }

    return task;
}


ngx_uint_t
ngx_dfp_image_absent(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    if (call->answer.result != NGX_DFP_CALL_OK) {

        /* no list was stored: the registry may have no such API */

        if (task->subject == NGX_DFP_SUBJECT_LIST && task->stale) {
            (void) ngx_dfp_image_fallback_tag(task);
        }

        return 0;
    }

    if (task->subject == NGX_DFP_SUBJECT_LIST && task->page == 0
        && ngx_dfp_image_unlisted(call->answer.status))
    {
        ngx_dfp_image_fallback(task);
        return 1;
    }

    if (task->subject == NGX_DFP_SUBJECT_TAG
        && call->answer.status == NGX_HTTP_NOT_FOUND)
    {
        ngx_dfp_task_passed(task, NULL);
        return 1;
    }

    return 0;
}


/* How registries say that they do not have the API; 401 is about credentials. */

static ngx_uint_t
ngx_dfp_image_unlisted(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_REQUEST_TIME_OUT:
    case NGX_HTTP_TOO_MANY_REQUESTS:
        return 0;

    case NGX_HTTP_NOT_IMPLEMENTED:
        return 1;

    default:
        return status >= NGX_HTTP_BAD_REQUEST
               && status < NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static ngx_int_t
ngx_dfp_image_fallback_tag(ngx_dfp_task_t *task)
{
    dfp_str_t    digest;
    const char  *p;

    p = dfp_str_find_last(task->url.path, "/");

    digest.data = p + 1;
    digest.len = task->url.path.data + task->url.path.len - digest.data;

    return ngx_dfp_image_subject_tag(task, digest, "");
}


static void
ngx_dfp_image_fallback(ngx_dfp_task_t *task)
{
    if (ngx_dfp_image_fallback_tag(task) == NGX_OK) {
        ngx_dfp_task_passed(task, NULL);

    } else {
        ngx_dfp_task_failed(task, "no memory");
    }
}


void
ngx_dfp_image_referrers(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    dfp_rc_t            rc;
    dfp_err_t           err;
    dfp_mem_t           mem;
    dfp_oci_manifest_t  m;

    /* the page of a site that knows nothing of registries */

    if (task->page == 0
        && dfp_oci_type_kind(ngx_dfp_dfp_str(call->answer.content_type))
           != DFP_OCI_INDEX)
    {
        ngx_dfp_image_fallback(task);
        return;
    }

    mem = ngx_dfp_mem(task->run->pool);

    rc = dfp_oci_parse_manifest(&mem, ngx_dfp_dfp_str(call->answer.body),
                                ngx_dfp_dfp_str(call->answer.content_type), &m,
                                &err);

    if (rc == DFP_OK && m.kind != DFP_OCI_INDEX) {
        rc = dfp_invalid(&err, "the list of referrers has a page that is no "
                         "index");
    }

    if (rc == DFP_OK) {
        rc = ngx_dfp_image_next_page(task, call, &err);
    }

    if (rc == DFP_INVALID) {
        ngx_dfp_task_failed(task, "%s", err.text);

    } else if (rc != DFP_OK
               || ngx_dfp_image_subject_parts(task, &m) != NGX_OK)
    {
        ngx_dfp_task_failed(task, "no memory");

    } else {
        ngx_dfp_task_passed(task, NULL);
    }
}


/* What the registry says of it is bounded, and a page that comes again would never
 * end. */

static dfp_rc_t
ngx_dfp_image_next_page(ngx_dfp_task_t *task, ngx_dfp_call_t *call,
    dfp_err_t *err)
{
    dfp_rc_t         rc;
    dfp_mem_t        mem;
    dfp_url_t        url;
    ngx_uint_t       n;
    ngx_dfp_task_t  *next;

    mem = ngx_dfp_mem(task->run->pool);

    rc = dfp_oci_next_page(&mem, &task->url,
                           ngx_dfp_dfp_str(call->answer.links), &url, err);

    if (rc != DFP_OK) {
        return rc == DFP_DECLINED ? DFP_OK : rc;
    }

    if (task->page + 1 == NGX_DFP_REFERRERS_PAGES) {
        return dfp_invalid(err, "the list of referrers has more than %d pages",
                           NGX_DFP_REFERRERS_PAGES);
    }

    n = task->run->tasks.nelts;

    next = ngx_dfp_task_add(task->run, &url, task->image, 1);

    if (next == NULL) {
        return DFP_ERROR;
    }

    if (task->run->tasks.nelts == n) {
        return dfp_invalid(err, "the list of referrers has a page that leads "
                           "back to another one");
    }

    next->subject = NGX_DFP_SUBJECT_LIST;
    next->page = task->page + 1;

    return DFP_OK;
}


/* They have no platforms. */

ngx_int_t
ngx_dfp_image_subject_parts(ngx_dfp_task_t *task, dfp_oci_manifest_t *m)
{
    size_t           i;
    ngx_uint_t       n;
    ngx_dfp_task_t  *part;

    if (task->depth == NGX_DFP_INDEX_DEPTH) {
        return NGX_OK;
    }

    for (i = 0; i < m->n; i++) {

        n = task->run->tasks.nelts;

        part = ngx_dfp_image_add(task, &m->descs[i], NGX_DFP_MANIFEST);
        if (part == NULL) {
            return NGX_ERROR;
        }

        if (task->run->tasks.nelts > n && !part->failed
            && !dfp_oci_type_kind(m->descs[i].media_type))
        {
            ngx_dfp_task_skipped(part, "its type is not that of a manifest, so "
                                 "it is not cached");

        } else if (!part->done && part->subject == NGX_DFP_SUBJECT_NONE
            && part != part->image->task)
        {
            part->subject = NGX_DFP_SUBJECT_PART;
            part->depth = ngx_max(part->depth, task->depth + 1);
        }
    }

    return NGX_OK;
}
