/* What engines share. */

#ifndef NGX_DFP_ENGINE_H
#define NGX_DFP_ENGINE_H


#include "ngx_dfp_image.h"


/* Adds to a list of results, or counts what does not go into it. URL and
 * DESCRIPTION may be NULL. */
void ngx_dfp_list_add(ngx_dfp_list_t *list, ngx_str_t *hostname, ngx_str_t *ip,
    ngx_str_t *url, ngx_str_t *description);


#endif /* NGX_DFP_ENGINE_H */
