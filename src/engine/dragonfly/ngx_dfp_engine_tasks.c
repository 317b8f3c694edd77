#include "ngx_dfp_engine_tasks.h"


static ngx_int_t ngx_dfp_asked_start(ngx_dfp_run_t *run);
static ngx_int_t ngx_dfp_asked_ids(ngx_dfp_questions_t *questions);
static ngx_int_t ngx_dfp_asked_layers(ngx_dfp_questions_t *questions);
static void ngx_dfp_asked_listed(ngx_dfp_hosts_t *hosts);
static ngx_int_t ngx_dfp_asked_room(ngx_dfp_questions_t *questions);
static ngx_int_t ngx_dfp_asked_choose(ngx_dfp_questions_t *questions);
static ngx_int_t ngx_dfp_asked_add(ngx_dfp_questions_t *questions,
    dfp_d7y_host_t *host, const char *reason);
static ngx_int_t ngx_dfp_asked_copy(ngx_pool_t *pool, dfp_str_t *s);
static ngx_int_t ngx_dfp_asked_call(ngx_dfp_run_t *run);
static void ngx_dfp_asked_answered(ngx_dfp_task_t *task, ngx_dfp_call_t *call);
static void ngx_dfp_asked_stop(ngx_dfp_run_t *run);
static void ngx_dfp_asked_progress(ngx_dfp_run_t *run, ngx_dfp_progress_t *p);


ngx_dfp_engine_t  ngx_dfp_engine_tasks = {
    ngx_string("tasks"),
    0,                                      /* caches */
    0,                                      /* looks */
    0,                                      /* dry */
    0,                                      /* resolves */
    1,                                      /* dragonfly */
    ngx_dfp_asked_start,
    ngx_dfp_asked_check,
    ngx_dfp_asked_stop,
    ngx_dfp_asked_progress,
    ngx_dfp_asked_results,
    NULL,                                   /* look */
    NULL,                                   /* dry_run */
    NULL                                    /* keep */
};


static ngx_int_t
ngx_dfp_asked_start(ngx_dfp_run_t *run)
{
    ngx_dfp_questions_t  *questions;

    questions = ngx_pcalloc(run->pool, sizeof(ngx_dfp_questions_t));
    if (questions == NULL) {
        return NGX_ERROR;
    }

    questions->run = run;
    questions->left = 1;
    questions->hosts.handler = ngx_dfp_asked_listed;
    questions->hosts.data = questions;
    questions->hosts.run = run;
    ngx_queue_init(&questions->ready);

    run->data = questions;
    run->stage.answered = ngx_dfp_asked_answered;
    run->stage.left = &questions->left;
    run->width = NGX_MAX_INT32_VALUE;

    /* layers are asked about, and not fetched */

    ngx_dfp_dragonfly_planned(run);

    if (ngx_dfp_asked_ids(questions) != NGX_OK) {
        return NGX_ERROR;
    }

    if (run->nfailed) {
        questions->left = 0;
        return NGX_OK;
    }

    return ngx_dfp_hosts_start(&questions->hosts);
}


static ngx_int_t
ngx_dfp_asked_ids(ngx_dfp_questions_t *questions)
{
    ngx_dfp_run_t  *run;

    run = questions->run;

    if (run->job.action == DFP_JOB_DISTRIBUTION) {
        return ngx_dfp_asked_layers(questions);
    }

    questions->ntasks = 1;
    questions->tasks = ngx_palloc(run->pool, sizeof(dfp_str_t));

    return questions->tasks == NULL
           ? NGX_ERROR
           : ngx_dfp_dragonfly_job_id(run, run->pool, &questions->tasks[0]);
}


static ngx_int_t
ngx_dfp_asked_layers(ngx_dfp_questions_t *questions)
{
    ngx_uint_t        i, n;
    ngx_dfp_run_t    *run;
    ngx_dfp_task_t  **task;

    run = questions->run;
    task = run->tasks.elts;
    n = run->tasks.nelts;

    questions->tasks = ngx_palloc(run->pool, (n + 1) * sizeof(dfp_str_t));
    questions->layers = ngx_palloc(run->pool,
                                   (n + 1) * sizeof(ngx_dfp_task_t *));

    if (questions->tasks == NULL || questions->layers == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (task[i]->document || task[i]->skipped || task[i]->failed) {
            continue;
        }

        questions->layers[questions->ntasks] = task[i];

        if (ngx_dfp_dragonfly_task_id(task[i], run->pool,
                                      &questions->tasks[questions->ntasks])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        questions->ntasks++;
    }

    return NGX_OK;
}


static void
ngx_dfp_asked_listed(ngx_dfp_hosts_t *hosts)
{
    ngx_dfp_questions_t *questions = hosts->data;

    ngx_dfp_run_t  *run;

    run = questions->run;

    if (ngx_dfp_asked_choose(questions) != NGX_OK) {
        ngx_dfp_run_fail(run, "no memory");
        return;
    }

    if (questions->n == 0) {
        ngx_dfp_hosts_none(hosts);
        return;
    }

    if (questions->n * questions->ntasks > NGX_DFP_TASKS_QUESTIONS) {
        ngx_dfp_run_fail(run, "%ui peers would have to be asked about %ui "
                         "layers, and the maximum is %d questions",
                         questions->n, questions->ntasks,
                         NGX_DFP_TASKS_QUESTIONS);
        return;
    }

    if (ngx_dfp_asked_room(questions) != NGX_OK) {
        ngx_dfp_run_fail(run, "no memory");
        return;
    }

    run->stage.call = ngx_dfp_asked_call;
    run->wake(run);
}


static ngx_int_t
ngx_dfp_asked_room(ngx_dfp_questions_t *questions)
{
    u_char      *held;
    ngx_uint_t   i;

    held = ngx_pcalloc(questions->run->pool,
                       questions->n * questions->ntasks + 1);
    if (held == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < questions->n; i++) {
        questions->peers[i].held = held + i * questions->ntasks;
    }

    return NGX_OK;
}


/* All of them; of an image the manager shows no seed peers. */

static ngx_int_t
ngx_dfp_asked_choose(ngx_dfp_questions_t *questions)
{
    size_t             i, n;
    ngx_dfp_hosts_t   *hosts;
    dfp_known_peer_t  *known;

    hosts = &questions->hosts;
    known = hosts->whole.known.list;
    n = hosts->n + hosts->whole.known.n;

    questions->n = 0;
    questions->left = 0;
    questions->peers = ngx_pcalloc(questions->run->pool,
                                   (n + 1) * sizeof(ngx_dfp_asked_t));
    if (questions->peers == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < hosts->n; i++) {
        if (ngx_dfp_asked_add(questions, &hosts->list[i], NULL) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* the list did not become whole in time */

    for (i = 0; i < hosts->whole.known.n; i++) {
        if (known[i].lives
            && ngx_dfp_asked_add(questions, &known[i].host, NGX_DFP_UNLISTED)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    questions->left += (questions->n == 0);

    return NGX_OK;
}


/* REASON: it cannot be asked. */

static ngx_int_t
ngx_dfp_asked_add(ngx_dfp_questions_t *questions, dfp_d7y_host_t *host,
    const char *reason)
{
    ngx_int_t         rc;
    ngx_pool_t       *pool;
    dfp_d7y_host_t    copy;
    ngx_dfp_asked_t  *peer;

    if (host->seed
        && questions->run->job.action == DFP_JOB_DISTRIBUTION)
    {
        return NGX_OK;
    }

    pool = questions->run->pool;
    peer = &questions->peers[questions->n++];
    copy = *host;

    if (ngx_dfp_asked_copy(pool, &copy.id) != NGX_OK
        || ngx_dfp_asked_copy(pool, &copy.hostname) != NGX_OK
        || ngx_dfp_asked_copy(pool, &copy.ip) != NGX_OK)
    {
        return NGX_ERROR;
    }

    peer->questions = questions;
    peer->holder.id = ngx_dfp_str(copy.id);
    peer->holder.hostname = ngx_dfp_str(copy.hostname);
    peer->holder.ip = ngx_dfp_str(copy.ip);
    peer->holder.seed = copy.seed;

    if (reason == NULL && (copy.ip.len == 0 || copy.port == 0)) {
        reason = NGX_DFP_UNUSABLE;
    }

    if (reason) {
        peer->unreachable = 1;
        peer->reason.data = (u_char *) reason;
        peer->reason.len = ngx_strlen(reason);
        return NGX_OK;
    }

    rc = ngx_dfp_dragonfly_server(questions->run, pool, &copy, &peer->server);

    if (rc == NGX_DECLINED) {
        ngx_str_set(&peer->reason, "this address is not allowed "
                                   "(dfpreheat_peers_allow)");
        return NGX_OK;
    }

    if (rc == NGX_OK && questions->ntasks) {
        questions->left++;
        ngx_queue_insert_tail(&questions->ready, &peer->queue);
    }

    return rc;
}


static ngx_int_t
ngx_dfp_asked_copy(ngx_pool_t *pool, dfp_str_t *s)
{
    dfp_mem_t  mem;

    mem = ngx_dfp_mem(pool);
    s->data = dfp_strdup(&mem, s->data, s->len);

    return s->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_dfp_asked_call(ngx_dfp_run_t *run)
{
    ngx_queue_t          *q;
    ngx_dfp_asked_t      *peer;
    ngx_dfp_questions_t  *questions;

    questions = run->data;

    if (ngx_queue_empty(&questions->ready)
        || questions->active >= (ngx_uint_t) run->job.concurrent_peer_count)
    {
        return NGX_DECLINED;
    }

    q = ngx_queue_head(&questions->ready);
    peer = ngx_queue_data(q, ngx_dfp_asked_t, queue);

    if (ngx_dfp_asked_ask(peer) != NGX_OK) {
        return NGX_AGAIN;
    }

    ngx_queue_remove(q);

    return NGX_OK;
}


/* No task makes a call of its own. */

static void
ngx_dfp_asked_answered(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    ngx_dfp_task_done(task);
}


static void
ngx_dfp_asked_stop(ngx_dfp_run_t *run)
{
    ngx_uint_t            i;
    ngx_dfp_questions_t  *questions;

    questions = run->data;

    if (questions == NULL) {
        return;
    }

    if (!run->ending) {
        (void) ngx_dfp_lister_overdue(&questions->hosts.lister);
    }

    ngx_dfp_hosts_stop(&questions->hosts);

    for (i = 0; i < questions->n; i++) {
        ngx_dfp_asked_cancel(&questions->peers[i]);
    }

    ngx_queue_init(&questions->ready);
}


static void
ngx_dfp_asked_progress(ngx_dfp_run_t *run, ngx_dfp_progress_t *p)
{
    ngx_uint_t            i;
    ngx_dfp_asked_t      *peer;
    ngx_dfp_questions_t  *questions;

    questions = run->data;

    if (questions == NULL) {
        return;
    }

    p->downloads = 1;
    p->downloads_total = questions->n;
    p->downloads_done = questions->n - ngx_min(questions->left, questions->n);

    for (i = 0; i < questions->n; i++) {
        peer = &questions->peers[i];

        if (peer->reason.len) {
            p->downloads_failed++;
            p->downloads_done -= (p->downloads_done > 0);
        }
    }
}
