#include "ngx_dfp_engine_peers.h"


static ngx_int_t ngx_dfp_peers_choose_ring(ngx_dfp_peers_t *peers,
    dfp_scope_t *scope);
static ngx_int_t ngx_dfp_peers_choose_add(ngx_dfp_peers_t *peers,
    const dfp_d7y_host_t *host);
static ngx_int_t ngx_dfp_peers_choose_address(ngx_dfp_peer_t *peer);
static ngx_int_t ngx_dfp_peers_choose_text(ngx_pool_t *pool, ngx_str_t *s,
    size_t len, const char *fmt, ...);
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

    return ngx_dfp_peers_choose_ring(peers, &scope);
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

    rc = ngx_dfp_peers_choose_address(peer);

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


/* NGX_DECLINED: the address is not allowed. */

static ngx_int_t
ngx_dfp_peers_choose_address(ngx_dfp_peer_t *peer)
{
    u_char               *p;
    ngx_str_t             ip;
    ngx_addr_t            addr;
    ngx_pool_t           *pool;
    ngx_dfp_run_t        *run;
    ngx_dfp_server_t     *server;
    ngx_dfp_dragonfly_t  *dragonfly;

    run = peer->peers->run;
    pool = run->pool;
    server = &peer->server;
    dragonfly = run->cluster->dragonfly;
    ip = ngx_dfp_str(peer->host.ip);

    if (ngx_parse_addr(pool, &addr, ip.data, ip.len) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_cidr_match(addr.sockaddr, run->conf->peers_allow) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_inet_set_port(addr.sockaddr, peer->host.port);

    server->sockaddr = addr.sockaddr;
    server->socklen = addr.socklen;
    server->location = dragonfly->peers_location;
    server->tls = dragonfly->peers_tls;

    p = ngx_strlchr(ip.data, ip.data + ip.len, ':');

    if (ngx_dfp_peers_choose_text(pool, &server->authority, ip.len,
                                  p ? "[%V]:%d" : "%V:%d", &ip,
                                  (int) peer->host.port)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_peers_choose_text(pool, &server->name,
                                     peer->host.hostname.len
                                     + server->authority.len,
                                     "the peer %*s (%V)%Z",
                                     peer->host.hostname.len,
                                     peer->host.hostname.data,
                                     &server->authority);
}


/* LEN is the length of the arguments; the rest of the text is short. */

static ngx_int_t
ngx_dfp_peers_choose_text(ngx_pool_t *pool, ngx_str_t *s, size_t len,
    const char *fmt, ...)
{
    u_char   *last;
    va_list   args;

    len += sizeof("the peer  ([]:65535)");

    s->data = ngx_pnalloc(pool, len);
    if (s->data == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    last = ngx_vslprintf(s->data, s->data + len, fmt, args);
    va_end(args);

    s->len = last - s->data;

    if (s->len && last[-1] == '\0') {
        s->len--;
    }

    return NGX_OK;
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
