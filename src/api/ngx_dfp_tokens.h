/*
 * The list of personal access tokens: POST and GET of
 * /api/v1/personal-access-tokens.
 */

#ifndef NGX_DFP_TOKENS_H
#define NGX_DFP_TOKENS_H


#include "ngx_dfp_api.h"


#define NGX_DFP_TOKENS_PATH  "/api/v1/personal-access-tokens"
#define NGX_DFP_TOKENS_MAX   1000    /* of a page */


/* Checks the admin key. POST: reads the body, stores the token, and answers with
 * it and its secret, which is shown only here. GET: answers with a page of the
 * list. */
void ngx_dfp_tokens(ngx_dfp_api_t *api);


#endif /* NGX_DFP_TOKENS_H */
