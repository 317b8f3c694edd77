/*
 * Whose turn it is to start a call: tokens take turns, and so do the runs of a
 * token. A token with many jobs gets no more calls than one with a single job,
 * as long as that one has calls to start.
 */

#ifndef NGX_DFP_TURNS_H
#define NGX_DFP_TURNS_H


#include "ngx_dfp_run.h"


#define NGX_DFP_TOKENS_MAX  100    /* that a look names */
#define NGX_DFP_TOKENS_LEN                                                    \
    (1 + NGX_DFP_TOKENS_MAX * (NGX_INT64_LEN + 1))


typedef struct {
    ngx_queue_t  tokens;    /* those that have runs */
} ngx_dfp_turns_t;


void ngx_dfp_turns_init(ngx_dfp_turns_t *turns);

/* RUN takes part from now on. NGX_ERROR: no memory. */
ngx_int_t ngx_dfp_turns_add(ngx_dfp_turns_t *turns, ngx_dfp_run_t *run);

/* RUN takes part no longer; safe for a run that was never added. */
void ngx_dfp_turns_remove(ngx_dfp_run_t *run);

/* The tokens that have runs, as " 1 2 ", in BUF of NGX_DFP_TOKENS_LEN bytes.
 * NGX_DECLINED: there are too many. */
ngx_int_t ngx_dfp_turns_tokens(ngx_dfp_turns_t *turns, u_char *buf,
    ngx_str_t *tokens);

/* The run whose turn it is starts a call. NGX_OK: it has; NGX_DECLINED: no run
 * has one to start; NGX_AGAIN: no connection or no memory is free for that of
 * *RUN. */
ngx_int_t ngx_dfp_turns_call(ngx_dfp_turns_t *turns, ngx_dfp_run_t **run);


#endif /* NGX_DFP_TURNS_H */
