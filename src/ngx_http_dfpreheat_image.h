/*
 * A manifest URL to the list of tasks: the manifest by its tag, through an
 * index to the manifests of the wanted platforms, to config and layers.
 */

#ifndef NGX_HTTP_DFPREHEAT_IMAGE_H
#define NGX_HTTP_DFPREHEAT_IMAGE_H


#include "ngx_http_dfpreheat_task.h"


/*
 * Resolves the run's image job into tasks: sets the run's next, and calls THEN
 * when all manifests are read; those are ended tasks by then, all others wait
 * to be warmed. NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_dfpreheat_image_start(ngx_http_dfpreheat_run_t *run,
    ngx_http_dfpreheat_run_pt then);


#endif /* NGX_HTTP_DFPREHEAT_IMAGE_H */
