#include "ngx_dfp_credentials.h"


#define NGX_DFP_CREDENTIALS_POOL  4096


static ngx_uint_t ngx_dfp_credentials_same(ngx_dfp_login_t *login,
    const dfp_credential_t *found);
static void ngx_dfp_credentials_look(ngx_dfp_credentials_t *credentials,
    ngx_log_t *log, ngx_uint_t now);
static ngx_int_t ngx_dfp_credentials_read(ngx_dfp_credentials_t *credentials,
    ngx_fd_t fd, ngx_file_info_t *fi, ngx_log_t *log);
static ngx_int_t ngx_dfp_credentials_parse(ngx_dfp_credentials_t *credentials,
    ngx_pool_t *pool, ngx_str_t *text, ngx_log_t *log);
static void ngx_dfp_credentials_log(ngx_dfp_credentials_t *credentials,
    dfp_credentials_t *list, ngx_log_t *log);
static dfp_str_t ngx_dfp_credentials_copy(ngx_pool_t *pool, dfp_str_t s);


ngx_int_t
ngx_dfp_credentials_open(ngx_dfp_credentials_t *credentials, ngx_log_t *log)
{
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    credentials->looked = ngx_time();
    credentials->opened = ngx_time();

    fd = ngx_open_file(credentials->path.data, NGX_FILE_RDONLY, NGX_FILE_OPEN,
                       0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "dfpreheat_credentials: " ngx_open_file_n
                      " \"%V\" failed", &credentials->path);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "dfpreheat_credentials: " ngx_fd_info_n " \"%V\" failed",
                      &credentials->path);
        rc = NGX_ERROR;

    } else {

        /* a wrong file is not read again before it has changed */

        credentials->uniq = ngx_file_uniq(&fi);
        credentials->mtime = ngx_file_mtime(&fi);
        credentials->size = ngx_file_size(&fi);

        rc = ngx_dfp_credentials_read(credentials, fd, &fi, log);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                      "dfpreheat_credentials: " ngx_close_file_n
                      " \"%V\" failed", &credentials->path);
    }

    return rc;
}


static ngx_int_t
ngx_dfp_credentials_read(ngx_dfp_credentials_t *credentials, ngx_fd_t fd,
    ngx_file_info_t *fi, ngx_log_t *log)
{
    ssize_t      n;
    ngx_int_t    rc;
    ngx_str_t    text;
    ngx_pool_t  *pool;

    if (ngx_file_access(fi) & (S_IROTH|S_IWOTH)) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "\"%V\" contains secrets and is accessible to all users",
                      &credentials->path);
    }

    text.data = ngx_alloc(DFP_CREDENTIALS_MAX_FILE + 1, log);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, text.data, DFP_CREDENTIALS_MAX_FILE + 1);

    if (n == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "dfpreheat_credentials: " ngx_read_fd_n " \"%V\" failed",
                      &credentials->path);
        ngx_free(text.data);
        return NGX_ERROR;
    }

    text.len = n;

    pool = ngx_create_pool(NGX_DFP_CREDENTIALS_POOL, ngx_cycle->log);
    rc = NGX_ERROR;

    if (pool) {
        rc = ngx_dfp_credentials_parse(credentials, pool, &text, log);
    }

    ngx_explicit_memzero(text.data, n);
    ngx_free(text.data);

    return rc;
}


/* POOL replaces the previous one, or is destroyed. */

static ngx_int_t
ngx_dfp_credentials_parse(ngx_dfp_credentials_t *credentials, ngx_pool_t *pool,
    ngx_str_t *text, ngx_log_t *log)
{
    dfp_err_t          err;
    dfp_mem_t          mem;
    dfp_credentials_t  list;

    mem = ngx_dfp_mem(pool);
    (void) dfp_invalid(&err, "no memory");

    if (dfp_credentials_parse(&mem, ngx_dfp_dfp_str(*text), &list, &err)
        != DFP_OK)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0, "dfpreheat_credentials \"%V\": %s",
                      &credentials->path, err.text);
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    ngx_dfp_credentials_log(credentials, &list, log);

    if (credentials->pool) {
        ngx_destroy_pool(credentials->pool);
    }

    credentials->pool = pool;
    credentials->list = list;

    return NGX_OK;
}


static void
ngx_dfp_credentials_log(ngx_dfp_credentials_t *credentials,
    dfp_credentials_t *list, ngx_log_t *log)
{
    ngx_str_t  names;

    if (list->unusable) {
        names = ngx_dfp_str(list->unused);

        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "dfpreheat_credentials \"%V\": %uz entries are ignored: "
                      "they have no \"auth\" with a name and a password, no "
                      "\"identitytoken\" and no \"registrytoken\": %V",
                      &credentials->path, list->unusable, &names);
    }

    if (list->store) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "dfpreheat_credentials \"%V\": \"credsStore\" is not "
                      "supported: its credentials are not used",
                      &credentials->path);
    }

    if (list->helped.len) {
        names = ngx_dfp_str(list->helped);

        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "dfpreheat_credentials \"%V\": \"credHelpers\" is not "
                      "supported: no program is run for %V",
                      &credentials->path, &names);
    }
}


ngx_uint_t
ngx_dfp_credentials_find(ngx_dfp_credentials_t *credentials,
    ngx_str_t *authority, ngx_str_t *repository, ngx_pool_t *pool,
    ngx_log_t *log, ngx_uint_t now, ngx_dfp_login_t *login)
{
    u_char                  *p;
    const dfp_credential_t  *found;

    found = NULL;

    if (credentials) {
        ngx_dfp_credentials_look(credentials, log, now);

        found = dfp_credentials_find(&credentials->list,
                                     ngx_dfp_dfp_str(*authority),
                                     ngx_dfp_dfp_str(*repository));
    }

    if (ngx_dfp_credentials_same(login, found)) {
        return 0;
    }

    ngx_memzero(login, sizeof(ngx_dfp_login_t));

    if (found == NULL) {
        return 1;
    }

    /* the list may be replaced while the run is active */

    login->username = ngx_dfp_credentials_copy(pool, found->username);
    login->password = ngx_dfp_credentials_copy(pool, found->password);
    login->identity = ngx_dfp_credentials_copy(pool, found->identity);
    login->given = 1;

    if (found->token.len) {
        p = ngx_pnalloc(pool, sizeof("Bearer ") + found->token.len);

        if (p) {
            login->token.data = p;
            login->token.len = ngx_sprintf(p, "Bearer %*s", found->token.len,
                                           found->token.data)
                               - p;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_dfp_credentials_same(ngx_dfp_login_t *login, const dfp_credential_t *found)
{
    dfp_str_t  token;

    if (found == NULL || !login->given) {
        return found == NULL && !login->given;
    }

    token = ngx_dfp_dfp_str(login->token);

    if (token.len) {
        token.data += sizeof("Bearer ") - 1;
        token.len -= sizeof("Bearer ") - 1;
    }

    return dfp_str_eq(login->username, found->username)
           && dfp_str_eq(login->password, found->password)
           && dfp_str_eq(login->identity, found->identity)
           && dfp_str_eq(token, found->token);
}


static void
ngx_dfp_credentials_look(ngx_dfp_credentials_t *credentials, ngx_log_t *log,
    ngx_uint_t now)
{
    ngx_file_info_t  fi;

    if (credentials->looked == ngx_time() && !now) {
        return;
    }

    credentials->looked = ngx_time();

    if (ngx_file_info(credentials->path.data, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "dfpreheat_credentials: " ngx_file_info_n
                      " \"%V\" failed", &credentials->path);
        return;
    }

    /*
     * a file that was written again in the second in which it was read looks
     * unchanged
     */

    if (ngx_file_uniq(&fi) == credentials->uniq
        && ngx_file_mtime(&fi) == credentials->mtime
        && ngx_file_size(&fi) == credentials->size
        && ngx_file_mtime(&fi) != credentials->opened)
    {
        return;
    }

    if (ngx_dfp_credentials_open(credentials, log) == NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "dfpreheat_credentials \"%V\" was reloaded",
                      &credentials->path);
    }
}


static dfp_str_t
ngx_dfp_credentials_copy(ngx_pool_t *pool, dfp_str_t s)
{
    dfp_str_t  copy;
    ngx_str_t  from;

    from = ngx_dfp_str(s);

    copy.data = (char *) ngx_pstrdup(pool, &from);
    copy.len = copy.data ? s.len : 0;

    return copy;
}
