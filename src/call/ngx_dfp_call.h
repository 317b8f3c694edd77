/*
 * One outgoing call: a synthetic main request without a client, and one
 * subrequest of it into the location that its origin is bound to, so that the
 * answer comes as a client would get it, by nginx's own upstreams and cache.
 */

#ifndef NGX_DFP_CALL_H
#define NGX_DFP_CALL_H


#include "ngx_dfp_cache.h"
#include "ngx_dfp_request.h"
#include "ngx_dfp_target.h"

#include "dfp_challenge.h"


typedef struct ngx_dfp_call_s  ngx_dfp_call_t;

typedef void (*ngx_dfp_call_pt)(ngx_dfp_call_t *call);

/* Some bytes of a 200, as they come. NGX_ERROR: no more of them, the call has
 * failed. */
typedef ngx_int_t (*ngx_dfp_take_pt)(ngx_dfp_call_t *call, u_char *data,
    size_t len);


/* What the call came to, apart from the answer. */
typedef enum {
    NGX_DFP_CALL_OK = 0,     /* an answer, complete: see status */
    NGX_DFP_CALL_AGAIN,      /* failed, another try may succeed */
    NGX_DFP_CALL_FAILED      /* failed for good */
} ngx_dfp_call_result_e;


struct ngx_dfp_call_s {

    /* set by the caller, the rest zeroed */

    ngx_dfp_call_pt        handler;  /* never called by start */
    void                  *data;
    ngx_pool_t            *pool;     /* for the answer */
    ngx_log_t             *log;
    int64_t                job;      /* for the log */
    ngx_dfp_binding_t     *binding;
    dfp_url_t              url;
    ngx_str_t              shown;    /* URL as it may be logged */
    const char            *who;      /* "the origin" */
    ngx_array_t           *secrets;  /* that are sent; NULL: none */
    dfp_str_t              post;     /* the body of a POST: a form, or
                                        of gRPC a message; "": GET */
    ngx_str_t              authorization;    /* "": none */
    ngx_str_t              target;   /* whom a redirect may lead to,
                                        an origin, and ... */
    ngx_str_t              target_authorization;   /* ... for it */
    const char            *accept;   /* NULL: anything */
    dfp_job_header_t      *headers;
    ngx_uint_t             nheaders;
    size_t                 limit;    /* of the body to keep; 0:
                                        none, the cache is warmed */
    ngx_msec_t             timeout;
    unsigned               refresh:1;  /* past the cache */
    unsigned               probe:1;    /* the answer is for nobody */
    unsigned               store:1;    /* it has to be cached */
    unsigned               uncached:1; /* it must not, and must not
                                          come from the cache */
    time_t                 since;    /* what the cache has is to be
                                        as of later; 0: of any time */

    /* of gRPC, where TAKE is set: it goes to this address, and nowhere else */

    ngx_dfp_take_pt        take;
    struct sockaddr       *sockaddr;
    socklen_t              socklen;

    /* the answer; valid in the handler */

    ngx_dfp_call_result_e  result;
    ngx_uint_t             status;   /* 0: there was none */
    ngx_str_t              body;     /* of an error its begin */
    ngx_str_t              content_type;
    ngx_str_t              leads_to; /* by a redirect: an origin */
    dfp_url_t              target_url;   /* where LED: who answered */
    dfp_str_t              challenges[DFP_CHALLENGE_MAX_HEADERS];
    ngx_uint_t             nchallenges;
    ngx_msec_t             retry_after;  /* 0: not said */
    ngx_dfp_entry_t        entry;    /* where it is cached */
    ngx_str_t              grpc_status;    /* "": there was none */
    ngx_str_t              grpc_message;   /* as it was sent */
    char                   reason[NGX_DFP_REASON_MAX];

    /* private */

    ngx_dfp_request_t     *request;  /* NULL: it is over */
    ngx_event_t            timer;
    ngx_event_t            over;
    size_t                 size;     /* of body's memory */
    size_t                 keep;     /* bytes of this body */
    unsigned               named:1;
    unsigned               entered:1;
    unsigned               strayed:1;
    unsigned               unverified:1;
    unsigned               complete:1;
    unsigned               taken:1;      /* bytes have come */
    unsigned               cut:1;    /* what is over KEEP is, and
                                        not refused */
    unsigned               packed:1;     /* Content-Encoding */
    unsigned               too_big:1;
    unsigned               timedout:1;
    unsigned               unreached:1;  /* nobody is there */
    unsigned               broken:1;     /* it was there, and has
                                            closed the connection */
    unsigned               busy:1;   /* its upstream is, by max_conns */
    unsigned               collected:1;
    unsigned               led:1;    /* to another origin */
    unsigned               keyed:1;  /* nginx has asked whether to go
                                        past the cache */
    unsigned               cached:1;     /* the cache had it, or ... */
    unsigned               stale:1;      /* ... a stale copy */
};


/* NGX_OK; NGX_AGAIN: no connection is free, or no memory. */
ngx_int_t ngx_dfp_call_start(ngx_dfp_call_t *call);

/* Ends the call now; its handler is not called. Safe when it is over. CALL may
 * be freed after it. */
void ngx_dfp_call_cancel(ngx_dfp_call_t *call);

/* What came of the call: NGX_OK: a 200; NGX_AGAIN: another try may go better;
 * NGX_DECLINED: it will not. WHY says what was wrong, with the status and a
 * registry's own words. */
ngx_int_t ngx_dfp_answer_verdict(ngx_dfp_call_t *call, dfp_err_t *why);

/* Bytes of the answer's body that are in the cache's file so far. */
off_t ngx_dfp_call_bytes(ngx_dfp_call_t *call);

/* Between the files of a call: call_send.c says what is sent, call_location.c by
 * which location; answer.c judges what has come of it, answer_filter.c keeps the
 * body, answer_head.c reads headers and trailers. */

/* Gives the subrequest the call's headers, instead of those it shares; and its body,
 * where it has one. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_call_headers(ngx_dfp_call_t *call, ngx_http_request_t *sr);
ngx_int_t ngx_dfp_call_post(ngx_dfp_call_t *call, ngx_http_request_t *sr);

/* Reads the answer of the subrequest, which has ended with RC, into the call. */
void ngx_dfp_answer_collect(ngx_dfp_call_t *call, ngx_http_request_t *sr,
    ngx_int_t rc);

/* There is no answer that counts, for this reason, which is copied. */
void ngx_dfp_answer_fail(ngx_dfp_call_t *call, ngx_dfp_call_result_e result,
    const char *reason);

/* Whether there was no peer for it because those there are have as many connections
 * as max_conns allows. */
void ngx_dfp_answer_busy(ngx_dfp_call_t *call, ngx_http_request_t *sr);

/* Headers and trailers. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_answer_head(ngx_dfp_call_t *call, ngx_http_request_t *sr);
ngx_int_t ngx_dfp_answer_grpc(ngx_dfp_call_t *call, ngx_http_request_t *sr);

/* Installs the filters that take the body of a call's subrequest. */
void ngx_dfp_answer_filter_init(void);

/* $dfpreheat_refresh, for proxy_cache_bypass: "1" in a call that must not be
 * answered from the cache, else not found. $dfpreheat_probe (DATA is 1), for
 * proxy_no_cache: the same in one whose answer must not go into it. */
ngx_int_t ngx_dfp_call_refresh(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* Installs the filters and the phase handlers. */
ngx_int_t ngx_dfp_call_init(ngx_conf_t *cf);


#endif /* NGX_DFP_CALL_H */
