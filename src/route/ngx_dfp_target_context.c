#include "ngx_dfp_target.h"


static ngx_dfp_target_t *ngx_dfp_target_inherit(ngx_http_request_t *r);
static ngx_dfp_target_t *ngx_dfp_target_new(ngx_http_request_t *r);
static void ngx_dfp_target_cleanup(void *data);


ngx_dfp_target_t *
ngx_dfp_target_get(ngx_http_request_t *r)
{
    ngx_dfp_target_t  *target;

    target = ngx_dfp_context_get(r, ngx_dfp_target_cleanup);
    if (target) {
        return target;
    }

    /* proxy_cache_background_update: the subrequest that updates the entry
     * skips all phases before the content phase */

    if (r->background && r->parent && r->loc_conf == r->parent->loc_conf) {
        return ngx_dfp_target_inherit(r);
    }

    return NULL;
}


static ngx_dfp_target_t *
ngx_dfp_target_inherit(ngx_http_request_t *r)
{
    ngx_dfp_target_t  *target, *parent;

    parent = ngx_dfp_target_get(r->parent);

    if (parent == NULL || parent->waiting) {
        return NULL;
    }

    target = ngx_dfp_target_new(r);

    if (target) {
        *target = *parent;
        target->r = r;
        target->lookup = NULL;
        target->used = 0;
    }

    return target;
}


ngx_dfp_target_t *
ngx_dfp_target_create(ngx_http_request_t *r)
{
    ngx_dfp_target_t  *target;

    target = ngx_dfp_target_get(r);

    return target ? target : ngx_dfp_target_new(r);
}


static ngx_dfp_target_t *
ngx_dfp_target_new(ngx_http_request_t *r)
{
    ngx_dfp_target_t  *target;

    target = ngx_dfp_context_create(r, ngx_dfp_target_cleanup,
                                    sizeof(ngx_dfp_target_t));
    if (target) {
        target->conf = ngx_http_get_module_main_conf(r,
                                                    ngx_http_dfpreheat_module);
    }

    return target;
}


static void
ngx_dfp_target_cleanup(void *data)
{
    ngx_dfp_target_t *target = data;

    if (target->lookup) {
        ngx_resolve_name_done(target->lookup);
        target->lookup = NULL;
    }
}


void
ngx_dfp_target_reason(ngx_dfp_target_t *target, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    p = (u_char *) target->reason;

    va_start(args, fmt);
    p = ngx_vslprintf(p, p + sizeof(target->reason) - 1, fmt, args);
    va_end(args);

    *p = '\0';
}


ngx_int_t
ngx_dfp_target_refuse(ngx_dfp_target_t *target)
{
    target->refused = 1;

    ngx_log_error(NGX_LOG_WARN, target->r->connection->log, 0,
                  "dfpreheat: %s", target->reason);

    return NGX_HTTP_BAD_GATEWAY;
}
