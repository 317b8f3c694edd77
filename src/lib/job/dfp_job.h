/*
 * A preheat job of Dragonfly's Open API: parsed, checked, with its defaults,
 * and printed again. Names, limits and defaults of the fields are those of
 * Dragonfly's manager (its documentation of POST /oapi/v1/jobs, and its
 * observed behaviour). A field counts as not given if it is "" or null; so do
 * the two concurrencies and the timeout if they are 0.
 */

#ifndef DFP_JOB_H
#define DFP_JOB_H


#include "dfp_buf.h"
#include "dfp_oci.h"
#include "dfp_webhook.h"


#define DFP_JOB_MAX_URLS          10000
#define DFP_JOB_MAX_IMAGES        100     /* urls of an image job */
#define DFP_JOB_MAX_CLUSTERS      100
#define DFP_JOB_MAX_HEADERS       64
#define DFP_JOB_MAX_HEADER_NAME   128
#define DFP_JOB_MAX_HEADER_VALUE  8192    /* a registry token may be 6 KB */
#define DFP_JOB_MAX_TEXT          1024    /* bio, tag, application, username,
                                             password, platform, each */
#define DFP_JOB_MAX_FILTER        4096    /* filtered_query_params */
#define DFP_JOB_MAX_TASK_ID       128     /* task_id; Dragonfly's have 10, 64 or
                                             128 */
#define DFP_JOB_MAX_CONTENT       4096    /* content_for_calculating_task_id */
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
#define DFP_JOB_KEEP_DAYS         366     /* keep_until is within so many */

/* The manager's default list, 32 names joined by "&". */
extern const char  dfp_job_default_filter[];


typedef enum {
    DFP_JOB_IMAGE = 1,
    DFP_JOB_FILE
} dfp_job_type_t;


typedef enum {
    DFP_SCOPE_DEFAULT = 0,               /* not given: the cluster's */
    DFP_SCOPE_SINGLE_SEED_PEER,
    DFP_SCOPE_ALL_SEED_PEERS,
    DFP_SCOPE_ALL_PEERS
} dfp_job_scope_t;


/* What a job does. Clients post jobs that preheat, dry runs of them, and those of
 * the last three. */
typedef enum {
    DFP_JOB_PREHEAT = 0,
    DFP_JOB_LOOK,            /* tells what is in the caches */
    DFP_JOB_REMOVE,          /* removes it, and tells what that was */
    DFP_JOB_DRY,             /* tells what a job would preheat: dry_run */
    DFP_JOB_GET_TASK,        /* tells who holds a task */
    DFP_JOB_DELETE_TASK,     /* deletes it everywhere */
    DFP_JOB_DISTRIBUTION,    /* tells who holds which layers of an image */
    DFP_JOB_KEEP             /* warms again what is gone of a job that is kept: of
                                a run, never of what is stored */
} dfp_job_action_t;

/* Whether ACTION is about one task of Dragonfly. */
#define dfp_job_of_task(action)                                               \
    ((action) == DFP_JOB_GET_TASK || (action) == DFP_JOB_DELETE_TASK)


typedef struct {
    dfp_str_t        name;
    dfp_str_t        value;
} dfp_job_header_t;


typedef struct {
    dfp_str_t             bio;
    int64_t               user_id;
    int64_t              *clusters;      /* without duplicates */
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
    int                   success_threshold;  /* per cent of the peers; not a
                                                 field of Dragonfly */
    int64_t               piece_length;
    int                   blob_digest;   /* enable_task_id_based_blob_digest:
                                            1: on; -1: off */
    int                   concurrent_task_count;
    int                   concurrent_peer_count;
    int64_t               timeout;       /* nanoseconds */

    /* not fields of Dragonfly; for clusters that are this nginx's cache */
    dfp_str_t             digest;        /* of the file; "": not given */
    int64_t               size;          /* of the file, bytes; 0: not given */
    unsigned              refresh:1;     /* fetch even what is cached */
    unsigned              verify:1;      /* ask as clients do afterwards */
    unsigned              subjects:1;    /* signatures and so on of images, too */
    int64_t               keep_until;    /* ms since 1970; 0: not given */

    dfp_webhook_t         webhook;       /* beside args */

    /* of jobs about a task; "": not given */
    dfp_str_t             task_id;
    dfp_str_t             content;       /* content_for_calculating_task_id */
    dfp_str_t             found_url;     /* of a task without a URL: that of
                                            the job that has preheated it */

    /* not fields of args that a client can set; the action of dry_run is beside
       args */
    dfp_str_t             pushed;        /* the digest that the tag of the only
                                            image had when the registry told about
                                            its push; "": not given */
    dfp_job_action_t      action;
} dfp_job_t;


/*
 * Parses the body of POST /oapi/v1/jobs. MAX_TIMEOUT is in nanoseconds. The
 * result is in MEM and does not point into BODY. URLs of files are escaped
 * (dfp_escape_url()). Unknown fields are ignored;
 * the last of duplicate keys counts. DFP_ERROR: no memory. DFP_INVALID: err
 * names the field, as args.count, and the limit. Refused are
 *
 *   malformed JSON (err has line and column), more text after the object,
 *   invalid UTF-8;
 *   a type that is not known, an args.type other than image and file;
 *   a job without url and urls, URLs that dfp_url_parse() refuses, an image
 *   that is neither a manifest URL nor an image reference;
 *   a malformed scope, address, platform or time;
 *   a webhook or args.verify of a dry run;
 *   NUL in any text, CR or LF in all texts but bio, other control characters
 *   in headers;
 *   header names that are not a token (RFC 9110), that occur twice, in any
 *   letter case, or that are not known: known are those of credentials
 *   (Authorization, and names that end in "token", "key", "auth" and so on)
 *   and a short list (User-Agent, X-Amz-Date and so on).
 */
dfp_rc_t dfp_job_parse(dfp_mem_t *mem, dfp_str_t body, int64_t max_timeout,
    dfp_job_t *job, dfp_err_t *err);

/* Parses the args object alone, as dfp_job_print_args() printed it, for the
 * worker that runs the job. bio, user_id and clusters stay empty. */
dfp_rc_t dfp_job_parse_args(dfp_mem_t *mem, dfp_str_t args, dfp_job_t *job,
    dfp_err_t *err);

/* What a job tells about itself, and a change of it. */
typedef struct {
    dfp_str_t  bio;
    dfp_str_t  type;
    int64_t    user_id;
    unsigned   has_bio:1;       /* of a change: the field was given */
    unsigned   has_user:1;
    unsigned   dry_run:1;       /* it is kept by a change */
} dfp_job_about_t;

/* Parses the body of PATCH. "" and 0 are values; null: not given. DFP_INVALID:
 * err names the field. DFP_ERROR: no memory. */
dfp_rc_t dfp_job_parse_change(dfp_mem_t *mem, dfp_str_t body,
    dfp_job_about_t *change, dfp_err_t *err);

/* Sets CHANGED to what the job tells after CHANGE, before it told ABOUT, as
 * dfp_job_print_about() has printed it. DFP_INVALID: ABOUT is something else.
 * DFP_ERROR: no memory. */
dfp_rc_t dfp_job_change(dfp_mem_t *mem, dfp_str_t about,
    const dfp_job_about_t *change, dfp_job_about_t *changed, dfp_err_t *err);

/* The "type" of a job that does ACTION. */
const char *dfp_job_type_name(dfp_job_action_t action);

/* The same of ABOUT, as dfp_job_print_about() has printed it; "": it has none. */
dfp_str_t dfp_job_about_type(dfp_str_t about);

/* Whether jobs of TYPE are about one task of Dragonfly. */
int dfp_job_type_of_task(dfp_str_t type);

/* Whether jobs of TYPE are listed. */
int dfp_job_type_listed(dfp_str_t type);

/* Appends the members bio, type and user_id of a JSON object, each after a
 * comma; of a dry run also dry_run. */
void dfp_job_print_about(dfp_buf_t *b, const dfp_job_about_t *about);

/* Whether ABOUT, as that has printed it, is of a dry run. */
int dfp_job_about_dry(dfp_str_t about);

/* The job ACTION, another one than DFP_JOB_PREHEAT, for one image or file in
 * all caches. URL and PLATFORM ("": not given) are checked as those of args,
 * and errors call them "url" and "platform"; they are kept. TIMEOUT is in
 * nanoseconds. */
dfp_rc_t dfp_job_of_url(dfp_mem_t *mem, dfp_job_action_t action, dfp_str_t url,
    dfp_str_t platform, int64_t timeout, dfp_job_t *job, dfp_err_t *err);

/*
 * Appends the args object with all of Dragonfly's keys, sorted. Strings that
 * are not given are "", other values null. With REDACT, "***" replaces the
 * username, the password, the values of all headers that
 * dfp_job_header_secret() does not exempt, and the signatures in URLs. Returns
 * 1 if something was replaced, which means that the job has secrets that must
 * be sealed, and 0 otherwise.
 */
int dfp_job_print_args(dfp_buf_t *b, const dfp_job_t *job, int redact);

/* Appends ARGS, as dfp_job_print_args() has printed them, as they are stored: with
 * "" instead of the default of filtered_query_params, which is as long as all other
 * fields; dfp_job_parse_args() takes both. */
void dfp_job_args_store(dfp_buf_t *b, dfp_str_t args);

/* Appends ARGS, as they are stored by this or an older release, as they were
 * printed. */
void dfp_job_args_show(dfp_buf_t *b, dfp_str_t args);

/* Whether the value of a header of this name is secret: of all headers but
 * User-Agent, X-Amz-Date and so on. */
int dfp_job_header_secret(dfp_str_t name);

/* Whether a header of this name may identify the client: by a credential, or by
 * the name of a user whom a proxy in front of nginx has authenticated. */
int dfp_header_personal(dfp_str_t name);

/* Whether a header of this name is Authorization, in any letter case. */
int dfp_job_header_authorization(dfp_str_t name);

/* "single_seed_peer" and so on, as in args.scope; "": not given. */
const char *dfp_job_scope_name(dfp_job_scope_t scope);

/* The reverse; DFP_SCOPE_DEFAULT: there is no scope with this name. */
dfp_job_scope_t dfp_job_scope(dfp_str_t name);

/* What is to be preheated: url, then urls, without duplicates. The list is in
 * MEM, its strings are those of JOB. DFP_ERROR: no memory. */
dfp_rc_t dfp_job_urls(dfp_mem_t *mem, const dfp_job_t *job, dfp_str_t **urls,
    size_t *n);


#endif /* DFP_JOB_H */
