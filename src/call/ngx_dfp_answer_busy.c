#include "ngx_dfp_call.h"
#include "ngx_dfp_call_log.h"


static ngx_uint_t ngx_dfp_answer_full(ngx_http_upstream_rr_peers_t *peers);


void
ngx_dfp_answer_busy(ngx_dfp_call_t *call, ngx_http_request_t *sr)
{
    ngx_uint_t                      i;
    ngx_http_upstream_server_t     *server;
    ngx_http_upstream_srv_conf_t   *uscf;
    ngx_http_upstream_rr_peers_t   *peers;

    uscf = sr->upstream->upstream;

    if (uscf == NULL || uscf->servers == NULL
        || !ngx_dfp_call_log_says(sr->connection->log, DFP_NGINX_NO_LIVE))
    {
        return;
    }

    server = uscf->servers->elts;

    for (i = 0; i < uscf->servers->nelts; i++) {
        if (server[i].max_conns) {
            break;
        }
    }

    if (i == uscf->servers->nelts) {
        return;
    }

    peers = uscf->peer.data;

    call->answer.busy = ngx_dfp_answer_full(peers);

    if (peers->next) {
        call->answer.busy |= ngx_dfp_answer_full(peers->next);
    }
}


static ngx_uint_t
ngx_dfp_answer_full(ngx_http_upstream_rr_peers_t *peers)
{
    ngx_uint_t                    full;
    ngx_http_upstream_rr_peer_t  *peer;

    full = 0;

    ngx_http_upstream_rr_peers_rlock(peers);

    for (peer = peers->peer; peer; peer = peer->next) {
        full |= (peer->max_conns && peer->conns >= peer->max_conns);
    }

    ngx_http_upstream_rr_peers_unlock(peers);

    return full;
}
