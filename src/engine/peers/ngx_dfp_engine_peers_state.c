#include "ngx_dfp_engine_peers.h"


static ngx_int_t ngx_dfp_peers_add(ngx_dfp_peers_t *peers,
    const dfp_d7y_host_t *host);
static ngx_int_t ngx_dfp_peer_address(ngx_dfp_peer_t *peer);
static ngx_int_t ngx_dfp_peer_text(ngx_pool_t *pool, ngx_str_t *s, size_t len,
    const char *fmt, ...);
static ngx_int_t ngx_dfp_peer_copy(ngx_pool_t *pool, dfp_str_t *s);
static ngx_int_t ngx_dfp_peers_absent(ngx_dfp_peers_t *peers,
    dfp_str_t hostname, dfp_str_t ip, ngx_uint_t unreachable,
    const char *reason);
static void ngx_dfp_peer_resume(ngx_event_t *ev);
static int ngx_dfp_peers_order(const void *one, const void *two);
static void ngx_dfp_peer_gone(ngx_dfp_peer_t *peer, const char *why);
static void ngx_dfp_peers_wake(ngx_dfp_peers_t *peers);


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

    peers->scope.hosts = ngx_palloc(peers->run->pool, (scope.n + 1)
                                               * sizeof(dfp_d7y_host_t *));
    peers->peer = ngx_pcalloc(peers->run->pool, (scope.n + 1)
                                          * sizeof(ngx_dfp_peer_t));

    if (peers->scope.hosts == NULL || peers->peer == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < scope.n; i++) {
        if (ngx_dfp_peers_add(peers, scope.hosts[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < scope.nmissing; i++) {
        if (ngx_dfp_peers_absent(peers, DFP_STR(""),
                                 scope.missing[i], 0,
                                 "no peer has this address")
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < scope.nunusable; i++) {
        if (ngx_dfp_peers_absent(peers,
                                 scope.unusable[i]->hostname,
                                 scope.unusable[i]->ip, 1,
                                 NGX_DFP_UNUSABLE)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_peers_add(ngx_dfp_peers_t *peers, const dfp_d7y_host_t *host)
{
    ngx_int_t        rc;
    ngx_pool_t      *pool;
    ngx_dfp_peer_t  *peer;

    pool = peers->run->pool;
    peer = &peers->peer[peers->n];

    ngx_memzero(peer, sizeof(ngx_dfp_peer_t));

    peer->peers = peers;
    peer->host = *host;

    peer->resume.handler = ngx_dfp_peer_resume;
    peer->resume.data = peer;
    peer->resume.log = &peers->run->log;

    if (ngx_dfp_peer_copy(pool, &peer->host.id) != NGX_OK
        || ngx_dfp_peer_copy(pool, &peer->host.hostname) != NGX_OK
        || ngx_dfp_peer_copy(pool, &peer->host.ip) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_dfp_peer_address(peer);

    if (rc == NGX_DECLINED) {
        return ngx_dfp_peers_absent(peers, host->hostname, host->ip,
                                    0, "this address may not be "
                                    "called "
                                    "(dfpreheat_peers_allow)");
    }

    if (rc == NGX_OK) {
        peers->scope.hosts[peers->n] = &peer->host;
        peers->n++;
        peers->scope.n = peers->n;
    }

    return rc;
}


/* NGX_DECLINED: it may not be called. */

static ngx_int_t
ngx_dfp_peer_address(ngx_dfp_peer_t *peer)
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

    if (ngx_dfp_peer_text(pool, &server->authority, ip.len,
                          p ? "[%V]:%d" : "%V:%d", &ip,
                          (int) peer->host.port)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_peer_text(pool, &server->name,
                             peer->host.hostname.len
                             + server->authority.len,
                             "the peer %*s (%V)%Z",
                             peer->host.hostname.len,
                             peer->host.hostname.data,
                             &server->authority);
}


/* LEN is that of the strings; the rest is little. */

static ngx_int_t
ngx_dfp_peer_text(ngx_pool_t *pool, ngx_str_t *s, size_t len, const char *fmt,
    ...)
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
ngx_dfp_peer_copy(ngx_pool_t *pool, dfp_str_t *s)
{
    dfp_mem_t  mem;

    mem = ngx_dfp_mem(pool);
    s->data = dfp_strdup(&mem, s->data, s->len);

    return s->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_dfp_peers_absent(ngx_dfp_peers_t *peers, dfp_str_t hostname, dfp_str_t ip,
    ngx_uint_t unreachable, const char *reason)
{
    ngx_dfp_absent_t  *absent;

    absent = ngx_array_push(&peers->absent);

    if (absent == NULL
        || ngx_dfp_peer_copy(peers->run->pool, &hostname) != NGX_OK
        || ngx_dfp_peer_copy(peers->run->pool, &ip) != NGX_OK)
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
        ngx_dfp_peers_wake(peer->peers);
    }
}


void
ngx_dfp_peer_pause(ngx_dfp_peer_t *peer)
{
    ngx_msec_t  pause;

    if (peer->state == NGX_DFP_PEER_PAUSED
        || peer->state == NGX_DFP_PEER_SUSPECT
        || peer->state == NGX_DFP_PEER_GONE)
    {
        return;
    }

    pause = NGX_DFP_RETRY_BASE << ngx_min(peer->troubles, 8);
    pause = ngx_min(pause, NGX_DFP_RETRY_MAX);
    pause = pause / 2 + (ngx_msec_t) ngx_random() % pause;

    peer->troubles++;
    peer->state = NGX_DFP_PEER_PAUSED;

    ngx_add_timer(&peer->resume, pause);
}


void
ngx_dfp_peer_unreached(ngx_dfp_peer_t *peer, ngx_str_t *text)
{
    ngx_dfp_run_t  *run;

    run = peer->peers->run;

    switch (peer->state) {

    case NGX_DFP_PEER_TRIED:

        if (!peer->peers->single) {
            ngx_dfp_peer_gone(peer, ", twice");
            return;
        }

        break;

    case NGX_DFP_PEER_READY:
    case NGX_DFP_PEER_PAUSED:
        break;

    default:

        /* one more of the calls that found nobody */

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


static void
ngx_dfp_peer_resume(ngx_event_t *ev)
{
    ngx_dfp_peer_t *peer = ev->data;

    peer->state = (peer->state == NGX_DFP_PEER_SUSPECT)
                  ? NGX_DFP_PEER_TRIAL
                  : NGX_DFP_PEER_READY;

    ngx_dfp_peers_wake(peer->peers);
}


void
ngx_dfp_peers_compare(ngx_dfp_peers_t *peers)
{
    ngx_uint_t       i;
    ngx_dfp_peer_t  *peer;

    /* a network that is cut makes suspects of all of them */

    if (peers->hosts.n) {
        qsort(peers->hosts.list, peers->hosts.n, sizeof(dfp_d7y_host_t),
              ngx_dfp_peers_order);
    }

    for (i = 0; i < peers->n; i++) {

        peer = &peers->peer[i];

        if (peer->state != NGX_DFP_PEER_SUSPECT) {
            continue;
        }

        if (peers->hosts.n == 0
            || bsearch(&peer->host, peers->hosts.list, peers->hosts.n,
                       sizeof(dfp_d7y_host_t), ngx_dfp_peers_order)
               == NULL)
        {
            ngx_dfp_peer_gone(peer, ", and the scheduler does not "
                              "list it any more");
        }
    }
}


static int
ngx_dfp_peers_order(const void *one, const void *two)
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

        ngx_dfp_peers_settle(d);
    }

    run->wake(run);
}


/* Tasks may have waited for a peer. */

static void
ngx_dfp_peers_wake(ngx_dfp_peers_t *peers)
{
    ngx_uint_t        i;
    ngx_dfp_run_t    *run;
    ngx_dfp_task_t  **task;

    run = peers->run;
    task = run->tasks.elts;

    for (i = 0; i < run->tasks.nelts; i++) {
        if (task[i]->data) {
            ngx_dfp_peers_queue(task[i]->data);
        }
    }

    run->wake(run);
}
