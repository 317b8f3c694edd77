#include "ngx_dfp_pause.h"


ngx_msec_t
ngx_dfp_pause(ngx_uint_t tries, ngx_msec_t base, ngx_msec_t max)
{
    ngx_msec_t  pause;

    pause = base << ngx_min(tries, 8);
    pause = ngx_min(pause, max);

    return pause / 2 + (ngx_msec_t) ngx_random() % pause;
}
