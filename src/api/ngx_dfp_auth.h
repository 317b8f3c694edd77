/*
 * Authentication: bearer tokens with their scopes, and the admin key.
 */

#ifndef NGX_DFP_AUTH_H
#define NGX_DFP_AUTH_H


#include "ngx_dfp_token_cache.h"


#define NGX_DFP_BEARER_MAX  512     /* bytes of a token */


typedef struct ngx_dfp_auth_s  ngx_dfp_auth_t;

/* STATUS: 200; or 401, 403, 500, 503 with TEXT for the client, a constant. */
typedef void (*ngx_dfp_auth_pt)(void *data, ngx_uint_t status,
    const char *text);

struct ngx_dfp_auth_s {

    /* set by the owner, the rest zeroed */

    ngx_dfp_auth_pt          handler;
    void                    *data;
    ngx_str_t                query;    /* the token of the query string; "":
                                          that of the header is used */
    ngx_dfp_op_t             op;       /* deadline only */
    unsigned                 uncached:1;    /* Redis must know the token now */

    /* filled in when STATUS is 200 */

    ngx_dfp_stored_token_t   token;
    ngx_str_t                bearer;   /* it, as it was sent: a secret */

    ngx_uint_t               scope;    /* that was required; 0: no token was
                                          checked */

    ngx_uint_t               drops;    /* of the cache, when it was looked up */

    /* private */

    ngx_connection_t        *connection;
    u_char                   hash[DFP_SHA256_HEX_LEN + 1];
};


/* Why a token is refused: 401 or 403, a constant for the client, and how it is
 * counted. */
typedef struct {
    ngx_uint_t               status;
    const char              *text;
    ngx_dfp_token_failure_e  why;
} ngx_dfp_auth_verdict_t;


/*
 * Finds the token in the query string of R (access_token), unescaped and in
 * the pool of R; "": there is none. It is overwritten with "*" wherever it is
 * in R, because nginx logs the request line. NGX_ERROR: no memory.
 */
ngx_int_t ngx_dfp_auth_query(ngx_http_request_t *r, ngx_str_t *token);

/*
 * Checks AUTH's query, or the bearer token of R, for SCOPE (a DFP_TOKEN_
 * scope). A token that was found in Redis is cached (ngx_dfp_token_cache.h).
 * AUTH's handler is called once, perhaps at once; if it is called later,
 * posted requests are run after it. When AUTH's memory is freed, its op must
 * be cancelled first.
 */
void ngx_dfp_auth_token(ngx_http_request_t *r, ngx_dfp_store_t *store,
    ngx_dfp_auth_t *auth, ngx_uint_t scope);

/* Whether TOKEN, which was looked up with the result RC (NGX_OK or NGX_DECLINED),
 * is good for SCOPE now: 200, or the status of VERDICT, which is set then. */
ngx_uint_t ngx_dfp_auth_verdict(ngx_int_t rc, ngx_dfp_stored_token_t *token,
    ngx_uint_t scope, ngx_dfp_auth_verdict_t *verdict);

/* Checks that the bearer token of R is the admin key. Returns 200; or 401, or
 * 403 where no key is configured, with *TEXT, a constant, for the client. */
ngx_uint_t ngx_dfp_auth_admin(ngx_http_request_t *r, ngx_dfp_main_conf_t *conf,
    const char **text);


#endif /* NGX_DFP_AUTH_H */
