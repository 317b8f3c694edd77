/*
 * What an origin wants to see in Authorization: the job's own header, Basic, or
 * a token that is asked of a token service and renewed in time. One grant for
 * each origin and repository of a run; its tasks wait while a token is fetched.
 * Whom a redirect leads to has a grant of its own, which is for nobody in
 * particular: a job's credentials are for the origin alone.
 */

#ifndef NGX_DFP_GRANT_H
#define NGX_DFP_GRANT_H


#include "ngx_dfp_credentials.h"
#include "ngx_dfp_task.h"


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
    ngx_queue_t       waiting;    /* tasks */
    ngx_dfp_grant_t  *target;     /* of whom its redirects led to
                                     last, and who wants a token */
    unsigned          own:1;      /* it is the job's header */
    unsigned          told:1;     /* its login is a secret known */
    unsigned          forbidden:1;    /* another token was fetched
                                     after a 403 */
    unsigned          reread:1;   /* another login was tried with the
                                     token service */
    unsigned          get:1;      /* which takes no POST */
    unsigned          led:1;      /* it is such a target: no login,
                                     and no header of the job */
};


/* The grant for URL's origin and REPOSITORY; NULL when there is no memory. */
ngx_dfp_grant_t *ngx_dfp_grant_get(ngx_dfp_run_t *run, const dfp_url_t *url,
    ngx_str_t *repository);

/* Before a call: NGX_OK, or NGX_AGAIN where the task has been queued until a
 * token is there. */
ngx_int_t ngx_dfp_grant_ready(ngx_dfp_task_t *task);

/* What the call of a task sends, to the origin and to the target of a redirect.
 * Then, once it is sent, the task keeps which it was. */
void ngx_dfp_grant_apply(ngx_dfp_grant_t *grant, ngx_dfp_call_t *call);
void ngx_dfp_grant_sent(ngx_dfp_task_t *task);

/* After a call: the origin has taken the Authorization. */
void ngx_dfp_grant_accepted(ngx_dfp_task_t *task);

/* After a 401: queues the task for another try, or ends it. */
void ngx_dfp_grant_refused(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* After a call that may have been answered by 403. NGX_OK: the task is queued for
 * another try, with what is in dfpreheat_credentials now, or another token, where
 * what it sent was accepted before; once for each task. NGX_DECLINED: it is not a
 * 403, or it stays. */
ngx_int_t ngx_dfp_grant_forbidden(ngx_dfp_task_t *task, ngx_dfp_call_t *call);

/* Between the files of this: asks the token service of the grant's challenge.
 * NGX_OK: the grant has a call; NGX_AGAIN: later; ERR says why not. */
ngx_int_t ngx_dfp_grant_fetch(ngx_dfp_grant_t *grant, dfp_err_t *err);

/* Looks up what the grant has to log in with; the file at once, if NOW. Returns 1
 * where it is not what it was before. */
ngx_uint_t ngx_dfp_grant_login(ngx_dfp_grant_t *grant, ngx_uint_t now);

/* Logs in by the grant's challenge. NGX_OK: there is something to send, or it is
 * being fetched; NGX_AGAIN: later; else ERR says why not, or nothing. */
ngx_int_t ngx_dfp_grant_log_in(ngx_dfp_grant_t *grant, dfp_err_t *err);

/* The login becomes a secret of the run, before it is sent. BASIC is its Basic
 * authorization, "" without a user name. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_grant_basic(ngx_dfp_grant_t *grant, ngx_str_t *basic);

/* What is sent from now on. */
void ngx_dfp_grant_set(ngx_dfp_grant_t *grant, ngx_str_t *authorization);

/* The next task that waits; NULL: none. */
ngx_dfp_task_t *ngx_dfp_grant_next(ngx_dfp_grant_t *grant);

/* There is no token for TASK: it tries again, which fetches one, or fails. */
void ngx_dfp_grant_end(ngx_dfp_task_t *task, ngx_int_t rc,
    ngx_msec_t retry_after, const char *reason);

/* Ends all calls to token services. */
void ngx_dfp_grants_stop(ngx_dfp_run_t *run);


#endif /* NGX_DFP_GRANT_H */
