#include "ngx_dfp_dragonfly.h"


static ngx_int_t ngx_dfp_dragonfly_text(ngx_pool_t *pool, ngx_str_t *s,
    size_t len, const char *fmt, ...);


ngx_int_t
ngx_dfp_dragonfly_server(ngx_dfp_run_t *run, ngx_pool_t *pool,
    const dfp_d7y_host_t *host, ngx_dfp_server_t *server)
{
    u_char               *p;
    ngx_str_t             ip;
    ngx_addr_t            addr;
    ngx_dfp_dragonfly_t  *dragonfly;

    dragonfly = run->cluster->dragonfly;
    ip = ngx_dfp_str(host->ip);

    if (ngx_parse_addr(pool, &addr, ip.data, ip.len) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_cidr_match(addr.sockaddr, run->conf->peers_allow) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_inet_set_port(addr.sockaddr, host->port);

    server->sockaddr = addr.sockaddr;
    server->socklen = addr.socklen;
    server->location = dragonfly->peers_location;
    server->tls = dragonfly->peers_tls;

    p = ngx_strlchr(ip.data, ip.data + ip.len, ':');

    if (ngx_dfp_dragonfly_text(pool, &server->authority, ip.len,
                                  p ? "[%V]:%d" : "%V:%d", &ip,
                                  (int) host->port)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dfp_dragonfly_text(pool, &server->name,
                                     host->hostname.len
                                     + server->authority.len,
                                     "the peer %*s (%V)%Z",
                                     host->hostname.len,
                                     host->hostname.data,
                                     &server->authority);
}


/* LEN is the length of the arguments; the rest of the text is short. */

static ngx_int_t
ngx_dfp_dragonfly_text(ngx_pool_t *pool, ngx_str_t *s, size_t len,
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
