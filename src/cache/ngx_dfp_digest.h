/*
 * Whether what is in the cache has the digest it should have. Threads read the
 * files, so that no request waits for the disk; a few at a time, so that nobody
 * else waits for the threads.
 */

#ifndef NGX_DFP_DIGEST_H
#define NGX_DFP_DIGEST_H


#include "ngx_dfp_cache.h"


typedef struct ngx_dfp_digest_s  ngx_dfp_digest_t;

/* RC: NGX_OK: it has; NGX_DECLINED: it has another one; NGX_ERROR: the file
 * could not be read. */
typedef void (*ngx_dfp_digest_pt)(void *data, ngx_int_t rc);


/* Asks nginx for the pool of threads that is configured, or makes one: while the
 * configuration is read. */
ngx_int_t ngx_dfp_digest_init(ngx_conf_t *cf, ngx_dfp_main_conf_t *conf);

/* Reads, by THREADS, as soon as its turn has come; HANDLER is called when that has ended, and
 * never by this function. NULL: no memory, or too much waits for the threads. The
 * result is valid until HANDLER is called. */
ngx_dfp_digest_t *ngx_dfp_digest_start(struct ngx_thread_pool_s *threads,
    ngx_dfp_entry_t *entry, ngx_str_t *digest, ngx_dfp_digest_pt handler,
    void *data);

/* HANDLER will not be called. */
void ngx_dfp_digest_cancel(ngx_dfp_digest_t *digest);


#endif /* NGX_DFP_DIGEST_H */
