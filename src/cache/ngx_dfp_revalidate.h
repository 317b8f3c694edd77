/*
 * An entry of the cache that is to be asked about: it is expired in its file, so
 * that nginx asks the origin whether it has changed, and a 304 renews it.
 */

#ifndef NGX_DFP_REVALIDATE_H
#define NGX_DFP_REVALIDATE_H


#include "ngx_dfp_cache.h"


/*
 * Expires what the cache has for R, where the origin has said nothing about it
 * later than SINCE: before nginx opens the file, when R's key is known. What is
 * still expired when R ends is as it was before. NGX_DECLINED: that could not be
 * done, and R goes past the cache.
 */
ngx_int_t ngx_dfp_revalidate(ngx_http_request_t *r, time_t since);


#endif /* NGX_DFP_REVALIDATE_H */
