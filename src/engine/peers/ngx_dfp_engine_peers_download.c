#include "ngx_dfp_engine_peers.h"


#define NGX_DFP_FRAME_POOL  4096
#define NGX_DFP_EVENT_POOL  1024

/* all downloads of a job together fit into an off_t */
#define NGX_DFP_SIZE_MAX                                                      \
    (NGX_MAX_OFF_T_VALUE / NGX_DFP_DOWNLOADS_MAX)


static ngx_int_t ngx_dfp_download_frame(ngx_dfp_downloads_t *d);
static ngx_int_t ngx_dfp_download_call(ngx_dfp_downloads_t *d,
    ngx_dfp_peer_t *peer);
static dfp_rc_t ngx_dfp_download_event(ngx_dfp_grpc_t *grpc, dfp_str_t message,
    dfp_err_t *err);
static void ngx_dfp_download_count(ngx_dfp_download_t *download,
    dfp_d7y_event_t *event);
static void ngx_dfp_download_ended(ngx_dfp_grpc_t *grpc);
static void ngx_dfp_download_verdict(ngx_dfp_download_t *download);
static ngx_uint_t ngx_dfp_download_retriable(int status, int backend);
static void ngx_dfp_download_done(ngx_dfp_download_t *download);
static void ngx_dfp_download_refused(ngx_dfp_download_t *download);
static void ngx_dfp_download_again(ngx_dfp_download_t *download);
static void ngx_dfp_download_failed(ngx_dfp_download_t *download);
static void ngx_dfp_download_remember(ngx_dfp_download_t *download);
static void ngx_dfp_download_trouble(ngx_dfp_peers_t *peers);


ngx_int_t
ngx_dfp_download_start(ngx_dfp_downloads_t *d)
{
    ngx_uint_t        i;
    ngx_dfp_run_t    *run;
    ngx_dfp_peers_t  *peers;

    run = d->task->run;
    peers = run->data;
    i = NGX_DFP_NOBODY;

    if (d->live < (ngx_uint_t) run->job.concurrent_peer_count) {
        i = ngx_dfp_peers_pick(d);
    }

    if (i == NGX_DFP_NOBODY) {

        /* it is queued again when a peer can be called */

        if (d->queued && !d->task->retry.timer_set) {
            ngx_queue_remove(&d->task->queue);
            d->queued = 0;
        }

        return NGX_DECLINED;
    }

    if (ngx_dfp_download_frame(d) != NGX_OK
        || ngx_dfp_download_call(d, &peers->peer[i]) != NGX_OK)
    {
        return NGX_AGAIN;
    }

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: task \"%V\": download starts on %V, "
                   "%ui of %ui active", run->claim.id, &d->task->shown,
                   &peers->peer[i].server.name, d->active, d->left);

    return NGX_OK;
}


/* Creates the message for all peers, with the current Authorization. */

static ngx_int_t
ngx_dfp_download_frame(ngx_dfp_downloads_t *d)
{
    dfp_mem_t          mem;
    dfp_d7y_request_t  request;
    ngx_dfp_run_t     *run;

    run = d->task->run;

    if (d->pool && d->serial == d->task->grant->serial) {
        return NGX_OK;
    }

    if (d->pool) {
        ngx_destroy_pool(d->pool);
    }

    d->serial = d->task->grant->serial;
    d->pool = ngx_create_pool(NGX_DFP_FRAME_POOL, &run->log);

    if (d->pool == NULL) {
        return NGX_ERROR;
    }

    mem = ngx_dfp_mem(d->pool);

    if (ngx_dfp_dragonfly_request(d->task, d->pool, &request)
        == NGX_OK
        && dfp_d7y_download(&mem, &request, &d->frame) == DFP_OK)
    {
        return NGX_OK;
    }

    ngx_destroy_pool(d->pool);
    d->pool = NULL;

    return NGX_ERROR;
}


static ngx_int_t
ngx_dfp_download_call(ngx_dfp_downloads_t *d, ngx_dfp_peer_t *peer)
{
    ngx_dfp_run_t       *run;
    ngx_dfp_grpc_t      *grpc;
    ngx_dfp_download_t  *download;

    run = d->task->run;

    grpc = ngx_dfp_grpc_create(&run->log);
    if (grpc == NULL) {
        return NGX_ERROR;
    }

    download = ngx_pcalloc(grpc->pool, sizeof(ngx_dfp_download_t));
    grpc->secrets = ngx_dfp_task_secrets(d->task, grpc->pool);

    if (download == NULL || grpc->secrets == NULL) {
        ngx_dfp_grpc_cancel(grpc);
        return NGX_ERROR;
    }

    download->d = d;
    download->peer = peer;
    download->grpc = grpc;
    download->serial = d->serial;
    download->size = d->task->size;

    grpc->handler = ngx_dfp_download_ended;
    grpc->message = ngx_dfp_download_event;
    grpc->data = download;
    grpc->job = run->claim.id;
    grpc->server = &peer->server;
    grpc->method = DFP_D7Y_DOWNLOAD_TASK;
    grpc->frame = d->frame;
    grpc->max = NGX_DFP_EVENT_MAX;
    grpc->timeout = ngx_min(ngx_dfp_run_left(run), run->conf->task_timeout);

    if (ngx_dfp_grpc_start(grpc) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_dfp_active_begin(download);
    ngx_dfp_silence_begin(download);

    return NGX_OK;
}


static dfp_rc_t
ngx_dfp_download_event(ngx_dfp_grpc_t *grpc, dfp_str_t message, dfp_err_t *err)
{
    dfp_rc_t             rc;
    dfp_mem_t            mem;
    ngx_pool_t          *pool;
    dfp_d7y_event_t      event;
    ngx_dfp_download_t  *download;

    download = grpc->data;

    ngx_dfp_silence_heard(download->peer);

    /* a pool of its own: there may be thousands of messages */

    pool = ngx_create_pool(NGX_DFP_EVENT_POOL, grpc->log);
    if (pool == NULL) {
        return DFP_ERROR;
    }

    mem = ngx_dfp_mem(pool);
    rc = dfp_d7y_event_parse(&mem, message, &event, err);

    if (rc == DFP_OK) {
        ngx_dfp_download_count(download, &event);
    }

    ngx_destroy_pool(pool);

    return rc;
}


/* A peer's numbers are not trusted: no more than the size is counted. */

static void
ngx_dfp_download_count(ngx_dfp_download_t *download, dfp_d7y_event_t *event)
{
    off_t             left;
    ngx_dfp_task_t   *task;
    ngx_dfp_peers_t  *peers;

    task = download->d->task;
    peers = download->peer->peers;

    if (event->started
        && event->content_length <= NGX_DFP_SIZE_MAX)
    {
        download->size = event->content_length;

        if (task->size == -1) {
            task->size = download->size;
        }
    }

    if (!event->piece) {
        return;
    }

    peers->pieces++;
    left = ngx_max(download->size - download->bytes, 0);

    if (event->length < (uint64_t) left) {
        left = event->length;
    }

    download->bytes += left;
    peers->bytes += left;
}


static void
ngx_dfp_download_ended(ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_run_t        *run;
    ngx_dfp_peer_t       *peer;
    ngx_dfp_download_t   *download;
    ngx_dfp_downloads_t  *d;

    download = grpc->data;
    d = download->d;
    peer = download->peer;
    run = d->task->run;

    ngx_log_debug6(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: task \"%V\": download ends on %V, "
                   "status:%d unreached:%d, %O bytes", run->claim.id,
                   &d->task->shown, &peer->server.name, grpc->status,
                   grpc->unreached, download->bytes);

    if (!grpc->unanswered && !grpc->timedout) {
        ngx_dfp_silence_heard(peer);
    }

    ngx_dfp_active_end(download);
    ngx_dfp_silence_end(peer);

    ngx_dfp_download_verdict(download);

    ngx_dfp_active_next(d, peer);

    if (run->left == 0) {
        ngx_dfp_silence_rest(peer->peers);
    }
}


static void
ngx_dfp_download_verdict(ngx_dfp_download_t *download)
{
    int              backend, tries;
    ngx_uint_t       i;
    ngx_dfp_task_t  *task;
    ngx_dfp_peer_t  *peer;
    ngx_dfp_grpc_t  *grpc;

    grpc = download->grpc;
    peer = download->peer;
    i = peer - peer->peers->peer;

    if (grpc->unreached) {
        ngx_dfp_peer_unreached(peer, &grpc->text);
        return;
    }

    if (grpc->status == DFP_GRPC_OK) {
        ngx_dfp_peer_answered(peer);
        ngx_dfp_download_done(download);
        return;
    }

    peer->peers->bytes -= download->bytes;

    backend = -1;

    if (grpc->status == DFP_GRPC_INTERNAL) {
        backend = dfp_d7y_backend_status(ngx_dfp_dfp_str(grpc->text));
    }

    task = download->d->task;

    /* the Authorization that was refused may have been replaced meanwhile */

    if ((backend == NGX_HTTP_UNAUTHORIZED
         || (backend == NGX_HTTP_FORBIDDEN && download->serial))
        && (task->refused < NGX_DFP_REFUSALS_MAX
            || download->serial != task->grant->serial))
    {
        ngx_dfp_peer_answered(peer);
        ngx_dfp_download_refused(download);
        return;
    }

    tries = download->d->pairs[i] / NGX_DFP_PAIR_TRY + 1;

    if (ngx_dfp_download_retriable(grpc->status, backend)
        && tries < NGX_DFP_TASK_TRIES)
    {
        ngx_dfp_download_again(download);
        return;
    }

    ngx_dfp_peer_answered(peer);
    ngx_dfp_download_failed(download);
}


/* Whether another try may succeed. */

static ngx_uint_t
ngx_dfp_download_retriable(int status, int backend)
{
    switch (status) {

    case DFP_GRPC_INTERNAL:
        return backend == 0
               || backend == NGX_HTTP_REQUEST_TIME_OUT
               || backend == NGX_HTTP_TOO_MANY_REQUESTS
               || backend >= NGX_HTTP_INTERNAL_SERVER_ERROR;

    case DFP_GRPC_CANCELLED:
    case DFP_GRPC_RESOURCE_EXHAUSTED:
    case DFP_GRPC_ABORTED:
    case DFP_GRPC_UNAVAILABLE:
        return 1;

    default:
        return 0;
    }
}


static void
ngx_dfp_download_done(ngx_dfp_download_t *download)
{
    ngx_uint_t            i;
    ngx_dfp_task_t       *task;
    ngx_dfp_peers_t      *peers;
    ngx_dfp_downloads_t  *d;

    d = download->d;
    task = d->task;
    peers = download->peer->peers;
    i = download->peer - peers->peer;

    d->pairs[i] = NGX_DFP_PAIR_DONE;
    d->left--;
    d->done++;
    peers->done++;
    download->peer->done++;
    download->peer->troubles = 0;

    /* a peer reports nothing for pieces that it has already */

    peers->bytes += ngx_max(task->size - download->bytes, 0);

    if (peers->single) {
        ngx_dfp_silence_drop(d);
        ngx_str_null(&d->reason);
    }

    if (peers->single || peers->troubled == download->peer) {
        peers->troubled = NULL;
    }

    task->serial = download->serial;
    ngx_dfp_task_grant_accepted(task);
}


/* It was refused without an Authorization, or with one that has expired. */

static void
ngx_dfp_download_refused(ngx_dfp_download_t *download)
{
    ngx_dfp_downloads_t  *d;

    d = download->d;

    if (download->serial == d->task->grant->serial
        && d->task->grant->call == NULL)
    {
        d->probe = 1;
    }
}


static void
ngx_dfp_download_again(ngx_dfp_download_t *download)
{
    ngx_str_t             text;
    ngx_uint_t            i;
    ngx_dfp_peer_t       *peer;
    ngx_dfp_grpc_t       *grpc;
    ngx_dfp_downloads_t  *d;

    d = download->d;
    grpc = download->grpc;
    peer = download->peer;
    i = peer - peer->peers->peer;
    text = ngx_dfp_secrets_mask(grpc->secrets, grpc->pool, grpc->text);

    ngx_log_error(NGX_LOG_INFO, grpc->log, 0,
                  "dfpreheat: \"%V\" will be retried: %V: %V", &d->task->shown,
                  &peer->server.name, &text);

    ngx_dfp_count_retry(NGX_DFP_RETRY_PEER);
    ngx_dfp_peer_troubled(peer, &text);

    if (peer->peers->single) {
        ngx_dfp_peer_answered(peer);
        ngx_dfp_download_remember(download);
        d->pairs[i] |= NGX_DFP_PAIR_TRY;
        return;
    }

    d->pairs[i] += NGX_DFP_PAIR_TRY;

    /* an origin with errors is spared by this, too */

    ngx_dfp_peer_pause(peer);
}


static void
ngx_dfp_download_failed(ngx_dfp_download_t *download)
{
    ngx_uint_t            i;
    ngx_str_t             reason;
    ngx_dfp_peers_t      *peers;
    ngx_dfp_failure_t    *failure;
    ngx_dfp_downloads_t  *d;

    d = download->d;
    peers = download->peer->peers;
    i = download->peer - peers->peer;

    ngx_dfp_download_remember(download);

    /* another seed peer can help unless the origin has refused */

    if (peers->single) {
        d->pairs[i] |= NGX_DFP_PAIR_TRY;

        if (dfp_d7y_backend_status(ngx_dfp_dfp_str(download->grpc->text)) <= 0
            && ngx_dfp_peers_pick_other(d))
        {
            return;
        }
    }

    d->pairs[i] = NGX_DFP_PAIR_FAILED;
    d->left--;
    peers->failed++;

    if (peers->single) {
        ngx_dfp_silence_drop(d);
    }

    if (peers->failures.nelts == NGX_DFP_RESULTS_MAX) {
        return;
    }

    reason = ngx_dfp_secrets_mask(download->grpc->secrets, d->task->run->pool,
                                  download->grpc->text);
    failure = ngx_array_push(&peers->failures);

    if (failure) {
        failure->task = d->task;
        failure->peer = download->peer;
        failure->reason = reason;
    }
}


/* The first error is the reason of the task. */

static void
ngx_dfp_download_remember(ngx_dfp_download_t *download)
{
    size_t                len;
    u_char               *p;
    ngx_str_t            *name, text;
    ngx_dfp_grpc_t       *grpc;
    ngx_dfp_downloads_t  *d;

    d = download->d;
    grpc = download->grpc;
    name = &download->peer->server.name;

    if (d->reason.len) {
        return;
    }

    /* the secrets of the task may have changed when it fails */

    text = ngx_dfp_secrets_mask(grpc->secrets, grpc->pool, grpc->text);
    len = name->len + 2 + text.len;
    p = ngx_pnalloc(d->task->run->pool, len);

    if (p) {
        d->reason.data = p;
        d->reason.len = len;
        (void) ngx_sprintf(p, "%V: %V", name, &text);
    }
}


void
ngx_dfp_download_stop(ngx_dfp_peers_t *peers)
{
    ngx_queue_t         *q;
    ngx_dfp_download_t  *download;

    if (!peers->run->ending) {
        ngx_dfp_download_trouble(peers);
    }

    while (!ngx_queue_empty(&peers->downloads)) {

        q = ngx_queue_head(&peers->downloads);
        download = ngx_queue_data(q, ngx_dfp_download_t, queue);

        ngx_dfp_active_end(download);
        ngx_dfp_silence_end(download->peer);

        ngx_dfp_grpc_cancel(download->grpc);
    }
}


/* What the run has waited for: the last error of a peer, or else one that does
 * not answer, or else any download. */

static void
ngx_dfp_download_trouble(ngx_dfp_peers_t *peers)
{
    u_char              *p, *last;
    ngx_str_t            text;
    ngx_uint_t           i;
    ngx_queue_t         *q;
    ngx_dfp_peer_t      *peer;
    ngx_dfp_download_t  *download;
    u_char               buf[NGX_DFP_REASON_MAX];

    if (peers->troubled) {
        ngx_dfp_run_trouble(peers->run, NULL, &peers->troubled->server.name,
                            &peers->trouble);
        return;
    }

    peer = NULL;

    for (i = 0; i < peers->n; i++) {
        if (peers->peer[i].doubtful) {
            peer = &peers->peer[i];
            break;
        }
    }

    download = NULL;
    q = ngx_queue_head(peer ? &peer->streams : &peers->downloads);

    if (peer && q != ngx_queue_sentinel(&peer->streams)) {
        download = ngx_queue_data(q, ngx_dfp_download_t, stream);

    } else if (peer == NULL && q != ngx_queue_sentinel(&peers->downloads)) {
        download = ngx_queue_data(q, ngx_dfp_download_t, queue);
        peer = download->peer;
    }

    if (peer == NULL) {
        return;
    }

    p = buf;
    last = buf + sizeof(buf);

    if (download) {
        p = ngx_slprintf(p, last, "it has not finished %V",
                         &download->d->task->shown);
    }

    if (peer->doubtful) {
        p = ngx_slprintf(p, last, "%sit does not answer StatLocalTask",
                         download ? ", and " : "");
    }

    text.data = buf;
    text.len = p - buf;

    ngx_dfp_run_trouble(peers->run, NULL, &peer->server.name, &text);
}
