/*
 * Webhooks in Redis, as operations of the store.
 */

#ifndef NGX_DFP_STORE_HOOKS_H
#define NGX_DFP_STORE_HOOKS_H


#include "ngx_dfp_store.h"


#define NGX_DFP_HOOKS_MAX  64    /* webhooks that are due, of a look */


/* A webhook that is due. */
typedef struct {
    int64_t     id;            /* of the job */
    ngx_str_t   uuid;
    int64_t     tries;         /* so far; of one that is claimed, with this */
    ngx_str_t   url;           /* without secrets */
    ngx_str_t   key;           /* id of the key that it is sealed with */
} ngx_dfp_due_t;


/* One that a look has given up. */
typedef struct {
    int64_t     id;            /* as above */
    int64_t     tries;
    ngx_str_t   url;
    ngx_str_t   error;         /* of the last try */
} ngx_dfp_given_up_t;


typedef struct {
    ngx_dfp_due_t       due[NGX_DFP_HOOKS_MAX];
    ngx_uint_t          n;
    ngx_dfp_given_up_t  given_up[NGX_DFP_HOOKS_MAX];
    ngx_uint_t          ngiven_up;
    ngx_int_t           next;  /* ms until the next one is due; -1: there is
                                  none */
} ngx_dfp_hook_look_t;


/* How a try has ended. */
typedef enum {
    NGX_DFP_HOOK_DELIVERED = 0,
    NGX_DFP_HOOK_FAILED,       /* it is due again after a pause */
    NGX_DFP_HOOK_RETURNED      /* others may try at once */
} ngx_dfp_hook_outcome_e;


/* Tells which webhooks are due, the oldest first without the first SKIP, and
 * gives up those whose time is over. */
ngx_int_t ngx_dfp_store_hook_look(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_uint_t skip, ngx_dfp_hook_look_t *look);

/* Claims the webhook DUE for one try, and fills in SEALED. NGX_DECLINED: it is
 * not due any more. It is not sent again: what nobody has ended is due when the
 * LEASE, in ms, has expired. */
ngx_int_t ngx_dfp_store_hook_claim(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_due_t *due, ngx_msec_t lease, ngx_str_t *sealed);

/* Ends the try of DUE that was claimed. PAUSE and ERROR are those of a failed
 * one. Sets *GIVEN_UP if there is no further try. NGX_DECLINED: it does not
 * count any more. */
ngx_int_t ngx_dfp_store_hook_end(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_due_t *due, ngx_dfp_hook_outcome_e outcome, ngx_msec_t pause,
    ngx_str_t *error, ngx_uint_t *given_up);


#endif /* NGX_DFP_STORE_HOOKS_H */
