#include "ngx_dfp_engine.h"
#include "ngx_dfp_image.h"

#include "dfp_credentials.h"


static ngx_int_t ngx_dfp_image_ref(ngx_dfp_run_t *run, dfp_str_t text,
    dfp_oci_ref_t *ref);
static void ngx_dfp_image_unread(ngx_dfp_task_t *task, const char *reason);
static ngx_int_t ngx_dfp_image_contents(ngx_dfp_task_t *task,
    dfp_oci_manifest_t *m, ngx_dfp_task_t *same, dfp_err_t *err);
static ngx_uint_t ngx_dfp_image_spoiled(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static ngx_int_t ngx_dfp_image_digest(ngx_dfp_task_t *task, ngx_str_t *body,
    ngx_dfp_task_t **same);
static void ngx_dfp_image_stands_for(ngx_dfp_task_t *task, dfp_str_t digest);


ngx_int_t
ngx_dfp_image_tasks(ngx_dfp_run_t *run, ngx_uint_t manifest)
{
    size_t            i, n;
    dfp_mem_t         mem;
    dfp_str_t        *urls;
    ngx_dfp_task_t   *task;
    ngx_dfp_image_t  *image;

    mem = ngx_dfp_mem(run->pool);

    if (dfp_job_urls(&mem, &run->job, &urls, &n) != DFP_OK) {
        return NGX_ERROR;
    }

    image = ngx_pcalloc(run->pool, n * sizeof(ngx_dfp_image_t));
    if (image == NULL) {
        return NGX_ERROR;
    }

    run->images = image;
    run->nimages = n;

    for (i = 0; i < n; i++) {

        if (ngx_dfp_image_ref(run, urls[i], &image[i].ref) != NGX_OK
            || ngx_dfp_image_pushed(run, &image[i].ref) != NGX_OK)
        {
            return NGX_ERROR;
        }

        task = ngx_dfp_task_add(run, &image[i].ref.url, &image[i], manifest);
        if (task == NULL) {
            return NGX_ERROR;
        }

        image[i].posted = ngx_dfp_str(urls[i]);
        image[i].task = task;

        if (image[i].ref.by_digest) {
            task->digest = ngx_dfp_str(image[i].ref.reference);
            image[i].digest = task->digest;
        }
    }

    return NGX_OK;
}


/*
 * The reference was checked when the job was posted. One without a scheme is
 * resolved to the first of these origins that is bound.
 */

static ngx_int_t
ngx_dfp_image_ref(ngx_dfp_run_t *run, dfp_str_t text, dfp_oci_ref_t *ref)
{
    dfp_buf_t           b;
    dfp_mem_t           mem;
    dfp_err_t           err;
    ngx_uint_t          i, hub;
    dfp_oci_ref_t       at;
    ngx_dfp_binding_t  *binding;

    static const char  *schemes[] = { "https://", "http://" };
    static const char  *hubs[] = { "index.docker.io", "registry-1.docker.io" };

    mem = ngx_dfp_mem(run->pool);

    if (dfp_oci_parse_image(&mem, text, "args.url", ref, &err) != DFP_OK) {
        return NGX_ERROR;
    }

    hub = dfp_docker_hub(ref->url.authority);

    for (i = 0; ref->typed && i < 2; i++) {

        dfp_buf_init(&b, &mem, ref->url.origin.len + 16, 0);
        dfp_buf_cstr(&b, hub ? "https://" : schemes[i]);

        if (hub) {
            dfp_buf_cstr(&b, hubs[i]);

        } else {
            dfp_buf_str(&b, ref->url.authority);
        }

        if (b.failed
            || dfp_oci_ref_at(&mem, ref, dfp_buf_value(&b), &at, &err)
               != DFP_OK)
        {
            return NGX_ERROR;
        }

        binding = ngx_dfp_binding_find(run->conf, &at.url, 0);

        if (binding && !ngx_dfp_binding_alias(binding, &at.url)) {
            *ref = at;
            break;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_dfp_image_call(ngx_dfp_run_t *run)
{
    ngx_queue_t     *q;
    ngx_dfp_task_t  *task;

    if (ngx_queue_empty(&run->ready)) {
        return NGX_DECLINED;
    }

    /* manifests are ready before blobs */

    q = ngx_queue_head(&run->ready);
    task = ngx_queue_data(q, ngx_dfp_task_t, queue);

    if (!task->manifest) {
        return NGX_DECLINED;
    }

    return ngx_dfp_task_call(run, NGX_DFP_CALL_READ);
}


void
ngx_dfp_image_answered(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    dfp_rc_t             rc;
    dfp_mem_t            mem;
    dfp_err_t            err;
    ngx_int_t            made;
    ngx_dfp_task_t      *same;
    dfp_oci_manifest_t   m;

    if (ngx_dfp_image_early(task, call) || ngx_dfp_image_absent(task, call)
        || ngx_dfp_task_trouble(task, call) == NGX_OK)
    {
        return;
    }

    if (task->subject == NGX_DFP_SUBJECT_LIST) {
        task->entry = call->answer.entry;
        ngx_dfp_image_referrers(task, call);
        return;
    }

    if (ngx_dfp_image_spoiled(task, call)
        || ngx_dfp_image_digest(task, &call->answer.body, &same) != NGX_OK)
    {
        return;
    }

    /* results are in the run's pool; the body is freed with the call */

    mem = ngx_dfp_mem(task->run->pool);

    rc = dfp_oci_parse_manifest(&mem, ngx_dfp_dfp_str(call->answer.body),
                                ngx_dfp_dfp_str(call->answer.content_type), &m,
                                &err);
    if (rc != DFP_OK) {
        ngx_dfp_image_unread(task, rc == DFP_INVALID ? err.text : NULL);
        return;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": %s of %uz entries",
                   task->run->claim.id, &task->shown,
                   m.kind == DFP_OCI_INDEX ? "an index" : "a manifest",
                   m.n);

    task->media_type = ngx_dfp_str(m.media_type);
    same->media_type = task->media_type;

    made = ngx_dfp_image_contents(task, &m, same, &err);

    if (made == NGX_DECLINED) {
        ngx_dfp_task_failed(task, "%s", err.text);
        return;
    }

    if (made != NGX_OK) {
        ngx_dfp_task_failed(task, "no memory");
        return;
    }

    task->entry = call->answer.entry;
    task->size = call->answer.body.len;

    ngx_dfp_task_done(task);
}


/* REASON is why it cannot be; NULL: no memory. An image is complete without what
 * refers to it in ways that are not known here. */

static void
ngx_dfp_image_unread(ngx_dfp_task_t *task, const char *reason)
{
    if (reason && task->subject) {
        ngx_dfp_task_passed(task, reason);

    } else {
        ngx_dfp_task_failed(task, "%s", reason ? reason : "no memory");
    }
}


static ngx_int_t
ngx_dfp_image_contents(ngx_dfp_task_t *task, dfp_oci_manifest_t *m,
    ngx_dfp_task_t *same, dfp_err_t *err)
{
    ngx_int_t  made;

    if (m->kind != DFP_OCI_INDEX) {
        made = ngx_dfp_image_add_layers(task, m);

    } else if (task->subject) {
        made = ngx_dfp_image_subject_parts(task, m);

    } else {
        made = ngx_dfp_image_index(task, m, err);
    }

    if (made != NGX_OK || task->subject || !task->run->job.subjects) {
        return made;
    }

    return ngx_dfp_image_subjects(task, ngx_dfp_dfp_str(same->digest));
}


/* A wrong copy in the cache says nothing about what the registry has: the next
 * try asks the registry. Returns 1 if the task is tried again. */

static ngx_uint_t
ngx_dfp_image_spoiled(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    dfp_mem_t  mem;
    dfp_err_t  err;

    if (!call->answer.cached) {
        return 0;
    }

    mem = ngx_dfp_mem(call->pool);

    if (dfp_oci_check_manifest(&mem, ngx_dfp_dfp_str(task->digest),
                               ngx_dfp_dfp_str(call->answer.content_type),
                               ngx_dfp_dfp_str(call->answer.body), &err)
        != DFP_INVALID)
    {
        return 0;
    }

    if (call->answer.entry.cache) {
        ngx_dfp_cache_drop(&call->answer.entry, &task->run->log);
    }

    task->refresh = 1;
    ngx_dfp_task_again(task, NGX_DFP_RETRY_CONTENT, 0, err.text);

    return 1;
}


/*
 * A manifest that was requested by its digest must have this digest. For one
 * that was requested by a tag the digest is computed: clients request it by
 * its digest next, so that is a task of its own, with its own cache entry. SAME
 * is that task, or TASK.
 */

static ngx_int_t
ngx_dfp_image_digest(ngx_dfp_task_t *task, ngx_str_t *body,
    ngx_dfp_task_t **same)
{
    dfp_mem_t                   mem;
    dfp_oci_desc_t              desc;

    *same = task;

    if (task->digest.len) {
        if (dfp_oci_digest_check(ngx_dfp_dfp_str(task->digest),
                                 ngx_dfp_dfp_str(*body))
            == DFP_OK)
        {
            return NGX_OK;
        }

        ngx_dfp_task_failed(task, "the manifest does not have this "
                            "digest");
        return NGX_DECLINED;
    }

    ngx_memzero(&desc, sizeof(dfp_oci_desc_t));
    desc.size = body->len;

    mem = ngx_dfp_mem(task->run->pool);

    /* peers do not cache manifests */

    if (dfp_oci_digest_of(&mem, ngx_dfp_dfp_str(*body), &desc.digest)
        == DFP_OK
        && (!task->run->engine->caches
            || (*same = ngx_dfp_image_add(task, &desc, NGX_DFP_MANIFEST_READ))))
    {
        ngx_dfp_image_stands_for(task, desc.digest);
        return NGX_OK;
    }

    ngx_dfp_task_failed(task, "no memory");

    return NGX_ERROR;
}


static void
ngx_dfp_image_stands_for(ngx_dfp_task_t *task, dfp_str_t digest)
{
    ngx_uint_t      i;
    ngx_dfp_run_t  *run;

    run = task->run;

    for (i = 0; i < run->nimages; i++) {
        if (run->images[i].task == task) {
            run->images[i].digest = ngx_dfp_str(digest);
        }
    }
}


void
ngx_dfp_image_check(ngx_dfp_run_t *run)
{
    ngx_uint_t  i;

    /* if a manifest could not be read, its platforms are not known */

    for (i = 0; run->nfailed == 0 && i < run->nimages; i++) {
        if (ngx_dfp_image_index_complete(run, &run->images[i]) != NGX_OK) {
            ngx_dfp_task_failed(run->images[i].task, "no memory");
        }
    }
}


/* The manifest of a tag is checked when it is fetched again because it was lost,
 * or looked up: the tag may have moved since it was read, or cached. */

ngx_str_t *
ngx_dfp_image_expected(ngx_dfp_task_t *task)
{
    ngx_uint_t      i;
    ngx_dfp_run_t  *run;

    if (task->digest.len) {
        return &task->digest;
    }

    run = task->run;

    for (i = 0; i < run->nimages; i++) {
        if (run->images[i].task == task && run->images[i].digest.len) {
            return &run->images[i].digest;
        }
    }

    return NULL;
}
