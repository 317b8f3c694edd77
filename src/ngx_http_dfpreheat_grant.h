/*
 * What an origin wants to see in Authorization: the job's own header, Basic, or
 * a token that is asked of a token service and renewed in time. One grant for
 * each origin and repository of a run; its tasks wait while a token is fetched.
 */

#ifndef NGX_HTTP_DFPREHEAT_GRANT_H
#define NGX_HTTP_DFPREHEAT_GRANT_H


#include "ngx_http_dfpreheat_task.h"


struct ngx_http_dfpreheat_grant_s {
    ngx_queue_t                    queue;      /* in run->grants */
    ngx_http_dfpreheat_run_t      *run;
    ngx_str_t                      origin;
    ngx_str_t                      authority;
    ngx_str_t                      repository; /* "" of files */

    ngx_str_t                      authorization;   /* "": none so far */
    ngx_array_t                    secrets;    /* the same, in all its forms */
    ngx_uint_t                     serial;     /* of authorization */
    time_t                         renew;      /* when; 0: never */
    time_t                         accepted;   /* last; 0: not yet */

    dfp_challenge_t                challenge;  /* how to renew it */
    ngx_http_dfpreheat_call_t     *call;       /* to the token service */
    ngx_queue_t                    waiting;    /* tasks */
    unsigned                       own:1;      /* it is the job's header */
    unsigned                       told:1;     /* its login is a secret known */
};


/* The grant for URL's origin and REPOSITORY; NULL when there is no memory. */
ngx_http_dfpreheat_grant_t *ngx_http_dfpreheat_grant_get(
    ngx_http_dfpreheat_run_t *run, const dfp_url_t *url,
    ngx_str_t *repository);

/* Before a call: NGX_OK, or NGX_AGAIN where the task has been queued until a
 * token is there. */
ngx_int_t ngx_http_dfpreheat_grant_ready(ngx_http_dfpreheat_task_t *task);

/* After a call: the origin has taken the Authorization. */
void ngx_http_dfpreheat_grant_accepted(ngx_http_dfpreheat_task_t *task);

/* After a 401: queues the task for another try, or ends it. */
void ngx_http_dfpreheat_grant_refused(ngx_http_dfpreheat_task_t *task,
    ngx_http_dfpreheat_call_t *call);

/* Ends all calls to token services. */
void ngx_http_dfpreheat_grants_stop(ngx_http_dfpreheat_run_t *run);


#endif /* NGX_HTTP_DFPREHEAT_GRANT_H */
