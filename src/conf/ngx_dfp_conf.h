/*
 * Directives whose values are more than a number, defaults that are computed,
 * and checks of the whole configuration. What is wrong is logged before a
 * function returns an error.
 */

#ifndef NGX_DFP_CONF_H
#define NGX_DFP_CONF_H


#include "ngx_dfp_dragonfly.h"


/* default ports */
#define NGX_DFP_REDIS_PORT        6379
#define NGX_DFP_SCHEDULER_PORT    8002

/* limits of directives */
#define NGX_DFP_LEASE_MIN         1000    /* ms */
#define NGX_DFP_RETENTION_MIN     1       /* s */
#define NGX_DFP_KEEP_MIN          1000    /* ms */
#define NGX_DFP_TASK_TIMEOUT_MIN  1000    /* ms */
#define NGX_DFP_PEER_TIMEOUT_MIN  1000    /* ms */
#define NGX_DFP_MANIFEST_MIN      1024    /* bytes */
#define NGX_DFP_SECRET_FILE_MAX   4096    /* bytes of a file with a secret */
#define NGX_DFP_ADMIN_KEY_MIN     16      /* bytes */
#define NGX_DFP_SCHEDULERS_MAX    32      /* addresses of a cluster */
#define NGX_DFP_CERTIFICATES_MAX  64      /* of dfpreheat_certificate_chain */
#define NGX_DFP_FILTER_MAX        128     /* names of
                                             dfpreheat_filtered_query_params */
#define NGX_DFP_KEPT_MAX          16      /* of dfpreheat_redirect_headers */
#define NGX_DFP_POLICIES_MAX      100
#define NGX_DFP_POLICY_NAME_MAX   64      /* bytes */
#define NGX_DFP_INACTIVE_MIN      86400   /* s: less is warned about */


/* The setters of directives, called by nginx. */
char *ngx_dfp_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_cluster(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_policy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_instance(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_admin_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_platform(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_credentials(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_kept(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_filter(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_redirect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_grpc(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_peers_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_dfp_conf_certificates(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_dfp_conf_unreachable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* Where dfpreheat_platform is not given: linux/amd64. */
void ngx_dfp_conf_default_platform(ngx_dfp_main_conf_t *mcf);

/* Checks numbers that nginx's own setters have read. NGX_ERROR: one is too
 * small. */
ngx_int_t ngx_dfp_conf_check_values(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* Checks the whole configuration, once it has been read, and fills in the
 * defaults that depend on it. NGX_ERROR: it cannot be used, or no memory. */
ngx_int_t ngx_dfp_conf_check(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* Called while the settings of a location are merged: notes one that is bound
 * to origins, is below such a location (also an "if" or limit_except block),
 * or has dfpreheat_access or a directive for files. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_conf_bound(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* Prepares these locations for what decides who may see what, and what may be
 * cached. NGX_ERROR: a location cannot be used so, or no memory. */
ngx_int_t ngx_dfp_conf_init_bound(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* Checks what a location has for files, after it was merged. NGX_ERROR: it cannot
 * be used so. */
ngx_int_t ngx_dfp_conf_files(ngx_conf_t *cf, void **loc_conf);

/* Logs at level debug what the configuration binds, without secrets. */
void ngx_dfp_conf_debug(ngx_dfp_main_conf_t *mcf, ngx_log_t *log);


/* The rest is for the files of this folder only. */

/* Whether VALUE begins with NAME ("user="); REST is what follows it, in
 * VALUE's memory. */
ngx_uint_t ngx_dfp_conf_param(ngx_str_t *value, const char *name,
    ngx_str_t *rest);

/* 1 where REST is "on", 0 where it is "off". NGX_ERROR: it is neither; VALUE
 * is the whole parameter, for the log. */
ngx_int_t ngx_dfp_conf_flag(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *rest);

/* Reads a secret from a file, without the white space at its end. PATH
 * becomes absolute; TEXT is in the configuration's pool. NGX_ERROR: it cannot
 * be read, is empty or too large. */
ngx_int_t ngx_dfp_conf_secret(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *text);

/* Parses the N parameters of a dfpreheat_cluster of Dragonfly that are not
 * name= and engine=, and sets CLUSTER's dragonfly. */
char *ngx_dfp_conf_dragonfly(ngx_conf_t *cf, ngx_dfp_cluster_t *cluster,
    ngx_str_t *value, ngx_uint_t n);

/* Prepares what the API shows of CLUSTER; FIRST: of the configuration.
 * NGX_CONF_ERROR: no memory. */
char *ngx_dfp_conf_show_cluster(ngx_conf_t *cf, ngx_dfp_cluster_t *cluster,
    ngx_uint_t first);

/* Checks the locations that are bound to origins: whether they verify
 * certificates, use the address that was checked, and have one cache, whose
 * entries are of one origin. */
ngx_int_t ngx_dfp_conf_check_origins(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* Checks that there is a front for each origin, and origins for each front. */
ngx_int_t ngx_dfp_conf_check_fronts(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* Where dfpreheat_peers_allow is not given: private networks. */
ngx_int_t ngx_dfp_conf_default_peers(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* Assigns the locations with dfpreheat_grpc to the clusters of Dragonfly, and
 * checks that they pass gRPC to the target they are given and verify
 * certificates. */
ngx_int_t ngx_dfp_conf_check_dragonfly(ngx_conf_t *cf,
    ngx_dfp_main_conf_t *mcf);

/* Checks that the clusters and origins of policies exist. */
ngx_int_t ngx_dfp_conf_check_policies(ngx_conf_t *cf,
    ngx_dfp_main_conf_t *mcf);

/* Computes the definitions of clusters with engine=cache, which other instances
 * compare with their own. NGX_ERROR: no memory, or OpenSSL failed. */
ngx_int_t ngx_dfp_conf_definitions(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf);

/* Where dfpreheat_instance is not given: the host's name, and the first of its
 * addresses that is not loopback. The id contains a hash of the path of the
 * configuration file, which tells two nginx of one host apart. */
ngx_int_t ngx_dfp_conf_default_instance(ngx_conf_t *cf,
    ngx_dfp_main_conf_t *mcf);


#endif /* NGX_DFP_CONF_H */
