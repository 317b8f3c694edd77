/*
 * Is it in nginx's proxy cache?  What a call left there, and whether it is
 * still there later.
 */

#ifndef NGX_DFP_CACHE_H
#define NGX_DFP_CACHE_H


#include "ngx_dfp_target.h"


/* One entry of a cache: enough to find it again. */
typedef struct {
    ngx_http_file_cache_t  *cache;      /* NULL: the location has no cache */
    u_char                  key[NGX_HTTP_CACHE_KEY_LEN];
    off_t                   start;      /* of the body in its file */
    off_t                   size;       /* of the body, bytes */
    ngx_file_uniq_t         uniq;       /* of the file that was stored; 0: it was
                                           there already */
} ngx_dfp_entry_t;


/*
 * Looks at a subrequest that has ended with RC: whether all of the answer is
 * in the cache now. If not, REASON says why, in words; NGX_AGAIN: another try
 * may go better, NGX_DECLINED: it will not.
 */
ngx_int_t ngx_dfp_cache_stored(ngx_http_request_t *sr, ngx_int_t rc,
    ngx_dfp_entry_t *entry, const char **reason);

/* Whether the entry is in the cache, on disk, fresh, and as long as it was: reads
 * the header of its file. One of another length is dropped; one that is there counts
 * as used now. */
ngx_uint_t ngx_dfp_cache_holds(ngx_dfp_entry_t *entry, ngx_log_t *log);

/* Whether what was stored at DATE was asked of the origin later than SINCE. What has a
 * date to come may be of any time: a clock was wrong. */
ngx_uint_t ngx_dfp_cache_later(time_t date, time_t since);

/*
 * Likewise for the manifest of a tag, which is held when it has expired meanwhile,
 * since the next client has it revalidated. NGX_OK: it is there; NGX_AGAIN: another
 * one is, which a client may have fetched, and ENTRY is that one now; NGX_DECLINED:
 * none is.
 */
ngx_int_t ngx_dfp_cache_holds_tag(ngx_dfp_entry_t *entry, ngx_log_t *log);

/* Whether the entry is valid now, by the header of its file. */
ngx_uint_t ngx_dfp_cache_fresh(ngx_dfp_entry_t *entry, ngx_log_t *log);

/* Whether a request updates the entry, which is there. One that has shown no sign of
 * life for AGE (ms) does not any more; and the next one has as long from now on.
 * OPENED changes when a request opens the entry, which may be the next one. */
ngx_uint_t ngx_dfp_cache_updated(ngx_dfp_entry_t *entry, ngx_msec_t age,
    ngx_uint_t *opened);

/* Whether nginx knows of the entry, whatever its age. */
ngx_uint_t ngx_dfp_cache_exists(ngx_dfp_entry_t *entry);

/* The path of the entry's file, NUL-terminated, in POOL. */
ngx_int_t ngx_dfp_cache_file(ngx_dfp_entry_t *entry, ngx_pool_t *pool,
    ngx_str_t *file);

/* Takes the entry out of the cache: nobody gets it any more. */
void ngx_dfp_cache_drop(ngx_dfp_entry_t *entry, ngx_log_t *log);


#endif /* NGX_DFP_CACHE_H */
