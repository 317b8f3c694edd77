#include "ngx_dfp_conf.h"
#include "ngx_dfp_credentials.h"


static void ngx_dfp_conf_credentials_cleanup(void *data);
static ngx_int_t ngx_dfp_conf_secret_read(ngx_conf_t *cf, ngx_fd_t fd,
    ngx_str_t *path, ngx_str_t *text);


char *
ngx_dfp_conf_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    ngx_str_t  *value, text;
    dfp_err_t   err;

    value = cf->args->elts;

    if (mcf->keys.n) {
        return "is duplicate";
    }

    if (ngx_dfp_conf_secret(cf, &value[1], &text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (dfp_seal_parse_keys(ngx_dfp_dfp_str(text), &mcf->keys, &err)
        != DFP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "dfpreheat_key \"%V\": %s",
                           &value[1], err.text);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_dfp_conf_admin_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    u_char     *p;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (mcf->admin_key.len) {
        return "is duplicate";
    }

    if (ngx_dfp_conf_secret(cf, &value[1], &mcf->admin_key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    for (p = mcf->admin_key.data;
         p < mcf->admin_key.data + mcf->admin_key.len;
         p++)
    {
        if (*p <= ' ' || *p > '~') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_admin_key \"%V\": it must be one "
                               "word of printable characters", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (mcf->admin_key.len < NGX_DFP_ADMIN_KEY_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_admin_key \"%V\": it must have at least "
                           "%d characters", &value[1],
                           NGX_DFP_ADMIN_KEY_MIN);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_dfp_conf_credentials(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    ngx_str_t              *value;
    ngx_pool_cleanup_t     *cln;
    ngx_dfp_credentials_t  *credentials;

    if (mcf->credentials) {
        return "is duplicate";
    }

    value = cf->args->elts;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_dfp_credentials_t));

    if (cln == NULL || ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    credentials = cln->data;
    ngx_memzero(credentials, sizeof(ngx_dfp_credentials_t));

    credentials->path = value[1];
    cln->handler = ngx_dfp_conf_credentials_cleanup;

    mcf->credentials = credentials;

    if (ngx_dfp_credentials_open(credentials, cf->log) != NGX_OK) {
        return "cannot be used";
    }

    return NGX_CONF_OK;
}


static void
ngx_dfp_conf_credentials_cleanup(void *data)
{
    ngx_dfp_credentials_t *credentials = data;

    if (credentials->pool) {
        ngx_destroy_pool(credentials->pool);
    }
}


ngx_int_t
ngx_dfp_conf_secret(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *text)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    rc = ngx_dfp_conf_secret_read(cf, fd, path, text);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    return rc;
}


static ngx_int_t
ngx_dfp_conf_secret_read(ngx_conf_t *cf, ngx_fd_t fd, ngx_str_t *path,
    ngx_str_t *text)
{
    ssize_t          n;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    if (ngx_file_access(&fi) & (S_IROTH|S_IWOTH)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" contains a secret and is accessible to all "
                           "users",
                           path);
    }

    text->data = ngx_pnalloc(cf->pool, NGX_DFP_SECRET_FILE_MAX);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, text->data, NGX_DFP_SECRET_FILE_MAX);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    while (n && text->data[n - 1] <= ' ') {
        n--;
    }

    text->len = n;

    if (n == 0 || n == NGX_DFP_SECRET_FILE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is %s: it must have 1 to %d bytes", path,
                           n ? "too large" : "empty",
                           NGX_DFP_SECRET_FILE_MAX - 1);
        return NGX_ERROR;
    }

    return NGX_OK;
}
