/*
 * dfpreheat_credentials: a file of registry credentials, which is read again
 * when it has changed.
 */

#ifndef NGX_DFP_CREDENTIALS_H
#define NGX_DFP_CREDENTIALS_H


#include "ngx_dfp_types.h"

#include "dfp_credentials.h"


struct ngx_dfp_credentials_s {
    ngx_str_t          path;
    ngx_pool_t        *pool;       /* of the list; NULL: not read */
    dfp_credentials_t  list;
    ngx_file_uniq_t    uniq;
    time_t             mtime;
    off_t              size;
    time_t             looked;     /* when it was last checked */
    time_t             opened;     /* when it was last read */
};


/* What to log in with: a user name and a password, or a token. */
typedef struct {
    dfp_str_t  username;
    dfp_str_t  password;
    ngx_str_t  token;      /* "Bearer ...", ready */
    dfp_str_t  identity;   /* a refresh token */
    unsigned   given:1;    /* there is one of these */
} ngx_dfp_login_t;


/* Reads the file. NGX_ERROR: it cannot be used, which is logged; what was read
 * before stays. */
ngx_int_t ngx_dfp_credentials_open(ngx_dfp_credentials_t *credentials,
    ngx_log_t *log);

/*
 * Sets LOGIN, in POOL, to the entry for the repository of the registry at
 * AUTHORITY, or to none, also if CREDENTIALS is NULL. Returns 1 if LOGIN has
 * changed. The file is checked for changes at most once a second, but always
 * with NOW. If a changed file cannot be used, this is logged once, and what
 * was read before stays.
 */
ngx_uint_t ngx_dfp_credentials_find(ngx_dfp_credentials_t *credentials,
    ngx_str_t *authority, ngx_str_t *repository, ngx_pool_t *pool,
    ngx_log_t *log, ngx_uint_t now, ngx_dfp_login_t *login);


#endif /* NGX_DFP_CREDENTIALS_H */
