/*
 * Entries of nginx's proxy cache: what a call has stored there, and whether it
 * is still there later.
 */

#ifndef NGX_DFP_CACHE_H
#define NGX_DFP_CACHE_H


#include "ngx_dfp_target.h"


/* One entry of a cache: enough to find it again. */
typedef struct {
    ngx_http_file_cache_t  *cache;      /* NULL: the location has no cache */
    u_char                  key[NGX_HTTP_CACHE_KEY_LEN];
    off_t                   start;      /* of the body in its file, bytes */
    off_t                   size;       /* of the body, bytes */
    ngx_file_uniq_t         uniq;       /* of the file that was stored; 0: it
                                           was there already */
} ngx_dfp_entry_t;


/* What is known of an entry. */
typedef struct {
    off_t     start;       /* of the body in its file, bytes */
    off_t     size;        /* of the body, bytes */
    time_t    date;        /* when the origin has sent or confirmed it */
    time_t    valid;       /* until when it is valid */
    time_t    used;        /* when it was last used; 0: not known */
    unsigned  varies:1;    /* it is for some clients only: it has Vary */
} ngx_dfp_held_t;


/*
 * Whether all of the answer of SR, a subrequest that has ended with RC, is in
 * the cache now; then ENTRY is filled in. NGX_AGAIN: it is not, another try
 * may succeed; NGX_DECLINED: it is not, for good. REASON says why
 * not, and lives as long as SR.
 */
ngx_int_t ngx_dfp_cache_stored(ngx_http_request_t *sr, ngx_int_t rc,
    ngx_dfp_entry_t *entry, const char **reason);

/* Whether the key of the entry of SR, which was computed, is
 * $dfpreheat_cache_key, with or without $dfpreheat_tag and $dfpreheat_application
 * after it. */
ngx_uint_t ngx_dfp_cache_keyed(ngx_http_request_t *sr);


/* The functions below are of ngx_dfp_cache_entry.c. They take the lock of the
 * cache's zone, and those with a LOG open or delete the entry's file. */

/* Whether the entry is in the cache, valid, and as long as ENTRY says, by the
 * header of its file. One of another length is dropped. One that is held
 * counts as used now (inactive). */
ngx_uint_t ngx_dfp_cache_holds(ngx_dfp_entry_t *entry, ngx_log_t *log);

/*
 * Likewise for the manifest of a tag, but for its time of validity: the next
 * client has an expired one revalidated. NGX_OK: it is held; NGX_AGAIN:
 * another file is, which a client may have fetched, and ENTRY describes that
 * one now; NGX_DECLINED: none is.
 */
ngx_int_t ngx_dfp_cache_holds_tag(ngx_dfp_entry_t *entry, ngx_log_t *log);

/* Marks the entry as used, as a request would do: nginx counts "inactive" from the
 * last request, for a new entry from the start of its fetch, and deletes the entry
 * that was used first (max_size). Returns whether nginx has a file for it. */
ngx_uint_t ngx_dfp_cache_used(ngx_dfp_entry_t *entry);

/* Whether the entry is valid now, by the header of its file. */
ngx_uint_t ngx_dfp_cache_fresh(ngx_dfp_entry_t *entry, ngx_log_t *log);

/* Whether what was stored at DATE was requested from the origin later than
 * SINCE. A DATE in the future does not count: a clock was wrong. */
ngx_uint_t ngx_dfp_cache_later(time_t date, time_t since);

/* Whether a request is updating the entry, which exists. One that has not
 * renewed its lock for AGE ms does not count; then the next request has AGE ms
 * from now on. OPENED changes each time a request opens the entry. */
ngx_uint_t ngx_dfp_cache_updated(ngx_dfp_entry_t *entry, ngx_msec_t age,
    ngx_uint_t *opened);

/* Whether nginx would open a file for the entry. USED is when it last did; 0:
 * not known. */
ngx_uint_t ngx_dfp_cache_last_use(ngx_dfp_entry_t *entry, time_t *used);

/* Whether nginx has a file for the entry, valid or not. */
ngx_uint_t ngx_dfp_cache_exists(ngx_dfp_entry_t *entry);

/* The same; with WRITTEN the file must be one that was stored by now, and
 * ENTRY is given its number. */
ngx_uint_t ngx_dfp_cache_placed(ngx_dfp_entry_t *entry, ngx_uint_t written);

/* The path of the entry's file, with a NUL, in POOL. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_cache_file(ngx_dfp_entry_t *entry, ngx_pool_t *pool,
    ngx_str_t *file);

/* If nginx keeps an error in the place of an answer, the next request goes to the
 * origin. C has its key and its cache. */
void ngx_dfp_cache_forget_error(ngx_http_cache_t *c);

/* Removes the entry and its file from the cache. */
void ngx_dfp_cache_drop(ngx_dfp_entry_t *entry, ngx_log_t *log);

/* Logs, for debugging, what was found out about the entry. */
void ngx_dfp_cache_debug(ngx_dfp_entry_t *entry, ngx_log_t *log,
    const char *what);


/* The functions below are of ngx_dfp_cache_look.c. None of them counts as a use
 * of the entry. */

/* Fills in HELD, if the entry, an answer with status 200, is in the cache,
 * valid or not. NGX_DECLINED: it is not; NGX_ERROR: its file cannot be opened, or
 * no memory. */
ngx_int_t ngx_dfp_cache_look(ngx_dfp_entry_t *entry, ngx_log_t *log,
    ngx_dfp_held_t *held);

/* Reads the body of such an entry, of at most MAX bytes, and the Content-Type
 * that is stored with it, into POOL. It blocks: it is for manifests.
 * NGX_DECLINED: it is not in the cache, cannot be read, or is larger;
 * NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_cache_body(ngx_dfp_entry_t *entry, ngx_pool_t *pool,
    size_t max, ngx_str_t *body, ngx_str_t *type);

/* Reads the header of the answer, as it came, into POOL. It blocks. NGX_DECLINED: the
 * entry is not in the cache; NGX_ERROR: its file cannot be read, or no memory. */
ngx_int_t ngx_dfp_cache_head(ngx_dfp_entry_t *entry, ngx_pool_t *pool,
    dfp_str_t *head);


#endif /* NGX_DFP_CACHE_H */
