/*
 * A job as Dragonfly's Open API posts it: parsed, checked, defaults filled in,
 * printed again. The field names, limits and defaults are those of Dragonfly's
 * manager (its documentation of POST /oapi/v1/jobs and what it was seen to
 * do); "", null, and 0 for the two concurrencies and the timeout, mean not
 * given.
 */

#ifndef DFP_JOB_H
#define DFP_JOB_H


#include "dfp_buf.h"
#include "dfp_oci.h"


#define DFP_JOB_MAX_URLS          10000
#define DFP_JOB_MAX_IMAGES        100     /* urls of an image job */
#define DFP_JOB_MAX_CLUSTERS      100
#define DFP_JOB_MAX_HEADERS       64
#define DFP_JOB_MAX_HEADER_NAME   128
#define DFP_JOB_MAX_HEADER_VALUE  8192    /* a registry token may be 6 KB */
#define DFP_JOB_MAX_TEXT          1024    /* bio, tag, application, username,
                                             password, platform, each */
#define DFP_JOB_MAX_FILTER        4096    /* filtered_query_params */
#define DFP_JOB_MAX_IPS           100
#define DFP_JOB_MAX_COUNT         200
#define DFP_JOB_TASKS_DEFAULT     8
#define DFP_JOB_TASKS_MAX         100
#define DFP_JOB_PEERS_DEFAULT     500
#define DFP_JOB_PEERS_MAX         1000
#define DFP_JOB_PIECE_MIN         4194304
#define DFP_JOB_PIECE_MAX         67108864
#define DFP_JOB_TIMEOUT_DEFAULT   INT64_C(3600000000000)
#define DFP_JOB_TIMEOUT_MIN       INT64_C(1000000000)

/* The manager's default list, 32 names joined by "&". */
extern const char  dfp_job_default_filter[];


typedef enum {
    DFP_JOB_IMAGE = 1,
    DFP_JOB_FILE
} dfp_job_type_t;


typedef enum {
    DFP_SCOPE_SINGLE_SEED_PEER = 1,
    DFP_SCOPE_ALL_SEED_PEERS,
    DFP_SCOPE_ALL_PEERS
} dfp_job_scope_t;


typedef struct {
    dfp_str_t        name;
    dfp_str_t        value;
} dfp_job_header_t;


typedef struct {
    dfp_str_t             bio;
    int64_t               user_id;
    int64_t              *clusters;      /* doubles collapsed, order kept */
    size_t                nclusters;     /* 0: every cluster */

    dfp_job_type_t        type;
    dfp_job_scope_t       scope;
    dfp_str_t             url;           /* "" when only urls were given */
    dfp_str_t            *urls;          /* as given */
    size_t                nurls;
    dfp_str_t             tag;
    dfp_str_t             application;
    dfp_str_t             filter;        /* filtered_query_params */
    dfp_job_header_t     *headers;
    size_t                nheaders;
    dfp_str_t             username;
    dfp_str_t             password;
    dfp_str_t             platform;      /* as given */
    dfp_oci_platforms_t   platforms;     /* the same, parsed */
    dfp_str_t            *ips;
    size_t                nips;
    int                   count;         /* 0: not given; so below */
    int                   percentage;
    int                   success_threshold;  /* per cent of the peers; of
                                                 dfpreheat's own */
    int64_t               piece_length;
    int                   concurrent_task_count;
    int                   concurrent_peer_count;
    int64_t               timeout;       /* nanoseconds */

    /* of dfpreheat's own, for clusters that are this nginx's cache */
    dfp_str_t             digest;        /* of the file; "": not given */
    int64_t               size;          /* of the file, bytes; 0: not given */
    unsigned              refresh:1;     /* fetched anew, whatever is there */
} dfp_job_t;


/*
 * Parses the body of POST /oapi/v1/jobs. MAX_TIMEOUT is in nanoseconds.
 * DFP_INVALID: err names the field, as args.count, and the limit. Invalid
 * JSON (with the line and column), anything after the object, invalid UTF-8,
 * a type other than preheat, an args.type other than image and file, neither
 * url nor urls, an image that is no manifest URL and no reference as people type
 * it, a scope, an address or a platform that is none, URLs that
 * dfp_url_parse() refuses, NUL in any text, CR or LF in all but bio, other
 * control characters in headers, and header names that are no token (RFC
 * 9110), that are there twice in two letter cases, or that are neither a
 * credential's (Authorization, and what ends in "token", "key", "auth" and the
 * like) nor on a short list (User-Agent, X-Amz-Date and the like) are refused.
 * Unknown fields are ignored; of double keys the last wins. Nothing in the
 * result points into BODY.
 */
dfp_rc_t dfp_job_parse(dfp_mem_t *mem, dfp_str_t body, int64_t max_timeout,
    dfp_job_t *job, dfp_err_t *err);

/* The same from the args object alone, as dfp_job_print_args() wrote it: for
 * the worker that runs the job. bio, user_id and clusters stay empty. */
dfp_rc_t dfp_job_parse_args(dfp_mem_t *mem, dfp_str_t args, dfp_job_t *job,
    dfp_err_t *err);

/*
 * Appends the args object: all of Dragonfly's keys, sorted, unset strings "",
 * all else unset null. With REDACT, username, password and all headers but the
 * harmless ones show as "***", and signatures in URLs likewise. Returns 1 where
 * something was hidden, so that the job has secrets which must be sealed; else 0.
 */
int dfp_job_print_args(dfp_buf_t *b, const dfp_job_t *job, int redact);

/* Whether the value of a header of this name is to be kept secret: of all but
 * User-Agent, X-Amz-Date and the like. */
int dfp_job_header_secret(dfp_str_t name);

/* Whether a client may say who it is by a header of this name: a credential, or a
 * user's name that a proxy in front of nginx has checked. */
int dfp_header_personal(dfp_str_t name);

/* Whether a header of this name is Authorization, in any letter case. */
int dfp_job_header_authorization(dfp_str_t name);

/* "single_seed_peer" and so on, as in args.scope. */
const char *dfp_job_scope_name(dfp_job_scope_t scope);

/* Every URL once, url first, doubles collapsed: what is to be preheated.
 * DFP_ERROR when there is no memory. */
dfp_rc_t dfp_job_urls(dfp_mem_t *mem, const dfp_job_t *job, dfp_str_t **urls,
    size_t *n);


#endif /* DFP_JOB_H */
