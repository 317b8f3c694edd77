/*
 * dfpreheat_credentials: a file of registry credentials, read again when it has
 * changed.
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
    time_t             looked;
    time_t             opened;     /* when it was read */
};


/* What to log in with. */
typedef struct {
    dfp_str_t  username;
    dfp_str_t  password;
    ngx_str_t  token;      /* "Bearer ...", ready */
    dfp_str_t  identity;   /* a refresh token */
    unsigned   given:1;
} ngx_dfp_login_t;


/* Reads the file for the first time: what is wrong with it is logged. */
ngx_int_t ngx_dfp_credentials_open(ngx_dfp_credentials_t *credentials,
    ngx_log_t *log);

/*
 * Fills LOGIN in, from POOL, with what there is for the repository of the registry at
 * AUTHORITY: nothing where CREDENTIALS is NULL. Returns 1 where that is not what it
 * had before. The file is looked at once a second, and with NOW at once. One that has
 * changed, and can't be read or is wrong now, is logged once; what was read before
 * stays.
 */
ngx_uint_t ngx_dfp_credentials_find(ngx_dfp_credentials_t *credentials,
    ngx_str_t *authority, ngx_str_t *repository, ngx_pool_t *pool,
    ngx_log_t *log, ngx_uint_t now, ngx_dfp_login_t *login);


#endif /* NGX_DFP_CREDENTIALS_H */
