#include "ngx_dfp_grant.h"


ngx_uint_t
ngx_dfp_grant_login(ngx_dfp_grant_t *grant, ngx_uint_t now)
{
    ngx_uint_t        changed;
    ngx_dfp_run_t    *run;
    ngx_dfp_login_t  *login;

    run = grant->run;
    login = &grant->login;

    if (grant->led) {
        return 0;
    }

    if (run->job.username.len || run->job.password.len) {
        changed = !login->given;

        login->username = run->job.username;
        login->password = run->job.password;
        login->given = 1;

        return changed;
    }

    changed = ngx_dfp_credentials_find(run->claim.configured
                                       ? run->conf->credentials
                                       : NULL,
                                       &grant->authority,
                                       &grant->repository,
                                       run->pool, &run->log, now,
                                       login);
    if (changed) {
        grant->told = 0;
        grant->get = 0;
    }

    return changed;
}


ngx_int_t
ngx_dfp_grant_basic(ngx_dfp_grant_t *grant, ngx_str_t *basic)
{
    dfp_mem_t         mem;
    dfp_str_t         value;
    ngx_array_t      *secrets;
    ngx_dfp_login_t  *login;

    login = &grant->login;
    secrets = &grant->run->secrets;
    mem = ngx_dfp_mem(grant->run->pool);

    value = DFP_STR("");

    if (!login->given) {
        ngx_str_null(basic);
        return NGX_OK;
    }

    if ((login->username.len || login->password.len)
        && dfp_basic_print(&mem, login->username, login->password, &value)
           != DFP_OK)
    {
        return NGX_ERROR;
    }

    if (!grant->told
        && (ngx_dfp_secrets_login(secrets, login->username,
                                  login->password, value)
            != NGX_OK
            || ngx_dfp_secrets_add(secrets, login->identity)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    grant->told = 1;
    *basic = ngx_dfp_str(value);

    return NGX_OK;
}
