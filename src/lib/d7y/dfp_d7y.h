/*
 * Messages of Dragonfly (proto/): requests to schedulers and peers, with the
 * prefix of a gRPC message, and their replies.
 *
 * What is not given is not sent: no empty string, and no 0. Replies are not
 * trusted: strings are copied, and cut or refused at a limit; an IP address is
 * checked; a host without an address or a port is kept, so that it can be
 * named.
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
#define DFP_D7Y_STAT_LOCAL     "/dfdaemon.v2.DfdaemonUpload/StatLocalTask"
#define DFP_D7Y_DELETE_TASK    "/dfdaemon.v2.DfdaemonUpload/DeleteTask"


typedef struct {
    dfp_str_t         id;
    dfp_str_t         hostname;
    dfp_str_t         ip;          /* canonical spelling; "": none, or wrong */
    uint16_t          port;        /* 0: none, or wrong */
    unsigned          seed:1;
} dfp_d7y_host_t;


/* What all requests for one URL have in common. */
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
    unsigned          blob_digest:1;   /* the task's id is the blob's digest;
                                          not sent for a file to a
                                          scheduler: it has no such field */
} dfp_d7y_request_t;


/* A message of the stream that DownloadTask returns. */
typedef struct {
    dfp_str_t         host_id;
    dfp_str_t         task_id;
    unsigned          started:1;   /* content_length is given */
    unsigned          piece:1;     /* length of the piece is given */
    uint64_t          content_length;
    uint64_t          length;
} dfp_d7y_event_t;


/* What a peer knows of a task, as StatLocalTask returns it. Neither: it is in
 * progress, or it was given up; NOT_FOUND: the peer does not know it. */
typedef struct {
    int64_t           created;     /* ms since 1970; 0: not told, or no time of
                                      RFC 3339; so below */
    int64_t           updated;
    unsigned          finished:1;  /* the peer holds all of it */
    unsigned          failed:1;
} dfp_d7y_local_t;


/* A scheduler's list of hosts, which is parsed as it arrives. */
typedef struct {
    dfp_d7y_host_t            *list;
    size_t                     n;
    unsigned                   complete:1;

    /* private */

    size_t                     size;        /* places in the list */
    struct dfp_d7y_reader_s   *reader;
} dfp_d7y_hosts_t;


/* Functions that print a request: *FRAME is in MEM. DFP_ERROR: no memory. */

dfp_rc_t dfp_d7y_list_hosts(dfp_mem_t *mem, dfp_str_t *frame);
dfp_rc_t dfp_d7y_download(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    dfp_str_t *frame);
dfp_rc_t dfp_d7y_stat_local(dfp_mem_t *mem, dfp_str_t task_id,
    dfp_str_t *frame);
dfp_rc_t dfp_d7y_delete_task(dfp_mem_t *mem, dfp_str_t task_id,
    dfp_str_t *frame);

/* Of JOB these send scope, ips, count, percentage and the concurrencies, and
 * for an image username, password and platform; a stat sends only the
 * concurrencies, and for an image the kind of peers that the scope means. */
dfp_rc_t dfp_d7y_preheat(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const dfp_job_t *job, dfp_str_t *frame);
dfp_rc_t dfp_d7y_stat(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    const dfp_job_t *job, dfp_str_t *frame);


/* An empty list in MEM, where the strings of its hosts are copied. NULL: no
 * memory. */
dfp_d7y_hosts_t *dfp_d7y_hosts_create(dfp_mem_t *mem);

/* Takes the next bytes of a ListHostsResponse. ENDS: they are the last ones,
 * and the list becomes complete. DFP_INVALID: err says what is wrong;
 * DFP_ERROR: no memory. */
dfp_rc_t dfp_d7y_hosts_read(dfp_d7y_hosts_t *hosts, dfp_str_t part, int ends,
    dfp_err_t *err);

/* Parses MESSAGE, which is complete and without its prefix; strings are copied
 * to MEM. DFP_INVALID: err says what is wrong; DFP_ERROR: no memory. */
dfp_rc_t dfp_d7y_event_parse(dfp_mem_t *mem, dfp_str_t message,
    dfp_d7y_event_t *event, dfp_err_t *err);

/* The same for a StatLocalTaskResponse; nothing is copied. */
dfp_rc_t dfp_d7y_local_parse(dfp_mem_t *mem, dfp_str_t message,
    dfp_d7y_local_t *local, dfp_err_t *err);


/*
 * The HTTP status in a peer's message that the origin failed, as "backend
 * error: 404 Not Found". 0: the origin did not answer; -1: the message says
 * something else.
 */
int dfp_d7y_backend_status(dfp_str_t text);


/*
 * The id of the task for this request, as dfdaemon computes it: 64 hexadecimal
 * digits in MEM. DFP_INVALID: dfp_url_parse_any() refuses the URL. DFP_ERROR:
 * no memory.
 *
 * It is the SHA-256 of the concatenation of URL, tag, application, revision
 * (always ""), piece length in decimal and "STANDARD" ("Task id" in
 * Dragonfly's client; verified with 22 ids of a real one). The URL is that of
 * WHATWG's standard: scheme and host in lower case, no default port, no dot
 * segments, the fragment kept. Its query is encoded anew as a form ("a%20b"
 * becomes "a+b", "flag" becomes "flag="), in the same order, without the
 * parameters that the filter names, and without "?" if nothing is left. A path
 * "/" at the end is removed. With blob_digest, the id of a URL that ends with
 * /blobs/sha256:HEX is HEX.
 */
dfp_rc_t dfp_d7y_task_id(dfp_mem_t *mem, const dfp_d7y_request_t *request,
    dfp_str_t *id);

/*
 * The id of the task that JOB is about, in MEM. Of a job about a task: that of its
 * URL, otherwise the SHA-256 of content_for_calculating_task_id, otherwise its
 * task_id. Of a job that preheats: that of its only URL; "" if it has several, or
 * if its URL has a secret, which is not stored with the job. DFP_INVALID: the URL
 * is refused, as above, or is a reference. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_d7y_job_task(dfp_mem_t *mem, const dfp_job_t *job, dfp_str_t *id);

/*
 * Whether the scheduler's StatFile can find this URL at all (DFP_OK). The
 * scheduler sorts the keys of the query and dfdaemon does not, so StatFile
 * finds only a URL whose keys are sorted after filtering. DFP_DECLINED: it
 * cannot; DFP_ERROR: no memory.
 */
dfp_rc_t dfp_d7y_stat_finds(dfp_mem_t *mem, const dfp_d7y_request_t *request);


#endif /* DFP_D7Y_H */
