/*
 * Jobs as JSON, with the fields of Dragonfly's manager in its order.
 */

#ifndef NGX_DFP_PRINT_H
#define NGX_DFP_PRINT_H


#include "ngx_dfp_store.h"


/* Dragonfly's user object without a user. */
#define NGX_DFP_PRINT_NO_USER                                                 \
    "{\"id\":0,\"created_at\":\"0001-01-01T00:00:00Z\","                      \
    "\"updated_at\":\"0001-01-01T00:00:00Z\",\"is_del\":0,\"email\":\"\","    \
    "\"name\":\"\",\"avatar\":\"\",\"phone\":\"\",\"state\":\"\","            \
    "\"location\":\"\",\"bio\":\"\",\"configs\":null}"


/* Before the uuid of a job: names the delivery of its webhook. */
#define NGX_DFP_PRINT_DELIVERY  "webhook_"


/* The answers differ in what they leave out. */
typedef enum {
    NGX_DFP_PRINT_NEW = 0,    /* of POST: there is no result yet */
    NGX_DFP_PRINT_ONE,
    NGX_DFP_PRINT_LISTED      /* of a list: without clusters */
} ngx_dfp_print_form_e;


/* Appends JOB. Without memory B has failed. */
void ngx_dfp_print_job(dfp_buf_t *b, ngx_dfp_main_conf_t *conf,
    ngx_dfp_stored_job_t *job, ngx_dfp_print_form_e form);

/* Appends what changes of a JOB while it runs. */
void ngx_dfp_print_change(dfp_buf_t *b, ngx_dfp_stored_job_t *job);

/* The nginx that the part is for; "": any. */
void ngx_dfp_print_who(ngx_dfp_part_t *part, dfp_str_t *address,
    dfp_str_t *name);

/* Appends KEY as it is, then the time as a JSON string. MS: milliseconds since
 * 1970. */
void ngx_dfp_print_time(dfp_buf_t *b, const char *key, int64_t ms);


#endif /* NGX_DFP_PRINT_H */
