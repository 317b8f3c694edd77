/*
 * The directives whose values are more than a number: each as an nginx setter.
 */

#ifndef NGX_HTTP_DFPREHEAT_CONF_H
#define NGX_HTTP_DFPREHEAT_CONF_H


#include "ngx_http_dfpreheat_engine.h"


char *ngx_http_dfpreheat_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_dfpreheat_conf_cluster(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_dfpreheat_conf_instance(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_dfpreheat_conf_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_dfpreheat_conf_admin_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_dfpreheat_conf_platform(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_dfpreheat_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Where dfpreheat_instance is not given: the host's name, and of its addresses
 * the first that is not loopback. The id also tells two nginx of one host
 * apart, by their configuration files. */
ngx_int_t ngx_http_dfpreheat_conf_default_instance(ngx_conf_t *cf,
    ngx_http_dfpreheat_main_conf_t *mcf);


#endif /* NGX_HTTP_DFPREHEAT_CONF_H */
