/*
 * One personal access token: GET, PATCH and DELETE of
 * /api/v1/personal-access-tokens/:id.
 */

#ifndef NGX_DFP_TOKEN_H
#define NGX_DFP_TOKEN_H


#include "ngx_dfp_api.h"


/* Checks the admin key and the id. GET: answers with the token, without its
 * secret. PATCH: changes it first. DELETE: deletes it; the answer is empty. */
void ngx_dfp_token(ngx_dfp_api_t *api);


#endif /* NGX_DFP_TOKEN_H */
