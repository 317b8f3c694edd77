#include "ngx_dfp_engine_peers.h"


/* a prime, so that its multiples meet all places */
#define NGX_DFP_STRIDE  7919


ngx_dfp_downloads_t *
ngx_dfp_peers_task_open(ngx_dfp_task_t *task)
{
    ngx_uint_t            i;
    ngx_dfp_run_t        *run;
    ngx_dfp_peers_t      *peers;
    ngx_dfp_downloads_t  *d;

    if (task->data) {
        return task->data;
    }

    run = task->run;
    peers = run->data;

    d = ngx_pcalloc(run->pool, sizeof(ngx_dfp_downloads_t));
    if (d == NULL) {
        return NULL;
    }

    d->pairs = ngx_pcalloc(run->pool, peers->n);
    if (d->pairs == NULL) {
        return NULL;
    }

    d->task = task;
    d->queued = 1;
    d->left = peers->n;

    if (peers->single) {
        d->left = 1;

        if (ngx_dfp_peers_pick_seeds(d) != NGX_OK) {
            return NULL;
        }

    } else {

        /* tasks start with different peers */

        d->at = peers->opened * NGX_DFP_STRIDE % peers->n;

        for (i = 0; i < peers->n; i++) {
            if (peers->peer[i].state == NGX_DFP_PEER_GONE) {
                d->pairs[i] = NGX_DFP_PAIR_GONE;
                d->left--;
            }
        }
    }

    peers->opened++;
    task->data = d;

    return d;
}


void
ngx_dfp_peers_task_queue(ngx_dfp_downloads_t *d)
{
    ngx_queue_t     *ready;
    ngx_dfp_task_t  *task;

    task = d->task;
    ready = &task->run->ready;

    if (d->queued || d->ended || task->failed || task->call
        || (!ngx_dfp_peers_pick_wanted(d) && !d->probe))
    {
        return;
    }

    d->queued = 1;

    /* started tasks come before others */

    if (d->live || d->probe) {
        ngx_queue_insert_head(ready, &task->queue);

    } else {
        ngx_queue_insert_tail(ready, &task->queue);
    }
}


void
ngx_dfp_peers_task_settle(ngx_dfp_downloads_t *d)
{
    ngx_dfp_task_t  *task;

    task = d->task;

    if (d->left || d->ended || task->failed) {
        return;
    }

    d->ended = 1;

    if (d->pool) {
        ngx_destroy_pool(d->pool);
        d->pool = NULL;
    }

    if (task->retry.timer_set) {
        ngx_del_timer(&task->retry);

    } else if (d->queued) {
        ngx_queue_remove(&task->queue);
    }

    d->queued = 0;

    if (d->reason.len) {
        ngx_dfp_task_failed(task, "%V", &d->reason);

    } else if (d->done == 0) {
        ngx_dfp_task_failed(task, "none of the chosen peers could be reached");

    } else {
        ngx_dfp_task_done(task);
    }
}
