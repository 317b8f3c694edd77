/*
 * The heartbeat, by which other nginx know that this one runs, and what its
 * reply tells about them. One worker sends it for all of this nginx.
 */

#ifndef NGX_DFP_BEAT_H
#define NGX_DFP_BEAT_H


#include "ngx_dfp_store.h"
#include "dfp_definition.h"


#define NGX_DFP_BEAT_WHO  320    /* bytes of '"NAME" (ADDRESS)' in the log */


/* A member that defines a cluster otherwise, as it was logged. */
typedef struct {
    u_char                  queue[DFP_SHA256_LEN];    /* its hash */
    u_char                  who[NGX_DFP_BEAT_WHO];
    u_char                  cluster[NGX_INT64_LEN + 1];
    char                    aspects[DFP_DEFINITION_NAMES];
} ngx_dfp_beat_member_t;


typedef struct {
    ngx_dfp_main_conf_t    *conf;
    ngx_dfp_store_t        *store;
    ngx_log_t              *log;
    ngx_event_t             timer;
    ngx_dfp_op_t            op;
    ngx_dfp_others_t        others;      /* set by the reply */

    ngx_dfp_beat_member_t   differing[NGX_DFP_OTHERS_MAX];
    ngx_uint_t              ndiffering;
    unsigned                shared:1;    /* another nginx has the name of this
                                            instance */
} ngx_dfp_beat_t;


/* Sends the first heartbeat. BEAT is zeroed, and lives until it is stopped. */
void ngx_dfp_beat_start(ngx_dfp_beat_t *beat, ngx_dfp_main_conf_t *conf,
    ngx_log_t *log);

/* Sends no more heartbeats. Safe when it was not started, or is stopped. */
void ngx_dfp_beat_stop(ngx_dfp_beat_t *beat);


#endif /* NGX_DFP_BEAT_H */
