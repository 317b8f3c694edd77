/*
 * The HTTP handlers of the Open API.
 */

#ifndef NGX_DFP_API_H
#define NGX_DFP_API_H


#include "ngx_dfp_runner.h"
#include "ngx_dfp_auth.h"


/* Dragonfly's user object without a user. */
#define NGX_DFP_NO_USER                                                       \
    "{\"id\":0,\"created_at\":\"0001-01-01T00:00:00Z\","                      \
    "\"updated_at\":\"0001-01-01T00:00:00Z\",\"is_del\":0,\"email\":\"\","    \
    "\"name\":\"\",\"avatar\":\"\",\"phone\":\"\",\"state\":\"\","            \
    "\"location\":\"\",\"bio\":\"\",\"configs\":null}"


typedef struct ngx_dfp_api_s  ngx_dfp_api_t;

typedef void (*ngx_dfp_api_pt)(ngx_dfp_api_t *api);

/* One request, from its route to its answer. */
struct ngx_dfp_api_s {
    ngx_http_request_t   *r;
    ngx_dfp_main_conf_t  *conf;
    ngx_dfp_store_t      *store;
    ngx_dfp_auth_t        auth;
    ngx_dfp_op_t          op;
    ngx_dfp_op_pt         replied;   /* what comes after op */
    ngx_dfp_api_pt        next;      /* what comes after a wait */
    dfp_mem_t             mem;       /* of the request's pool */
    ngx_str_t             body;
    size_t                size;      /* of body's memory */
    dfp_job_t             job;       /* as it was posted */
    ngx_dfp_stored_job_t  stored;
    dfp_token_t           new_token;
    ngx_dfp_token_t       token;
    char                  secret[DFP_TOKEN_LEN + 1];
    unsigned              settled:1;
};


/* The content handler of a location with dfpreheat on. */
ngx_int_t ngx_dfp_api_handler(ngx_http_request_t *r);


/*
 * Between the files of the API: each ends with an answer to the client. They may
 * run within the content handler, so none of them runs posted requests: that is
 * for what Redis calls (api_replied, auth_found), once they have returned.
 */

/* The handler of api->op: goes on with api->replied. */
void ngx_dfp_api_replied(void *data, ngx_int_t rc);

/* Reads the body, up to the limit, into api->body, and goes on with NEXT. */
void ngx_dfp_body_read(ngx_dfp_api_t *api, ngx_dfp_api_pt next);

void ngx_dfp_jobs_create(ngx_dfp_api_t *api);
void ngx_dfp_jobs_get(ngx_dfp_api_t *api);
void ngx_dfp_tokens_create(ngx_dfp_api_t *api);

/* The whole job as JSON; without RESULT its result is null, as POST has it. */
void ngx_dfp_print_job(dfp_buf_t *b, ngx_dfp_api_t *api, ngx_uint_t result);

/* KEY as it stands, then the time as a JSON string; MS since 1970. */
void ngx_dfp_print_time(dfp_buf_t *b, const char *key, int64_t ms);

/* Sends the JSON. */
void ngx_dfp_api_send(ngx_dfp_api_t *api, ngx_uint_t status, dfp_buf_t *b);

/* {"message": TEXT}, or with status 422 {"errors": TEXT}, as Dragonfly's. */
void ngx_dfp_api_error(ngx_dfp_api_t *api, ngx_uint_t status,
    const char *text);

/* What an operation that ended neither in OK nor in DECLINED comes to. */
void ngx_dfp_api_trouble(ngx_dfp_api_t *api, ngx_int_t rc);


#endif /* NGX_DFP_API_H */
