#include "ngx_dfp_engine_peers.h"


void
ngx_dfp_active_begin(ngx_dfp_download_t *download)
{
    ngx_uint_t            i;
    ngx_dfp_peer_t       *peer;
    ngx_dfp_downloads_t  *d;

    d = download->d;
    peer = download->peer;
    i = peer - peer->peers->peer;

    d->pairs[i] = (d->pairs[i] & ~NGX_DFP_PAIR_STATE)
                  | NGX_DFP_PAIR_ACTIVE;

    ngx_queue_insert_tail(&peer->peers->downloads, &download->queue);
    ngx_queue_insert_tail(&peer->streams, &download->stream);

    d->active++;
    d->task->run->calls++;

    ngx_dfp_active_live(download, 1);
}


void
ngx_dfp_active_end(ngx_dfp_download_t *download)
{
    ngx_uint_t            i;
    ngx_dfp_peer_t       *peer;
    ngx_dfp_downloads_t  *d;

    d = download->d;
    peer = download->peer;
    i = peer - peer->peers->peer;

    ngx_dfp_active_live(download, 0);

    ngx_queue_remove(&download->queue);
    ngx_queue_remove(&download->stream);

    d->active--;
    d->task->run->calls--;

    d->pairs[i] &= ~NGX_DFP_PAIR_STATE;
}


void
ngx_dfp_active_live(ngx_dfp_download_t *download, ngx_uint_t live)
{
    ngx_dfp_peers_t      *peers;
    ngx_dfp_downloads_t  *d;

    d = download->d;
    peers = download->peer->peers;

    if (download->live == live) {
        return;
    }

    download->live = live;

    if (live) {
        peers->busy += (d->live++ == 0);

    } else {
        peers->busy -= (--d->live == 0);
    }
}


void
ngx_dfp_active_next(ngx_dfp_downloads_t *d, ngx_dfp_peer_t *peer)
{
    ngx_uint_t      i;
    ngx_dfp_run_t  *run;

    i = peer - peer->peers->peer;
    run = d->task->run;

    /* the peer cannot be called any more */

    if (peer->state == NGX_DFP_PEER_GONE
        && (d->pairs[i] & NGX_DFP_PAIR_STATE)
           == NGX_DFP_PAIR_WAITING)
    {
        d->pairs[i] = NGX_DFP_PAIR_GONE;
        d->left--;
    }

    ngx_dfp_peers_task_settle(d);
    ngx_dfp_peers_task_queue(d);

    run->changed = 1;
    run->wake(run);
}
