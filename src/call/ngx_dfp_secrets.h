/*
 * What a run logs in with, so that it can be taken out of what others say: whoever
 * is asked may repeat what was sent.
 */

#ifndef NGX_DFP_SECRETS_H
#define NGX_DFP_SECRETS_H


#include "ngx_dfp_types.h"


#define NGX_DFP_URL_SECRETS       16    /* of one URL */
#define NGX_DFP_SECRET_PART_MIN   8     /* bytes of a word in a header */
#define NGX_DFP_SECRET_PARTS_MAX  32    /* words in a header */


/* dfp_str_t, in a pool. */
ngx_int_t ngx_dfp_secrets_init(ngx_array_t *secrets, ngx_pool_t *pool);

/* Adds a value (it has to stay), the last word of it ("Bearer TOKEN"), and how it
 * looks in a query string; what is there already is not added again. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_secrets_add(ngx_array_t *secrets, dfp_str_t value);

/* Adds the signatures and the like in a URL, which has to stay. NGX_ERROR: no
 * memory. */
ngx_int_t ngx_dfp_secrets_url(ngx_array_t *secrets, dfp_str_t url);

/* Adds a user name and a password, and their Basic authorization; all are copied.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_secrets_login(ngx_array_t *secrets, dfp_str_t username,
    dfp_str_t password, dfp_str_t basic);

/* Adds what a job has to log in with. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_secrets_job(ngx_array_t *secrets, const dfp_job_t *job);

/* Adds a copy of all SECRETS, of the values, too; SECRETS may be NULL. */
ngx_int_t ngx_dfp_secrets_copy(ngx_array_t *copy, ngx_array_t *secrets);

/* TEXT without them, in POOL; without memory it is "". */
ngx_str_t ngx_dfp_secrets_mask(ngx_array_t *secrets, ngx_pool_t *pool,
    ngx_str_t text);


#endif /* NGX_DFP_SECRETS_H */
