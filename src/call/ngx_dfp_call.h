/*
 * An outgoing call: a synthetic main request without a client, with one
 * subrequest to the location that its origin is bound to. So the answer is the
 * one that a client would get, through nginx's own upstreams and cache.
 *
 * The caller makes a call by ngx_dfp_call_create(), fills in what is to be
 * sent, and starts it. The handler reads call->answer. The call is freed when
 * the handler has returned, or when it is cancelled.
 */

#ifndef NGX_DFP_CALL_H
#define NGX_DFP_CALL_H


#include "ngx_dfp_cache.h"
#include "ngx_dfp_rehearsal.h"
#include "ngx_dfp_request.h"
#include "ngx_dfp_target.h"

#include "dfp_challenge.h"


#define NGX_DFP_ERROR_BODY_MAX   4096    /* bytes read of an error's body */
#define NGX_DFP_RETRY_AFTER_MAX  3600    /* s; more is taken as this */


typedef struct ngx_dfp_call_s  ngx_dfp_call_t;

typedef void (*ngx_dfp_call_pt)(ngx_dfp_call_t *call);

/* Some bytes of a 200, as they come. NGX_ERROR: no more of them, the call has
 * failed. */
typedef ngx_int_t (*ngx_dfp_take_pt)(ngx_dfp_call_t *call, u_char *data,
    size_t len);


/* What the body of a 200 is for. Of any other answer the first bytes are kept,
 * which say what is wrong (NGX_DFP_ERROR_BODY_MAX). */
typedef enum {
    NGX_DFP_CALL_WARM = 0,   /* the cache: none of it is kept */
    NGX_DFP_CALL_PROBE,      /* nothing: only the status counts; a body ends the
                                call as too big ($dfpreheat_probe) */
    NGX_DFP_CALL_READ,       /* the caller: up to SIZE bytes are kept */
    NGX_DFP_CALL_LOOK,       /* there is none: nothing is sent, the call only
                                finds out where its answer would be cached */
    NGX_DFP_CALL_GRPC        /* TAKE, as it comes; none of it is kept */
} ngx_dfp_call_mode_e;


typedef enum {
    NGX_DFP_CALL_OK = 0,     /* a complete answer: see its status */
    NGX_DFP_CALL_AGAIN,      /* failed, another try may succeed */
    NGX_DFP_CALL_FAILED      /* failed for good */
} ngx_dfp_call_result_e;


/* What the handler reads; it is freed with the call. */
typedef struct {
    ngx_dfp_call_result_e  result;
    char                   reason[NGX_DFP_REASON_MAX];   /* unless OK */
    ngx_uint_t             status;   /* 0: there was none */
    ngx_str_t              body;     /* of an error its beginning */
    ngx_str_t              content_type;
    ngx_str_t              leads_to; /* by a redirect: an origin */
    dfp_url_t              target_url;   /* where LED: who answered */
    dfp_str_t              challenges[DFP_CHALLENGE_MAX_HEADERS];
    ngx_uint_t             nchallenges;
    ngx_str_t              links;    /* the headers Link of a 200 that is read,
                                        joined by commas */
    ngx_msec_t             retry_after;  /* ms; 0: not said */
    ngx_dfp_entry_t        entry;    /* where it is cached */
    ngx_dfp_entry_t       *places;   /* of NGX_DFP_CALL_LOOK, and with PEEK:
                                        where it would be cached, key and cache
                                        only */
    ngx_uint_t             nplaces;
    ngx_str_t              grpc_status;    /* "": there was none */
    ngx_str_t              grpc_message;   /* as it was sent */
    unsigned               cached:1;     /* the cache had it, or ... */
    unsigned               stale:1;      /* ... a stale copy */
    unsigned               led:1;    /* a redirect led to another origin */
    unsigned               packed:1; /* Content-Encoding */
    unsigned               too_big:1;    /* for the mode of the call */
    unsigned               timedout:1;
    unsigned               unreached:1;  /* no connection was made */
    unsigned               broken:1; /* the server closed the connection */
    unsigned               unstored:1;   /* the cache has no copy of it, or one
                                            that is too old */
    unsigned               busy:1;   /* the upstream is, by max_conns */
    unsigned               untold:1; /* of NGX_DFP_CALL_LOOK: clients need the
                                        origin's permission, and the job has
                                        not asked for it */
} ngx_dfp_answer_t;


/* How the subrequest came to its location. */
typedef struct {
    unsigned    named:1;         /* sent to the named location */
    unsigned    entered:1;       /* a location was found, but it ... */
    unsigned    strayed:1;       /* ... is not bound to the origin, or ... */
    unsigned    unverified:1;    /* ... does not verify certificates */
    unsigned    keyed:1;         /* nginx has asked whether to go past the
                                    cache */
    unsigned    looked:1;        /* the answer was found without the
                                    upstream */
} ngx_dfp_call_way_t;


/* How the body is kept. */
typedef struct {
    size_t      allocated;       /* bytes of memory */
    size_t      max;             /* bytes that are kept of this body */
    off_t       taken;           /* bytes that were given to TAKE */
    unsigned    cut:1;           /* what is over MAX is dropped, and no error */
    unsigned    complete:1;      /* its end has come */
} ngx_dfp_call_body_t;


struct ngx_dfp_call_s {

    /* set by ngx_dfp_call_create() */

    ngx_pool_t            *pool;     /* of all that belongs to the call */
    ngx_log_t             *log;

    /* set by the caller before the start; what it points to stays until the
       call is freed */

    ngx_dfp_call_pt        handler;
    void                  *data;
    int64_t                job;      /* for the log */
    ngx_dfp_binding_t     *binding;
    dfp_url_t              url;
    ngx_str_t              shown;    /* URL as it may be logged */
    const char            *who;      /* "the origin" */
    ngx_array_t           *secrets;  /* that are sent; NULL: none */
    dfp_str_t              post;     /* the body of a POST: a form, or of gRPC a
                                        message; "": GET */
    const char            *content_type;     /* of POST; NULL: as above */
    ngx_str_t              authorization;    /* "": none */
    ngx_str_t              target;   /* an origin that a redirect may lead to,
                                        and ... */
    ngx_str_t              target_authorization;   /* ... what it is sent */
    const char            *accept;   /* NULL: anything */
    dfp_job_header_t      *headers;
    ngx_uint_t             nheaders;
    dfp_str_t              tag;      /* of the job; "": none; so below */
    dfp_str_t              application;
    ngx_dfp_rehearsal_t   *rehearsal;    /* the call is a request to the front;
                                        NULL: it is not */
    ngx_dfp_call_mode_e    mode;
    size_t                 size;     /* bytes, for NGX_DFP_CALL_READ */
    ngx_msec_t             timeout;  /* of the whole call */
    time_t                 since;    /* what the cache has must be as of later;
                                        0: of any time */
    unsigned               refresh:1;  /* past the cache */
    unsigned               store:1;    /* it has to be cached */
    unsigned               uncached:1; /* it must not, and must not come from
                                          the cache */
    unsigned               listed:1; /* a list of a registry, which clients do not
                                        get from the cache: it may be stored, for
                                        calls that are offline */
    unsigned               peek:1;   /* NGX_DFP_CALL_READ: a valid copy in the
                                        cache is read, which does not count as
                                        a use; without one, what the origin
                                        answers is not stored (uncached); if it
                                        is unavailable, an expired copy is
                                        read */
    unsigned               offline:1;    /* with PEEK: nothing is sent at all, a
                                        copy in the cache is read, valid or
                                        not */
    unsigned               named:1;  /* a manifest that this run may read names
                                        it: for NGX_DFP_CALL_LOOK */

    /* for NGX_DFP_CALL_GRPC: the call goes to this address, and nowhere else */

    ngx_dfp_take_pt        take;
    struct sockaddr       *sockaddr;
    socklen_t              socklen;

    ngx_dfp_answer_t       answer;   /* for the handler */

    /* private */

    ngx_dfp_request_t     *request;  /* NULL: not begun, or over */
    ngx_event_t            timer;
    ngx_event_t            over;
    ngx_dfp_call_way_t     way;
    ngx_dfp_call_body_t    kept;
    ngx_http_handler_pt    content;  /* of the location, if the call looks */
    unsigned               answered:1;
    unsigned               started:1;
    unsigned               limited:1;  /* by dfpreheat_rate */
};


/* A new call in a pool of its own, zeroed but for pool and log. NULL: no
 * memory. */
ngx_dfp_call_t *ngx_dfp_call_create(ngx_log_t *log);

/* NGX_OK: the handler will be called, once, and not before this has returned;
 * then the call is freed. NGX_AGAIN: no connection is free, or no memory; the
 * call is freed. */
ngx_int_t ngx_dfp_call_start(ngx_dfp_call_t *call);

/* Ends and frees a call that was not started, or whose handler has not been
 * called yet. The handler is not called. */
void ngx_dfp_call_cancel(ngx_dfp_call_t *call);

/* Bytes of the answer's body that are in the cache's file so far. */
off_t ngx_dfp_call_bytes(ngx_dfp_call_t *call);

/* NGX_OK: the answer is a 200; NGX_AGAIN: the call has failed, another try may
 * succeed; NGX_DECLINED: it has failed for good. WHY says why, with the status
 * and the registry's own words. */
ngx_int_t ngx_dfp_answer_verdict(ngx_dfp_call_t *call, dfp_err_t *why);

/* Why a call is made again that has such a verdict, for the metrics. */
ngx_dfp_retry_e ngx_dfp_answer_retry(ngx_dfp_call_t *call);

/* Between the files of a call: ngx_dfp_call_send.c sets what is sent,
 * ngx_dfp_call_location.c checks the location, ngx_dfp_call_look.c looks into
 * its cache; ngx_dfp_answer.c judges the answer, ngx_dfp_answer_filter.c keeps
 * its body, ngx_dfp_answer_head.c reads headers and trailers. */

/* Sets uri, args and unparsed_uri of the main request from the path and the
 * query of the URL, by nginx's own parser, so that the location and the cache
 * key are those of a client's request. NGX_ERROR: nginx does not accept them,
 * or no memory. */
ngx_int_t ngx_dfp_call_uri(ngx_dfp_call_t *call, ngx_http_request_t *r);

/* Gives the subrequest the call's headers, instead of those that it shares
 * with the main request; and its body, where it has one. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_call_headers(ngx_dfp_call_t *call, ngx_http_request_t *sr);
ngx_int_t ngx_dfp_call_post(ngx_dfp_call_t *call, ngx_http_request_t *sr);

/* Whether the call looks into the cache before anything is sent. */
#define ngx_dfp_call_looks(call)                                              \
    ((call)->mode == NGX_DFP_CALL_LOOK || (call)->peek)

/* The content handler of such a call, instead of that of its location. */
ngx_int_t ngx_dfp_call_look(ngx_http_request_t *r);

/* If the origin of such a call was unavailable, a copy that has expired answers
 * it. */
void ngx_dfp_call_look_expired(ngx_dfp_call_t *call);

/* Fills in the answer, when the subrequest has ended with RC. */
void ngx_dfp_answer_collect(ngx_dfp_call_t *call, ngx_http_request_t *sr,
    ngx_int_t rc);

/* Sets the result and the reason of a failed call. REASON is copied. */
void ngx_dfp_answer_fail(ngx_dfp_call_t *call, ngx_dfp_call_result_e result,
    const char *reason);

/* Sets answer.busy if nginx had no upstream server for the call since all that
 * are alive have as many connections as max_conns allows. */
void ngx_dfp_answer_busy(ngx_dfp_call_t *call, ngx_http_request_t *sr);

/* Copies what is needed of the answer's headers and trailers. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_answer_head(ngx_dfp_call_t *call, ngx_http_request_t *sr);
ngx_int_t ngx_dfp_answer_grpc(ngx_dfp_call_t *call, ngx_http_request_t *sr);

/* Installs the filters that take the body of a call's subrequest. */
void ngx_dfp_answer_filter_init(void);

/* $dfpreheat_refresh, for proxy_cache_bypass: "1" in a call that must not be
 * answered from the cache, else not found. $dfpreheat_probe (DATA is 1), for
 * proxy_no_cache: the same in a call whose answer must not be stored. */
ngx_int_t ngx_dfp_call_refresh(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* $dfpreheat_tag, and with DATA $dfpreheat_application, escaped as values of a query:
 * in a call that of its job, in a client's request that of its header, as Dragonfly's
 * proxies have it. */
ngx_int_t ngx_dfp_call_tag(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data);

/* Installs the filters and the phase handlers, while the configuration is
 * read. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_call_init(ngx_conf_t *cf);


#endif /* NGX_DFP_CALL_H */
