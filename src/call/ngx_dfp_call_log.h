/*
 * The log of a synthetic connection: its lines name the job and the URL, and
 * nothing secret; and what nginx says about a failed upstream is kept.
 */

#ifndef NGX_DFP_CALL_LOG_H
#define NGX_DFP_CALL_LOG_H


#include "dfp_texts.h"
#include "ngx_dfp_secrets.h"


/*
 * Gives C a log in its own pool, whose lines go where those of PARENT go. They
 * end with JOB and SHOWN, the URL as it may be logged; SHOWN and SECRETS,
 * which may be NULL, are copied. NGX_ERROR: no memory.
 */
ngx_int_t ngx_dfp_call_log_create(ngx_connection_t *c, ngx_log_t *parent,
    int64_t job, ngx_str_t *shown, ngx_array_t *secrets);

/* From here on secrets are taken out of all lines. Called after
 * ngx_http_create_request(), which sets where the server's lines go. */
void ngx_dfp_call_log_listen(ngx_log_t *log);

/* What nginx has logged last about why the upstream failed, as "connect()
 * failed (111: Connection refused)"; "": nothing that could be shown. It lives
 * as long as the connection. */
const char *ngx_dfp_call_log_trouble(ngx_log_t *log);

/* Whether it begins with TEXT, which is one of dfp_texts.h. */
#define ngx_dfp_call_log_says(log, text)                                      \
    (ngx_strncmp(ngx_dfp_call_log_trouble(log), text, sizeof(text) - 1) == 0)


#endif /* NGX_DFP_CALL_LOG_H */
