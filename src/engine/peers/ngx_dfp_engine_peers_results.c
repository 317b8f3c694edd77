#include "ngx_dfp_engine_peers.h"


static ngx_uint_t ngx_dfp_peers_results_unreachable(ngx_dfp_peers_t *peers,
    ngx_str_t *who, ngx_str_t *why);
static ngx_dfp_absent_t *ngx_dfp_peers_results_missing(ngx_dfp_peers_t *peers);
static ngx_uint_t ngx_dfp_peers_results_holders(ngx_dfp_peers_t *peers);
static ngx_uint_t ngx_dfp_peers_results_nobody(ngx_dfp_run_t *run);
static void ngx_dfp_peers_results_task(ngx_dfp_task_t *task,
    ngx_dfp_results_t *results);
static void ngx_dfp_peers_results_absent(ngx_dfp_peers_t *peers,
    ngx_dfp_results_t *results);
static void ngx_dfp_peers_results_lost(ngx_dfp_peer_t *peer,
    ngx_dfp_results_t *results);
static u_char *ngx_dfp_peers_results_chosen(ngx_dfp_peers_t *peers);
static void ngx_dfp_peers_results_add(ngx_dfp_list_t *list,
    ngx_dfp_peer_t *peer, ngx_str_t *url, ngx_str_t *description);


/*
 * A run succeeds if every task is on a peer, and if enough of the peers that
 * the job is about have all of them.
 */

ngx_int_t
ngx_dfp_peers_results_check(ngx_dfp_run_t *run)
{
    ngx_str_t          who, why;
    ngx_uint_t         chosen, unreachable;
    ngx_dfp_peers_t   *peers;
    ngx_dfp_absent_t  *missing;

    peers = run->data;

    /* if tasks are left there is no peer to call for them */

    if (run->nfailed && run->left == 0
        && (peers->single || ngx_dfp_peers_results_nobody(run)))
    {
        return NGX_DECLINED;
    }

    if (peers->single && peers->n) {
        return NGX_OK;
    }

    chosen = peers->n + peers->absent.nelts;
    unreachable = ngx_dfp_peers_results_unreachable(peers, &who, &why);

    if (peers->n
        && ngx_dfp_peers_results_holders(peers)
           >= ngx_dfp_dragonfly_needed(run, chosen, unreachable))
    {
        return NGX_OK;
    }

    if (run->nfailed && run->left == 0) {
        return NGX_DECLINED;
    }

    missing = ngx_dfp_peers_results_missing(peers);

    if (missing) {
        ngx_dfp_run_fail(run, "%V: %V", &missing->ip, &missing->reason);
        return NGX_DECLINED;
    }

    ngx_dfp_dragonfly_too_few(run, chosen, unreachable, &who, &why);

    return NGX_DECLINED;
}


/* Returns the number of unreachable peers, and the first of them. */

static ngx_uint_t
ngx_dfp_peers_results_unreachable(ngx_dfp_peers_t *peers, ngx_str_t *who,
    ngx_str_t *why)
{
    ngx_uint_t         i, n;
    ngx_dfp_absent_t  *absent;

    n = 0;
    ngx_str_null(who);
    ngx_str_null(why);

    for (i = 0; i < peers->n; i++) {
        if (peers->peer[i].state == NGX_DFP_PEER_GONE && n++ == 0) {
            *who = peers->peer[i].server.name;
            *why = peers->peer[i].reason;
        }
    }

    absent = peers->absent.elts;

    for (i = 0; i < peers->absent.nelts; i++) {
        if (absent[i].unreachable && n++ == 0) {
            *who = absent[i].hostname;
            *why = absent[i].reason;
        }
    }

    return n;
}


/* The first host whose absence is a failure; NULL: none. */

static ngx_dfp_absent_t *
ngx_dfp_peers_results_missing(ngx_dfp_peers_t *peers)
{
    ngx_uint_t         i;
    ngx_dfp_absent_t  *absent;

    absent = peers->absent.elts;

    for (i = 0; i < peers->absent.nelts; i++) {
        if (!absent[i].unreachable) {
            return &absent[i];
        }
    }

    return NULL;
}


/* The number of peers that have all tasks; manifests were read by this nginx
 * only. */

static ngx_uint_t
ngx_dfp_peers_results_holders(ngx_dfp_peers_t *peers)
{
    ngx_uint_t        i, n, all;
    ngx_dfp_task_t  **task;

    all = 0;
    task = peers->run->tasks.elts;

    for (i = 0; i < peers->run->tasks.nelts; i++) {
        all += (task[i]->data || (!task[i]->skipped && !task[i]->done));
    }

    n = 0;

    for (i = 0; i < peers->n; i++) {
        n += (peers->peer[i].done == all);
    }

    return n;
}


/* Whether a task has failed on all peers. */

static ngx_uint_t
ngx_dfp_peers_results_nobody(ngx_dfp_run_t *run)
{
    ngx_uint_t            i;
    ngx_dfp_task_t      **task;
    ngx_dfp_downloads_t  *d;

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        d = task[i]->data;

        if (task[i]->failed && (d == NULL || d->done == 0)) {
            return 1;
        }
    }

    return 0;
}


void
ngx_dfp_peers_results_progress(ngx_dfp_run_t *run, ngx_dfp_progress_t *p)
{
    ngx_uint_t         i, n;
    ngx_dfp_task_t   **task;
    ngx_dfp_peers_t   *peers;

    peers = run->data;

    if (peers == NULL) {
        return;
    }

    n = peers->single ? 1 : peers->n;
    task = run->tasks.elts;

    p->downloads = 1;
    p->downloads_done = peers->done;
    p->downloads_failed = peers->failed;
    p->pieces = peers->pieces;
    p->bytes_done = peers->bytes;

    for (i = 0; i < run->tasks.nelts; i++) {

        if (task[i]->manifest || task[i]->skipped) {
            continue;
        }

        p->downloads_total += n;
        p->bytes_total += n * ngx_max(task[i]->size, 0);
    }

    /* two of them may be at the same task */

    if (peers->single) {
        p->bytes_done = ngx_min(p->bytes_done, p->bytes_total);
    }
}


void
ngx_dfp_peers_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    ngx_uint_t           i;
    ngx_dfp_task_t     **task;
    ngx_dfp_peers_t     *peers;
    ngx_dfp_failure_t   *failure;

    peers = run->data;
    task = run->tasks.elts;

    if (peers) {
        ngx_dfp_peers_results_absent(peers, results);

        failure = peers->failures.elts;

        for (i = 0; i < peers->failures.nelts; i++) {
            ngx_dfp_peers_results_add(&results->failure, failure[i].peer,
                                      &failure[i].task->shown,
                                      &failure[i].reason);
        }

        results->failure.omitted += peers->failed - peers->failures.nelts;
    }

    for (i = 0; i < run->tasks.nelts; i++) {
        ngx_dfp_peers_results_task(task[i], results);
    }
}


/* Downloads that still wait have failed with their task. */

static void
ngx_dfp_peers_results_task(ngx_dfp_task_t *task, ngx_dfp_results_t *results)
{
    ngx_uint_t            i, waiting;
    ngx_dfp_peer_t       *peer;
    ngx_dfp_peers_t      *peers;
    ngx_dfp_downloads_t  *d;

    d = task->data;
    peers = task->run->data;

    if (task->failed && (d == NULL || (peers->single && d->left))) {
        ngx_dfp_results_task(results, task);
    }

    if (d == NULL) {
        return;
    }

    waiting = task->failed && !peers->single;

    /* of up to millions of downloads most are only counted */

    if (!waiting && results->success.n == results->success.max) {
        results->success.omitted += d->done;
        return;
    }

    for (i = 0; i < peers->n; i++) {

        switch (d->pairs[i] & NGX_DFP_PAIR_STATE) {

        case NGX_DFP_PAIR_DONE:
            ngx_dfp_peers_results_add(&results->success, &peers->peer[i],
                                      &task->shown, NULL);
            break;

        case NGX_DFP_PAIR_WAITING:
        case NGX_DFP_PAIR_ACTIVE:

            if (waiting) {
                peer = &peers->peer[i];
                ngx_dfp_peers_results_add(&results->failure, peer,
                                          &task->shown,
                                          ngx_dfp_peer_lost(peer)
                                          ? &peer->reason : &task->reason);
            }

            break;

        default:
            break;
        }
    }
}


static void
ngx_dfp_peers_results_absent(ngx_dfp_peers_t *peers,
    ngx_dfp_results_t *results)
{
    ngx_uint_t         i;
    ngx_dfp_task_t   **task;
    ngx_dfp_absent_t  *absent;

    task = peers->run->tasks.elts;
    absent = peers->absent.elts;

    /* one seed peer is enough */

    for (i = 0; i < peers->absent.nelts && !(peers->single && peers->n); i++) {
        ngx_dfp_results_add(absent[i].unreachable
                            ? &results->unreachable
                            : &results->failure,
                            &absent[i].hostname, &absent[i].ip,
                            absent[i].unreachable ? NULL : &task[0]->shown,
                            &absent[i].reason);
    }

    for (i = 0; i < peers->n; i++) {
        if (peers->single || peers->peer[i].state == NGX_DFP_PEER_GONE) {
            ngx_dfp_peers_results_lost(&peers->peer[i], results);
        }
    }
}


/* Of the seed peers for a job that wants one, those that it has not waited for
 * are told, too: others had to do without them. */

static void
ngx_dfp_peers_results_lost(ngx_dfp_peer_t *peer, ngx_dfp_results_t *results)
{
    u_char     *p;
    ngx_str_t   text;
    u_char      buf[NGX_DFP_REASON_MAX];

    text = peer->reason;

    if (peer->doubtful) {
        p = ngx_slprintf(buf, buf + sizeof(buf), "%V may hang: it has not "
                         "answered StatLocalTask ", &peer->server.name);

        p = peer->known ? ngx_slprintf(p, buf + sizeof(buf), "since an earlier "
                                       "job of this nginx asked it")
                        : ngx_slprintf(p, buf + sizeof(buf), "for %M ms",
                                       ngx_current_msec - peer->asked);
        text.data = buf;
        text.len = p - buf;

    } else if (peer->state != NGX_DFP_PEER_GONE && !ngx_dfp_peer_lost(peer)) {
        return;
    }

    ngx_dfp_peers_results_add(&results->unreachable, peer, NULL, &text);
}


static void
ngx_dfp_peers_results_add(ngx_dfp_list_t *list, ngx_dfp_peer_t *peer,
    ngx_str_t *url, ngx_str_t *description)
{
    ngx_str_t  hostname, ip;

    hostname = ngx_dfp_str(peer->host.hostname);
    ip = ngx_dfp_str(peer->host.ip);

    ngx_dfp_results_add(list, &hostname, &ip, url, description);
}


void
ngx_dfp_peers_results_planned(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    u_char           *chosen;
    ngx_str_t         hostname, ip;
    ngx_uint_t        i;
    ngx_dfp_peers_t  *peers;

    ngx_dfp_peers_results(run, results);
    ngx_dfp_dragonfly_tasks(run, results);

    peers = run->data;

    if (peers == NULL) {
        return;
    }

    chosen = ngx_dfp_peers_results_chosen(peers);
    if (chosen == NULL) {
        results->targets.json.failed = 1;
        return;
    }

    for (i = 0; i < peers->n; i++) {

        if (!chosen[i]) {
            continue;
        }

        hostname = ngx_dfp_str(peers->peer[i].host.hostname);
        ip = ngx_dfp_str(peers->peer[i].host.ip);

        ngx_dfp_results_target(results, &hostname, &ip, NGX_ERROR);
    }
}


/* By peer, whether it would be told to download something: of the seed peers, if
 * one is enough, those that are tried first. NULL: no memory. */

static u_char *
ngx_dfp_peers_results_chosen(ngx_dfp_peers_t *peers)
{
    u_char               *chosen;
    ngx_uint_t            i, left;
    ngx_dfp_run_t        *run;
    ngx_dfp_task_t      **task;
    ngx_dfp_downloads_t   d;

    run = peers->run;

    chosen = ngx_pcalloc(run->pool, peers->n + 1);
    if (chosen == NULL) {
        return NULL;
    }

    if (!peers->single) {
        ngx_memset(chosen, 1, peers->n);
        return chosen;
    }

    task = run->tasks.elts;

    /* of many tasks the first ones are enough to find all seed peers */

    left = peers->n;

    for (i = 0; left && i < run->tasks.nelts; i++) {

        if (task[i]->document || !task[i]->done) {
            continue;
        }

        ngx_memzero(&d, sizeof(ngx_dfp_downloads_t));
        d.task = task[i];

        if (ngx_dfp_peers_pick_seeds(&d) != NGX_OK) {
            return NULL;
        }

        if (d.nseeds) {
            left -= !chosen[d.seeds[0]];
            chosen[d.seeds[0]] = 1;
        }
    }

    return chosen;
}
