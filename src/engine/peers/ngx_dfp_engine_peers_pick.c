#include "ngx_dfp_engine_peers.h"


#define NGX_DFP_ORDER_POOL  16384


static ngx_uint_t ngx_dfp_peers_pick_in_turn(ngx_dfp_downloads_t *d);
static ngx_uint_t ngx_dfp_peers_pick_seed(ngx_dfp_downloads_t *d);
static ngx_uint_t ngx_dfp_peers_pick_callable(ngx_dfp_peer_t *peer);
static void ngx_dfp_peers_pick_again(ngx_dfp_downloads_t *d);


ngx_uint_t
ngx_dfp_peers_pick(ngx_dfp_downloads_t *d)
{
    ngx_dfp_peers_t  *peers;

    peers = d->task->run->data;

    return peers->single ? ngx_dfp_peers_pick_seed(d)
                         : ngx_dfp_peers_pick_in_turn(d);
}


ngx_uint_t
ngx_dfp_peers_pick_wanted(ngx_dfp_downloads_t *d)
{
    ngx_dfp_peers_t  *peers;

    peers = d->task->run->data;

    return peers->single ? d->live == 0 : d->active < d->left;
}


ngx_uint_t
ngx_dfp_peers_pick_other(ngx_dfp_downloads_t *d)
{
    ngx_uint_t  k;

    for (k = 0; k < d->nseeds; k++) {
        if (d->pairs[d->seeds[k]] < NGX_DFP_PAIR_TRY) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_dfp_peers_pick_seeds(ngx_dfp_downloads_t *d)
{
    ngx_int_t         rc;
    dfp_str_t         id;
    ngx_pool_t       *pool;
    ngx_dfp_peers_t  *peers;

    peers = d->task->run->data;

    pool = ngx_create_pool(NGX_DFP_ORDER_POOL, &d->task->run->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_dfp_dragonfly_task_id(d->task, pool, &id);

    if (rc == NGX_OK) {
        d->nseeds = dfp_ring_find(&peers->ring, id, d->seeds,
                                  NGX_DFP_SEEDS_MAX);
    }

    ngx_destroy_pool(pool);

    return rc;
}


/* The next peer in turn that can be called and does not have the task. */

static ngx_uint_t
ngx_dfp_peers_pick_in_turn(ngx_dfp_downloads_t *d)
{
    ngx_uint_t        i, k;
    ngx_dfp_peers_t  *peers;

    peers = d->task->run->data;
    i = d->at;

    for (k = 0; k < peers->n; k++) {

        if ((d->pairs[i] & NGX_DFP_PAIR_STATE)
            == NGX_DFP_PAIR_WAITING
            && ngx_dfp_peers_pick_callable(&peers->peer[i]))
        {
            d->at = (i + 1) % peers->n;
            return i;
        }

        i = (i + 1) % peers->n;
    }

    return NGX_DFP_NOBODY;
}


/* The seed peer whose turn it is, if all that have the task already are
 * doubtful. After the last one the task is tried again later, from the first
 * one. */

static ngx_uint_t
ngx_dfp_peers_pick_seed(ngx_dfp_downloads_t *d)
{
    ngx_uint_t        i, k, open;
    ngx_dfp_peer_t   *peer;
    ngx_dfp_peers_t  *peers;

    peers = d->task->run->data;

    if (d->live) {
        return NGX_DFP_NOBODY;
    }

    open = (d->active != 0);

    for (k = 0; k < d->nseeds; k++) {

        i = d->seeds[k];
        peer = &peers->peer[i];

        if (d->pairs[i] != NGX_DFP_PAIR_WAITING) {
            continue;
        }

        if (ngx_dfp_peers_pick_callable(peer)) {
            return i;
        }

        if (d->reason.len == 0) {
            d->reason = peer->reason;
        }

        open |= peer->doubtful;
    }

    /* it is not known yet whether those live */

    if (!open) {
        ngx_dfp_peers_pick_again(d);
    }

    return NGX_DFP_NOBODY;
}


static ngx_uint_t
ngx_dfp_peers_pick_callable(ngx_dfp_peer_t *peer)
{
    return peer->state == NGX_DFP_PEER_READY && !peer->doubtful;
}


static void
ngx_dfp_peers_pick_again(ngx_dfp_downloads_t *d)
{
    ngx_uint_t       k;
    const char      *reason;
    ngx_dfp_task_t  *task;

    task = d->task;

    ngx_queue_remove(&task->queue);

    reason = "no seed peer could be reached";

    if (d->reason.len) {
        reason = (char *) ngx_pnalloc(task->run->pool, d->reason.len + 1);

        if (reason) {
            (void) ngx_cpystrn((u_char *) reason, d->reason.data,
                               d->reason.len + 1);
        }
    }

    for (k = 0; k < d->nseeds; k++) {
        d->pairs[d->seeds[k]] &= NGX_DFP_PAIR_STATE;
    }

    ngx_str_null(&d->reason);

    task->tries++;
    ngx_dfp_task_again(task, NGX_DFP_RETRY_PEER, 0,
                       reason ? reason : "no memory");

    d->queued = !task->failed;
}
