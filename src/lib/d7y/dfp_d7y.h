/*
 * Dragonfly's messages (proto/): requests to its scheduler and peers, each with
 * the prefix of a gRPC message, and their replies.
 *
 * What is not given is not sent: no empty string, no 0. Replies are hostile until
 * parsed: strings are copied, and cut at a limit or refused; an IP address is
 * checked; what has none or no port is kept, so that it can be named.
 */

#ifndef DFP_D7Y_H
#define DFP_D7Y_H


#include "dfp_job.h"


#define DFP_D7Y_MAX_HOSTS     20000   /* of one ListHosts */
#define DFP_D7Y_MAX_TEXT      253     /* bytes of an id, hostname */

/* the names of the methods, as paths */
#define DFP_D7Y_LIST_HOSTS     "/scheduler.v2.Scheduler/ListHosts"
#define DFP_D7Y_PREHEAT_IMAGE  "/scheduler.v2.Scheduler/PreheatImage"
#define DFP_D7Y_PREHEAT_FILE   "/scheduler.v2.Scheduler/PreheatFile"
#define DFP_D7Y_STAT_IMAGE     "/scheduler.v2.Scheduler/StatImage"
#define DFP_D7Y_STAT_FILE      "/scheduler.v2.Scheduler/StatFile"
#define DFP_D7Y_DOWNLOAD_TASK  "/dfdaemon.v2.DfdaemonUpload/DownloadTask"


typedef struct {
    dfp_str_t         id;
    dfp_str_t         hostname;
    dfp_str_t         ip;          /* canonical spelling; "": none, or wrong */
    uint16_t          port;        /* 0: none, or wrong */
    unsigned          seed:1;
} dfp_d7y_host_t;


/* What all requests about one URL have in common. */
typedef struct {
    dfp_str_t         url;
    dfp_str_t         tag;
    dfp_str_t         application;
    dfp_str_t         filter;      /* names joined by "&", as in a job */
    dfp_job_header_t *headers;
    size_t            nheaders;
    int64_t           piece_length;
    int64_t           timeout;     /* nanoseconds */
    int               priority;
    dfp_str_t        *certificates;    /* DER */
    size_t            ncertificates;
    unsigned          blob_digest:1;   /* the task's id is the blob's digest */
} dfp_d7y_request_t;


/* One message of DownloadTask's stream. */
typedef struct {
    dfp_str_t         host_id;
    dfp_str_t         task_id;
    unsigned          started:1;   /* content_length is given */
    unsigned          piece:1;     /* length of the piece is given */
    uint64_t          content_length;
    uint64_t          length;
} dfp_d7y_event_t;


/* A scheduler's list of hosts, which is read as it comes. */
typedef struct {
    dfp_d7y_host_t            *list;
    size_t                     n;
    unsigned                   complete:1;

    /* private */

    size_t                     size;        /* places in the list */
    struct dfp_d7y_reader_s   *reader;
} dfp_d7y_hosts_t;


/* Requests: *FRAME is in MEM. DFP_ERROR: no memory. */

dfp_rc_t dfp_d7y_list_hosts(dfp_mem_t *mem, dfp_str_t *frame);
dfp_rc_t dfp_d7y_download(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    dfp_str_t *frame);

/* Of JOB: scope, ips, count, percentage, concurrencies, and of an image username,
 * password and platform. */
dfp_rc_t dfp_d7y_preheat(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const dfp_job_t *job, dfp_str_t *frame);
dfp_rc_t dfp_d7y_stat(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const dfp_job_t *job, dfp_str_t *frame);


/* In MEM, and all that is copied; NULL: no memory. */
dfp_d7y_hosts_t *dfp_d7y_hosts_create(dfp_mem_t *mem);

/* The next bytes of a ListHostsResponse, which ENDS with them or does not: then the
 * list is complete. DFP_INVALID: err says what is wrong; DFP_ERROR: no memory. */
dfp_rc_t dfp_d7y_hosts_read(dfp_d7y_hosts_t *hosts, dfp_str_t part, int ends,
    dfp_err_t *err);

/* MESSAGE is whole, without its prefix. DFP_INVALID: err says what is wrong. */
dfp_rc_t dfp_d7y_event_parse(dfp_mem_t *mem, dfp_str_t message,
    dfp_d7y_event_t *event, dfp_err_t *err);


/* What a peer says when it was the origin that failed: the status of HTTP in
 * "backend error: 404 Not Found"; 0 where the origin gave no answer, and -1 where
 * the text is about something else. */
int dfp_d7y_backend_status(dfp_str_t text);


/*
 * The id that dfdaemon gives to the task of this request, 64 hex digits: by
 * "Task id" in Dragonfly's client, as it was measured (22 of 22): SHA-256 of URL,
 * tag, application, revision (always ""), piece length in decimal and "STANDARD",
 * one after the other. The URL as WHATWG's parser writes it: scheme and host in
 * lower case, default port gone, dot segments removed, fragment kept; its query as
 * form pairs encoded anew ("a%20b" is "a+b", "flag" is "flag="), in their order,
 * without those that the filter names; no "?" where nothing is left; a path that
 * is only "/" is cut off at the end. With blob_digest, and a URL that ends in
 * /blobs/sha256:HEX, it is HEX.
 */
dfp_rc_t dfp_d7y_task_id(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    dfp_str_t *id);

/*
 * Whether the scheduler's StatFile can find this URL at all (DFP_OK). The
 * scheduler sorts the keys of the query and dfdaemon does not, so StatFile finds
 * only a URL whose keys are sorted after filtering. DFP_DECLINED: it cannot;
 * DFP_ERROR: no memory.
 */
dfp_rc_t dfp_d7y_stat_finds(dfp_mem_t *mem, const dfp_d7y_request_t *request);


#endif /* DFP_D7Y_H */
