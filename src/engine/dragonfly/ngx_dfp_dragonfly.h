/*
 * A cluster of Dragonfly, and what both of its engines need: what a request says
 * about a task, and calls to the schedulers.
 */

#ifndef NGX_DFP_DRAGONFLY_H
#define NGX_DFP_DRAGONFLY_H


#include "ngx_dfp_engine.h"
#include "ngx_dfp_grpc.h"

#include "dfp_d7y.h"
#include "dfp_scope.h"


/* Why a peer that was never called is unreachable. */
#define NGX_DFP_UNUSABLE                                                      \
    "the scheduler lists it without an address, or a port"


/* dfpreheat_cluster */
struct ngx_dfp_dragonfly_s {
    ngx_array_t         schedulers;  /* server_t */
    ngx_uint_t          last;        /* that has answered, of this
                                        worker */
    ngx_array_t         map;         /* ngx_keyval_t: origins */
    ngx_str_t           via;         /* location=, "@name" */
    ngx_str_t           peers_via;
    ngx_dfp_binding_t  *location;
    ngx_dfp_binding_t  *peers_location;
    unsigned            peers_tls:1;
    unsigned            blob_digest:1;
};


/*
 * What Dragonfly is told about the URL of TASK: as its pullers spell it (map=), and
 * with what its origin wants to see. In POOL, and parts of it in the run's.
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_dfp_dragonfly_request(ngx_dfp_task_t *task, ngx_pool_t *pool,
    dfp_d7y_request_t *request);

/* The other way round: what a scheduler calls TOLD, of an image that is TASK. */
ngx_int_t ngx_dfp_dragonfly_posted(ngx_dfp_task_t *task, ngx_pool_t *pool,
    dfp_str_t told, dfp_str_t *url);

/* Of N peers that a job is about, how many have to hold every URL of it, when so
 * many of them are not there. */
ngx_uint_t ngx_dfp_dragonfly_needed(ngx_dfp_run_t *run, ngx_uint_t n,
    ngx_uint_t unreachable);

/* Fails the run for it: WHO is the first of those that are not there. */
void ngx_dfp_dragonfly_too_few(ngx_dfp_run_t *run, ngx_uint_t n,
    ngx_uint_t unreachable, ngx_str_t *who, ngx_str_t *why);


/*
 * A call to whichever scheduler answers, which begins with the one that did so
 * last. What is wrong with all of them is waited out, with growing pauses, for
 * as long as the owner lets it.
 */
typedef struct ngx_dfp_ask_s  ngx_dfp_ask_t;

struct ngx_dfp_ask_s {

    /* set by the owner, the rest zeroed */

    /* the end: a status other than UNAVAILABLE, but after ONCE; GRPC dies with
       the call of this */
    void           (*handler)(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc);
    void            *data;
    ngx_dfp_run_t   *run;
    ngx_array_t     *secrets;     /* that are sent */
    const char      *method;
    dfp_str_t        frame;       /* stays, as long as this */
    int            (*part)(ngx_dfp_grpc_t *grpc, dfp_grpc_part_t *part,
                           dfp_err_t *err);
    unsigned         once:1;      /* not again after a scheduler
                                     broke off: it may have died
                                     of it */

    /* private */

    ngx_dfp_grpc_t  *grpc;        /* under way */
    ngx_uint_t       at;          /* who is asked */
    ngx_uint_t       tried;       /* of this round */
    ngx_uint_t       rounds;
    ngx_event_t      again;
};


/* HANDLER is called once, and not before this has returned; it may start ASK
 * again. What is under way counts as one of the run's calls. */
void ngx_dfp_ask_start(ngx_dfp_ask_t *ask);

/* Ends it without its handler; safe at any time, before the start, too. */
void ngx_dfp_ask_stop(ngx_dfp_ask_t *ask);


/* The hosts that a scheduler lists. */
typedef struct ngx_dfp_hosts_s  ngx_dfp_hosts_t;

struct ngx_dfp_hosts_s {

    /* set by the owner, the rest zeroed; HANDLER may copy of the list what it
       needs, and ask for another one */

    void            (*handler)(ngx_dfp_hosts_t *hosts);
    void             *data;
    ngx_dfp_run_t    *run;

    dfp_d7y_host_t   *list;
    size_t            n;
    ngx_pool_t       *pool;        /* of these */
    unsigned          known:1;     /* set by the handler: another
                                      list is not worth a run */

    /* private */

    ngx_dfp_ask_t     ask;
    dfp_d7y_hosts_t  *told;        /* so far */
    ngx_event_t       look;
    ngx_msec_t        since;       /* the start */
};


/* Asks for a list; a scheduler that answers with an error fails the run. NGX_ERROR:
 * no memory. */
ngx_int_t ngx_dfp_hosts_start(ngx_dfp_hosts_t *hosts);

/* Asks for another one in WHEN ms. */
void ngx_dfp_hosts_look(ngx_dfp_hosts_t *hosts, ngx_msec_t when);

/* For the handler: nobody on the list is of the job's scope. Asks again, or fails
 * the run. */
void ngx_dfp_hosts_none(ngx_dfp_hosts_t *hosts);

/* Ends what is under way; safe at any time, before the start, too. */
void ngx_dfp_hosts_stop(ngx_dfp_hosts_t *hosts);


#endif /* NGX_DFP_DRAGONFLY_H */
