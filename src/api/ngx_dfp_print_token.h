/*
 * Tokens as JSON, with the fields of Dragonfly's manager in its order.
 */

#ifndef NGX_DFP_PRINT_TOKEN_H
#define NGX_DFP_PRINT_TOKEN_H


#include "ngx_dfp_print.h"
#include "ngx_dfp_store_tokens.h"


/* Appends TOKEN. SECRET is shown as its token; NULL: "". Without memory B has
 * failed. */
void ngx_dfp_print_token(dfp_buf_t *b, ngx_dfp_stored_token_t *token,
    const char *secret);


#endif /* NGX_DFP_PRINT_TOKEN_H */
