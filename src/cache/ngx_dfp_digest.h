/*
 * Checks the digests of files in the cache. Threads read the files, so that no
 * request waits for the disk; a few at a time, so that threads are left for
 * others. Those of the pool that the module makes have a lower priority than the
 * worker, which has clients.
 */

#ifndef NGX_DFP_DIGEST_H
#define NGX_DFP_DIGEST_H


#include "ngx_dfp_cache.h"


typedef struct ngx_dfp_digest_s  ngx_dfp_digest_t;

/* RC: NGX_OK: the file has the digest; NGX_DECLINED: it has another one;
 * NGX_ERROR: it could not be read. */
typedef void (*ngx_dfp_digest_pt)(void *data, ngx_int_t rc);


/* Finds the thread pool that is configured, or adds one, while the
 * configuration is read. NGX_ERROR: no memory, or no such pool. */
ngx_int_t ngx_dfp_digest_init(ngx_conf_t *cf, ngx_dfp_main_conf_t *conf);

/* Checks whether the body of ENTRY has DIGEST, as soon as its turn has come.
 * HANDLER is called once, after this has returned. ENTRY and DIGEST are
 * copied. NULL: no memory, or the queue of the threads is full. The check
 * frees itself after HANDLER has returned. */
ngx_dfp_digest_t *ngx_dfp_digest_start(ngx_dfp_main_conf_t *conf,
    ngx_dfp_entry_t *entry, ngx_str_t *digest, ngx_dfp_digest_pt handler,
    void *data);

/* Ends a check whose handler has not been called yet; the handler is not
 * called. */
void ngx_dfp_digest_cancel(ngx_dfp_digest_t *digest);


#endif /* NGX_DFP_DIGEST_H */
