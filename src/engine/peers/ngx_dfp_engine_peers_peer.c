#include "ngx_dfp_engine_peers.h"
#include "ngx_dfp_pause.h"


static int ngx_dfp_peer_order(const void *one, const void *two);
static void ngx_dfp_peer_gone(ngx_dfp_peer_t *peer, const char *why);


void
ngx_dfp_peer_answered(ngx_dfp_peer_t *peer)
{
    if (peer->state != NGX_DFP_PEER_READY
        && peer->state != NGX_DFP_PEER_GONE)
    {
        if (peer->resume.timer_set) {
            ngx_del_timer(&peer->resume);
        }

        peer->state = NGX_DFP_PEER_READY;

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &peer->peers->run->log, 0,
                       "dfpreheat: job %L: %V answers again",
                       peer->peers->run->claim.id, &peer->server.name);

        ngx_dfp_peer_wake(peer->peers);
    }
}


void
ngx_dfp_peer_pause(ngx_dfp_peer_t *peer)
{
    ngx_msec_t  pause;

    if (peer->state == NGX_DFP_PEER_PAUSED
        || peer->state == NGX_DFP_PEER_GONE
        || ngx_dfp_peer_lost(peer))
    {
        return;
    }

    pause = ngx_dfp_pause(peer->troubles, NGX_DFP_RETRY_BASE,
                          NGX_DFP_RETRY_MAX);
    peer->troubles++;
    peer->state = NGX_DFP_PEER_PAUSED;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &peer->peers->run->log, 0,
                   "dfpreheat: job %L: %V pauses for %M ms",
                   peer->peers->run->claim.id, &peer->server.name, pause);

    ngx_add_timer(&peer->resume, pause);
}


void
ngx_dfp_peer_unreached(ngx_dfp_peer_t *peer, ngx_str_t *text)
{
    ngx_dfp_run_t  *run;

    run = peer->peers->run;

    switch (peer->state) {

    case NGX_DFP_PEER_TRIAL:

        if (!peer->peers->single) {
            ngx_dfp_peer_gone(peer, ", twice");
            return;
        }

        break;

    case NGX_DFP_PEER_READY:
    case NGX_DFP_PEER_PAUSED:
        break;

    default:

        /* it was active when another call could not reach the peer */

        return;
    }

    ngx_log_error(NGX_LOG_WARN, &run->log, 0, "dfpreheat: %V: %V",
                  &peer->server.name, text);

    ngx_dfp_peer_troubled(peer, text);

    if (peer->reason.len == 0) {
        peer->reason.data = ngx_pstrdup(run->pool, text);
        peer->reason.len = peer->reason.data ? text->len : 0;
    }

    peer->state = NGX_DFP_PEER_SUSPECT;
    ngx_add_timer(&peer->resume, NGX_DFP_SUSPECT_WAIT);

    if (!peer->peers->single) {
        ngx_dfp_hosts_look(&peer->peers->hosts, NGX_DFP_SUSPECT_LOOK);
    }
}


void
ngx_dfp_peer_troubled(ngx_dfp_peer_t *peer, ngx_str_t *text)
{
    ngx_str_t        *trouble;
    ngx_dfp_peers_t  *peers;

    peers = peer->peers;
    trouble = &peers->trouble;

    if (trouble->data == NULL) {
        trouble->data = ngx_pnalloc(peers->run->pool, NGX_DFP_REASON_MAX);
    }

    if (trouble->data) {
        peers->troubled = peer;
        trouble->len = ngx_min(text->len, NGX_DFP_REASON_MAX);
        ngx_memcpy(trouble->data, text->data, trouble->len);
    }
}


void
ngx_dfp_peer_compare(ngx_dfp_peers_t *peers)
{
    ngx_uint_t       i;
    ngx_dfp_peer_t  *peer;

    /* if the network is cut, all of them may be suspect */

    if (peers->hosts.n) {
        qsort(peers->hosts.list, peers->hosts.n, sizeof(dfp_d7y_host_t),
              ngx_dfp_peer_order);
    }

    for (i = 0; i < peers->n; i++) {

        peer = &peers->peer[i];

        if (!ngx_dfp_peer_lost(peer)) {
            continue;
        }

        if (peers->hosts.n == 0
            || bsearch(&peer->host, peers->hosts.list, peers->hosts.n,
                       sizeof(dfp_d7y_host_t), ngx_dfp_peer_order)
               == NULL)
        {
            ngx_dfp_peer_gone(peer, ", and the scheduler no longer lists it");
        }
    }
}


static int
ngx_dfp_peer_order(const void *one, const void *two)
{
    int                    order;
    const dfp_d7y_host_t  *a, *b;

    a = one;
    b = two;
    order = dfp_str_cmp(a->id, b->id);

    return order ? order : dfp_str_cmp(a->ip, b->ip);
}


static void
ngx_dfp_peer_gone(ngx_dfp_peer_t *peer, const char *why)
{
    u_char               *p;
    ngx_str_t             reason;
    ngx_uint_t            i, k;
    ngx_dfp_run_t        *run;
    ngx_dfp_task_t      **task;
    ngx_dfp_downloads_t  *d;

    run = peer->peers->run;
    k = peer - peer->peers->peer;

    if (peer->resume.timer_set) {
        ngx_del_timer(&peer->resume);
    }

    peer->state = NGX_DFP_PEER_GONE;

    p = ngx_pnalloc(run->pool, peer->reason.len + ngx_strlen(why));

    if (p) {
        reason.data = p;
        p = ngx_cpymem(p, peer->reason.data, peer->reason.len);
        p = ngx_cpymem(p, why, ngx_strlen(why));
        reason.len = p - reason.data;
        peer->reason = reason;
    }

    ngx_log_error(NGX_LOG_WARN, &run->log, 0,
                  "dfpreheat: %V is unreachable: %V", &peer->server.name,
                  &peer->reason);

    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {

        d = task[i]->data;

        if (d == NULL
            || (d->pairs[k] & NGX_DFP_PAIR_STATE)
               != NGX_DFP_PAIR_WAITING)
        {
            continue;
        }

        d->pairs[k] = NGX_DFP_PAIR_GONE;
        d->left--;

        ngx_dfp_peers_task_settle(d);
    }

    run->wake(run);
}


void
ngx_dfp_peer_wake(ngx_dfp_peers_t *peers)
{
    ngx_uint_t        i;
    ngx_dfp_run_t    *run;
    ngx_dfp_task_t  **task;

    run = peers->run;
    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        if (task[i]->data) {
            ngx_dfp_peers_task_queue(task[i]->data);
        }
    }

    run->wake(run);
}
