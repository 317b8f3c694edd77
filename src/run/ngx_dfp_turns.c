#include "ngx_dfp_turns.h"


struct ngx_dfp_turn_s {
    ngx_queue_t  queue;     /* in the list of tokens */
    ngx_queue_t  runs;
    int64_t      token;
};


static ngx_dfp_turn_t *ngx_dfp_turns_token(ngx_dfp_turns_t *turns,
    ngx_dfp_run_t *run);
static ngx_int_t ngx_dfp_turns_call_of(ngx_dfp_turn_t *turn,
    ngx_dfp_run_t **run);
static void ngx_dfp_turns_rotate(ngx_queue_t *list, ngx_queue_t *q);


void
ngx_dfp_turns_init(ngx_dfp_turns_t *turns)
{
    ngx_queue_init(&turns->tokens);
}


ngx_int_t
ngx_dfp_turns_add(ngx_dfp_turns_t *turns, ngx_dfp_run_t *run)
{
    ngx_dfp_turn_t  *turn;

    turn = ngx_dfp_turns_token(turns, run);
    if (turn == NULL) {
        return NGX_ERROR;
    }

    run->turn = turn;
    ngx_queue_insert_tail(&turn->runs, &run->place);

    return NGX_OK;
}


/* The turn outlives single runs, so it is not in a run's pool. */

static ngx_dfp_turn_t *
ngx_dfp_turns_token(ngx_dfp_turns_t *turns, ngx_dfp_run_t *run)
{
    ngx_queue_t     *q;
    ngx_dfp_turn_t  *turn;

    for (q = ngx_queue_head(&turns->tokens);
         q != ngx_queue_sentinel(&turns->tokens);
         q = ngx_queue_next(q))
    {
        turn = ngx_queue_data(q, ngx_dfp_turn_t, queue);

        if (turn->token == run->claim.token) {
            return turn;
        }
    }

    turn = ngx_alloc(sizeof(ngx_dfp_turn_t), &run->log);
    if (turn == NULL) {
        return NULL;
    }

    turn->token = run->claim.token;
    ngx_queue_init(&turn->runs);
    ngx_queue_insert_tail(&turns->tokens, &turn->queue);

    return turn;
}


void
ngx_dfp_turns_remove(ngx_dfp_run_t *run)
{
    ngx_dfp_turn_t  *turn;

    turn = run->turn;

    if (turn == NULL) {
        return;
    }

    run->turn = NULL;
    ngx_queue_remove(&run->place);

    if (ngx_queue_empty(&turn->runs)) {
        ngx_queue_remove(&turn->queue);
        ngx_free(turn);
    }
}


ngx_int_t
ngx_dfp_turns_tokens(ngx_dfp_turns_t *turns, u_char *buf, ngx_str_t *tokens)
{
    u_char          *p;
    ngx_uint_t       n;
    ngx_queue_t     *q;
    ngx_dfp_turn_t  *turn;

    ngx_str_set(tokens, "");

    p = buf;
    *p++ = ' ';
    n = 0;

    for (q = ngx_queue_head(&turns->tokens);
         q != ngx_queue_sentinel(&turns->tokens);
         q = ngx_queue_next(q))
    {
        if (n++ == NGX_DFP_TOKENS_MAX) {
            return NGX_DECLINED;
        }

        turn = ngx_queue_data(q, ngx_dfp_turn_t, queue);
        p = ngx_sprintf(p, "%L ", turn->token);
    }

    tokens->data = buf;
    tokens->len = p - buf;

    return NGX_OK;
}


ngx_int_t
ngx_dfp_turns_call(ngx_dfp_turns_t *turns, ngx_dfp_run_t **run)
{
    ngx_int_t        rc;
    ngx_queue_t     *q, *last;
    ngx_dfp_turn_t  *turn;

    if (ngx_queue_empty(&turns->tokens)) {
        return NGX_DECLINED;
    }

    last = ngx_queue_last(&turns->tokens);

    do {
        q = ngx_queue_head(&turns->tokens);
        turn = ngx_queue_data(q, ngx_dfp_turn_t, queue);
        ngx_dfp_turns_rotate(&turns->tokens, q);

        rc = ngx_dfp_turns_call_of(turn, run);

    } while (rc == NGX_DECLINED && q != last);

    return rc;
}


static ngx_int_t
ngx_dfp_turns_call_of(ngx_dfp_turn_t *turn, ngx_dfp_run_t **run)
{
    ngx_int_t     rc;
    ngx_queue_t  *q, *last;

    last = ngx_queue_last(&turn->runs);

    do {
        q = ngx_queue_head(&turn->runs);
        *run = ngx_queue_data(q, ngx_dfp_run_t, place);
        ngx_dfp_turns_rotate(&turn->runs, q);

        rc = NGX_DECLINED;

        if ((*run)->stage.call && (*run)->calls < (*run)->width) {
            rc = (*run)->stage.call(*run);
        }

    } while (rc == NGX_DECLINED && q != last);

    return rc;
}


static void
ngx_dfp_turns_rotate(ngx_queue_t *list, ngx_queue_t *q)
{
    ngx_queue_remove(q);
    ngx_queue_insert_tail(list, q);
}
