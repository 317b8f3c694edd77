#include "ngx_dfp_engine_peers.h"


#define NGX_DFP_SILENCE_TICK    100     /* ms between two looks */
#define NGX_DFP_SILENCE_FIRST   100     /* ms until a peer is asked that the run
                                           has not heard from yet */
#define NGX_DFP_SILENCE_LATER   1000    /* ms until any other one is */
#define NGX_DFP_DOUBT_FIRST     300     /* ms until it is doubtful, of the same
                                           two kinds */
#define NGX_DFP_DOUBT_LATER     1000
#define NGX_DFP_QUESTIONS_MAX   64      /* at once */
#define NGX_DFP_QUESTION_POOL   16384


static void ngx_dfp_silence_watch(ngx_dfp_peer_t *peer);
static ngx_uint_t ngx_dfp_silence_idle(ngx_dfp_peer_t *peer);
static void ngx_dfp_silence_tick(ngx_event_t *ev);
static void ngx_dfp_silence_look(ngx_dfp_peer_t *peer);
static void ngx_dfp_silence_doubt(ngx_dfp_peer_t *peer, ngx_uint_t doubtful);
static void ngx_dfp_silence_resume(ngx_event_t *ev);
static ngx_int_t ngx_dfp_silence_ask(ngx_dfp_peer_t *peer);
static ngx_int_t ngx_dfp_silence_frame(ngx_dfp_peer_t *peer,
    ngx_dfp_grpc_t *grpc);
static dfp_rc_t ngx_dfp_silence_answer(ngx_dfp_grpc_t *grpc, dfp_str_t message,
    dfp_err_t *err);
static void ngx_dfp_silence_asked(ngx_dfp_grpc_t *grpc);
static void ngx_dfp_silence_lives(ngx_dfp_peer_t *peer);
static void ngx_dfp_silence_hangs(ngx_dfp_peer_t *peer, ngx_dfp_grpc_t *grpc);
static void ngx_dfp_silence_cut(ngx_dfp_peer_t *peer);
static void ngx_dfp_silence_end_stream(ngx_dfp_download_t *download);
static void ngx_dfp_silence_cancel(ngx_dfp_peer_t *peer);


void
ngx_dfp_silence_init(ngx_dfp_peers_t *peers)
{
    ngx_queue_init(&peers->watched);

    peers->tick.handler = ngx_dfp_silence_tick;
    peers->tick.data = peers;
    peers->tick.log = &peers->run->log;
}


void
ngx_dfp_silence_init_peer(ngx_dfp_peer_t *peer)
{
    ngx_queue_init(&peer->streams);

    peer->resume.handler = ngx_dfp_silence_resume;
    peer->resume.data = peer;
    peer->resume.log = &peer->peers->run->log;
}


void
ngx_dfp_silence_start(ngx_dfp_peers_t *peers)
{
    ngx_uint_t            i;
    ngx_dfp_run_t        *run;
    ngx_dfp_task_t      **task;
    ngx_dfp_peer_t       *peer;
    ngx_dfp_dragonfly_t  *dragonfly;

    run = peers->run;
    dragonfly = run->cluster->dragonfly;
    task = run->tasks.elts;

    for (i = 0; i < peers->n; i++) {
        peer = &peers->peer[i];

        if (!dfp_doubts_has(&dragonfly->doubts,
                            ngx_dfp_dfp_str(peer->server.authority),
                            ngx_current_msec))
        {
            continue;
        }

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                       "dfpreheat: job %L: %V did not answer another run",
                       run->claim.id, &peer->server.name);

        /* if it cannot be asked now, it is at the next look */

        peer->task = task[0];
        peer->heard = ngx_current_msec;
        peer->doubtful = 1;
        peer->known = 1;

        ngx_dfp_silence_watch(peer);
        (void) ngx_dfp_silence_ask(peer);
    }
}


void
ngx_dfp_silence_begin(ngx_dfp_download_t *download)
{
    ngx_dfp_peer_t  *peer;

    peer = download->peer;
    peer->task = download->d->task;

    /* an earlier stream may have been silent for some time */

    if (ngx_queue_last(&peer->streams) != ngx_queue_head(&peer->streams)) {
        return;
    }

    peer->heard = ngx_current_msec;
    peer->patience = peer->met ? NGX_DFP_SILENCE_LATER : NGX_DFP_SILENCE_FIRST;

    ngx_dfp_silence_watch(peer);
}


static void
ngx_dfp_silence_watch(ngx_dfp_peer_t *peer)
{
    ngx_dfp_peers_t  *peers;

    peers = peer->peers;

    if (!peer->watched) {
        peer->watched = 1;
        ngx_queue_insert_tail(&peers->watched, &peer->queue);
    }

    if (!peers->tick.timer_set) {
        ngx_add_timer(&peers->tick, NGX_DFP_SILENCE_TICK);
    }
}


void
ngx_dfp_silence_end(ngx_dfp_peer_t *peer)
{
    /* a doubt stays until it is answered */

    if (!peer->watched || peer->doubtful || !ngx_queue_empty(&peer->streams)) {
        return;
    }

    peer->watched = 0;
    ngx_queue_remove(&peer->queue);

    if (peer->state != NGX_DFP_PEER_TRIAL) {
        ngx_dfp_silence_cancel(peer);
    }
}


void
ngx_dfp_silence_drop(ngx_dfp_downloads_t *d)
{
    ngx_uint_t           i, k;
    ngx_queue_t         *q;
    ngx_dfp_peer_t      *peer;
    ngx_dfp_peers_t     *peers;
    ngx_dfp_download_t  *download;

    peers = d->task->run->data;

    for (k = 0; k < d->nseeds && d->active; k++) {

        i = d->seeds[k];
        peer = &peers->peer[i];

        if ((d->pairs[i] & NGX_DFP_PAIR_STATE) != NGX_DFP_PAIR_ACTIVE) {
            continue;
        }

        for (q = ngx_queue_head(&peer->streams);
             q != ngx_queue_sentinel(&peer->streams);
             q = ngx_queue_next(q))
        {
            download = ngx_queue_data(q, ngx_dfp_download_t, stream);

            if (download->d == d) {
                ngx_dfp_silence_end_stream(download);
                break;
            }
        }
    }
}


void
ngx_dfp_silence_heard(ngx_dfp_peer_t *peer)
{
    /* the question is not cancelled: this may be a filter of another call */

    peer->met = 1;
    peer->spoke = 1;
    peer->heard = ngx_current_msec;
    peer->patience = NGX_DFP_SILENCE_LATER;

    if (peer->doubtful) {
        ngx_dfp_silence_doubt(peer, 0);
    }
}


void
ngx_dfp_silence_rest(ngx_dfp_peers_t *peers)
{
    ngx_uint_t  i;

    for (i = 0; i < peers->n; i++) {
        if (ngx_queue_empty(&peers->peer[i].streams)) {
            ngx_dfp_silence_cancel(&peers->peer[i]);
        }
    }

    peers->run->wake(peers->run);
}


void
ngx_dfp_silence_stop(ngx_dfp_peers_t *peers)
{
    ngx_uint_t  i;

    for (i = 0; i < peers->n; i++) {
        ngx_dfp_silence_cancel(&peers->peer[i]);
    }

    if (peers->tick.timer_set) {
        ngx_del_timer(&peers->tick);
    }
}


/* Also while the worker exits: it waits for these streams. */

static void
ngx_dfp_silence_tick(ngx_event_t *ev)
{
    ngx_dfp_peers_t *peers = ev->data;

    ngx_queue_t    *q, *next;
    ngx_dfp_run_t  *run;

    run = peers->run;

    if (run->left == 0 || run->error.len || ngx_exiting) {
        ngx_dfp_silence_rest(peers);
    }

    for (q = ngx_queue_head(&peers->watched);
         q != ngx_queue_sentinel(&peers->watched);
         q = next)
    {
        next = ngx_queue_next(q);
        ngx_dfp_silence_look(ngx_queue_data(q, ngx_dfp_peer_t, queue));
    }

    if (peers->questions || !ngx_queue_empty(&peers->watched)) {
        ngx_add_timer(&peers->tick, NGX_DFP_SILENCE_TICK);
    }
}


static void
ngx_dfp_silence_look(ngx_dfp_peer_t *peer)
{
    /* a question that is older than its last word tells nothing */

    if (peer->question && peer->spoke && peer->state != NGX_DFP_PEER_TRIAL
        && ngx_current_msec - peer->heard >= peer->patience)
    {
        ngx_dfp_silence_cancel(peer);
    }

    if (peer->question == NULL) {

        if (ngx_current_msec - peer->heard >= peer->patience
            && !ngx_dfp_silence_idle(peer))
        {
            (void) ngx_dfp_silence_ask(peer);
        }

        return;
    }

    if (!peer->doubtful && !peer->spoke
        && ngx_current_msec - peer->asked
           >= (peer->met ? NGX_DFP_DOUBT_LATER : NGX_DFP_DOUBT_FIRST))
    {
        ngx_dfp_silence_doubt(peer, 1);
    }
}


/* Whether the run does not need its answer any more. */

static ngx_uint_t
ngx_dfp_silence_idle(ngx_dfp_peer_t *peer)
{
    ngx_dfp_run_t  *run;

    run = peer->peers->run;

    return ngx_queue_empty(&peer->streams)
           && (run->left == 0 || run->error.len || ngx_exiting);
}


static void
ngx_dfp_silence_doubt(ngx_dfp_peer_t *peer, ngx_uint_t doubtful)
{
    dfp_str_t             name;
    ngx_queue_t          *q;
    ngx_dfp_run_t        *run;
    ngx_dfp_download_t   *download;
    ngx_dfp_dragonfly_t  *dragonfly;

    run = peer->peers->run;
    dragonfly = run->cluster->dragonfly;
    name = ngx_dfp_dfp_str(peer->server.authority);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: %V is doubtful:%ui",
                   run->claim.id, &peer->server.name, doubtful);

    peer->doubtful = doubtful;

    if (doubtful) {
        dfp_doubts_add(&dragonfly->doubts, name, ngx_current_msec);

    } else {
        dfp_doubts_remove(&dragonfly->doubts, name);
        ngx_dfp_silence_end(peer);
    }

    for (q = ngx_queue_head(&peer->streams);
         q != ngx_queue_sentinel(&peer->streams);
         q = ngx_queue_next(q))
    {
        download = ngx_queue_data(q, ngx_dfp_download_t, stream);
        ngx_dfp_active_live(download, !doubtful);
    }

    ngx_dfp_peer_wake(peer->peers);
}


static void
ngx_dfp_silence_resume(ngx_event_t *ev)
{
    ngx_dfp_peer_t *peer = ev->data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &peer->peers->run->log, 0,
                   "dfpreheat: job %L: the pause of %V is over",
                   peer->peers->run->claim.id, &peer->server.name);

    if (peer->state == NGX_DFP_PEER_PAUSED) {
        peer->state = NGX_DFP_PEER_READY;
        ngx_dfp_peer_wake(peer->peers);
        return;
    }

    if (ngx_exiting) {
        peer->peers->run->wake(peer->peers->run);
        return;
    }

    /* the question may be active: it is about a stream that went on */

    if (peer->question || ngx_dfp_silence_ask(peer) == NGX_OK) {
        peer->state = NGX_DFP_PEER_TRIAL;
        return;
    }

    ngx_add_timer(&peer->resume, NGX_DFP_SILENCE_LATER);
}


/* NGX_AGAIN: too many are asked, or there is no connection or no memory. */

static ngx_int_t
ngx_dfp_silence_ask(ngx_dfp_peer_t *peer)
{
    ngx_dfp_run_t    *run;
    ngx_dfp_grpc_t   *grpc;
    ngx_dfp_peers_t  *peers;

    peers = peer->peers;
    run = peers->run;

    if (peers->questions == NGX_DFP_QUESTIONS_MAX) {
        return NGX_AGAIN;
    }

    grpc = ngx_dfp_grpc_create(&run->log);
    if (grpc == NULL) {
        return NGX_AGAIN;
    }

    grpc->handler = ngx_dfp_silence_asked;
    grpc->message = ngx_dfp_silence_answer;
    grpc->data = peer;
    grpc->job = run->claim.id;
    grpc->server = &peer->server;
    grpc->method = DFP_D7Y_STAT_LOCAL;
    grpc->max = NGX_DFP_EVENT_MAX;
    grpc->timeout = run->conf->peer_timeout;

    /* at the timeout its library might answer for one that hangs */
    grpc->untold = 1;

    if (ngx_dfp_silence_frame(peer, grpc) != NGX_OK) {
        ngx_dfp_grpc_cancel(grpc);
        return NGX_AGAIN;
    }

    if (ngx_dfp_grpc_start(grpc) != NGX_OK) {
        return NGX_AGAIN;
    }

    peer->question = grpc;
    peer->asked = ngx_current_msec;
    peer->spoke = 0;

    peers->questions++;
    run->calls++;

    if (!peers->tick.timer_set) {
        ngx_add_timer(&peers->tick, NGX_DFP_SILENCE_TICK);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: %V is asked whether it lives, silent "
                   "for %M ms", run->claim.id, &peer->server.name,
                   ngx_current_msec - peer->heard);

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_silence_frame(ngx_dfp_peer_t *peer, ngx_dfp_grpc_t *grpc)
{
    dfp_rc_t     rc;
    dfp_mem_t    mem;
    dfp_str_t    id;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_DFP_QUESTION_POOL, grpc->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    mem = ngx_dfp_mem(grpc->pool);
    rc = DFP_ERROR;

    if (ngx_dfp_dragonfly_task_id(peer->task, pool, &id) == NGX_OK) {
        rc = dfp_d7y_stat_local(&mem, id, &grpc->frame);
    }

    ngx_destroy_pool(pool);

    return rc == DFP_OK ? NGX_OK : NGX_ERROR;
}


/* Any answer tells that the peer lives; this one is only logged. */

static dfp_rc_t
ngx_dfp_silence_answer(ngx_dfp_grpc_t *grpc, dfp_str_t message, dfp_err_t *err)
{
    dfp_rc_t          rc;
    dfp_mem_t         mem;
    dfp_d7y_local_t   local;
#if (NGX_DEBUG)
    ngx_dfp_peer_t   *peer;
#endif

    mem = ngx_dfp_mem(grpc->pool);
    rc = dfp_d7y_local_parse(&mem, message, &local, err);

#if (NGX_DEBUG)

    if (rc == DFP_OK) {
        peer = grpc->data;

        ngx_log_debug5(NGX_LOG_DEBUG_HTTP, grpc->log, 0,
                       "dfpreheat: job %L: %V has task \"%V\", finished:%d "
                       "failed:%d", grpc->job, &peer->server.name,
                       &peer->task->shown, local.finished, local.failed);
    }

#endif

    return rc;
}


static void
ngx_dfp_silence_asked(ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_run_t    *run;
    ngx_dfp_peer_t   *peer;
    ngx_dfp_peers_t  *peers;

    peer = grpc->data;
    peers = peer->peers;
    run = peers->run;

    peer->question = NULL;
    peers->questions--;
    run->calls--;

    ngx_log_debug6(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: question to %V ended, status:%d "
                   "unreached:%d timedout:%d, spoke:%d", run->claim.id,
                   &peer->server.name, grpc->status, grpc->unreached,
                   grpc->timedout, peer->spoke);

    /* one that closes the connection is there */

    if (peer->spoke || !(grpc->unreached || grpc->timedout)) {
        ngx_dfp_silence_lives(peer);

    } else {
        ngx_dfp_silence_hangs(peer, grpc);
    }

    run->changed = 1;
    run->wake(run);
}


static void
ngx_dfp_silence_lives(ngx_dfp_peer_t *peer)
{
    ngx_msec_t  patience;

    if (!peer->spoke) {
        patience = ngx_max(2 * peer->patience, NGX_DFP_SILENCE_LATER);
        patience = ngx_min(patience, peer->peers->run->conf->peer_timeout);

        ngx_dfp_silence_heard(peer);
        peer->patience = patience;
    }

    if (ngx_dfp_peer_lost(peer)) {
        ngx_dfp_peer_answered(peer);
    }
}


static void
ngx_dfp_silence_hangs(ngx_dfp_peer_t *peer, ngx_dfp_grpc_t *grpc)
{
    u_char      *p;
    ngx_str_t    text;
    ngx_msec_t   silent, limit;
    u_char       buf[NGX_DFP_REASON_MAX];

    text = grpc->text;
    limit = peer->peers->run->conf->peer_timeout;
    silent = ngx_current_msec - peer->heard;

    /* one that was told to stop may take no new connection, and go on with
       what it has begun */

    if (silent < limit && !ngx_queue_empty(&peer->streams)
        && peer->state != NGX_DFP_PEER_TRIAL)
    {
        peer->patience = ngx_min(2 * peer->patience, limit);
        ngx_dfp_silence_doubt(peer, 1);
        return;
    }

    if (grpc->timedout) {
        p = ngx_slprintf(buf, buf + sizeof(buf), "%V hangs: it has sent "
                         "nothing for %M ms, and has not answered "
                         "StatLocalTask for %M ms", &peer->server.name,
                         silent, limit);
        text.data = buf;
        text.len = p - buf;
    }

    ngx_dfp_peer_unreached(peer, &text);

    peer->doubtful = 0;

    ngx_dfp_silence_cut(peer);
    ngx_dfp_silence_end(peer);
    ngx_dfp_peer_wake(peer->peers);
}


static void
ngx_dfp_silence_cut(ngx_dfp_peer_t *peer)
{
    ngx_queue_t          *q;
    ngx_dfp_download_t   *download;
    ngx_dfp_downloads_t  *d;

    while (!ngx_queue_empty(&peer->streams)) {

        q = ngx_queue_head(&peer->streams);
        download = ngx_queue_data(q, ngx_dfp_download_t, stream);
        d = download->d;

        ngx_dfp_silence_end_stream(download);
        ngx_dfp_active_next(d, peer);
    }
}


static void
ngx_dfp_silence_end_stream(ngx_dfp_download_t *download)
{
    ngx_dfp_peer_t  *peer;
    ngx_dfp_grpc_t  *grpc;

    grpc = download->grpc;
    peer = download->peer;

    peer->peers->bytes -= download->bytes;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, grpc->log, 0,
                   "dfpreheat: job %L: task \"%V\": download on %V is "
                   "cancelled", grpc->job, &download->d->task->shown,
                   &peer->server.name);

    ngx_dfp_active_end(download);
    ngx_dfp_silence_end(peer);
    ngx_dfp_grpc_cancel(grpc);
}


static void
ngx_dfp_silence_cancel(ngx_dfp_peer_t *peer)
{
    if (peer->question) {
        peer->peers->questions--;
        peer->peers->run->calls--;

        ngx_dfp_grpc_cancel(peer->question);
        peer->question = NULL;
    }
}
