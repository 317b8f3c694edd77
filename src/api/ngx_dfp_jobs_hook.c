#include "ngx_dfp_jobs_hook.h"
#include "ngx_dfp_binding.h"


dfp_rc_t
ngx_dfp_jobs_hook(ngx_dfp_api_t *api, dfp_err_t *err)
{
    int             changed;
    dfp_rc_t        rc;
    dfp_buf_t       whole;
    dfp_str_t       sealed, shown;
    dfp_webhook_t  *hook;

    hook = &api->job.webhook;

    if (hook->url.href.len == 0) {
        return DFP_OK;
    }

    if (ngx_dfp_binding_find(api->conf, &hook->url, 1) == NULL) {
        return dfp_invalid(err, "webhook.url: no location is bound to %.*s "
                           "(dfpreheat_origin)", (int) hook->url.origin.len,
                           hook->url.origin.data);
    }

    if (api->conf->keys.n == 0) {
        return dfp_invalid(err, "webhook has a secret, but dfpreheat_key, which "
                           "encrypts it, is not configured");
    }

    dfp_buf_init(&whole, &api->mem, 256, 0);
    dfp_webhook_print(&whole, hook);

    if (whole.failed) {
        return DFP_ERROR;
    }

    rc = dfp_seal(&api->mem, &api->conf->keys,
                  ngx_dfp_dfp_str(api->stored.uuid), dfp_buf_value(&whole),
                  &sealed);

    if (rc != DFP_OK
        || dfp_url_redact(&api->mem, hook->url.href, &shown, &changed)
           != DFP_OK)
    {
        return DFP_ERROR;
    }

    api->stored.hook = ngx_dfp_str(sealed);
    api->stored.webhook.url = ngx_dfp_str(shown);
    ngx_str_set(&api->stored.webhook.state, "PENDING");

    return DFP_OK;
}
