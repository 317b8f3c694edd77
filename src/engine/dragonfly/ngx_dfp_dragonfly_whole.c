#include "ngx_dfp_dragonfly.h"


#define NGX_DFP_WHOLE_POOL    4096
#define NGX_DFP_WHOLE_ANSWER  4194304     /* bytes of it */

/* no task has this id */
#define NGX_DFP_WHOLE_TASK                                                    \
    "0000000000000000000000000000000000000000000000000000000000000000"


static void ngx_dfp_whole_read(void *data, ngx_int_t rc);
static void ngx_dfp_whole_compare(ngx_dfp_whole_t *whole);
static ngx_int_t ngx_dfp_whole_ask(ngx_dfp_whole_t *whole,
    dfp_known_peer_t *peer, dfp_str_t frame);
static void ngx_dfp_whole_asked(ngx_dfp_grpc_t *grpc);
static void ngx_dfp_whole_written(void *data, ngx_int_t rc);
static void ngx_dfp_whole_free(ngx_dfp_whole_t *whole);


void
ngx_dfp_whole_check(ngx_dfp_whole_t *whole, dfp_d7y_host_t *list, size_t n)
{
    ngx_dfp_run_t  *run;

    static ngx_str_t  nothing = ngx_string("");

    run = whole->run;
    whole->list = list;
    whole->nlist = n;

    if (whole->read) {
        ngx_dfp_whole_compare(whole);
        return;
    }

    whole->op.handler = ngx_dfp_whole_read;
    whole->op.data = whole;
    whole->op.log = &run->log;
    whole->op.pool = run->pool;

    if (ngx_dfp_store_peers(run->store, &whole->op, run->claim.cluster,
                            &nothing, &whole->text)
        != NGX_OK)
    {
        ngx_dfp_whole_read(whole, NGX_ERROR);
    }
}


/* Without Redis, any list is whole. */

static void
ngx_dfp_whole_read(void *data, ngx_int_t rc)
{
    ngx_dfp_whole_t *whole = data;

    dfp_mem_t  mem;

    if (rc != NGX_OK) {
        whole->text.len = 0;
    }

    mem = ngx_dfp_mem(whole->run->pool);

    if (dfp_known_parse(&mem, ngx_dfp_dfp_str(whole->text), ngx_time(),
                        &whole->known)
        != DFP_OK)
    {
        whole->known.n = 0;
    }

    whole->read = 1;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &whole->run->log, 0,
                   "dfpreheat: job %L: known peers read: rc:%i, %uz",
                   whole->run->claim.id, rc, whole->known.n);

    ngx_dfp_whole_compare(whole);
    whole->run->wake(whole->run);
}


static void
ngx_dfp_whole_compare(ngx_dfp_whole_t *whole)
{
    size_t             i;
    dfp_mem_t          mem;
    dfp_str_t          frame;
    dfp_known_peer_t  *peer;

    ngx_dfp_whole_free(whole);

    whole->lives = 0;

    dfp_known_listed(&whole->known, whole->list, whole->nlist, ngx_time());

    whole->pool = ngx_create_pool(NGX_DFP_WHOLE_POOL, &whole->run->log);

    if (whole->pool) {
        mem = ngx_dfp_mem(whole->pool);
        whole->ask = ngx_pcalloc(whole->pool, NGX_DFP_WHOLE_MAX
                                              * sizeof(ngx_dfp_whole_ask_t));
    }

    if (whole->pool == NULL || whole->ask == NULL
        || dfp_d7y_stat_local(&mem, DFP_STR(NGX_DFP_WHOLE_TASK), &frame)
           != DFP_OK)
    {
        whole->checked(whole);
        return;
    }

    for (i = 0; i < whole->known.n && whole->n < NGX_DFP_WHOLE_MAX; i++) {

        peer = &whole->known.list[i];
        peer->lives = 0;

        if (!peer->listed && !peer->lost
            && dfp_known_meant(peer, &whole->run->job)
            && ngx_dfp_whole_ask(whole, peer, frame) != NGX_OK)
        {
            break;
        }
    }

    if (whole->left == 0) {
        whole->checked(whole);
    }
}


/* NGX_ERROR: no connection is free, or no memory. */

static ngx_int_t
ngx_dfp_whole_ask(ngx_dfp_whole_t *whole, dfp_known_peer_t *peer,
    dfp_str_t frame)
{
    ngx_int_t             rc;
    ngx_dfp_run_t        *run;
    ngx_dfp_grpc_t       *grpc;
    ngx_dfp_whole_ask_t  *ask;

    run = whole->run;
    ask = &whole->ask[whole->n];

    rc = ngx_dfp_dragonfly_server(run, whole->pool, &peer->host, &ask->server);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    grpc = ngx_dfp_grpc_create(&run->log);
    if (grpc == NULL) {
        return NGX_ERROR;
    }

    ask->whole = whole;
    ask->peer = peer;

    grpc->handler = ngx_dfp_whole_asked;
    grpc->data = ask;
    grpc->job = run->claim.id;
    grpc->server = &ask->server;
    grpc->method = DFP_D7Y_STAT_LOCAL;
    grpc->frame = frame;
    grpc->max = NGX_DFP_WHOLE_ANSWER;
    grpc->timeout = run->conf->peer_timeout;

    /* at the timeout its library might answer for one that hangs */
    grpc->untold = 1;

    if (ngx_dfp_grpc_start(grpc) != NGX_OK) {
        return NGX_ERROR;
    }

    ask->grpc = grpc;
    whole->n++;
    whole->left++;
    run->calls++;

    return NGX_OK;
}


static void
ngx_dfp_whole_asked(ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_run_t        *run;
    ngx_dfp_whole_t      *whole;
    ngx_dfp_whole_ask_t  *ask;

    ask = grpc->data;
    whole = ask->whole;
    run = whole->run;

    ask->grpc = NULL;
    ask->sure = !grpc->unanswered || grpc->unreached;
    ask->peer->lives = !grpc->unanswered && !grpc->timedout;

    whole->lives += ask->peer->lives;
    run->calls--;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: %V is not listed, and lives:%d, "
                   "status:%d", run->claim.id, &ask->server.name,
                   ask->peer->lives, grpc->status);

    if (--whole->left == 0) {
        whole->checked(whole);
    }

    run->wake(run);
}


void
ngx_dfp_whole_store(ngx_dfp_whole_t *whole)
{
    ngx_uint_t      i;
    dfp_mem_t       mem;
    dfp_str_t       text;
    ngx_str_t       peers;
    ngx_dfp_run_t  *run;

    run = whole->run;

    for (i = 0; i < whole->n; i++) {
        whole->ask[i].peer->lost = whole->ask[i].sure;
        whole->known.changed |= whole->ask[i].sure;
    }

    if (!whole->known.changed || whole->pool == NULL) {
        ngx_dfp_whole_written(whole, NGX_OK);
        return;
    }

    mem = ngx_dfp_mem(whole->pool);

    whole->op.handler = ngx_dfp_whole_written;
    whole->op.pool = whole->pool;

    if (dfp_known_print(&mem, &whole->known, whole->list, whole->nlist,
                        ngx_time(), &text)
        != DFP_OK)
    {
        ngx_dfp_whole_written(whole, NGX_ERROR);
        return;
    }

    peers = ngx_dfp_str(text);

    if (ngx_dfp_store_peers(run->store, &whole->op, run->claim.cluster, &peers,
                            &whole->text)
        != NGX_OK)
    {
        ngx_dfp_whole_written(whole, NGX_ERROR);
    }
}


static void
ngx_dfp_whole_written(void *data, ngx_int_t rc)
{
    ngx_dfp_whole_t *whole = data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &whole->run->log, 0,
                   "dfpreheat: job %L: known peers stored: rc:%i, changed:%d",
                   whole->run->claim.id, rc, whole->known.changed);

    ngx_dfp_whole_free(whole);

    whole->stored(whole);
}


static void
ngx_dfp_whole_free(ngx_dfp_whole_t *whole)
{
    if (whole->pool) {
        ngx_destroy_pool(whole->pool);
        whole->pool = NULL;
    }

    whole->ask = NULL;
    whole->n = 0;
}


void
ngx_dfp_whole_stop(ngx_dfp_whole_t *whole)
{
    ngx_uint_t            i;
    ngx_dfp_whole_ask_t  *ask;

    ngx_dfp_store_cancel(&whole->op);

    for (i = 0; i < whole->n; i++) {

        ask = &whole->ask[i];

        if (ask->grpc) {
            whole->run->calls--;
            ngx_dfp_grpc_cancel(ask->grpc);
        }
    }

    whole->left = 0;
    ngx_dfp_whole_free(whole);
}
