/*
 * The Authorization that an origin requires: the job's own header, Basic, or a
 * token that is fetched from a token service and renewed in time. A run has
 * one grant for each pair of origin and repository. The target of a redirect
 * has a grant of its own, which never contains the job's credentials: these
 * are for the origin alone.
 */

#ifndef NGX_DFP_GRANT_H
#define NGX_DFP_GRANT_H


#include "ngx_dfp_credentials.h"
#include "ngx_dfp_run.h"


#define NGX_DFP_RENEW           30      /* s before a token expires, at most a
                                           quarter of its time */
#define NGX_DFP_TOKEN_BODY_MAX  65536   /* bytes of a token service's answer */


typedef struct ngx_dfp_grant_s  ngx_dfp_grant_t;


/*
 * A call to the token service has ended. RC is NGX_OK: there is a token;
 * NGX_AGAIN: another try may succeed; NGX_DECLINED: it will not, and REASON
 * says why. CALL is freed after the handler has returned.
 */
typedef void (*ngx_dfp_grant_pt)(ngx_dfp_grant_t *grant, ngx_int_t rc,
    ngx_dfp_call_t *call, const char *reason);


/* All memory is of the run's pool. */
struct ngx_dfp_grant_s {
    ngx_queue_t       queue;      /* in run->grants */
    ngx_dfp_run_t    *run;
    ngx_str_t         origin;
    ngx_str_t         authority;
    ngx_str_t         repository; /* "" of files */

    ngx_str_t         authorization;   /* "": none so far */
    ngx_array_t       secrets;    /* the same, in all its forms */
    ngx_uint_t        serial;     /* of authorization */
    time_t            renew;      /* when; 0: never */
    time_t            accepted;   /* last; 0: not yet */

    dfp_challenge_t   challenge;  /* how to renew it */
    ngx_dfp_login_t   login;      /* with what */
    ngx_dfp_call_t   *call;       /* to the token service */
    ngx_dfp_grant_pt  handler;    /* at the end of this call */
    ngx_queue_t       waiting;    /* for its end: the handler's */
    ngx_dfp_grant_t  *target;     /* of the last target of a redirect
                                     that required a token */
    unsigned          own:1;      /* it is the job's header */
    unsigned          told:1;     /* its login is one of the run's
                                     secrets */
    unsigned          forbidden:1;    /* another token was fetched
                                     after a 403 */
    unsigned          reread:1;   /* another login was tried with the
                                     token service */
    unsigned          get:1;      /* the token service takes no POST */
    unsigned          led:1;      /* it is of a redirect's target: no
                                     login, no header of the job */
};


/* Returns the grant for URL's origin and REPOSITORY, whose strings it keeps.
 * HANDLER is that of a new one. NULL: no memory. */
ngx_dfp_grant_t *ngx_dfp_grant_get(ngx_dfp_run_t *run, const dfp_url_t *url,
    ngx_str_t *repository, ngx_dfp_grant_pt handler);

/* Returns the grant for whoever has answered CALL, after a redirect (led).
 * NULL: no memory. */
ngx_dfp_grant_t *ngx_dfp_grant_target(ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call);

/* Sets what a call sends, to the origin and to the target of a redirect. */
void ngx_dfp_grant_apply(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call);

/* Sets what is sent from now on, and its secrets; without memory nothing
 * is. */
void ngx_dfp_grant_set(ngx_dfp_grant_t *grant, ngx_str_t *authorization);

/*
 * Answers the challenge of CALL, a 401: what was sent, if anything, was not
 * accepted. NGX_OK: there is something else to send, or it is being fetched
 * (the grant has a call); NGX_AGAIN: another try may succeed; NGX_DECLINED,
 * NGX_ERROR: it will not. ERR says why, or is "".
 */
ngx_int_t ngx_dfp_grant_challenge_answer(ngx_dfp_grant_t *grant,
    ngx_dfp_call_t *call, dfp_err_t *err);

/* After a 403: logs in with another login, or fetches another token for one
 * that was accepted, once. As above. */
ngx_int_t ngx_dfp_grant_challenge_again(ngx_dfp_grant_t *grant);

/* Fetches a token from the token service of the grant's challenge. NGX_OK: the
 * grant has a call, at whose end its handler is called; NGX_AGAIN: no
 * connection or no memory is free; NGX_DECLINED, NGX_ERROR: there is none to
 * get. ERR says why, but not that there is no memory. */
ngx_int_t ngx_dfp_grant_fetch(ngx_dfp_grant_t *grant, dfp_err_t *err);

/* Finds the login of the grant: the job's, or that of dfpreheat_credentials,
 * which with NOW is read again if it has changed, else at most once a second.
 * Returns 1 if it is another one than before. */
ngx_uint_t ngx_dfp_grant_login(ngx_dfp_grant_t *grant, ngx_uint_t now);

/* Adds the login to the run's secrets, before it is sent. BASIC is set to its
 * Basic authorization, "" without a user name. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_grant_basic(ngx_dfp_grant_t *grant, ngx_str_t *basic);

/* Ends all calls to token services, without their handlers; nobody waits after
 * it. */
void ngx_dfp_grants_stop(ngx_dfp_run_t *run);


#endif /* NGX_DFP_GRANT_H */
