/*
 * Personal access tokens: POST /api/v1/personal-access-tokens.
 */

#ifndef NGX_DFP_TOKENS_H
#define NGX_DFP_TOKENS_H


#include "ngx_dfp_api.h"


/* Checks the admin key, reads the body, stores the token, and answers with it
 * and its secret, which is shown only here. */
void ngx_dfp_tokens_create(ngx_dfp_api_t *api);


#endif /* NGX_DFP_TOKENS_H */
