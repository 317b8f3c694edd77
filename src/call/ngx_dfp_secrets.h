/*
 * The credentials that a run sends, so that they can be masked in answers and
 * log lines: a server may repeat what it was sent.
 */

#ifndef NGX_DFP_SECRETS_H
#define NGX_DFP_SECRETS_H


#include "ngx_dfp_types.h"


#define NGX_DFP_URL_SECRETS       16    /* of one URL */
#define NGX_DFP_SECRET_PART_MIN   8     /* bytes of a word in a header */
#define NGX_DFP_SECRET_PARTS_MAX  32    /* words in a header */


/* An empty array of dfp_str_t in POOL. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_secrets_init(ngx_array_t *secrets, ngx_pool_t *pool);

/* Adds VALUE, its last word ("Bearer TOKEN"), and its form in a query string,
 * unless they are there already. VALUE is not copied. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_secrets_add(ngx_array_t *secrets, dfp_str_t value);

/* Adds the signatures and credentials in a URL, which is not copied.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_secrets_url(ngx_array_t *secrets, dfp_str_t url);

/* Adds a user name and a password, and their Basic authorization; all are
 * copied. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_secrets_login(ngx_array_t *secrets, dfp_str_t username,
    dfp_str_t password, dfp_str_t basic);

/* Adds the credentials of JOB, which are not copied. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_secrets_job(ngx_array_t *secrets, const dfp_job_t *job);

/* Adds a copy of all SECRETS, with their values; SECRETS may be NULL.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_secrets_copy(ngx_array_t *copy, ngx_array_t *secrets);

/* TEXT with SECRETS masked, in POOL; without memory it is "". */
ngx_str_t ngx_dfp_secrets_mask(ngx_array_t *secrets, ngx_pool_t *pool,
    ngx_str_t text);


#endif /* NGX_DFP_SECRETS_H */
