/*
 * The rehearsal of a job: requests to the front, as clients make them, over
 * real connections. The nginx that answers recognizes them by a key that only
 * its workers know, and tells how its cache had a part in the answer:
 *
 *     X-Dfpreheat-Verify: KEY.NONCE
 *     X-Dfpreheat-Cache: NONCE STATUS KEY ZONE
 *
 * STATUS is that of $upstream_cache_status, "-" if there was no cache; KEY and
 * ZONE name the entry. Since the nonce of each request is a new one, no cache on
 * the way can give the answer.
 */

#ifndef NGX_DFP_REHEARSAL_H
#define NGX_DFP_REHEARSAL_H


#include "ngx_dfp_cache.h"


#define NGX_DFP_NONCE_LEN  DFP_UUID_LEN

#define NGX_DFP_REHEARSAL_LEN                                                 \
    (NGX_DFP_VERIFY_KEY_LEN + 1 + NGX_DFP_NONCE_LEN)


/* Of one request. */
typedef struct {

    /* set by ngx_dfp_rehearsal_begin() */

    u_char            key[NGX_DFP_REHEARSAL_LEN + 1];
    dfp_job_header_t  header;
    ngx_str_t         entry;       /* "KEY ZONE" of what was warmed */

    /* set by the caller */

    unsigned          head:1;      /* HEAD, not GET */

    /* the answer */

    unsigned          known:1;     /* it is one of this nginx */
    unsigned          warmed:1;    /* ... and of that entry */
    ngx_uint_t        cache;       /* NGX_HTTP_CACHE_HIT and so on; 0: none */
    off_t             first;       /* of the bytes in it, by Content-Range; */
    off_t             last;        /* -1: there is none, or it is invalid */
    off_t             total;
} ngx_dfp_rehearsal_t;


/* Prepares a request for what ENTRY has, in POOL, with the header that it has to
 * have. NULL: OpenSSL has no randomness, or no memory. */
ngx_dfp_rehearsal_t *ngx_dfp_rehearsal_begin(ngx_dfp_main_conf_t *conf,
    ngx_pool_t *pool, ngx_dfp_entry_t *entry);

/* Reads the answer's headers. */
void ngx_dfp_rehearsal_answer(ngx_dfp_rehearsal_t *rehearsal,
    ngx_list_t *headers);

/* "HIT" and so on; "-": no cache had a part in it. */
ngx_str_t ngx_dfp_rehearsal_status(ngx_uint_t cache);

/* Installs what recognizes the requests, while the configuration is read.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_rehearsal_init(ngx_conf_t *cf, ngx_dfp_main_conf_t *conf);


#endif /* NGX_DFP_REHEARSAL_H */
