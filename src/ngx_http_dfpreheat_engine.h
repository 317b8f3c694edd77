/* The engines, one interface (ngx_http_dfpreheat_engine_t), one file each. */

#ifndef NGX_HTTP_DFPREHEAT_ENGINE_H
#define NGX_HTTP_DFPREHEAT_ENGINE_H


#include "ngx_http_dfpreheat_image.h"


/* engine=cache: into the proxy_cache of this nginx. */
extern ngx_http_dfpreheat_engine_t  ngx_http_dfpreheat_engine_cache;


#endif /* NGX_HTTP_DFPREHEAT_ENGINE_H */
