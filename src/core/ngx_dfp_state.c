#include "ngx_dfp_state.h"


static void ngx_dfp_state_cleanup(void *data);


ngx_dfp_state_t *
ngx_dfp_state_get(ngx_http_request_t *r)
{
    return ngx_dfp_context_get(r, ngx_dfp_state_cleanup);
}


ngx_dfp_state_t *
ngx_dfp_state_create(ngx_http_request_t *r)
{
    ngx_dfp_state_t  *state;

    state = ngx_dfp_state_get(r);

    return state ? state : ngx_dfp_context_create(r, ngx_dfp_state_cleanup,
                                                  sizeof(ngx_dfp_state_t));
}


ngx_uint_t
ngx_dfp_state_call(ngx_http_request_t *r)
{
    ngx_dfp_state_t  *state;

    state = ngx_dfp_state_get(r);

    return state && state->call;
}


/* It identifies the context, and has nothing to free. */

static void
ngx_dfp_state_cleanup(void *data)
{
    ngx_dfp_state_t *state = data;

    state->access = NULL;
}
