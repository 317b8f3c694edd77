#include "ngx_dfp_engine_peers.h"


static ngx_int_t ngx_dfp_peers_choose_unlisted(ngx_dfp_peers_t *peers);
static ngx_int_t ngx_dfp_peers_choose_ring(ngx_dfp_peers_t *peers,
    dfp_scope_t *scope);
static ngx_int_t ngx_dfp_peers_choose_add(ngx_dfp_peers_t *peers,
    const dfp_d7y_host_t *host);
static ngx_int_t ngx_dfp_peers_choose_absent(ngx_dfp_peers_t *peers,
    dfp_str_t hostname, dfp_str_t ip, ngx_uint_t unreachable,
    const char *reason);
static ngx_int_t ngx_dfp_peers_choose_copy(ngx_pool_t *pool, dfp_str_t *s);


ngx_int_t
ngx_dfp_peers_choose(ngx_dfp_peers_t *peers)
{
    size_t       i;
    dfp_mem_t    mem;
    dfp_job_t   *job;
    dfp_scope_t  scope;

    job = &peers->run->job;
    mem = ngx_dfp_mem(peers->hosts.pool);

    if (dfp_scope_pick(&mem, job, peers->hosts.list, peers->hosts.n, &scope)
        != DFP_OK)
    {
        return NGX_ERROR;
    }

    peers->peer = ngx_pcalloc(peers->run->pool, (scope.n + 1)
                                          * sizeof(ngx_dfp_peer_t));
    if (peers->peer == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < scope.n; i++) {
        if (ngx_dfp_peers_choose_add(peers, scope.hosts[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < scope.nmissing; i++) {
        if (ngx_dfp_peers_choose_absent(peers, DFP_STR(""),
                                        scope.missing[i], 0,
                                        "no peer has this address")
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < scope.nunusable; i++) {
        if (ngx_dfp_peers_choose_absent(peers, scope.unusable[i]->hostname,
                                        scope.unusable[i]->ip, 1,
                                        NGX_DFP_UNUSABLE)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_dfp_peers_choose_unlisted(peers) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_dfp_peers_choose_ring(peers, &scope);
}


/* The list did not become whole in time. A job that wants some of the peers has
 * them. */

static ngx_int_t
ngx_dfp_peers_choose_unlisted(ngx_dfp_peers_t *peers)
{
    size_t             i;
    dfp_job_t         *job;
    dfp_known_peer_t  *peer;

    job = &peers->run->job;

    if (job->nips == 0 && (job->count || job->percentage)) {
        return NGX_OK;
    }

    for (i = 0; i < peers->hosts.whole.known.n; i++) {

        peer = &peers->hosts.whole.known.list[i];

        if (peer->lives
            && ngx_dfp_peers_choose_absent(peers, peer->host.hostname,
                                           peer->host.ip, 1,
                                           NGX_DFP_UNLISTED)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* SCOPE has room for all of the peers. */

static ngx_int_t
ngx_dfp_peers_choose_ring(ngx_dfp_peers_t *peers, dfp_scope_t *scope)
{
    ngx_uint_t  i;
    dfp_mem_t   mem;

    if (!peers->single) {
        return NGX_OK;
    }

    for (i = 0; i < peers->n; i++) {
        scope->hosts[i] = &peers->peer[i].host;
    }

    mem = ngx_dfp_mem(peers->run->pool);

    return dfp_ring_create(&mem, scope->hosts, peers->n, &peers->ring) == DFP_OK
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_dfp_peers_choose_add(ngx_dfp_peers_t *peers, const dfp_d7y_host_t *host)
{
    ngx_int_t        rc;
    ngx_pool_t      *pool;
    ngx_dfp_peer_t  *peer;

    pool = peers->run->pool;
    peer = &peers->peer[peers->n];

    ngx_memzero(peer, sizeof(ngx_dfp_peer_t));

    peer->peers = peers;
    peer->host = *host;

    ngx_dfp_silence_init_peer(peer);

    if (ngx_dfp_peers_choose_copy(pool, &peer->host.id) != NGX_OK
        || ngx_dfp_peers_choose_copy(pool, &peer->host.hostname) != NGX_OK
        || ngx_dfp_peers_choose_copy(pool, &peer->host.ip) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_dfp_dragonfly_server(peers->run, pool, &peer->host, &peer->server);

    if (rc == NGX_DECLINED) {
        return ngx_dfp_peers_choose_absent(peers, host->hostname, host->ip, 0,
                                           "this address is not allowed "
                                           "(dfpreheat_peers_allow)");
    }

    if (rc == NGX_OK) {
        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &peers->run->log, 0,
                       "dfpreheat: job %L: chooses %V, %s peer",
                       peers->run->claim.id, &peer->server.name,
                       peer->host.seed ? "a seed" : "a normal");

        peers->n++;
    }

    return rc;
}


static ngx_int_t
ngx_dfp_peers_choose_absent(ngx_dfp_peers_t *peers, dfp_str_t hostname,
    dfp_str_t ip, ngx_uint_t unreachable, const char *reason)
{
    ngx_dfp_absent_t  *absent;

    absent = ngx_array_push(&peers->absent);

    if (absent == NULL
        || ngx_dfp_peers_choose_copy(peers->run->pool, &hostname) != NGX_OK
        || ngx_dfp_peers_choose_copy(peers->run->pool, &ip) != NGX_OK)
    {
        return NGX_ERROR;
    }

    absent->hostname = ngx_dfp_str(hostname);
    absent->ip = ngx_dfp_str(ip);
    absent->reason.data = (u_char *) reason;
    absent->reason.len = ngx_strlen(reason);
    absent->unreachable = unreachable;

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_peers_choose_copy(ngx_pool_t *pool, dfp_str_t *s)
{
    dfp_mem_t  mem;

    mem = ngx_dfp_mem(pool);
    s->data = dfp_strdup(&mem, s->data, s->len);

    return s->data ? NGX_OK : NGX_ERROR;
}
