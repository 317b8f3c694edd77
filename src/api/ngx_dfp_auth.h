/*
 * Who asks: bearer tokens, their scopes, the admin key.
 */

#ifndef NGX_DFP_AUTH_H
#define NGX_DFP_AUTH_H


#include "ngx_dfp_store.h"


#define NGX_DFP_TOKEN_CACHE       5000    /* ms */
#define NGX_DFP_TOKEN_CACHE_SIZE  1024    /* tokens of a worker */


typedef struct ngx_dfp_auth_s  ngx_dfp_auth_t;

/* STATUS: 200, or 401, 403, 503, 500 with TEXT for the client. */
typedef void (*ngx_dfp_auth_pt)(void *data, ngx_uint_t status,
    const char *text);

struct ngx_dfp_auth_s {
    ngx_dfp_op_t       op;
    ngx_dfp_auth_pt    handler;
    void              *data;
    ngx_str_t          query;     /* a token that stood there; "":
                                     none, the header counts */
    ngx_uint_t         scope;
    ngx_connection_t  *connection;
    u_char             hash[DFP_SHA256_HEX_LEN + 1];
    ngx_dfp_token_t    token;     /* when STATUS is 200 */
};


/* For a worker. */
ngx_int_t ngx_dfp_auth_init(ngx_cycle_t *cycle);

/*
 * The token in the query string of a request (access_token), in its pool; "":
 * none. Where the token stands in the request, there are stars from now on:
 * nginx's log lines show the request. NGX_ERROR: no memory.
 */
ngx_int_t ngx_dfp_auth_query(ngx_http_request_t *r, ngx_str_t *token);

/*
 * Checks AUTH's query, or the request's bearer token, for SCOPE (a DFP_TOKEN_
 * scope), by what this worker has known for at most NGX_DFP_TOKEN_CACHE ms,
 * or by Redis. AUTH's handler, data and query are set; the handler may be
 * called at once; posted requests are run after one that is called later.
 * AUTH has to be cancelled (its op) when its memory goes.
 */
void ngx_dfp_auth_token(ngx_http_request_t *r, ngx_dfp_store_t *store,
    ngx_dfp_auth_t *auth, ngx_uint_t scope);

/* 200, 401, or 403 where the server has no admin key; *TEXT for the client. */
ngx_uint_t ngx_dfp_auth_admin(ngx_http_request_t *r, ngx_dfp_main_conf_t *conf,
    const char **text);


#endif /* NGX_DFP_AUTH_H */
