/*
 * The directives whose values are more than a number: each as an nginx setter.
 */

#ifndef NGX_DFP_CONF_H
#define NGX_DFP_CONF_H


#include "ngx_dfp_dragonfly.h"


char *ngx_dfp_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_cluster(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_instance(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_admin_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_platform(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_credentials(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_redirect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_grpc(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_peers_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_certificates(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_dfp_conf_unreachable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Between the files of these: whether VALUE begins with NAME ("user="), and
 * what follows it. */
ngx_uint_t ngx_dfp_conf_param(ngx_str_t *value, const char *name,
    ngx_str_t *rest);

/* A secret in a file, without the white space at its end; TEXT is in the
 * configuration's pool. What is wrong is logged. */
ngx_int_t ngx_dfp_conf_file(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *text);

/* What can be seen before a request comes of the locations that are bound:
 * whether they verify certificates, use the address that was checked, and have
 * one cache, whose entries are of one origin. */
ngx_int_t ngx_dfp_conf_check_origins(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* A location, in the merge of its settings, that is bound to origins, is below such
 * a one (also an "if" or limit_except block), or has dfpreheat_access. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_conf_bound(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* These locations are checked, and told what may be cached; the handlers and
 * filters for that are installed. */
ngx_int_t ngx_dfp_conf_access(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* The N parameters of a dfpreheat_cluster of Dragonfly that are not name= and
 * engine=. */
char *ngx_dfp_conf_dragonfly(ngx_conf_t *cf, ngx_dfp_cluster_t *cluster,
    ngx_str_t *value, ngx_uint_t n);

/* Where dfpreheat_peers_allow is not given: private networks. */
ngx_int_t ngx_dfp_conf_default_peers(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* The clusters of Dragonfly get their locations, which have to pass gRPC to
 * where they are told, and to verify certificates. */
ngx_int_t ngx_dfp_conf_check_dragonfly(ngx_conf_t *cf,
    ngx_dfp_main_conf_t *mcf);

/* Where dfpreheat_instance is not given: the host's name, and of its addresses
 * the first that is not loopback. The id also tells two nginx of one host
 * apart, by their configuration files. */
ngx_int_t ngx_dfp_conf_default_instance(ngx_conf_t *cf,
    ngx_dfp_main_conf_t *mcf);


#endif /* NGX_DFP_CONF_H */
